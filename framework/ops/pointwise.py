"""The elementwise functions under their public names (torch's), each with its formula.

Functions of one tensor give float32 for whole numbers where the result is not whole. Functions of
two broadcast and promote (dtypes.py); one operand may be a plain number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..dtypes import bool_, int64, promote_number
from ..errors import ArgumentError, fail
from . import derivatives as e
from .elementwise import select

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "clamp",
    "copysign",
    "cos",
    "cosh",
    "digamma",
    "div",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "fmod",
    "hypot",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "pow",
    "reciprocal",
    "remainder",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "sub",
    "tan",
    "tanh",
    "trunc",
]


def neg(input: Tensor) -> Tensor:
    """-x."""
    return e.NEG(input)


def abs(input: Tensor) -> Tensor:
    """|x|; the gradient at 0 is 0."""
    return e.ABS(input)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; nan stays nan."""
    return e.SIGN(input)


def exp(input: Tensor) -> Tensor:
    """e^x."""
    return e.EXP(input)


def exp2(input: Tensor) -> Tensor:
    """2^x."""
    return e.EXP2(input)


def expm1(input: Tensor) -> Tensor:
    """e^x - 1, exact for small x."""
    return e.EXPM1(input)


def log(input: Tensor) -> Tensor:
    """Natural logarithm; log(0) = -inf, nan below 0."""
    return e.LOG(input)


def log2(input: Tensor) -> Tensor:
    """Logarithm to base 2."""
    return e.LOG2(input)


def log10(input: Tensor) -> Tensor:
    """Logarithm to base 10."""
    return e.LOG10(input)


def log1p(input: Tensor) -> Tensor:
    """log(1 + x), exact for small x."""
    return e.LOG1P(input)


def sqrt(input: Tensor) -> Tensor:
    """Square root; nan below 0."""
    return e.SQRT(input)


def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(x)."""
    return e.RSQRT(input)


def reciprocal(input: Tensor) -> Tensor:
    """1 / x."""
    return e.RECIPROCAL(input)


def sin(input: Tensor) -> Tensor:
    """Sine of radians."""
    return e.SIN(input)


def cos(input: Tensor) -> Tensor:
    """Cosine of radians."""
    return e.COS(input)


def tan(input: Tensor) -> Tensor:
    """Tangent of radians."""
    return e.TAN(input)


def asin(input: Tensor) -> Tensor:
    """Inverse sine, in radians."""
    return e.ASIN(input)


def acos(input: Tensor) -> Tensor:
    """Inverse cosine, in radians."""
    return e.ACOS(input)


def atan(input: Tensor) -> Tensor:
    """Inverse tangent, in radians."""
    return e.ATAN(input)


def sinh(input: Tensor) -> Tensor:
    """Hyperbolic sine."""
    return e.SINH(input)


def cosh(input: Tensor) -> Tensor:
    """Hyperbolic cosine."""
    return e.COSH(input)


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent (e^x - e^-x) / (e^x + e^-x).

    Source: LeCun et al. 1998 (Efficient BackProp), section 4.4. Decks: D0, D2, D3, D4.
    """
    return e.TANH(input)


def asinh(input: Tensor) -> Tensor:
    """Inverse hyperbolic sine."""
    return e.ASINH(input)


def acosh(input: Tensor) -> Tensor:
    """Inverse hyperbolic cosine; nan below 1."""
    return e.ACOSH(input)


def atanh(input: Tensor) -> Tensor:
    """Inverse hyperbolic tangent."""
    return e.ATANH(input)


def erf(input: Tensor) -> Tensor:
    """Error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x."""
    return e.ERF(input)


def erfc(input: Tensor) -> Tensor:
    """1 - erf(x), without cancellation."""
    return e.ERFC(input)


def erfinv(input: Tensor) -> Tensor:
    """The y with erf(y) = x; infinite at -1 and 1, nan beyond."""
    return e.ERFINV(input)


def lgamma(input: Tensor) -> Tensor:
    """log |gamma(x)|."""
    return e.LGAMMA(input)


