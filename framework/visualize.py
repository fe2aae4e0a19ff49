"""Pictures: curves and filters, drawn with matplotlib when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import ceil, isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import write_atomic
from .optional import require

if TYPE_CHECKING:
    from .nn import Module
    from .tensor import Tensor

MOST_FILTERS = 36
FEW = 100  # steps that can be told apart in a plot
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito's


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
    values = weight.numpy()
    if len(weight.shape) == 4 and weight.shape[1] == 3:
        low, high = values.min(), values.max()
        return (values.transpose(0, 2, 3, 1) - low) / max(high - low, 1e-12)
    if len(weight.shape) == 4:
        return values[:, 0]
    side = isqrt(weight.shape[1])
    return values.reshape(-1, side, side) if side * side == weight.shape[1] else None


def loss_curves(
    axes: Any, curves: Mapping[str, Sequence[float]], smooth: int = 1, yscale: str = "linear"
) -> None:
    """Draw the loss of each step, one line for each name.

    The first curve lies broad and pale under the others, with its mean over the last `smooth` steps
    on top if that is more than one. Short curves get a mark at each step.
    """
    for i, (name, losses) in enumerate(curves.items()):
        colour, steps = COLOURS[i % len(COLOURS)], range(1, len(losses) + 1)
        marks, broad = ("o-", 4.0) if len(losses) < FEW else ("-", 2.0)
        if i > 0:
            axes.plot(steps, losses, marks, color=colour, label=name, markersize=4, linewidth=1)
            continue
        axes.plot(steps, losses, color=colour, alpha=0.35, linewidth=broad, label=name)
        if smooth > 1:
            label = f"{name}, mean of {smooth} steps"
            axes.plot(steps, _means(losses, smooth), color=colour, label=label)
    axes.set(xlabel="step", ylabel="loss", yscale=yscale)
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def _means(values: Sequence[float], width: int) -> list[float]:
    """The mean of each value and up to width - 1 before it."""
    means, total = [], 0.0
    for i, value in enumerate(values):
        total += value - (values[i - width] if i >= width else 0.0)
        means.append(total / min(i + 1, width))
    return means


def filter_grid(figure: Any, pictures: Any) -> None:
    """Draw filters in a near-square grid, with one colour scale that is white at zero."""
    shown = pictures[:MOST_FILTERS]
    columns = isqrt(len(shown)) or 1
    axes = figure.subplots(ceil(len(shown) / columns), columns, squeeze=False).ravel()
    limit = float(abs(shown).max()) or 1.0
    for ax in axes:
        ax.axis("off")
    for ax, picture in zip(axes, shown, strict=False):
        ax.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)


def comparison(
    path: str | Path,
    title: str,
    curves: Mapping[str, Sequence[float]],
    model: Module,
    smooth: int = 1,
) -> Path:
    """Save a PNG of loss curves by name, all steps and the first few, and of the first filters.

    Raises MissingLibrary without matplotlib, BadFile if the file cannot be written.
    """
    figure = require("matplotlib.figure", "plots", "visualize").Figure(
        figsize=(13, 4), layout="constrained"
    )
    figure.suptitle(title)
    left, right = figure.subfigures(1, 2, width_ratios=[3, 1])
    shortest = min(len(losses) for losses in curves.values())
    longest = max(len(losses) for losses in curves.values())
    close = shortest * 2 < longest
    panels = left.subplots(1, 2 if close else 1, squeeze=False)[0]
    loss_curves(panels[0], curves, smooth if longest > FEW else 1, "log")
    panels[0].set_title("all steps")
    if close:
        loss_curves(panels[1], {name: losses[:shortest] for name, losses in curves.items()})
        panels[1].set_title(f"the first {shortest}, which all backends made")
    found = first_filters(model)
    if found is not None:
        right.suptitle(f"{found[0]}, {len(found[1])} filters", fontsize="medium")
        filter_grid(right, found[1])
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return write_atomic(path, picture.getvalue(), "visualize")
