"""Activations made of straight and exponential pieces. The smooth ones are in smooth.py.

Each function takes floats of any shape, and names the gradient where its pieces meet. `inplace`, of
which torch's functions know, changes nothing here: buffers are immutable, so use the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops import sampling
from ..ops.checks import float_tensor
from ..ops.elementwise import cast, select
from ..ops.pointwise import clamp

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "celu",
    "elu",
    "hard_threshold",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "softshrink",
    "threshold",
]

SELU_ALPHA = 1.6732632423543772  # the fixed point of mean 0 and variance 1: appendix of the paper
SELU_SCALE = 1.0507009873554805


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0); the gradient at 0 is 0, as D3 says. x of any shape. Nair & Hinton 2010.

    A unit that is below 0 for all inputs learns no more. A large learning rate brings that about;
    D3 says that it mitigates it, which is backwards. Decks: D0, D1, D2, D3, D4.
    """
    return e.RELU(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6); the gradient at 0 and 6 is 0. Krizhevsky 2010; MobileNet (2017)."""
    return _limited("relu6", input, 0.0, 6.0)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x limited to [min_val, max_val]; the gradient is 0 at and outside the limits.

    Raises: ArgumentError if min_val > max_val. Collobert 2004.
    """
    if min_val > max_val:
        raise fail(
            ArgumentError,
            "hardtanh",
            f"expected min_val <= max_val, got {min_val} and {max_val}; swap them",
        )
    return _limited("hardtanh", input, min_val, max_val)


def _limited(op: str, input: Tensor, low: float, high: float) -> Tensor:
    x = float_tensor(op, input)
    outside = (x <= low) | (x >= high)
    return select(outside, clamp(x.detach(), low, high), x)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6; the gradient at -3 and 3 is 0. Howard et al. 2019."""
    return _limited("hardsigmoid", float_tensor("hardsigmoid", input) + 3.0, 0.0, 6.0) / 6.0


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """0 for x <= -3, x for x >= 3, x (x + 3) / 6 between; the gradient is 0 at -3 and 1 at 3.

    Howard et al. 2019 (MobileNetV3), section 5.2.
    """
    x = float_tensor("hardswish", input)
    return x * (_limited("hardswish", x + 3.0, 0.0, 6.0) / 6.0)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x for x > 0, else negative_slope x, which is also the slope at 0.

    x of any shape. Maas et al. 2013. Decks: D0, which writes max(x, 0.1 x): negative_slope=0.1.
    """
    x = float_tensor("leaky_relu", input)
    return select(x > 0, x, x * negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x for x > 0, else w x, with w learned: one for all, or one for each channel (axis 1).

    Args: input (N, C, ...) or any shape; weight (), (1,) or (C,).
    Raises: ShapeError if the weight has another shape. He et al. 2015, equation 1.
    """
    x = float_tensor("prelu", input)
    channels = x.shape[1] if len(x.shape) > 1 else 1
    if weight.shape not in ((), (1,), (channels,)):
        raise fail(
            ShapeError,
            "prelu",
            f"expected a weight ({channels},) or (1,) for x {x.shape} of {channels} channels, "
            f"got {weight.shape}; use num_parameters={channels}",
        )
    wide = () if not x.shape else (1, -1, *(1,) * (len(x.shape) - 2))[-len(x.shape) :]
    return select(x > 0, x, x * weight.reshape(wide))


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """leaky_relu with a random slope for each element, uniform in [lower, upper), in training.

    In evaluation the slope is (lower + upper) / 2. Xu et al. 2015.
    Raises: ArgumentError if lower > upper.
    """
    x = float_tensor("rrelu", input)
    if lower > upper:
        raise fail(
            ArgumentError, "rrelu", f"expected lower <= upper, got {lower} and {upper}; swap them"
        )
    if not training:
        return leaky_relu(x, (lower + upper) / 2)
    u = sampling.rand(x.shape, dtype=x.dtype, backend=x.backend)
    return select(x > 0, x, x * (u * (upper - lower) + lower))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else alpha (e^x - 1); the slope at 0 is alpha.

    x of any shape. Clevert et al. 2016.

    Decks: D0.
    """
    return _exponential("elu", input, alpha, 1.0, 1.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 elu(x, alpha=1.6733): keeps mean 0 and variance 1. Klambauer et al. 2017."""
    return _exponential("selu", input, SELU_ALPHA, 1.0, SELU_SCALE)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else alpha (e^(x/alpha) - 1), of slope 1 at 0. Barron 2017.

    Raises: ArgumentError if alpha is 0.
    """
    if alpha == 0:
        raise fail(ArgumentError, "celu", "expected alpha other than 0, got 0; use relu")
    return _exponential("celu", input, alpha, 1.0 / alpha, 1.0)


def _exponential(op: str, input: Tensor, alpha: float, inner: float, scale: float) -> Tensor:
    """scale x for x > 0, else scale alpha (e^(inner x) - 1)."""
    x = float_tensor(op, input)
    high = x > 0
    # Where x > 0 the exponential is not wanted, and could overflow.
    low = select(high, 0.0, x)
    low = e.EXPM1(low if inner == 1.0 else low * inner) * (alpha * scale)
    return select(high, x if scale == 1.0 else x * scale, low)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value, which has no gradient."""
    x = float_tensor("threshold", input)
    return select(x <= threshold, float(value), x)


def hard_threshold(input: Tensor, threshold: float = 0.0) -> Tensor:
    """1 where x >= threshold, else 0: the perceptron's activation.

    It is flat on both sides, so the gradient is 0 everywhere and nothing is learned through it. x
    of any shape. Rosenblatt 1958. Decks: D4.
    """
    x = float_tensor("hard_threshold", input)
    zero = e.SIGN(x) * 0.0  # keeps the graph, whose gradient is 0, and nan
    return cast(x >= threshold, x.dtype) + zero


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """0 where |x| <= lambd, else x. Donoho & Johnstone 1994."""
    x = float_tensor("hardshrink", input)
    return select((x >= -lambd) & (x <= lambd), 0.0, x)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x - lambd where x > lambd, x + lambd where x < -lambd, else 0: the proximal step of L1.

    Raises: ArgumentError if lambd < 0. Donoho & Johnstone 1994.
    """
    x = float_tensor("softshrink", input)
    if lambd < 0:
        raise fail(ArgumentError, "softshrink", f"expected lambd >= 0, got {lambd}; use {-lambd}")
    return select((x >= -lambd) & (x <= lambd), 0.0, x - e.SIGN(x) * lambd)
