"""One picture for each claim: its curves, and each measured effect with a dot for each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from etude.framework.optional import require

from .claim import Claim, Found

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
COLUMNS = 10  # images in a row


def save_figure(
    folder: Path, claim: Claim, runs: Sequence[Found], effects: Mapping[str, Sequence[float]],
    word: str,
) -> Path:  # fmt: skip
    """Write <name>.png, whose title ends with `word`. Raises MissingLibrary without matplotlib."""
    make: Any = require("matplotlib.figure", "plots", "claims").Figure
    groups = grouped(effects)
    columns = 1 + bool(runs[0].curves) + (runs[0].images is not None)
    figure = make(figsize=(4.8 * columns, 4.2), layout="constrained")
    parts = list(figure.subfigures(1, columns, squeeze=False)[0])
    if runs[0].curves:
        _curves(parts.pop(0).subplots(), claim, runs)
    if runs[0].images is not None:
        _images(parts.pop(0).subplots(), runs[0].images, claim.shown)
    heights = [len(group) + 1 for group in groups.values()]
    strips = parts[0].subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (quantity, group) in zip(strips, groups.items()):
        _effects(axes, quantity, group)
    title = f"{claim.statement} ({claim.decks}; {claim.data}): {word}"
    figure.suptitle(fill(title, 48 * columns), fontsize="medium")
    path = folder / f"{claim.name}.png"
    figure.savefig(path, dpi=110)
    return path


def grouped(effects: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Sequence[float]]]:
    """Effects are named "quantity, variant": the variants of each quantity."""
    groups: dict[str, dict[str, Sequence[float]]] = {}
    for name, values in effects.items():
        quantity, _, variant = name.partition(", ")
        groups.setdefault(quantity, {})[variant] = values
    return groups


def _curves(axes: Any, claim: Claim, runs: Sequence[Found]) -> None:
    names = list(runs[0].curves)
    for i, run in enumerate(runs):
        for k, (name, (xs, ys)) in enumerate(run.curves.items()):
            label = (names[k] if k < len(names) else name) if i == 0 else None
            colour = COLOURS[k % len(COLOURS)]
            marks = "o-" if len(xs) < 40 else "-"
            axes.plot(xs, ys, marks, color=colour, label=label, linewidth=1.2, markersize=3)
    x, y, scale = claim.axes
    axes.set(xlabel=x, ylabel=y, yscale=scale)
    if "rate" in x:
        axes.set_xscale("log")
    elif x == "layer":
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small")


def _images(axes: Any, images: Any, shown: str) -> None:
    import numpy as np

    n, h, w = images.shape
    rows = -(-n // COLUMNS)
    sheet = np.ones((rows * (h + 1), COLUMNS * (w + 1)))
    for i in range(n):
        r, c = i // COLUMNS * (h + 1), i % COLUMNS * (w + 1)
        sheet[r : r + h, c : c + w] = images[i]
    axes.imshow(sheet, cmap="gray", vmin=0.0, vmax=1.0)
    axes.axis("off")
    axes.set_title(fill(shown, 52), fontsize="small")


def _effects(axes: Any, quantity: str, group: Mapping[str, Sequence[float]]) -> None:
    """A line for each variant of a quantity, a dot for each seed."""
    for i, values in enumerate(group.values()):
        axes.plot(values, [i] * len(values), "o", color=COLOURS[i % len(COLOURS)], alpha=0.7)
    every = [v for values in group.values() for v in values]
    if min(every) > 0 and max(every) > 100 * min(every):
        axes.set_xscale("log")
    elif min(every) >= 0:
        axes.set_xlim(0.0, max(every) * 1.08 + 1e-12)
    axes.set(ylim=(len(group) - 0.4, -0.6), yticks=range(len(group)))
    axes.set_yticklabels(list(group), fontsize="small")
    axes.set_title(quantity, fontsize="small", loc="left")
    axes.tick_params(axis="x", labelsize="small")
