"""The picture of `etude compare`: the losses of several backends, and the first filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ..files import write_atomic
from ..nn import Module
from .canvas import new_figure
from .curves import FEW, loss_curves
from .filters import filter_grid, first_filters


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
    figure: Any = new_figure(13, 4, title)
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
