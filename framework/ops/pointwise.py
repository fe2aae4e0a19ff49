"""The elementwise functions under their public names (torch's), each with its formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..dtypes import bool_, promote_number
from ..errors import ArgumentError, DTypeError, fail
from . import derivatives as e
from .elementwise import as_tensor_operand, select

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["add", "clamp", "div", "sub"]

_UNARY = {
    "neg": "-x.",
    "abs": "|x|; the gradient at 0 is 0.",
    "sign": "-1, 0 or 1; nan stays nan.",
    "exp": "e^x.",
    "exp2": "2^x.",
    "expm1": "e^x - 1, exact for small x.",
    "log": "Natural logarithm; log(0) = -inf, nan below 0.",
    "log2": "Logarithm to base 2.",
    "log10": "Logarithm to base 10.",
    "log1p": "log(1 + x), exact for small x.",
    "sqrt": "Square root; nan below 0.",
    "rsqrt": "1 / sqrt(x).",
    "reciprocal": "1 / x.",
    "sin": "Sine of radians.",
    "cos": "Cosine of radians.",
    "tan": "Tangent of radians.",
    "asin": "Inverse sine, in radians.",
    "acos": "Inverse cosine, in radians.",
    "atan": "Inverse tangent, in radians.",
    "sinh": "Hyperbolic sine.",
    "cosh": "Hyperbolic cosine.",
    "tanh": "Hyperbolic tangent (e^x - e^-x) / (e^x + e^-x).",
    "asinh": "Inverse hyperbolic sine.",
    "acosh": "Inverse hyperbolic cosine; nan below 1.",
    "atanh": "Inverse hyperbolic tangent.",
    "erf": "Error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x.",
    "erfc": "1 - erf(x), without cancellation.",
    "lgamma": "log |gamma(x)|.",
    "digamma": "Derivative of lgamma.",
    "sigmoid": "1 / (1 + e^-x).",
    "relu": "max(x, 0); the gradient at 0 is 0 (deck D3).",
    "floor": "Largest whole number <= x.",
    "ceil": "Smallest whole number >= x.",
    "trunc": "x without its fraction.",
    "isnan": "Whether x is nan.",
    "isinf": "Whether x is +inf or -inf.",
    "isfinite": "Whether x is neither nan nor infinite.",
    "logical_not": "Whether x is zero.",
}
_BINARY = {
    "mul": "a * b.",
    "floor_divide": "floor(a / b); whole numbers divided by 0 give 0.",
    "remainder": "a - b floor(a / b), with the sign of b (Python's %).",
    "fmod": "a - b trunc(a / b), with the sign of a (C's fmod).",
    "maximum": "The larger; nan if either is; equal values share the gradient.",
    "minimum": "The smaller; nan if either is; equal values share the gradient.",
    "atan2": "The angle of the point (b, a), in radians.",
    "hypot": "sqrt(a^2 + b^2).",
    "copysign": "|a| with the sign of b.",
    "eq": "a == b.",
    "ne": "a != b.",
    "lt": "a < b.",
    "le": "a <= b.",
    "gt": "a > b.",
    "ge": "a >= b.",
    "logical_and": "Whether both are nonzero.",
    "logical_or": "Whether one is nonzero.",
    "logical_xor": "Whether exactly one is nonzero.",
}


def _unary(name: str, doc: str) -> Any:
    op = getattr(e, name.upper())

    def function(input: Tensor) -> Tensor:
        return op(input)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{doc} Elementwise; whole numbers become float32 where the result is not whole."
    )
    return function


def _binary(name: str, doc: str) -> Any:
    op = getattr(e, name.upper())

    def function(input: Tensor | float, other: Tensor | float) -> Tensor:
        return op(input, other)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} Elementwise, with broadcasting and dtype promotion."
    return function


for _name, _doc in _UNARY.items():
    globals()[_name] = _unary(_name, _doc)
for _name, _doc in _BINARY.items():
    globals()[_name] = _binary(_name, _doc)
__all__ += [*_UNARY, *_BINARY, "only_bool", "pow", "round", "square"]


def pow(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ** exponent. Exponents 1, 2 and 0.5 given as numbers take the direct way."""
    if isinstance(input, _tensor.Tensor) and not isinstance(exponent, (bool, _tensor.Tensor)):
        if exponent == 2:
            return e.MUL(input, input)
        if exponent == 0.5 and input.dtype.is_floating_point:
            return e.SQRT(input)
    if not isinstance(input, _tensor.Tensor) and isinstance(exponent, _tensor.Tensor):
        input = _tensor.tensor(
            input, dtype=promote_number(exponent.dtype, input), backend=exponent.backend
        )
    return e.POW(input, exponent)


def square(input: Tensor) -> Tensor:
    """x^2, elementwise."""
    return e.MUL(input, input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest whole number, halves to the even one; with `decimals`, to that many places."""
    if decimals == 0:
        return e.ROUND(input)
    scale = 10.0**decimals
    return e.ROUND(input * scale) / scale


def only_bool(op: str, x: Tensor) -> Tensor:
    """x, checked to be bool: the operators &, |, ^ and ~ are logical."""
    x = as_tensor_operand(op, x) if not isinstance(x, bool) else _tensor.tensor(x)
    if x.dtype is not bool_:
        raise fail(DTypeError, op, f"expected bool tensors, got {x.dtype}; compare first (x > 0)")
    return x


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
            f"expected rounding_mode None, 'floor' or 'trunc', got {rounding_mode!r}",
        )
    quotient = e.DIV(input, other)
    integers = [getattr(t, "dtype", None) for t in (input, other)]
    whole = all(d is None or not d.is_floating_point for d in integers)
    return e.SUB(input, e.FMOD(input, other)).__floordiv__(other) if whole else e.TRUNC(quotient)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """input limited to [min, max]; the gradient passes where min <= input <= max, as in torch."""
    if min is None and max is None:
        raise fail(ArgumentError, "clamp", "expected min, max or both, got neither")
    y = input
    if min is not None:
        y = select(e.LT(y, min), min, y)
    if max is not None:
        y = select(e.GT(y, max), max, y)
    return y
