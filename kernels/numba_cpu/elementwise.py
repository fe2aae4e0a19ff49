"""Functions of one number or of two, applied to all elements.

    for i in range(n):
        out[i] = f(a[i], b[i])          or a[0], or b[0]: a number, or an axis that is broadcast

The two `..._task` functions below are these loops. They are patterns: `task` makes machine code
of one for a function f, the type of the elements, and the type F that f computes in; f is one of
kernels/scalar.py, in float64 (int64), or one of vmath.py, in the elements' own type. What is made
is small, is made at the first use, and is kept on disk. launch.py runs it on all elements.

A loop is as fast as memory if f is cheap, so there are no further steps to take but two: 512-bit
vectors while the data is in the cache, and functions without calls (vmath.py).

16,384 floats, one thread (us)          NumPy     256-bit     512-bit
    exp                                  7.5        6.2         4.5
    tanh                                 5.4        9.8         6.4
    sigmoid                                         8.2         6.2
    add                                  4.3        2.6         2.5
    relu                                 4.9        2.2         2.3
"""
# ruff: noqa: F821 - names in the patterns are filled in when they are compiled

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from .. import scalar, scalar_integer
from . import vmath
from .launch import BOTH, NUMBER_LEFT, put, take, task
from .toolchain import device, wide

FLOATS = {"float32": np.float32, "float64": np.float64}
# These are exact, or rounded once, in float32 as well.
EITHER = ("neg", "abs", "isnan", "isinf", "isfinite", "logical_not", "add", "sub", "mul") + (
    ("maximum", "minimum", "copysign", "eq", "ne", "lt", "le", "gt", "ge")
    + ("logical_and", "logical_or", "logical_xor")
)


# the patterns: f and F stand for what `task` puts in ----------------------------------------------
def unary_task(out, x, b, mode, _, first, last):
    wide()
    for i in range(first, last):
        put(out, i, f(F(take(x, i))))


def binary_task(out, a, b, mode, _, first, last):
    wide()
    if mode == BOTH:
        for i in range(first, last):
            put(out, i, f(F(take(a, i)), F(take(b, i))))
    elif mode == NUMBER_LEFT:
        left = F(take(a, 0))
        for i in range(first, last):
            put(out, i, f(left, F(take(b, i))))
    else:
        right = F(take(b, 0))
        for i in range(first, last):
            put(out, i, f(F(take(a, i)), right))


# functions that differ from the scalar ones -------------------------------------------------------
@device
def integer_pow(a, b):
    """a^b modulo 2^64, by squaring; for b < 0 scalar_integer.py's."""
    if b < 0:
        odd = 1 - 2 * (b & 1)
        return 1 if a == 1 else (odd if a == -1 else 0)
    y = types.int64(1)
    while b > 0:
        if b & 1:
            y *= a
        a *= a
        b >>= 1
    return y


@device
def integer_floor_divide(a, b):
    """floor(a / b), 0 where b is 0; -a where b is -1, which the processor refuses for -2^63."""
    if b == -1:
        return -a
    return a // b if b != 0 else 0


@device
def integer_remainder(a, b):
    """a - b floor(a / b), 0 where b is 0 or -1."""
    return a % b if b != 0 and b != -1 else 0


@device
def integer_fmod(a, b):
    """a - b trunc(a / b), with the sign of a; 0 where b is 0 or -1."""
    if b == 0 or b == -1:
        return 0
    r = a % b  # with the sign of b
    return r - b if r != 0 and (a < 0) != (b < 0) else r


INTEGER = {
    "pow": integer_pow,
    "floor_divide": integer_floor_divide,
    "remainder": integer_remainder,
    "fmod": integer_fmod,
}


def function(name: str, dtype: str, table: str) -> tuple[Any, Any]:
    """f and the type to compute it in, for a name of scalar.UNARY or BINARY (table)."""
    if dtype in FLOATS:
        own = vmath.functions(FLOATS[dtype])
        if name in own:
            return own[name], FLOATS[dtype]
        kind = FLOATS[dtype] if name in EITHER else np.float64
        return device(getattr(scalar, table)[name]), kind
    if name in INTEGER:
        return INTEGER[name], np.int64
    whole = getattr(scalar_integer, table)
    return device(whole.get(name) or getattr(scalar, table)[name]), np.int64


def unary(name: str, dtype: str, result: str) -> int:
    """Compile or load UNARY[name]; the address for launch.unary."""
    f, F = function(name, dtype, "UNARY")
    return task(unary_task, f"{name}_{dtype}", result, dtype, f=f, F=F)


def binary(name: str, dtype: str, result: str) -> int:
    """Compile or load BINARY[name]; the address for launch.binary and its kin."""
    f, F = function(name, dtype, "BINARY")
    return task(binary_task, f"{name}_{dtype}", result, dtype, dtype, f=f, F=F)


# casts --------------------------------------------------------------------------------------------
@device
def identity(x):
    return x


@device
def nonzero(x):
    return x != 0


@device
def to_int32(x):
    """Without the fraction; the lowest integer for nan and what is out of range."""
    x = np.float64(x)
    return np.int32(x) if -2147483649.0 < x < 2147483648.0 else np.int32(-2147483648)


@device
def to_int64(x):
    x = np.float64(x)
    inside = -9223372036854775808.0 <= x < 9223372036854775808.0
    return np.int64(x) if inside else np.int64(-9223372036854775808)


def conversion(dtype: str, result: str) -> tuple[Any, Any]:
    """f and the type to compute it in, for a conversion."""
    f, F = identity, FLOATS.get(dtype, np.int64)
    if result == "bool":
        f = nonzero
    elif dtype in FLOATS and result not in FLOATS:
        f = to_int32 if result == "int32" else to_int64
    return f, F


def cast(dtype: str, result: str) -> int:
    """Compile or load the conversion; the address for launch.unary."""
    f, F = conversion(dtype, result)
    return task(unary_task, f"cast_{dtype}_{result}", result, dtype, f=f, F=F)
