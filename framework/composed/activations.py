"""Activations that are compositions of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ArgumentError, fail
from ..ops import derivatives as e
from ..ops.elementwise import select
from ..ops.pointwise import clamp

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["elu", "gelu", "hardtanh", "leaky_relu", "relu6", "silu", "softplus"]


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope * x. (Deck D0 uses slope 0.1, torch 0.01.)"""
    return select(input > 0, input, input * negative_slope)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha (e^x - 1). Clevert et al. 2016."""
    low = e.EXPM1(e.MINIMUM(input, 0.0)) * alpha
    return select(input > 0, input, low)


def silu(input: Tensor) -> Tensor:
    """x sigmoid(x), also called swish. Hendrycks & Gimpel 2016; Ramachandran et al. 2017."""
    return input * e.SIGMOID(input)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x), Phi the normal distribution; approximate="tanh" for the formula with tanh.

    0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks & Gimpel 2016.
    """
    if approximate == "none":
        return e.GELU(input)
    if approximate != "tanh":
        raise fail(
            ArgumentError, "gelu", f"expected approximate 'none' or 'tanh', got {approximate!r}"
        )
    inner = (input + input * input * input * 0.044715) * 0.7978845608028654
    return input * (e.TANH(inner) + 1.0) * 0.5


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, and x itself where beta x > threshold."""
    if beta == 1.0:
        return select(input > threshold, input, e.SOFTPLUS(input))
    scaled = input * beta
    return select(scaled > threshold, input, e.SOFTPLUS(scaled) / beta)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x limited to [min_val, max_val]; the gradient is 0 at and outside the limits."""
    inside = (input > min_val) & (input < max_val)
    edge = clamp(input, min_val, max_val).detach()
    return select(inside, input, edge)


def relu6(input: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return hardtanh(input, 0.0, 6.0)
