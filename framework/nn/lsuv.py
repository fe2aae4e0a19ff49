"""Layer-sequential unit variance: initial weights by what they do to data."""

from __future__ import annotations

from math import isfinite
from typing import Any

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
) -> list[tuple[str, float]]:
    """Divide each layer's weights by the deviation of what it puts out, until that is 1.

    Linear and convolution layers, in the order in which the model runs them: orthonormal weights
    and zero biases first, then W <- W / sqrt(Var(y)) for the batch's outputs y, all units together,
    while |Var(y) - 1| > tolerance, at most max_iterations times. Later layers see what earlier ones
    became. The model runs in evaluation mode, so that no running statistics move.

    Args: model, changed in place; input, a batch that it takes, best normalised; `orthonormal`
    False keeps the weights' directions. Returns: (name, Var(y)) of each layer, as it was left.
    Raises: ArgumentError for a model without such layers, or a layer of constant output.
    Source: Mishkin & Matas, "All you need is a good init", 2016, algorithm 1. Decks: D0 (which
    normalises each unit by itself).
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
            return _in_order(op, model, input, named, tolerance, max_iterations, orthonormal)
    finally:
        for m, mode in modes:
            m.training = mode


def _in_order(
    op: str,
    model: Module,
    input: Tensor,
    named: list[tuple[str, Any]],
    tolerance: float,
    most: int,
    orthonormal: bool,
) -> list[tuple[str, float]]:
    order: list[Any] = []
    handles = [m.register_forward_hook(lambda m, args, y: order.append(m)) for _, m in named]
    model(input)
    for handle in handles:
        handle.remove()
    names = {id(m): name for name, m in named}
    layers = list({id(m): m for m in order}.values())
    if orthonormal:
        for layer in layers:
            init.orthogonal_(layer.weight)
            if layer.bias is not None:
                init.zeros_(layer.bias)
    left = []
    for layer in layers:
        variance = _variance(model, layer, input)
        for _ in range(most):
            if not isfinite(variance) or variance <= 0.0:
                raise fail(
                    ArgumentError,
                    op,
                    f"expected outputs that vary, got variance {variance} from layer "
                    f"{names[id(layer)]!r}; pass a batch of several different examples",
                )
            if abs(variance - 1.0) <= tolerance:
                break
            layer.weight.copy_(layer.weight / variance**0.5)
            variance = _variance(model, layer, input)
        left.append((names[id(layer)], variance))
    return left


def _variance(model: Module, layer: Any, input: Tensor) -> float:
    """Of all the layer puts out for the batch."""
    found: list[float] = []

    def look(m: Any, args: Any, y: Any) -> None:
        found.append(y.var(correction=0).item())

    handle = layer.register_forward_hook(look)
    model(input)
    handle.remove()
    return found[0]
