"""The first layer's weights as pictures."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Any

from ..errors import ShapeError, fail
from ..nn import Module
from ..tensor import Tensor
from .canvas import SIGNED, array, grid_shape, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_FILTERS = 36


def first_filters(model: Module) -> tuple[str, Any] | None:
    """The name and the pictures (n, H, W) or (n, H, W, 3) of the first layer's weights.

    Convolution filters of one channel, or three (red, green, blue), or rows of a linear layer that
    are square images; None if the model has none of these.
    """
    for name, p in model.named_parameters():
        if len(p.shape) >= 2:
            pictures = _pictures(p.detach())
            return None if pictures is None else (name, pictures)
    return None


def _pictures(weight: Tensor) -> Any:
    values = array(weight)
    if len(weight.shape) == 4 and weight.shape[1] == 3:
        low, high = values.min(), values.max()
        return (values.transpose(0, 2, 3, 1) - low) / max(high - low, 1e-12)
    if len(weight.shape) == 4:
        return values[:, 0]
    if len(weight.shape) != 2:
        return None
    side = isqrt(weight.shape[1])
    return values.reshape(-1, side, side) if side * side == weight.shape[1] else None


def filter_grid(figure: Any, pictures: Any, columns: int | None = None) -> Any:
    """Draw filters in a near-square grid, with one colour scale that is white at zero.

    Returns the last image, for a colour bar.
    """
    shown = pictures[:MOST_FILTERS]
    rows, columns = grid_shape(len(shown), columns or isqrt(len(shown)) or 1)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    limit = float(abs(shown).max()) or 1.0
    for ax in axes:
        ax.axis("off")
    for ax, picture in zip(axes, shown, strict=False):
        drawn = ax.imshow(picture, cmap=SIGNED, vmin=-limit, vmax=limit)
    return drawn


def plot_filters(model: Module) -> Figure:
    """The first layer's weights as pictures, white at zero; at most 36 of them.

    Filters of three channels are shown in colour, their weights moved and scaled into 0 ... 1.
    Returns: Figure. Raises: ShapeError if the weights are no images.
    Source: Krizhevsky et al. 2012, figure 3. Decks: D0, D1, D4
    """
    found = first_filters(model)
    if found is None:
        raise fail(
            ShapeError,
            "plot_filters",
            "expected a first layer with filters (O, C, K, L), or rows that are square images, "
            "got neither; use plot_maximised for what a unit looks for",
        )
    name, pictures = found
    count = min(len(pictures), MOST_FILTERS)
    figure = new_figure(5.0, 4.6, f"{name}, {count} of {len(pictures)}")
    drawn = filter_grid(figure, pictures, isqrt(count - 1) + 1)
    if pictures.ndim == 3:
        figure.colorbar(drawn, ax=list(figure.axes), shrink=0.8, label="weight")
    return figure
