"""Elementwise arithmetic that is a composition of ops."""

from __future__ import annotations

from math import inf, pi
from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..dtypes import bool_, float64
from ..errors import DTypeError, fail
from ..ops import derivatives as e
from ..ops.elementwise import as_tensor_operand, cast, select
from ..ops.pointwise import clamp, pow

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("addcdiv", "addcmul", "clamp_max", "clamp_min", "deg2rad", "float_power", "fmax", "fmin"),
    *("frac", "heaviside", "isneginf", "isposinf", "ldexp", "lerp", "nan_to_num", "positive"),
    *("rad2deg", "rsub", "signbit"),
]

LARGEST = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}


def positive(input: Tensor) -> Tensor:
    """+x, which is x; bool has no sign."""
    if input.dtype is bool_:
        raise fail(
            DTypeError, "positive", "expected numbers, got bool; convert with .to(etude.int64)"
        )
    return input


def rsub(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """other - alpha * input."""
    return e.SUB(other, input if alpha == 1 else e.MUL(input, alpha))


def clamp_min(input: Tensor, min: Tensor | float) -> Tensor:
    """The larger of x and `min`."""
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Tensor | float) -> Tensor:
    """The smaller of x and `max`."""
    return clamp(input, max=max)


def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """input + weight * (end - input): a point on the way from `input` to `end`.

    Exact at both ends, because from weight 1/2 on it is counted from `end`. All may broadcast.
    """
    way = end - input
    near, far = input + way * weight, end - way * (1 - weight)
    if isinstance(weight, _tensor.Tensor):
        return select(e.LT(e.ABS(weight), 0.5), near, far)
    return near if abs(weight) < 0.5 else far


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2, broadcast."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2, broadcast."""
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


def float_power(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ** exponent in float64, whatever the dtypes."""
    a, b = (cast(t, float64) if isinstance(t, _tensor.Tensor) else t for t in (input, exponent))
    return pow(a, b)


def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2^other."""
    return input * e.EXP2(other)


def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two; a number if one of them is nan. Ties go to `input`."""
    return select(e.LOGICAL_OR(e.GE(input, other), e.ISNAN(other)), input, other)


def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two; a number if one of them is nan. Ties go to `input`."""
    return select(e.LOGICAL_OR(e.LE(input, other), e.ISNAN(other)), input, other)


def frac(input: Tensor) -> Tensor:
    """x - trunc(x), with the sign of x."""
    return input - e.TRUNC(input)


def signbit(input: Tensor) -> Tensor:
    """Whether the sign of x is minus, -0.0 included."""
    if input.dtype.is_floating_point:
        return e.LT(e.COPYSIGN(1.0, input), 0)
    return e.LT(input, 0)


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below zero, `values` at zero, 1 above it; nan gives 0. No gradient, as in torch."""
    if input.dtype is not values.dtype:
        raise fail(
            DTypeError,
            "heaviside",
            f"expected input and values of one dtype, got {input.dtype} and {values.dtype}; "
            "convert one with .to(...)",
        )
    above = cast(e.GT(input, 0), input.dtype)
    return select(e.EQ(input, 0), values, above).detach()


def isposinf(input: Tensor) -> Tensor:
    """Whether x is +inf."""
    return e.EQ(input, inf)


def isneginf(input: Tensor) -> Tensor:
    """Whether x is -inf."""
    return e.EQ(input, -inf)


def nan_to_num(
    input: Tensor,
    nan: float | None = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """x with nan replaced by `nan`, and infinities by the largest numbers of the dtype, or these.

    The gradient passes where x is finite.
    """
    x = as_tensor_operand("nan_to_num", input)
    if not x.dtype.is_floating_point:
        return x
    largest = LARGEST[x.dtype]
    x = select(e.ISNAN(x), 0.0 if nan is None else float(nan), x)
    x = select(e.EQ(x, inf), largest if posinf is None else float(posinf), x)
    return select(e.EQ(x, -inf), -largest if neginf is None else float(neginf), x)


def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians: x pi / 180."""
    return input * (pi / 180.0)


def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees: x 180 / pi."""
    return input * (180.0 / pi)
