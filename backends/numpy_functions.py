"""kernels/scalar.py's functions as NumPy ufuncs, and how to keep ufuncs quiet.

On integers they are kernels/scalar_integer.py's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import numpy as np

from .numpy_special import digamma, erf, erfc, erfinv, lgamma

F = TypeVar("F", bound=Callable[..., Any])
Function = Callable[..., Any]  # f(x, out=None) or f(a, b, out=None)


def by_errstate() -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """How to enter quiet and how to leave it again, in the documented way."""
    return partial(np.seterr, all="ignore"), lambda token: np.seterr(**token)


def by_context_variable() -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """The same through NumPy's own context variable. Raises where NumPy (before 2.0) has none."""
    from numpy._core import umath

    variable = umath._extobj_contextvar
    return partial(variable.set, umath._make_extobj(all="ignore")), variable.reset


# NumPy warns of 1/0 and the like. `np.errstate` takes a microsecond to enter and leave, three times
# what it takes to add ten numbers; the context variable behind it a fifth of that.
try:
    enter_quiet, leave_quiet = by_context_variable()
except (ImportError, AttributeError):
    enter_quiet, leave_quiet = by_errstate()


def quietly(function: F) -> F:
    """Let no floating-point exception warn inside `function`."""

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        token = enter_quiet()
        try:
            return function(*args, **kwargs)
        finally:
            leave_quiet(token)

    return inner  # type: ignore[return-value]


# masks ------------------------------------------------------------------------------------------
# `np.where` and `where=` branch for each element: 5 ns where the branch cannot be foreseen. The
# bits of numbers, taken as whole numbers, take a tenth of that; times 0 they spread no nan or inf.
BITS = {1: np.int8, 4: np.int32, 8: np.int64}


def _bits(x: Any) -> Any:
    return x.view(BITS[x.itemsize])


def keep_where(condition: Any, x: Any, out: Any = None) -> Any:
    """x where the bool array `condition` holds, else +0: its bits, a whole number, times 1 or 0."""
    if out is None:
        out = np.empty(np.broadcast(condition, x).shape, x.dtype)
    bits = BITS[x.itemsize]
    np.multiply(x.view(bits), condition.view(np.int8), out.view(bits))
    return out


def select(condition: Any, a: Any, b: Any, out: Any = None) -> Any:
    """a where `condition` holds, else b: (a ^ b) * condition ^ b."""
    dtype = (a if isinstance(a, np.ndarray) else b).dtype
    x, y = _bits(np.asarray(a, dtype)), _bits(np.asarray(b, dtype))
    bits = np.empty(np.broadcast(condition, x, y).shape, x.dtype)
    np.bitwise_xor(x, y, out=bits)
    np.multiply(bits, condition.view(np.int8), out=bits)
    return np.bitwise_xor(bits, y, out=bits if out is None else _bits(out)).view(dtype)


# functions that NumPy lacks, or where it does something else on some dtype ----------------------
def _into(out: Any, y: Any) -> Any:
    if out is None:
        return y
    np.copyto(out, y)
    return out


def _whole(ufunc: Any) -> Function:
    """Rounding, which leaves integers as they are."""
    return lambda x, out=None: ufunc(x, out=out) if x.dtype.kind == "f" else _into(out, x.copy())


def _rsqrt(x: Any, out: Any = None) -> Any:
    return np.reciprocal(np.sqrt(x, out=out), out=out)


def _sigmoid(x: Any, out: Any = None) -> Any:
    """1 / (1 + e^-x); where e^-x overflows the result is 0, as it should be."""
    y = np.exp(np.negative(x, out=out), out=out)
    return np.reciprocal(np.add(y, 1, out=out), out=out)


def _softplus(x: Any, out: Any = None) -> Any:
    """ln(1 + e^-|x|) + max(x, 0)."""
    y = np.log1p(np.exp(np.negative(np.abs(x))))
    return np.add(y, np.maximum(x, 0), out=out)


def _normal_cdf(x: Any) -> Any:
    return erfc(x * x.dtype.type(-math.sqrt(0.5)), None) * x.dtype.type(0.5)


