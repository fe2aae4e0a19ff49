"""How much a model's answer changes when its input is moved, scaled or turned."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, inf, radians, sin
from typing import TYPE_CHECKING, NamedTuple

from .. import functional as F
from ..autograd import no_grad
from ..checks import choice, real
from ..creation import tensor
from ..errors import ArgumentError, fail, nearest
from ..guard import came
from ..nn import Module
from ..tensor import Tensor
from .canvas import array, colour, panels, style
from .inputs import Model, batch_of_images, evaluating, labels_for, layer_outputs, logits_of, picked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {
    "translation": "shift to the right (pixels)",
    "scale": "scale (1: as it is)",
    "rotation": "rotation (degrees, counter-clockwise)",
}
AMOUNTS: dict[str, Sequence[float]] = {
    "translation": range(-8, 9),
    "scale": [0.5 + 0.1 * i for i in range(11)],
    "rotation": range(-180, 181, 15),
}


class Invariance(NamedTuple):
    """probability (A,), or None without scores, and distance (A,) of each layer, by the amount."""

    amounts: list[float]
    probability: Tensor | None
    distance: dict[str, Tensor]


def transformed(x: Tensor, kind: str, amount: float) -> Tensor:
    """Images (N, C, H, W) moved, scaled or turned about their centre, zeros from outside.

    kind "translation": to the right, in pixels; "scale": larger above 1; "rotation": degrees
    counter-clockwise. Pixels between places are interpolated linearly.
    """
    op = "transformed"
    images = batch_of_images(op, x)
    real(op, "amount", amount, 0.0 if kind == "scale" else -inf, inf, "(")
    height, width = images.shape[2:]
    # The map leads from places in the result to places in the input.
    if choice(op, "kind", kind, KINDS) == "translation":
        theta = [[1.0, 0.0, -2.0 * amount / width], [0.0, 1.0, 0.0]]
    elif kind == "scale":
        theta = [[1.0 / amount, 0.0, 0.0], [0.0, 1.0 / amount, 0.0]]
    else:
        c, s = cos(radians(amount)), sin(radians(amount))
        theta = [[c, -s * height / width, 0.0], [s * width / height, c, 0.0]]
    one = tensor([theta], dtype=images.dtype, backend=images.backend)
    grid = F.affine_grid(one.expand(len(images), 2, 3), images.shape)
    return F.grid_sample(images, grid)


def invariance(
    model: Model,
    x: Tensor,
    kind: str = "translation",
    amounts: Sequence[float] | None = None,
    labels: object = None,
    layers: Sequence[str] = (),
) -> Invariance:
    """What a change T of the input does: the probability of the class, and how far layers move.

        distance_l = mean over images of ||f_l(T x) - f_l(x)|| / ||f_l(x)||

    Args: model; x (N, C, H, W); kind "translation", "scale" or "rotation"; amounts, see
    `transformed`, by default those of the figures; labels, the classes, None for those predicted;
    layers by name. Without layers the model's output is the one layer, "output".
    Returns: Invariance(amounts, probability, distance); probability is None where the output is no
    row of scores.
    Source: Zeiler & Fergus 2014, section 4.1 and figure 5. Decks: D3
    """
    op = "invariance"
    images = batch_of_images(op, x)
    places = list(AMOUNTS[choice(op, "kind", kind, KINDS)] if amounts is None else amounts)
    if not places:
        raise fail(
            ArgumentError, op, f"expected one amount or more, got {came(amounts)}; use [-1, 0, 1]"
        )
    with evaluating(model), no_grad():
        start, scores = _answers(op, model, images, layers)
        classes = None if scores is None else labels_for(op, labels, scores)
        likely: list[Tensor] = []
        moved: dict[str, list[Tensor]] = {name: [] for name in start}
        for amount in places:
            found, scores = _answers(op, model, transformed(images, kind, amount), layers)
            if scores is not None and classes is not None:
                likely.append(picked(F.softmax(scores, 1), classes).mean())
            for name, before in start.items():
                gap, size = _norms(found[name] - before), _norms(before)
                moved[name].append((gap / (size + 1e-12)).mean())
    distance = {name: F.stack(values) for name, values in moved.items()}
    return Invariance(places, F.stack(likely) if likely else None, distance)


def _norms(t: Tensor) -> Tensor:
    flat = t.reshape(t.shape[0], -1)
    return F.sqrt((flat * flat).sum(1))


def _answers(
    op: str, model: Model, x: Tensor, layers: Sequence[str]
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The outputs that are compared, and the scores, if the output is a row of them."""
    out = model(x)
    first = out[0] if isinstance(out, (tuple, list)) and out else out
    scores = logits_of(op, lambda _: first, x) if len(getattr(first, "shape", ())) == 2 else None
    if not layers:
        return {"output": first}, scores
    assert isinstance(model, Module)
    every = layer_outputs(model, x)
    for name in layers:
        if name not in every:
            raise fail(
                ArgumentError,
                op,
                f"expected names of layers, got {name!r}; {nearest(name, every)}",
            )
    return {name: every[name] for name in layers}, scores


def plot_invariance(
    model: Model,
    x: Tensor,
    labels: object = None,
    kinds: Sequence[str] = ("translation", "scale", "rotation"),
    layers: Sequence[str] = (),
) -> Figure:
    """How the class's probability and the layers' outputs hold when the input is changed.

    Args: as for `invariance`. Returns: Figure with a column for each kind of change: above the
    probability, below the relative distance of each layer's output (0: invariant).
    Source: Zeiler & Fergus 2014, figure 5. Decks: D3
    """
    figure, axes = panels(2, len(kinds), (3.8, 2.6))
    for column, kind in enumerate(kinds):
        found = invariance(model, x, kind, None, labels, layers)
        above, below = axes[column], axes[len(kinds) + column]
        if found.probability is not None:
            above.plot(found.amounts, array(found.probability), color=colour(1))
        for i, (name, values) in enumerate(found.distance.items()):
            below.plot(found.amounts, array(values), style(i), color=colour(i), label=name)
        above.set(title=kind, ylim=(0.0, 1.05))
        below.set_xlabel(KINDS[kind])
        below.set_ylim(bottom=0.0)
        for ax in (above, below):
            ax.grid(alpha=0.3)
    axes[0].set_ylabel("probability of the class")
    axes[len(kinds)].set_ylabel("relative distance")
    axes[len(kinds)].legend(frameon=False)
    return figure
