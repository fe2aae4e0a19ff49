"""Each elementwise function once, on plain numbers: what it means on every backend.

Python calls these as they stand and Numba compiles them, so they keep to `math`, comparisons and
conditionals. They follow IEEE 754 and C where Python raises: exp(1000) is inf, log(0) is -inf,
sqrt(-1) is nan, 1/0 is inf, and nan goes through (`x < y` is False for nan: the order of the tests
below often rests on that). A function whose name is a builtin's ends in an underscore.
"""

from __future__ import annotations

import math
from math import inf, nan, pi

from .scalar_special import digamma, erf, erfc, erfinv, lgamma

EXP_MAX = 709.782712893384  # ln of the largest float64
SINH_MAX = 710.4758600739439
INTEGERS_ONLY = 2.0**52  # from here on a float64 has no fraction
SQRT_HALF = math.sqrt(0.5)
SQRT_TWO_PI = math.sqrt(2.0 * pi)


def neg(x):
    """-x."""
    return -x


def abs_(x):
    """|x|."""
    return abs(x)


def sign(x):
    """-1, 0 or 1."""
    return x if x != x else (x > 0) - (x < 0)


def exp(x):
    """e^x."""
    return inf if x > EXP_MAX else math.exp(x)


def exp2(x):
    """2^x."""
    return inf if x >= 1024.0 else math.exp2(x)


def expm1(x):
    """e^x - 1, accurate near 0."""
    return inf if x > EXP_MAX else math.expm1(x)


def log(x):
    """ln x."""
    if x > 0.0:
        return math.log(x)
    return -inf if x == 0.0 else nan


def log2(x):
    """log_2 x."""
    if x > 0.0:
        return math.log2(x)
    return -inf if x == 0.0 else nan


def log10(x):
    """log_10 x."""
    if x > 0.0:
        return math.log10(x)
    return -inf if x == 0.0 else nan


def log1p(x):
    """ln(1 + x), accurate near 0."""
    if x > -1.0:
        return math.log1p(x)
    return -inf if x == -1.0 else nan


def sqrt(x):
    """The root of x."""
    return math.sqrt(x) if x >= 0.0 else nan


def rsqrt(x):
    """1 / sqrt(x)."""
    if x > 0.0:
        return 1.0 / math.sqrt(x)
    return math.copysign(inf, x) if x == 0.0 else nan


def reciprocal(x):
    """1 / x."""
    return math.copysign(inf, x) if x == 0.0 else 1.0 / x


def sin(x):
    """sin x, in radians."""
    return math.sin(x) if abs(x) < inf else nan


def cos(x):
    """cos x, in radians."""
    return math.cos(x) if abs(x) < inf else nan


def tan(x):
    """tan x, in radians."""
    return math.tan(x) if abs(x) < inf else nan


def asin(x):
    """The angle in [-pi/2, pi/2] whose sine is x."""
    return math.asin(x) if abs(x) <= 1.0 else nan


def acos(x):
    """The angle in [0, pi] whose cosine is x."""
    return math.acos(x) if abs(x) <= 1.0 else nan


def atan(x):
    """The angle in [-pi/2, pi/2] whose tangent is x."""
    return math.atan(x)


def sinh(x):
    """(e^x - e^-x) / 2."""
    return math.copysign(inf, x) if abs(x) > SINH_MAX else math.sinh(x)


def cosh(x):
    """(e^x + e^-x) / 2."""
    return inf if abs(x) > SINH_MAX else math.cosh(x)


def tanh(x):
    """sinh x / cosh x."""
    return math.tanh(x)


def asinh(x):
    """ln(x + sqrt(x^2 + 1))."""
    return math.asinh(x)


def acosh(x):
    """ln(x + sqrt(x^2 - 1))."""
    return math.acosh(x) if x >= 1.0 else nan


def atanh(x):
    """ln((1 + x) / (1 - x)) / 2."""
    if abs(x) < 1.0:
        return math.atanh(x)
    return math.copysign(inf, x) if abs(x) == 1.0 else nan


def floor(x):
    """The largest integer <= x."""
    return math.copysign(math.floor(x), x) if abs(x) < INTEGERS_ONLY else x


def ceil(x):
    """The smallest integer >= x."""
    return math.copysign(math.ceil(x), x) if abs(x) < INTEGERS_ONLY else x


def trunc(x):
    """x without its fraction."""
    return math.copysign(math.trunc(x), x) if abs(x) < INTEGERS_ONLY else x


def round_(x):
    """The nearest integer, the even one of two."""
    return math.copysign(round(x), x) if abs(x) < INTEGERS_ONLY else x


def sigmoid(x):
    """1 / (1 + e^-x)."""
    e = math.exp(-abs(x))
    return 1.0 / (1.0 + e) if x >= 0.0 else e / (1.0 + e)


def softplus(x):
    """ln(1 + e^x)."""
    return math.log1p(math.exp(-abs(x))) + (0.0 if x < 0.0 else x)


def relu(x):
    """max(x, 0); nan stays nan."""
    return 0 if x <= 0 else x