def digamma(input: Tensor) -> Tensor:
    """Derivative of lgamma."""
    return e.DIGAMMA(input)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e^-x).

    x of any shape. Source: Rumelhart, Hinton & Williams 1986. Decks: D0, D1, D2, D3, D4.
    """
    return e.SIGMOID(input)


def floor(input: Tensor) -> Tensor:
    """Largest whole number <= x."""
    return e.FLOOR(input)


def ceil(input: Tensor) -> Tensor:
    """Smallest whole number >= x."""
    return e.CEIL(input)


def trunc(input: Tensor) -> Tensor:
    """x without its fraction."""
    return e.TRUNC(input)


def mul(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a * b."""
    return e.MUL(input, other)


def floor_divide(input: Tensor | float, other: Tensor | float) -> Tensor:
    """floor(a / b); whole numbers divided by 0 give 0."""
    return e.FLOOR_DIVIDE(input, other)


def remainder(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a - b floor(a / b), with the sign of b (Python's %)."""
    return e.REMAINDER(input, other)


def fmod(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a - b trunc(a / b), with the sign of a (C's fmod)."""
    return e.FMOD(input, other)


def maximum(input: Tensor | float, other: Tensor | float) -> Tensor:
    """The larger; nan if either is; equal values share the gradient."""
    return e.MAXIMUM(input, other)


def minimum(input: Tensor | float, other: Tensor | float) -> Tensor:
    """The smaller; nan if either is; equal values share the gradient."""
    return e.MINIMUM(input, other)


def atan2(input: Tensor | float, other: Tensor | float) -> Tensor:
    """The angle of the point (b, a), in radians."""
    return e.ATAN2(input, other)


def hypot(input: Tensor | float, other: Tensor | float) -> Tensor:
    """sqrt(a^2 + b^2)."""
    return e.HYPOT(input, other)


def copysign(input: Tensor | float, other: Tensor | float) -> Tensor:
    """|a| with the sign of b."""
    return e.COPYSIGN(input, other)


def pow(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ** exponent. Exponents 1, 2 and 0.5 given as numbers take the direct way."""
    if isinstance(input, _tensor.Tensor) and isinstance(exponent, (int, float)):
        if exponent == 2:
            return e.MUL(input, input)
        if exponent == 0.5 and input.dtype.is_floating_point:
            return e.SQRT(input)
    if isinstance(input, (int, float)) and isinstance(exponent, _tensor.Tensor):
        input = _tensor.tensor(
            input, dtype=promote_number(exponent.dtype, input), backend=exponent.backend
        )
    return e.POW(input, exponent)


def square(input: Tensor) -> Tensor:
    """x^2, elementwise; of bool int64, as in torch."""
    x = input.to(int64) if input.dtype is bool_ else input
    return e.MUL(x, x)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest whole number, halves to the even one; with `decimals`, to that many places."""
    if decimals == 0:
        return e.ROUND(input)
    if not -300 <= decimals <= 300:
        raise fail(
            ArgumentError, "round", f"expected decimals in [-300, 300], got {decimals}; use fewer"
        )
    scale = 10.0**decimals
    return e.ROUND(input * scale) / scale


def add(input: Tensor | float, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input + alpha * other."""
    return e.ADD(input, other) if alpha == 1 else e.ADD(input, e.MUL(other, alpha))


def sub(input: Tensor | float, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""
    return e.SUB(input, other) if alpha == 1 else e.SUB(input, e.MUL(other, alpha))


def div(
    input: Tensor | float, other: Tensor | float, *, rounding_mode: str | None = None
) -> Tensor:
    """input / other; rounding_mode "floor" or "trunc" rounds the quotient that way."""
    if rounding_mode is None:
        return e.DIV(input, other)
    if rounding_mode == "floor":
        return e.FLOOR_DIVIDE(input, other)
    if rounding_mode != "trunc":
        raise fail(
            ArgumentError,
            "div",
            f"expected rounding_mode None, 'floor' or 'trunc', got {rounding_mode!r}; "
            "use None for the exact quotient",
        )
    quotient = e.DIV(input, other)
    integers = [getattr(t, "dtype", None) for t in (input, other)]
    whole = all(d is None or not d.is_floating_point for d in integers)
    return e.SUB(input, e.FMOD(input, other)).__floordiv__(other) if whole else e.TRUNC(quotient)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """input limited to [min, max]; the gradient passes where min <= input <= max, as in torch."""
    if min is None and max is None:
        raise fail(ArgumentError, "clamp", "expected min, max or both, got neither; give one")
    y = input
    if min is not None:
        y = select(e.LT(y, min), min, y)
    if max is not None:
        y = select(e.GT(y, max), max, y)
    return y
