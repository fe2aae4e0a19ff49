"""Functions of one number or of two, applied to all elements.

    for i in range(len(out)):
        out[i] = f(a[i], b[i])

`map` is this loop, run by the interpreter in C. A number b is `itertools.repeat(b)`, so that no
array of equal numbers is made; arrays of other shapes come already expanded. The whole result is
computed before any of it is stored, so `out` may be `a` or `b`.
"""

from __future__ import annotations

import operator

from .. import scalar, scalar_integer
from .store import stored


def modular_pow(a, b):
    """a^b modulo 2^64, without the millions of digits of a^b."""
    return pow(a, b, 1 << 64) if b >= 0 else scalar_integer.pow_(a, b)


# Where an operator of Python is the function, the operator saves a call into Python per element.
UNARY = {**scalar.UNARY, "neg": operator.neg, "abs": operator.abs}
OPERATORS = ("add", "sub", "mul", "eq", "ne", "lt", "le", "gt", "ge")
BINARY = {**scalar.BINARY, **{name: getattr(operator, name) for name in OPERATORS}}
INTEGER_UNARY = {**UNARY, **scalar_integer.UNARY}
INTEGER_BINARY = {**BINARY, **scalar_integer.BINARY, "pow": modular_pow}


def unary(out, f, x):
    """out[i] = f(x[i])."""
    out[:] = stored(out.typecode, map(f, x))


def binary(out, f, a, b):
    """out[i] = f(a[i], b[i])."""
    out[:] = stored(out.typecode, map(f, a, b))


def where(out, condition, a, b):
    """out[i] = a[i] if condition[i] else b[i]."""
    out[:] = stored(out.typecode, [x if c else y for c, x, y in zip(condition, a, b)])


def cast(out, x):
    """out[i] = x[i] in out's type. From a float to an integer drops the fraction.

    nan and floats beyond the range give the lowest integer, as they do in the processor.
    """
    if x.typecode in "fd" and out.typecode in "iq":
        low = -(1 << (8 * out.itemsize - 1))
        x = [int(v) if low <= v < -low else low for v in x]
    out[:] = stored(out.typecode, x)