def gelu(x):
    """x Phi(x) = x/2 (1 + erf(x / sqrt 2)), Phi the normal distribution function."""
    return x * 0.5 * (1.0 + math.erf(x * SQRT_HALF))


def isnan(x):
    """Whether x is nan."""
    return x != x


def isinf(x):
    """Whether x is inf or -inf."""
    return abs(x) == inf


def isfinite(x):
    """Whether x is neither infinite nor nan."""
    return abs(x) < inf


def logical_not(x):
    """Whether x is 0."""
    return x == 0


def add(a, b):
    """a + b."""
    return a + b


def sub(a, b):
    """a - b."""
    return a - b


def mul(a, b):
    """a b."""
    return a * b


def div(a, b):
    """a / b; a/0 is +-inf, 0/0 nan."""
    if b == 0.0:
        return math.copysign(inf, a) * math.copysign(1.0, b) if abs(a) > 0.0 else nan
    return a / b


def floor_divide(a, b):
    """floor(a / b); a/0 is +-inf, 0/0 nan."""
    if b == 0.0:
        return math.copysign(inf, a) * math.copysign(1.0, b) if abs(a) > 0.0 else nan
    return a // b


def remainder(a, b):
    """a - b floor(a / b): the sign is b's."""
    return nan if b == 0.0 else a % b


def fmod(a, b):
    """a - b trunc(a / b): the sign is a's."""
    return math.copysign(abs(a) % abs(b), a) if abs(a) < inf and abs(b) > 0.0 else nan


def pow_(a, b):
    """a^b, with the corner cases of C's pow."""
    if a == 0.0 and b < 0.0:
        return math.copysign(inf, a) if b % 2.0 == 1.0 else inf
    if -inf < a < 0.0 and abs(b) < inf and b % 1.0 != 0.0:
        return nan
    if 0.0 < abs(a) < inf and b * math.log(abs(a)) > EXP_MAX - 1e-10:
        # So close to the largest float64 the logarithm cannot tell which powers overflow: all do.
        return -inf if a < 0.0 and b % 2.0 == 1.0 else inf
    return math.pow(a, b)


def maximum(a, b):
    """The larger one; nan if either is nan."""
    return a if a >= b or a != a else b


def minimum(a, b):
    """The smaller one; nan if either is nan."""
    return a if a <= b or a != a else b


def atan2(a, b):
    """The angle of the point (x=b, y=a), in [-pi, pi]."""
    return math.atan2(a, b)


def copysign(a, b):
    """|a| with the sign of b."""
    return math.copysign(a, b)


def hypot(a, b):
    """sqrt(a^2 + b^2) without overflow in between."""
    return math.hypot(a, b)


def eq(a, b):
    """a == b."""
    return a == b


def ne(a, b):
    """a != b."""
    return a != b


def lt(a, b):
    """a < b."""
    return a < b


def le(a, b):
    """a <= b."""
    return a <= b


def gt(a, b):
    """a > b."""
    return a > b


def ge(a, b):
    """a >= b."""
    return a >= b


def logical_and(a, b):
    """Whether neither is 0."""
    return a != 0 and b != 0


def logical_or(a, b):
    """Whether one is not 0."""
    return a != 0 or b != 0


def logical_xor(a, b):
    """Whether just one is 0."""
    return (a != 0) != (b != 0)


def relu_grad(g, y):
    """g where y > 0, else 0, from y = relu(x)."""
    return g if y > 0 else 0


def tanh_grad(g, y):
    """g (1 - y^2), from y = tanh(x)."""
    return g * (1.0 - y * y)


def sigmoid_grad(g, y):
    """g y (1 - y), from y = sigmoid(x)."""
    return g * y * (1.0 - y)


def softplus_grad(g, x):
    """g sigmoid(x)."""
    e = math.exp(-abs(x))
    return g / (1.0 + e) if x >= 0.0 else g * e / (1.0 + e)


def gelu_grad(g, x):
    """g (Phi(x) + x phi(x)), phi(x) = e^(-x^2/2) / sqrt(2 pi) the normal density."""
    density = math.exp(-0.5 * x * x) / SQRT_TWO_PI
    return g * (0.5 * (1.0 + math.erf(x * SQRT_HALF)) + x * density)


UNARY = {
    f.__name__.rstrip("_"): f
    for f in (
        *(neg, abs_, sign, relu, floor, ceil, trunc, round_, reciprocal, sqrt, rsqrt),
        *(exp, exp2, expm1, log, log2, log10, log1p, sigmoid, softplus, gelu),
        *(sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh),
        *(erf, erfc, erfinv, lgamma, digamma, isnan, isinf, isfinite, logical_not),
    )
}
BINARY = {
    f.__name__.rstrip("_"): f
    for f in (
        *(add, sub, mul, div, floor_divide, remainder, fmod, pow_, maximum, minimum),
        *(atan2, copysign, hypot, eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_xor),
        *(relu_grad, tanh_grad, sigmoid_grad, softplus_grad, gelu_grad),
    )
}
BOOL_RESULT = frozenset(
    ("isnan", "isinf", "isfinite", "logical_not", "logical_and", "logical_or", "logical_xor")
    + ("eq", "ne", "lt", "le", "gt", "ge")
)
