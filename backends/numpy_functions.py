"""kernels/scalar.py's functions as NumPy ufuncs, and how to keep ufuncs quiet.

Each is f(x, out) or f(a, b, out). The tables for integers and bool hold what means something else
there, as kernels/scalar_integer.py does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import numpy as np

from .numpy_special import erf, erfc, digamma, lgamma

F = TypeVar("F", bound=Callable[..., Any])


class _ByErrstate:
    """The documented way."""

    def enter(self) -> Any:
        return np.seterr(all="ignore")

    def leave(self, token: Any) -> None:
        np.seterr(**token)


def _by_context_variable() -> Any:
    """The same through NumPy's own context variable (NumPy 2), or None if it is not there."""
    try:
        from numpy._core import umath

        state = umath._make_extobj(all="ignore")  # type: ignore[attr-defined]
        variable = umath._extobj_contextvar  # type: ignore[attr-defined]
    except (ImportError, AttributeError):
        return None

    class ByContextVariable:
        enter = staticmethod(partial(variable.set, state))
        leave = staticmethod(variable.reset)

    return ByContextVariable()


# NumPy warns of 1/0 and the like. `np.errstate` takes a microsecond to enter and leave, three times
# what it takes to add ten numbers; the context variable behind it a fifth of that.
QUIET = _by_context_variable() or _ByErrstate()


def quietly(function: F) -> F:
    """Let no floating-point exception warn inside `function`."""

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        token = QUIET.enter()
        try:
            return function(*args, **kwargs)
        finally:
            QUIET.leave(token)

    return inner  # type: ignore[return-value]


# masks ------------------------------------------------------------------------------------------
# `np.where` and `where=` branch for each element: 5 ns where the branch cannot be predicted. A mask
# of ones and zeros and the bits of the numbers take a tenth of that, and no nan or inf spreads.
BITS = {1: np.int8, 4: np.int32, 8: np.int64}


def _mask(condition: Any) -> Any:
    """-1, all bits set, where the bool array holds; else 0. The array is used up."""
    bits = condition.view(np.int8)
    return np.negative(bits, out=bits)


def _bits(x: Any) -> Any:
    return x.view(BITS[x.itemsize])


def keep_where(condition: Any, x: Any, out: Any = None) -> Any:
    """x where the bool array `condition` (used up) holds, else +0."""
    if out is None:
        out = np.empty(np.broadcast_shapes(condition.shape, x.shape), x.dtype)
    np.bitwise_and(_bits(x), _mask(condition), out=_bits(out))
    return out


def select(condition: Any, a: Any, b: Any) -> Any:
    """a where `condition` holds, else b: b ^ ((a ^ b) & mask)."""
    like = a if isinstance(a, np.ndarray) else b
    x, y = _bits(np.asarray(a, like.dtype)), _bits(np.asarray(b, like.dtype))
    bits = np.bitwise_and(np.bitwise_xor(x, y), _mask(condition.copy()))
    return np.bitwise_xor(bits, y, out=bits).view(like.dtype)


# functions --------------------------------------------------------------------------------------
def _rsqrt(x: Any, out: Any) -> Any:
    return np.reciprocal(np.sqrt(x, out=out), out=out)


def _sigmoid(x: Any, out: Any) -> Any:
    """1 / (1 + e^-x); where e^-x overflows the result is 0, as it should be."""
    y = np.exp(np.negative(x, out=out), out=out)
    return np.reciprocal(np.add(y, 1, out=out), out=out)


def _softplus(x: Any, out: Any) -> Any:
    """ln(1 + e^-|x|) + max(x, 0)."""
    y = np.log1p(np.exp(np.negative(np.abs(x))))
    return np.add(y, np.maximum(x, 0), out=out)


def _relu(x: Any, out: Any) -> Any:
    return np.maximum(x, 0, out=out)


def _gelu(x: Any, out: Any) -> Any:
    return np.multiply(x, _normal_cdf(x), out=out)


def _normal_cdf(x: Any) -> Any:
    return erfc(x * x.dtype.type(-math.sqrt(0.5)), None) * x.dtype.type(0.5)


def _round(x: Any, out: Any) -> Any:
    return np.rint(x, out=out)


def _maximum(a: Any, b: Any, out: Any) -> Any:
    return np.maximum(a, b, out=out)


def _minimum(a: Any, b: Any, out: Any) -> Any:
    return np.minimum(a, b, out=out)


def _relu_grad(g: Any, y: Any, out: Any) -> Any:
    positive = np.greater(y, 0)
    if positive.__class__ is np.ndarray and g.__class__ is np.ndarray:
        return keep_where(positive, g, out)
    return np.where(positive, g, np.zeros((), y.dtype))
