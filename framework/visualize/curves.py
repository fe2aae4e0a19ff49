"""Curves: losses by step, learning by epoch, activation functions and their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import functional as F
from ..autograd import enable_grad
from ..creation import linspace
from ..errors import ArgumentError, fail
from ..guard import came
from ..sweep import grad
from ..tensor import Tensor
from ..training import History
from .canvas import COLOURS, array, colour, grid_shape, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 100  # steps that can be told apart in a plot
Curve = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Curve] = {
    "identity": lambda x: x * 1.0,
    "hard threshold": F.hard_threshold,
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    "ReLU": F.relu,
    "softplus": F.softplus,
    "leaky ReLU, slope 0.1": lambda x: F.leaky_relu(x, 0.1),
    "ELU, alpha 1": F.elu,
}


# losses by step -----------------------------------------------------------------------------------
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


# learning by epoch --------------------------------------------------------------------------------
def learning_curves(history: History) -> dict[str, list[float | None]]:
    """Loss and accuracy of each epoch, on training and, if there is one, validation data.

    Keys: "epoch", "loss", and where the history has them "val_loss", "accuracy", "val_accuracy".
    Raises: ArgumentError if there is no whole epoch.
    """
    epochs = getattr(history, "epochs", None)
    if not isinstance(history, History) or not epochs:
        raise fail(
            ArgumentError,
            "learning_curves",
            f"expected the History of a training of one epoch or more, got {came(history)}"
            f"{' without epochs' if isinstance(history, History) else ''}; pass trainer.history",
        )
    found: dict[str, list[float | None]] = {"epoch": [e.epoch for e in epochs]}
    for key in ("loss", "val_loss", "accuracy", "val_accuracy"):
        values = [getattr(e, key) for e in epochs]
        if any(v is not None for v in values):
            found[key] = values
    return found


def plot_history(history: History | Mapping[str, History]) -> Figure:
    """Learning curves: loss and accuracy of each epoch, training solid, validation dashed.

    The best validation loss has a mark: there early stopping would stop. Several histories by name
    share the axes.
    Returns: Figure with a panel for the loss and one for the accuracy, if labels gave one.
    Source: lecture only. Decks: D0, D1, D2, D3
    """
    named = dict(history) if isinstance(history, Mapping) else {"": history}
    curves = {name: learning_curves(h) for name, h in named.items()}
    shown = [k for k in ("loss", "accuracy") if any(k in c for c in curves.values())]
    figure, axes = panels(1, len(shown), (5.0, 3.6))
    for ax, key in zip(axes, shown, strict=True):
        for i, (name, found) in enumerate(curves.items()):
            _both(ax, found, key, f"{name}, " if name else "", colour(i))
        ax.set(xlabel="epoch", ylabel=key if key == "loss" else "accuracy (fraction right)")
        ax.locator_params(axis="x", integer=True)
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    return figure


def _both(ax: Any, found: dict[str, list[Any]], key: str, prefix: str, shade: str) -> None:
    """The training and the validation curve of one history."""
    epochs = found["epoch"]
    mark = "o" if len(epochs) < FEW else ""
    for which, kind, line in ((key, "training", "-"), (f"val_{key}", "validation", "--")):
        if which in found:
            values = [float("nan") if v is None else v for v in found[which]]
            label = prefix + kind
            ax.plot(epochs, values, line, marker=mark, markersize=3, color=shade, label=label)
    if key == "loss" and "val_loss" in found:
        pairs = [(v, e) for v, e in zip(found["val_loss"], epochs, strict=True) if v is not None]
        known = [(v, e) for v, e in pairs if v == v]  # nan is no best
        if known:
            best, at = min(known)
            label = f"{prefix}best: epoch {at}"
            ax.plot([at], [best], "*", markersize=12, color=shade, label=label, linestyle="none")


# activation functions -----------------------------------------------------------------------------
def activation_values(function: Curve, x: Tensor) -> tuple[Tensor, Tensor]:
    """(g(x), g'(x)) of an elementwise function, by back-propagation; a function that is not
    recorded has derivative 0."""
    leaf = x.detach().requires_grad_()
    with enable_grad():
        y = function(leaf)
    if not y.requires_grad:
        return y, x.detach() * 0.0
    (slope,) = grad(y.sum(), leaf)
    assert slope is not None
    return y.detach(), slope


def plot_activations(
    functions: Mapping[str, Curve] | Curve | None = None, low: float = -5.0, high: float = 5.0
) -> Figure:
    """Activation functions g (solid) and their derivatives g' (dashed), a panel for each.

    Args: functions by name, or one; None stands for those of the decks.
    Returns: Figure.
    Source: lecture only. Decks: D0, D1, D2, D3, D4
    """
    if not low < high:
        raise fail(
            ArgumentError,
            "plot_activations",
            f"expected low below high, got {low:g} and {high:g}; swap them",
        )
    if functions is None:
        functions = ACTIVATIONS
    elif not isinstance(functions, Mapping):
        functions = {getattr(functions, "__name__", type(functions).__name__): functions}
    x = linspace(low, high, 401)
    rows, columns = grid_shape(len(functions), 4)
    figure, axes = panels(rows, columns, (2.9, 2.5))
    for ax, (name, function) in zip(axes, functions.items(), strict=False):
        y, slope = activation_values(function, x)
        for values, i, label in ((y, 0, "g(x)"), (slope, 1, "g'(x)")):
            ax.plot(array(x), array(values), ["-", "--"][i], color=colour(i), label=label)
        ax.axhline(0.0, color="0.7", linewidth=0.6, zorder=0)
        ax.axvline(0.0, color="0.7", linewidth=0.6, zorder=0)
        ax.set_title(name, fontsize="medium")
        ax.set_xlabel("x")
    axes[0].legend(frameon=False)
    for ax in axes[len(functions) :]:
        ax.axis("off")
    return figure
