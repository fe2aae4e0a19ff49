"""What all pictures share: figures in panels, colours, and tensors as images."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from ..errors import ShapeError, fail
from ..host import numpy_view
from ..optional import require
from ..tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito's
SIGNED, SEQUENTIAL = "RdBu_r", "viridis"  # colour maps that colour-blind readers can tell apart
STYLES = ("-", "--", "-.", ":")


def colour(i: int) -> str:
    """The colour of the i-th curve."""
    return COLOURS[i % len(COLOURS)]


def style(i: int) -> str:
    """The line style of the i-th curve: another one each time that the colours are used up."""
    return STYLES[i // len(COLOURS) % len(STYLES)]


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """An empty figure of this size in inches.

    Raises MissingLibrary without matplotlib.
    """
    library = require("matplotlib.figure", "plots", "visualize")
    figure: Figure = library.Figure(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(title)
    return figure


def panels(
    rows: int, columns: int, size: tuple[float, float] = (4.0, 3.0), title: str = ""
) -> tuple[Figure, list[Any]]:
    """A figure of rows x columns axes, each of `size` inches, and its axes row by row."""
    figure = new_figure(columns * size[0], rows * size[1] + 0.4 * bool(title), title)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def grid_shape(count: int, columns: int) -> tuple[int, int]:
    """(rows, columns) that hold `count` panels, no wider than needed."""
    width = max(min(count, columns), 1)
    return max(ceil(count / width), 1), width


def array(t: Tensor) -> Any:
    """The values as a NumPy array, whether they are in a graph or not."""
    return numpy_view(t)


def picture(t: Tensor) -> Any:
    """One image (H, W), (1, H, W) or (3, H, W) as an array (H, W) or (H, W, 3).

    Raises ShapeError for other shapes.
    """
    if len(t.shape) == 3 and t.shape[0] == 1:
        return array(t)[0]
    if len(t.shape) == 3 and t.shape[0] == 3:
        return array(t).transpose(1, 2, 0)
    if len(t.shape) == 2:
        return array(t)
    raise fail(
        ShapeError,
        "visualize",
        f"expected an image (H, W), (1, H, W) or (3, H, W), got shape {t.shape}; "
        "reshape it, or pick one channel",
    )


def stretched(values: Any) -> Any:
    """An array moved and scaled into [0, 1], so that colours can be shown; constant ones give 0."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else values * 0.0


def show_image(axes: Any, t: Tensor, title: str = "", signed: bool = False) -> Any:
    """Draw one image without ticks; grey ones by their own range, signed ones white at zero."""
    values = picture(t)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize="small")
    if values.ndim == 3:
        fits = float(values.min()) >= 0.0 and float(values.max()) <= 1.0
        return axes.imshow(values if fits else stretched(values))
    if signed:
        limit = float(abs(values).max()) or 1.0
        return axes.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
    return axes.imshow(values, cmap="gray")


def show_rows(
    rows: Sequence[Sequence[Tensor]],
    row_titles: Sequence[str],
    titles: Sequence[Sequence[str]],
    signed: Sequence[bool],
    title: str,
) -> Figure:
    """Rows of images with a title for each; `signed` says which rows are white at zero."""
    width = len(rows[0])
    figure, axes = panels(len(rows), width, (1.5, 1.6), title)
    for r, images in enumerate(rows):
        line = axes[r * width : (r + 1) * width]
        for ax, image, head in zip(line, images, titles[r], strict=True):
            show_image(ax, image, head, signed[r])
        line[0].set_ylabel(row_titles[r], fontsize="small")
    return figure


def mosaic(images: Sequence[Tensor], columns: int, gap: int = 1) -> Any:
    """Images of one shape as one array, side by side in rows, with a border between them."""
    import numpy as np

    arrays = [picture(t) for t in images]
    rows, width = grid_shape(len(arrays), columns)
    height, breadth = arrays[0].shape[:2]
    full = (rows * (height + gap) - gap, width * (breadth + gap) - gap, *arrays[0].shape[2:])
    whole = np.full(full, np.nan)
    for i, values in enumerate(arrays):
        top, left = i // width * (height + gap), i % width * (breadth + gap)
        whole[top : top + height, left : left + breadth] = values
    return whole