def _pow(a: Any, b: Any, out: Any = None) -> Any:
    """np.power, which refuses integers to negative powers: the fraction is dropped, 0^b is 0."""
    kind = (a if isinstance(a, np.ndarray) else b).dtype
    if kind.kind == "f" or not np.any(np.less(b, 0)):
        return np.power(a, b, out=out)
    unit = np.equal(a, 1) + np.equal(a, -1) * (1 - 2 * np.remainder(b, 2))
    y = np.where(np.less(b, 0), unit, np.power(a, np.maximum(b, 0)))
    return _into(out, y.astype(kind))


def _relu_grad(g: Any, y: Any, out: Any = None) -> Any:
    positive = np.greater(y, 0)
    if isinstance(positive, np.ndarray) and isinstance(g, np.ndarray):
        if out is None and g.shape == positive.shape:
            out = np.empty_like(g)
        return keep_where(positive, g, out)
    like = y if isinstance(y, np.ndarray) else g
    return _into(out, np.where(positive, g, np.zeros((), like.dtype)))


def _tanh_grad(g: Any, y: Any, out: Any = None) -> Any:
    return np.multiply(g, 1 - y * y, out=out)


def _sigmoid_grad(g: Any, y: Any, out: Any = None) -> Any:
    return np.multiply(g * y, 1 - y, out=out)


def _array(x: Any, other: Any) -> Any:
    """x, which may be a plain number beside `other`, as an array."""
    return x if isinstance(x, np.ndarray) else np.asarray(x, other.dtype)


def _softplus_grad(g: Any, x: Any, out: Any = None) -> Any:
    return np.multiply(g, _sigmoid(_array(x, g), None), out=out)


def _gelu_grad(g: Any, x: Any, out: Any = None) -> Any:
    x = _array(x, g)
    density = np.exp(x * x * -0.5) * x.dtype.type(1 / math.sqrt(2 * math.pi))
    return np.multiply(g, _normal_cdf(x) + x * density, out=out)


# the tables -------------------------------------------------------------------------------------
UNARY: dict[str, Function] = {
    **{
        name: getattr(np, name)
        for name in (
            *(
                "sign",
                "exp",
                "exp2",
                "expm1",
                "log",
                "log2",
                "log10",
                "log1p",
                "sqrt",
                "reciprocal",
            ),
            *("sin", "cos", "tan", "sinh", "cosh", "tanh", "isnan", "isinf", "isfinite"),
            "logical_not",
        )
    },
    "neg": np.negative,
    "abs": np.absolute,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "floor": _whole(np.floor),
    "ceil": _whole(np.ceil),
    "trunc": _whole(np.trunc),
    "round": _whole(np.rint),
    "rsqrt": _rsqrt,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": lambda x, out=None: np.maximum(x, 0, out=out),
    "gelu": lambda x, out=None: np.multiply(x, _normal_cdf(x), out=out),
    "erf": erf,
    "erfc": erfc,
    "erfinv": erfinv,
    "lgamma": lgamma,
    "digamma": digamma,
}
BINARY: dict[str, Function] = {
    **{
        name: getattr(np, name)
        for name in (
            *("add", "floor_divide", "remainder", "fmod", "copysign", "hypot"),
            *("logical_and", "logical_or", "logical_xor"),
        )
    },
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "atan2": np.arctan2,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "pow": _pow,
    "maximum": lambda a, b, out=None: np.maximum(a, b, out=out),  # which take `out` by name only
    "minimum": lambda a, b, out=None: np.minimum(a, b, out=out),
    "relu_grad": _relu_grad,
    "tanh_grad": _tanh_grad,
    "sigmoid_grad": _sigmoid_grad,
    "softplus_grad": _softplus_grad,
    "gelu_grad": _gelu_grad,
}


def unary(name: str, x: Any, out: Any = None) -> Any:
    """`unary`, which may warn."""
    y = UNARY[name](x) if out is None else UNARY[name](x, out)
    return y if y.__class__ is np.ndarray else np.asarray(y)


def binary(name: str, a: Any, b: Any, out: Any = None) -> Any:
    """`binary`, which may warn."""
    y = BINARY[name](a, b) if out is None else BINARY[name](a, b, out)
    return y if y.__class__ is np.ndarray else np.asarray(y)
