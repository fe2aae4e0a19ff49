"""The elementwise functions on the device: kernels/scalar.py's, each computed in its own type.

    FUNCTIONS("float32", "exp")  ->  what kernels call for exp(x), x float32

A function of scalar.py is compiled as it stands, with its float constants narrowed to float32
(`Kernel.narrow`): a bare 0.5 would make all of it float64, which is 2 times slower on an H100 and
64 times on a consumer device. Three kinds have a form of their own:

* What scalar.py only guards (math.log(0) raises, logf(0) is -inf) is the device library's.
* Whole constants would make float64 too (float32 and int64 meet in float64): relu's 0 is 0.0 here.
* `a % b` is compiled to a - b trunc(a / b), which is wrong where a / b is large; fmod is exact.

Kernels of these are compiled with `contract=False`: a product and a sum stay two instructions, so a
function gives the same bits alone and in a fused chain. `digamma` goes through float64: its
recurrence loses too much in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from .. import scalar, scalar_integer
from .spec import device, float32, float64, int32, int64

Function = Any  # a plain function or a spec.Device: what kernels can call
FLOATS = ("float32", "float64")
# These of the C library need no guard; names are libdevice's, but for `round`.
LIBRARY = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan"),
    *("asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("erf", "erfc", "erfinv", "lgamma", "floor", "ceil", "trunc", "round"),
    *("pow", "atan2", "copysign", "hypot", "fmod"),
)


@cache
def library(name: str, dtype: str) -> Function:
    """The device library's function; scalar.py's in the simulator."""
    own = "rint" if name == "round" else name

    def build() -> Any:
        from numba.cuda import libdevice

        return getattr(libdevice, own + "f" if dtype == "float32" else own)

    return device(build=build, simulate={**scalar.UNARY, **scalar.BINARY}[name])


# floats -------------------------------------------------------------------------------------------
def sign(x):
    """-1.0, 0.0 or 1.0."""
    if x > 0.0:
        return 1.0
    return -1.0 if x < 0.0 else (0.0 if x == 0.0 else x)


def relu(x):
    """max(x, 0); nan stays nan."""
    return 0.0 if x <= 0.0 else x


def relu_grad(g, y):
    """g where y > 0, else 0."""
    return g if y > 0.0 else 0.0


def logical_not(x):
    """Whether x is 0."""
    return x == 0.0


def logical_and(a, b):
    """Whether neither is 0."""
    return a != 0.0 and b != 0.0


def logical_or(a, b):
    """Whether one is not 0."""
    return a != 0.0 or b != 0.0


def logical_xor(a, b):
    """Whether just one is 0."""
    return (a != 0.0) != (b != 0.0)


def div(a, b):
    """a / b: here x / 0 raises nothing."""
    return a / b


def remainder_of(fmod: Function, T: Any) -> Function:
    """a - b floor(a / b), from a fmod that is exact."""

    signed = library("copysign", T.name)

    def remainder(a, b):
        r = T(fmod(a, b))
        if r != 0.0:
            return r + b if (r < 0.0) != (b < 0.0) else r
        return signed(r, b)

    return remainder


def floor_divide_of(fmod: Function, T: Any) -> Function:
    """floor(a / b): Python's way, which never errs by one where a / b rounds up to an integer."""
    whole = library("floor", T.name)
    signed = library("copysign", T.name)

    def floor_divide(a, b):
        q = a / b
        if b == 0.0:
            return q
        r = T(fmod(a, b))
        d = (a - r) / b
        if r != 0.0 and (r < 0.0) != (b < 0.0):
            d = d - 1.0
        if d == 0.0:
            return signed(d, q)
        f = T(whole(d))
        return f + 1.0 if d - f > 0.5 else f

    return floor_divide


digamma = scalar.digamma


def narrow_digamma(x):
    """digamma of a float32, by way of float64."""
    return float32(digamma(float64(x)))


@cache
def float_functions(dtype: str) -> dict[str, Function]:
    """Every function for a float type."""
    T = {"float32": float32, "float64": float64}[dtype]
    fmod = library("fmod", dtype)
    table: dict[str, Function] = {**scalar.UNARY, **scalar.BINARY}
    table |= {name: library(name, dtype) for name in LIBRARY}
    own = (sign, relu, relu_grad, logical_not, logical_and, logical_or, logical_xor)
    table |= {f.__name__: f for f in own}
    table |= {"div": div, "remainder": remainder_of(fmod, T)}
    table |= {"floor_divide": floor_divide_of(fmod, T)}
    if dtype == "float32":
        table["digamma"] = narrow_digamma
    return table


# integers -----------------------------------------------------------------------------------------
def _power(a, b):
    """a^b modulo 2^64, by squaring; for b < 0 the fraction is dropped."""
    if b < 0:
        odd = 1 - 2 * (b & 1)
        return 1 if a == 1 else (odd if a == -1 else 0)
    y = int64(1)
    while b > 0:
        if b & 1:
            y = int64(y * a)
        a = int64(a * a)
        b = b >> 1
    return y


def _floor_divide(a, b):
    """floor(a / b), 0 where b is 0; -a where b is -1, which has no quotient for -2^63."""
    if b == -1:
        return -a
    return a // b if b != 0 else 0


def _remainder(a, b):
    """a - b floor(a / b), 0 where b is 0 or -1."""
    return a % b if b != 0 and b != -1 else 0


def _fmod(a, b):
    """a - b trunc(a / b), with the sign of a; 0 where b is 0 or -1."""
    if b == 0 or b == -1:
        return 0
    r = a % b  # with the sign of b
    return r - b if r != 0 and (a < 0) != (b < 0) else r


INTEGER: dict[str, Function] = {**scalar.UNARY, **scalar.BINARY}
INTEGER |= {**scalar_integer.UNARY, **scalar_integer.BINARY}
INTEGER |= {"pow": _power, "floor_divide": _floor_divide}
INTEGER |= {"remainder": _remainder, "fmod": _fmod}


def function(name: str, dtype: str) -> Function:
    """What kernels call for scalar.UNARY[name] or BINARY[name]; integers come as int64."""
    return float_functions(dtype)[name] if dtype in FLOATS else INTEGER[name]


# casts --------------------------------------------------------------------------------------------
def float_to_int32(x):
    """Without the fraction; the lowest integer for nan and what is out of range."""
    return int32(x) if x > -2147483649.0 and x < 2147483648.0 else int32(-2147483648)


def float_to_int64(x):
    """Without the fraction; the lowest integer for nan and what is out of range."""
    inside = x >= -9223372036854775808.0 and x < 9223372036854775808.0
    return int64(x) if inside else int64(-9223372036854775808)


def caster(dtype: str, result: str) -> Callable[..., Any] | None:
    """What kernels call to convert; None where the type's own name does."""
    if dtype in FLOATS and result in ("int32", "int64"):
        return float_to_int32 if result == "int32" else float_to_int64
    return None
