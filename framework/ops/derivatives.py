"""Each elementwise function with its derivative, a line each.

A rule receives g (the incoming gradient), y (the result) and the inputs, and is written in ops, so
that it can be differentiated again. The values are kernels/scalar.py's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from .elementwise import Binary, Unary, cast, full_like, select

if TYPE_CHECKING:
    from ..tensor import Tensor


def _zero(g: Any, y: Any, *inputs: Any) -> Tensor:
    return full_like(inputs[0], 0.0)


# unary ------------------------------------------------------------------------------------------
NEG: Unary = Unary("neg", lambda g, y, x: NEG(g), "same", False)
ABS: Unary = Unary("abs", lambda g, y, x: g * SIGN(x), "same", False)
SIGN: Unary = Unary("sign", _zero, "same", False)
EXP: Unary = Unary("exp", lambda g, y, x: g * y)
EXP2: Unary = Unary("exp2", lambda g, y, x: g * y * math.log(2.0))
EXPM1: Unary = Unary("expm1", lambda g, y, x: g * (y + 1.0))
LOG: Unary = Unary("log", lambda g, y, x: g / x, keeps_output=False)
LOG2: Unary = Unary("log2", lambda g, y, x: g / (x * math.log(2.0)), keeps_output=False)
LOG10: Unary = Unary("log10", lambda g, y, x: g / (x * math.log(10.0)), keeps_output=False)
LOG1P: Unary = Unary("log1p", lambda g, y, x: g / (x + 1.0), keeps_output=False)
SQRT: Unary = Unary("sqrt", lambda g, y, x: g / (y * 2.0))
RSQRT: Unary = Unary("rsqrt", lambda g, y, x: g * y * y * y * -0.5)
RECIPROCAL: Unary = Unary("reciprocal", lambda g, y, x: NEG(g * y * y))
SIN: Unary = Unary("sin", lambda g, y, x: g * COS(x), keeps_output=False)
COS: Unary = Unary("cos", lambda g, y, x: NEG(g * SIN(x)), keeps_output=False)
TAN: Unary = Unary("tan", lambda g, y, x: g * (y * y + 1.0))
ASIN: Unary = Unary("asin", lambda g, y, x: g * RSQRT(1.0 - x * x), keeps_output=False)
ACOS: Unary = Unary("acos", lambda g, y, x: NEG(g * RSQRT(1.0 - x * x)), keeps_output=False)
ATAN: Unary = Unary("atan", lambda g, y, x: g / (x * x + 1.0), keeps_output=False)
SINH: Unary = Unary("sinh", lambda g, y, x: g * COSH(x), keeps_output=False)
COSH: Unary = Unary("cosh", lambda g, y, x: g * SINH(x), keeps_output=False)
TANH: Unary = Unary("tanh", lambda g, y, x: TANH_GRAD(g, y))
ASINH: Unary = Unary("asinh", lambda g, y, x: g * RSQRT(x * x + 1.0), keeps_output=False)
ACOSH: Unary = Unary("acosh", lambda g, y, x: g * RSQRT(x * x - 1.0), keeps_output=False)
ATANH: Unary = Unary("atanh", lambda g, y, x: g / (1.0 - x * x), keeps_output=False)
ERF: Unary = Unary(
    "erf", lambda g, y, x: g * EXP(NEG(x * x)) * (2.0 / math.sqrt(math.pi)), keeps_output=False
)
ERFC: Unary = Unary(
    "erfc", lambda g, y, x: g * EXP(NEG(x * x)) * (-2.0 / math.sqrt(math.pi)), keeps_output=False
)
ERFINV: Unary = Unary("erfinv", lambda g, y, x: g * EXP(y * y) * (0.5 * math.sqrt(math.pi)))
LGAMMA: Unary = Unary("lgamma", lambda g, y, x: g * DIGAMMA(x), keeps_output=False)
DIGAMMA: Unary = Unary("digamma", lambda g, y, x: g * _trigamma(x), keeps_output=False)
SIGMOID: Unary = Unary("sigmoid", lambda g, y, x: SIGMOID_GRAD(g, y))
SOFTPLUS: Unary = Unary("softplus", lambda g, y, x: SOFTPLUS_GRAD(g, x), keeps_output=False)
RELU: Unary = Unary("relu", lambda g, y, x: RELU_GRAD(g, y), "same")
GELU: Unary = Unary("gelu", lambda g, y, x: GELU_GRAD(g, x), keeps_output=False)
FLOOR: Unary = Unary("floor", _zero, "same", False)
CEIL: Unary = Unary("ceil", _zero, "same", False)
TRUNC: Unary = Unary("trunc", _zero, "same", False)
ROUND: Unary = Unary("round", _zero, "same", False)
ISNAN: Unary = Unary("isnan", None, "bool", False)
ISINF: Unary = Unary("isinf", None, "bool", False)
ISFINITE: Unary = Unary("isfinite", None, "bool", False)
LOGICAL_NOT: Unary = Unary("logical_not", None, "bool", False)

# binary -----------------------------------------------------------------------------------------
ADD: Binary = Binary("add", lambda g, y, a, b: g, lambda g, y, a, b: g)
SUB: Binary = Binary("sub", lambda g, y, a, b: g, lambda g, y, a, b: NEG(g))
MUL: Binary = Binary("mul", lambda g, y, a, b: MUL(g, b), lambda g, y, a, b: MUL(g, a))
DIV: Binary = Binary(
    "div", lambda g, y, a, b: DIV(g, b), lambda g, y, a, b: NEG(DIV(g, b) * y), "float", True
)
FLOOR_DIVIDE: Binary = Binary("floor_divide", _zero, lambda g, y, a, b: full_like(b, 0.0))
REMAINDER: Binary = Binary(
    "remainder", lambda g, y, a, b: g, lambda g, y, a, b: NEG(g * FLOOR_DIVIDE(a, b))
)
FMOD: Binary = Binary("fmod", lambda g, y, a, b: g, lambda g, y, a, b: NEG(g * TRUNC(a / b)))
MAXIMUM: Binary = Binary(
    "maximum",
    lambda g, y, a, b: g * _share(GT, EQ, a, b),
    lambda g, y, a, b: g * _share(LT, EQ, a, b),
)
MINIMUM: Binary = Binary(
    "minimum",
    lambda g, y, a, b: g * _share(LT, EQ, a, b),
    lambda g, y, a, b: g * _share(GT, EQ, a, b),
)
ATAN2: Binary = Binary(
    "atan2",
    lambda g, y, a, b: g * b / _square_length(a, b),
    lambda g, y, a, b: NEG(g * a / _square_length(a, b)),
    "float",
)
HYPOT: Binary = Binary(
    "hypot", lambda g, y, a, b: g * a / y, lambda g, y, a, b: g * b / y, "float", True
)
COPYSIGN: Binary = Binary(
    "copysign",
    lambda g, y, a, b: g * SIGN(a) * SIGN(y),
    lambda g, y, a, b: full_like(b, 0.0),
    "float",
    True,
)
EQ: Binary = Binary("eq", result="bool")
NE: Binary = Binary("ne", result="bool")
LT: Binary = Binary("lt", result="bool")
LE: Binary = Binary("le", result="bool")
GT: Binary = Binary("gt", result="bool")
GE: Binary = Binary("ge", result="bool")
LOGICAL_AND: Binary = Binary("logical_and", result="bool")
LOGICAL_OR: Binary = Binary("logical_or", result="bool")
LOGICAL_XOR: Binary = Binary("logical_xor", result="bool")
RELU_GRAD: Binary = Binary(
    "relu_grad", lambda g, y, a, b: RELU_GRAD(g, b), lambda g, y, a, b: full_like(b, 0.0)
)
TANH_GRAD: Binary = Binary(
    "tanh_grad", lambda g, y, a, b: TANH_GRAD(g, b), lambda g, y, a, b: g * a * b * -2.0
)
SIGMOID_GRAD: Binary = Binary(
    "sigmoid_grad",
    lambda g, y, a, b: SIGMOID_GRAD(g, b),
    lambda g, y, a, b: g * a * (1.0 - b * 2.0),
)
SOFTPLUS_GRAD: Binary = Binary(
    "softplus_grad",
    lambda g, y, a, b: SOFTPLUS_GRAD(g, b),
    lambda g, y, a, b: SIGMOID_GRAD(g * a, SIGMOID(b)),
)
GELU_GRAD: Binary = Binary(
    "gelu_grad",
    lambda g, y, a, b: GELU_GRAD(g, b),
    lambda g, y, a, b: g * a * (2.0 - b * b) * _normal_density(b),
)


def _pow_grad_base(g: Any, y: Any, a: Any, b: Any) -> Any:
    """b a^(b-1), and 0 where b = 0 even if a = 0."""
    slope = b * POW(a, b - 1.0)
    zero = b == 0
    if isinstance(zero, bool):
        return full_like(g, 0.0) if zero else g * slope
    return g * select(zero, 0.0, slope)


def _pow_grad_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    """a^b ln a, and 0 where a = 0 and b >= 0 (the limit)."""
    if isinstance(a, (int, float)):
        return g * y * (math.log(a) if a > 0 else 0.0 if a == 0 else math.nan)
    flat = LOGICAL_AND(EQ(a, 0.0), GE(b, 0.0))
    return g * select(flat, 0.0, y * LOG(select(flat, 1.0, a)))


POW: Binary = Binary("pow", _pow_grad_base, _pow_grad_exponent, keeps_output=True)


def _share(wins: Binary, ties: Binary, a: Any, b: Any) -> Tensor:
    """1 where this side wins, 1/2 where both are equal: how torch splits the gradient of a tie."""
    dtype = a.dtype if isinstance(a, _tensor.Tensor) else b.dtype
    return cast(wins(a, b), dtype) + cast(ties(a, b), dtype) * 0.5


def _square_length(a: Any, b: Any) -> Any:
    """a^2 + b^2, and 1 at the origin, where atan2's gradient counts as 0, as in torch."""
    square = a * a + b * b
    return select(EQ(square, 0.0), 1.0, square)


def _normal_density(x: Any) -> Any:
    return EXP(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))


def _trigamma(x: Any) -> Any:
    """The derivative of digamma, sum_k 1 / (x + k)^2.

    By reflection to x > 0, where the first ten terms are taken from the sum, and the rest by the
    asymptotic series 1/z + 1/2z^2 + 1/6z^3 - 1/30z^5 + ... (Abramowitz & Stegun 6.4.7, 6.4.12).
    """
    turned = LT(x, 0.5)
    z = select(turned, 1.0 - x, x)
    total = full_like(z, 0.0)
    for k in range(10):
        total = total + 1.0 / ((z + float(k)) * (z + float(k)))
    z = z + 10.0
    w = 1.0 / (z * z)
    series = w * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * (5 / 66)))))
    total = total + (1.0 + 0.5 / z + series) / z
    sine = SIN(select(turned, x - ROUND(x).detach(), 0.5) * math.pi)
    return select(turned, math.pi**2 / (sine * sine) - total, total)
