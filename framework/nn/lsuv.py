"""Layer-sequential unit variance: initial weights by what they do to data."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

from ..autograd import no_grad
from ..checks import instance, real, whole
from ..checks import tensor as expect_tensor
from ..errors import ArgumentError, fail
from ..tensor import Tensor
from . import init
from .conv import Conv1d, Conv2d, Conv3d
from .linear import Linear
from .module import Module

LAYERS = (Linear, Conv1d, Conv2d, Conv3d)


def lsuv_(
    model: Module,
    input: Tensor,
    tolerance: float = 0.1,
    max_iterations: int = 10,
    orthonormal: bool = True,
    per_unit: bool = False,
) -> list[tuple[str, float]]:
    """Divide each layer's weights by the deviation of what it puts out, until that is 1.

    Linear and convolution layers, in the order in which the model runs them: orthonormal weights
    and zero biases first, then W <- W / sqrt(Var(y)) for the batch's outputs y, all units together,
    while |Var(y) - 1| > tolerance, at most max_iterations times. Later layers see what earlier ones
    became. The model runs in evaluation mode, so that no running statistics move.

    Args: model, changed in place; input, a batch that it takes, best normalised; `orthonormal`
    False keeps the weights' directions; `per_unit` divides each unit (channel) by its deviation,
    as D0 has it: its rows no longer have one length.
    Returns: (name, Var(y)) of each layer as it was left, the unit's farthest from 1 with per_unit.
    Raises: ArgumentError for a model without such layers, or a layer of constant output.
    Source: Mishkin & Matas, "All you need is a good init", 2016, algorithm 1. Decks: D0.
    """
    op = "lsuv_"
    instance(op, "model", model, Module, "pass an nn.Module")
    expect_tensor(op, "input", input)
    real(op, "tolerance", tolerance, open_ends="(")
    whole(op, "max_iterations", max_iterations)
    named = [(name, m) for name, m in model.named_modules() if isinstance(m, LAYERS)]
    if not named:
        raise fail(ArgumentError, op, "expected Linear or convolution layers, got none; add some")
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        with no_grad():
            order = _order(model, input, [m for _, m in named])
            for layer in order if orthonormal else []:
                init.orthogonal_(layer.weight)
                if layer.bias is not None:
                    init.zeros_(layer.bias)
            names = {id(m): name for name, m in named}
            look = _Looking(op, model, input, per_unit)
            return [
                (names[id(m)], _scaled(look, names[id(m)], m, tolerance, max_iterations))
                for m in order
            ]
    finally:
        for m, mode in modes:
            m.training = mode


def _order(model: Module, input: Tensor, layers: list[Any]) -> list[Any]:
    """The layers that the model runs, in that order, each once."""
    met: list[Any] = []
    handles = [m.register_forward_hook(lambda m, args, y: met.append(m)) for m in layers]
    try:
        model(input)
    finally:
        for handle in handles:
            handle.remove()
    return list({id(m): m for m in met}.values())


def _rank(layer: Any) -> int:
    """How many spatial axes a convolution has."""
    return len(layer.weight.shape) - 2


class _Looking(NamedTuple):
    """How to find the variance of what a layer puts out."""

    op: str
    model: Module
    input: Tensor
    per_unit: bool

    def variances(self, layer: Any) -> Tensor:
        """() over everything, or one number for each unit."""
        found: list[Tensor] = []

        def look(m: Any, args: Any, y: Any) -> None:
            unit = (
                len(y.shape) - 1 if isinstance(layer, Linear) else len(y.shape) - _rank(layer) - 1
            )
            others = [i for i in range(len(y.shape)) if i != unit]
            found.append(y.var(others if self.per_unit else None, correction=0))

        with layer.register_forward_hook(look):
            self.model(self.input)
        return found[0]


def _scaled(look: _Looking, name: str, layer: Any, tolerance: float, most: int) -> float:
    """Scale one layer's weights; the variance that is left, of the unit farthest from 1."""
    for left in range(most, -1, -1):
        variances = look.variances(layer)
        values = variances.reshape(-1).tolist()
        if not all(isfinite(v) and v > 0.0 for v in values):
            raise fail(
                ArgumentError,
                look.op,
                f"expected outputs that vary, got variance {min(values)} from layer {name!r}; pass "
                "a batch of several different examples",
            )
        worst: float = max(values, key=lambda v: abs(v - 1.0))
        if left == 0 or abs(worst - 1.0) <= tolerance:
            break
        rows = variances.sqrt().reshape(-1, *[1] * (len(layer.weight.shape) - 1))
        layer.weight.copy_(layer.weight / rows)
    return worst
