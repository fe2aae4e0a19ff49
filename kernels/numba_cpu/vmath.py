"""exp, log, tanh, erf and their kin without a branch and without a call, so that loops vectorise.

    for i in range(n):              LLVM computes 16 elements in each step, because f is
        out[i] = f(x[i])            arithmetic and selects, and nothing else

A library's `exp` is one call for each element: 100,000 take 366 us. The one here takes 27.
The trick in all of them: bring the argument into a short interval by exact steps, use a polynomial
there, and undo the steps by writing into the exponent bits of the result.

    exp     x = n ln 2 + r, |r| <= ln 2 / 2:     e^x = 2^n e^r, e^r by its Taylor series
    log     x = 2^e m, 1/sqrt(2) <= m < sqrt(2): ln x = e ln 2 + ln m, ln m by the series of artanh
    expm1   2^n (e^r - 1) + (2^n - 1):           no digit is lost near 0, so tanh loses none either

Each function is written once, for a number type T whose constants (`constants`) are its globals;
`functions(T)` compiles float32's and float64's copies. The errors, in units in the last place of
the result, are bounded in tests/test_numba_vmath.py: at most 1 for exp and log, at most 3 for
those that are composed of them.
"""
# ruff: noqa: F821 - names in the patterns are filled in when they are compiled

from __future__ import annotations

import math
from functools import cache
from math import factorial, fsum, inf, nan, pi
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .erf import coefficients
from .toolchain import device

# bits and polynomials -----------------------------------------------------------------------------
REINTERPRETED = {
    types.float32: types.int32,
    types.int32: types.float32,
    types.float64: types.int64,
    types.int64: types.float64,
}


@intrinsic
def bits(typingctx: Any, x: Any) -> Any:
    """The bits of a float as an integer of its size, and back: no instruction at all."""
    result = REINTERPRETED[x]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(result))

    return result(x), generate


