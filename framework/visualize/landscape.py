"""The loss around a set of weights: slices along one direction, and along two."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .. import functional as F
from ..autograd import no_grad
from ..creation import tensor
from ..errors import ArgumentError, fail
from ..guard import came
from ..nn import Module
from ..ops.sampling import Generator, randn_like
from ..tensor import Tensor
from .canvas import SEQUENTIAL, array, colour, panels
from .inputs import evaluating

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Direction = Mapping[str, Tensor]
Loss = Callable[[Any], Any]  # of a model: a number or a 0-d tensor


def random_direction(model: Module, seed: int = 0) -> dict[str, Tensor]:
    """A random direction in the space of weights, each filter as long as the model's own.

        d_i <- d_i ||w_i|| / ||d_i||,  w_i the weights that lead to one unit or channel

    so that slices of two models compare although a ReLU net may scale its layers freely. Biases and
    the weights of norms (one axis) stay where they are.

    Returns: tensors by the names of the parameters.
    Source: Li et al. 2018, section 4. Decks: D0
    """
    generator = Generator(seed)
    found: dict[str, Tensor] = {}
    for name, p in model.named_parameters():
        w = p.detach()
        d = randn_like(w, generator=generator)
        if len(w.shape) < 2:
            found[name] = d * 0.0
            continue
        axes = tuple(range(1, len(w.shape)))
        length, own = (F.sqrt((t * t).sum(axes, keepdim=True)) for t in (d, w))
        found[name] = d * (own / (length + 1e-12))
    return found


def direction_to(model: Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The direction from the model's weights to those of a state_dict, which lie at 1.

    Source: Goodfellow, Vinyals & Saxe 2015, section 2 (linear interpolation).
    """
    found = {}
    for name, p in model.named_parameters():
        if name not in state or state[name].shape != p.shape:
            raise fail(
                ArgumentError,
                "direction_to",
                f"expected a state with {name!r} {p.shape}, got "
                f"{came(state.get(name))}; pass the state_dict() of the same model",
            )
        found[name] = state[name].detach() - p.detach()
    return found


@contextmanager
def _moving(model: Module) -> Iterator[Callable[[Sequence[tuple[float, Direction]]], None]]:
    """A function that puts the weights at start + sum of a d; in the end they are at the start."""
    start = {name: p.detach().clone() for name, p in model.named_parameters()}

    def move(steps: Sequence[tuple[float, Direction]]) -> None:
        for name, p in model.named_parameters():
            value = start[name]
            for a, d in steps:
                value = value + d[name] * a
            p.copy_(value)

    try:
        with no_grad():
            yield move
    finally:
        with no_grad():
            move([])


def _checked(op: str, model: Module, *directions: Direction) -> None:
    for d in directions:
        for name, p in model.named_parameters():
            if name not in d or d[name].shape != p.shape:
                raise fail(
                    ArgumentError,
                    op,
                    f"expected a direction with a tensor {p.shape} for {name!r}, got "
                    f"{came(d.get(name))}; make it with random_direction(model)",
                )


def loss_line(model: Module, loss: Loss, direction: Direction, amounts: Sequence[float]) -> Tensor:
    """loss(w + a d) for each amount a: (len(amounts),) float64.

    Args: loss(model), a number; the model is in evaluation mode and outside any graph while it is
    called, and has its own weights again afterwards; direction: tensors by parameter name.
    Source: Goodfellow et al. 2015; Li et al. 2018, section 3. Decks: D0
    """
    _checked("loss_line", model, direction)
    with evaluating(model), _moving(model) as move:
        found = []
        for a in amounts:
            move([(a, direction)])
            found.append(float(loss(model)))
    return tensor(found, dtype="float64")


def loss_surface(
    model: Module,
    loss: Loss,
    first: Direction,
    second: Direction,
    amounts: Sequence[float],
) -> Tensor:
    """loss(w + a d1 + b d2), row b and column a over the amounts: (n, n) float64.

    Args: as for `loss_line`. Source: Li et al. 2018, section 4. Decks: D0
    """
    _checked("loss_surface", model, first, second)
    with evaluating(model), _moving(model) as move:
        rows = []
        for b in amounts:
            row = []
            for a in amounts:
                move([(a, first), (b, second)])
                row.append(float(loss(model)))
            rows.append(row)
    return tensor(rows, dtype="float64")


def _amounts(reach: float, points: int) -> list[float]:
    if points < 2 or reach <= 0.0:
        raise fail(
            ArgumentError,
            "loss_surface",
            f"expected 2 points or more and a reach above 0, got {points} and {reach:g}; "
            "use points=21, reach=1.0",
        )
    return [reach * (2.0 * i / (points - 1) - 1.0) for i in range(points)]


def plot_loss_line(
    models: Module | Mapping[str, Module],
    loss: Loss,
    reach: float = 1.0,
    points: int = 41,
    seed: int = 0,
) -> Figure:
    """The loss along one random, filter-normalised direction through the weights of each model.

    Args: models by name, or one; loss(model); reach: 1 moves each filter by its own length.
    Returns: Figure. Source: Li et al. 2018, figure 3. Decks: D0
    """
    named = dict(models) if isinstance(models, Mapping) else {"": models}
    amounts = _amounts(reach, points)
    figure, (ax,) = panels(1, 1, (5.0, 3.6), "A slice of the loss")
    for i, (name, model) in enumerate(named.items()):
        values = loss_line(model, loss, random_direction(model, seed), amounts)
        ax.plot(amounts, array(values), color=colour(i), label=name)
    ax.axvline(0.0, color="0.7", linewidth=0.8, zorder=0)
    ax.set(xlabel="distance from the weights (filter norms)", ylabel="loss")
    ax.grid(alpha=0.3)
    if any(named):
        ax.legend(frameon=False)
    return figure


def plot_loss_surface(
    model: Module, loss: Loss, reach: float = 1.0, points: int = 21, seed: int = 0
) -> Figure:
    """Contours of the loss on the plane of two random, filter-normalised directions.

    Returns: Figure; the weights are at the cross in the middle.
    Source: Li et al. 2018, figure 1. Decks: D0
    """
    amounts = _amounts(reach, points)
    first, second = (random_direction(model, s) for s in (2 * seed, 2 * seed + 1))
    values = array(loss_surface(model, loss, first, second, amounts))
    figure, (ax,) = panels(1, 1, (5.2, 4.2), "The loss on a random plane")
    drawn = ax.contourf(amounts, amounts, values, levels=30, cmap=SEQUENTIAL)
    ax.contour(amounts, amounts, values, levels=12, colors="white", linewidths=0.5, alpha=0.6)
    ax.plot([0.0], [0.0], "+", color="white", markersize=12, markeredgewidth=2)
    label = "direction {} (filter norms)"
    ax.set(xlabel=label.format(1), ylabel=label.format(2), aspect="equal")
    figure.colorbar(drawn, ax=ax, label="loss")
    return figure