@intrinsic
def polynomial(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """Horner's rule, highest power first, unrolled, in fused multiply-adds where there are any."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        point, table = arguments
        kind = point.type
        name = "llvm.fmuladd." + ("f32" if isinstance(kind, ir.FloatType) else "f64")
        fma = builder.module.declare_intrinsic(name, (), ir.FunctionType(kind, [kind] * 3))
        total = builder.extract_value(table, 0)
        for k in range(1, coefficients.count):
            total = builder.call(fma, [total, point, builder.extract_value(table, k)])
        return total

    return x(x, coefficients), generate


@intrinsic
def exact_polynomial(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """Horner's rule with each product and each sum rounded, the same on every machine."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        point, table = arguments
        total = builder.extract_value(table, 0)
        for k in range(1, coefficients.count):
            total = builder.fadd(builder.fmul(total, point), builder.extract_value(table, k))
        return total

    return x(x, coefficients), generate


# the constants of a type --------------------------------------------------------------------------
def split(value: float, digits: int) -> tuple[float, float]:
    """value = high + low, high with so few binary digits that n * high is exact for small n."""
    scale = 2.0 ** (digits - math.frexp(value)[1])
    high = math.floor(value * scale) / scale
    return high, value - high


LN2_TAIL = 2.3190468138462996e-17  # ln 2 less its float64


def constants(T: Any) -> dict[str, Any]:
    """What the functions below call by name in capitals."""
    single = T is np.float32
    mantissa, bias = (23, 127) if single else (52, 1023)
    terms, odd = (8, 5) if single else (14, 11)  # until the next is below half a unit
    integer = np.int32 if single else np.int64
    high, low = split(math.log(2.0), 15 if single else 32)
    numbers = {
        "HALF": 0.5,
        "ONE": 1.0,
        "TWO": 2.0,
        "ZERO": 0.0,
        "INF": inf,
        "NAN": nan,
        "SHIFT": 1.5 * 2.0**mantissa,  # x + SHIFT has x, rounded, in its lowest bits
        "LOG2_E": 1.0 / math.log(2.0),
        "LOG10_E": 1.0 / math.log(10.0),
        "LOG10_2": math.log10(2.0),
        "LN2": math.log(2.0),
        "LN2_HIGH": high,
        "LN2_LOW": fsum((low, LN2_TAIL)),
        "EXP_LOWEST": -104.0 if single else -746.0,  # e^x is 0 below ...
        "EXP_TINY": -87.0 if single else -708.0,  # ... may be denormal below ...
        "EXP_HIGHEST": 88.72283 if single else 709.782712893384,  # ... and is inf above
        "EXP2_LOWEST": -151.0 if single else -1076.0,
        "EXP2_TINY": -125.0 if single else -1021.0,
        "EXP2_HIGHEST": float(np.nextafter(T(bias + 1), T(0))),
        "EXPM1_LOWEST": -20.0 if single else -40.0,  # e^x - 1 is -1 below
        "EXPM1_HIGHEST": 89.0 if single else 710.0,
        "DROP": 2.0**-64,
        "SQRT_HALF": math.sqrt(0.5),
        "SMALLEST_NORMAL": 2.0 ** (1 - bias),
        "RAISE": 2.0**mantissa,  # makes denormal numbers normal
        "ERF_HIGHEST": 4.0 if single else 6.0,  # erf is 1 above
        "DENSITY_0": 1.0 / math.sqrt(2.0 * pi),
    }
    tables = {
        "EXP": [1.0 / factorial(k) for k in range(terms - 1, -1, -1)],
        "EXPM1": [1.0 / factorial(k) for k in range(terms - 1, 1, -1)],  # (e^r - 1 - r) / r^2
        "ARTANH": [2.0 / (2 * k + 1) for k in range(odd, 0, -1)],  # (ln m - 2 s) / s^3
    }
    return {
        "T": T,
        "INT": integer,
        "ONE_BIT": integer(1),
        "LIFT_BITS": integer(64 << mantissa),
        "MANTISSA": integer(mantissa),
        "BIAS": integer(bias),
        "FRACTION": integer((1 << mantissa) - 1),
        **{name: T(value) for name, value in numbers.items()},
        **{name: tuple(map(T, table)) for name, table in (tables | coefficients(single)).items()},
    }


# e^x ----------------------------------------------------------------------------------------------
def power_of_two(k):
    """2^k, -BIAS < k <= BIAS: nothing but an exponent."""
    return bits(INT((k + BIAS) << MANTISSA))


def scaled(y, shifted, x, tiny, highest):
    """2^n y, 1/sqrt(2) <= y <= sqrt(2), n the lowest bits of `shifted`, added to y's exponent.

    Where the result, a power with exponent x, is denormal (x < tiny), by way of a larger one.
    """
    exponent = INT(bits(shifted) << MANTISSA)  # all other bits of SHIFT are shifted out
    below = x < tiny
    exponent = INT(exponent + LIFT_BITS) if below else exponent
    y = bits(INT(bits(y) + exponent))
    y = y * DROP if below else y
    return y if x <= highest else x * INF  # inf, or nan


def exp(x):
    """e^x."""
    x = EXP_LOWEST if x < EXP_LOWEST else x  # nan passes the test
    shifted = x * LOG2_E + SHIFT
    n = shifted - SHIFT
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    return scaled(polynomial(r, EXP), shifted, x, EXP_TINY, EXP_HIGHEST)


def exp2(x):
    """2^x."""
    x = EXP2_LOWEST if x < EXP2_LOWEST else x
    shifted = x + SHIFT
    r = (x - (shifted - SHIFT)) * LN2
    return scaled(polynomial(r, EXP), shifted, x, EXP2_TINY, EXP2_HIGHEST)


def expm1(x):
    """e^x - 1 = 2^n (e^r - 1) + (2^n - 1), twice the half of it so that 2^n is never too large."""
    x = EXPM1_HIGHEST if x > EXPM1_HIGHEST else x
    x = EXPM1_LOWEST if x < EXPM1_LOWEST else x
    shifted = x * LOG2_E + SHIFT
    n = shifted - SHIFT
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    half = power_of_two(INT(bits(shifted) - bits(SHIFT) - ONE_BIT))
    y = r + r * r * polynomial(r, EXPM1)
    return TWO * (half * y + (half - HALF))


# ln x ---------------------------------------------------------------------------------------------
def exponent_and_rest(x):
    """e and m - 1 of x = 2^e m with m in [1/sqrt(2), sqrt(2)): the float's own fields, shifted."""
    tiny = x < SMALLEST_NORMAL
    place = INT(bits(x * RAISE if tiny else x) - bits(SQRT_HALF))
    e = T(INT(place >> MANTISSA))
    m = bits(INT((place & FRACTION) + bits(SQRT_HALF)))
    return e - T(MANTISSA) if tiny else e, m - ONE


def log_less(f):
    """f - ln(1 + f), which is small, by s = f / (2 + f) and ln(1 + f) = 2 artanh s."""
    s = f / (TWO + f)
    z = s * s
    return s * (f - z * polynomial(z, ARTANH))


def with_ends(y, x):
    """y = log x but for the x at which the formulas fail: 0, negative ones, inf and nan."""
    y = y if x < INF else x
    y = NAN if x < ZERO else y
    return -INF if x == ZERO else y


def log(x):
    """ln x."""
    e, f = exponent_and_rest(x)
    return with_ends(e * LN2_HIGH + (f - (log_less(f) - e * LN2_LOW)), x)


def log2(x):
    """log_2 x: whole for powers of two."""
    e, f = exponent_and_rest(x)
    return with_ends(e + (f - log_less(f)) * LOG2_E, x)


def log10(x):
    """log_10 x."""
    e, f = exponent_and_rest(x)
    return with_ends(e * LOG10_2 + (f - log_less(f)) * LOG10_E, x)


def log1p(x):
    """ln(1 + x): what 1 + x lost in rounding comes back as a correction to first order."""
    u = ONE + x
    lost = (x - (u - ONE)) / u
    return log(u) + (lost if abs(lost) < ONE else ZERO)


# what is made of them -----------------------------------------------------------------------------
def tanh(x):
    """(1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x."""
    e = expm1(-TWO * abs(x))
    return math.copysign(-e / (TWO + e), x)


def sigmoid(x):
    """1 / (1 + e^-x)."""
    e = exp(-abs(x))
    return (ONE if x >= ZERO else e) / (ONE + e)


def erf(x):
    """The error function, by the two formulas of erf.py."""
    a = abs(x)
    a = ERF_HIGHEST if a > ERF_HIGHEST else a
    near = a * polynomial(a * a, ERF_NEAR)
    far = ONE - exp(-a * a) * polynomial((a - TWO) / (a + TWO), ERF_FAR)
    return math.copysign(near if a <= ONE else far, x)


def softplus(x):
    """ln(1 + e^x) = ln(1 + e^-|x|) + max(x, 0)."""
    return log1p(exp(-abs(x))) + (ZERO if x < ZERO else x)


def gelu(x):
    """x Phi(x)."""
    return x * HALF * (ONE + erf(x * SQRT_HALF))


def tanh_grad(g, y):
    """g (1 - y^2)."""
    return g * (ONE - y * y)


def sigmoid_grad(g, y):
    """g y (1 - y)."""
    return g * y * (ONE - y)


def softplus_grad(g, x):
    """g sigmoid(x)."""
    return g * sigmoid(x)


def gelu_grad(g, x):
    """g (Phi(x) + x phi(x)), phi the normal density."""
    density = exp(-HALF * x * x) * DENSITY_0
    return g * (HALF * (ONE + erf(x * SQRT_HALF)) + x * density)


# one instruction each: scalar.py's forms guard against what raises in Python ----------------------
def sqrt(x):
    return math.sqrt(x)


def rsqrt(x):
    return ONE / math.sqrt(x)


def reciprocal(x):
    return ONE / x


def div(a, b):
    return a / b


def floor(x):
    return np.floor(x)


def ceil(x):
    return np.ceil(x)


def trunc(x):
    return np.trunc(x)


def round_(x):
    return np.rint(x)


def sign(x):
    """-1, 0, 1 or nan."""
    return x if x != x else T(x > ZERO) - T(x < ZERO)


def relu(x):
    return ZERO if x <= ZERO else x


def relu_grad(g, y):
    return g if y > ZERO else ZERO


# float32's and float64's copies -------------------------------------------------------------------
STEPS = (power_of_two, scaled, exponent_and_rest, log_less, with_ends)
UNARY = (
    *(exp, exp2, expm1, log, log2, log10, log1p, erf, tanh, sigmoid, softplus, gelu),
    *(sqrt, rsqrt, reciprocal, floor, ceil, trunc, round_, sign, relu),
)
BINARY = (div, relu_grad, tanh_grad, sigmoid_grad, softplus_grad, gelu_grad)


@cache
def functions(T: Any) -> dict[str, Any]:
    """The functions above for T (np.float32 or np.float64), by scalar.py's names, for kernels."""
    names = {**globals(), **constants(T)}
    for f in (*STEPS, *UNARY, *BINARY):
        copy = FunctionType(f.__code__, names, f.__name__)
        names[f.__name__] = device(copy, always=True)
    return {f.__name__.rstrip("_"): names[f.__name__] for f in (*UNARY, *BINARY)}
