"""kernels/scalar.py's functions as NumPy ufuncs, and how to keep ufuncs quiet.

NumPy warns of 1/0 and the like. `np.errstate` takes a microsecond to enter and leave, three times the
cost of adding ten numbers, so `QUIET` sets the context variable behind it, where NumPy has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np


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


QUIET = _by_context_variable() or _ByErrstate()
quiet = partial(np.errstate, all="ignore")


def _rsqrt(x: Any, out: Any) -> Any:
    root = np.sqrt(x, out=out)
    return np.divide(x.dtype.type(1), root, out=root if root.__class__ is np.ndarray else out)


def _sigmoid(x: Any, out: Any) -> Any:
    """1 / (1 + e^-x) = (1 + tanh(x/2)) / 2: bounded at both ends, one transcendental."""
    y = np.multiply(x, 0.5, out=out)
    if y.__class__ is not np.ndarray:
        return np.tanh(y) * x.dtype.type(0.5) + x.dtype.type(0.5)
    np.tanh(y, out=y)
    np.multiply(y, 0.5, out=y)
    return np.add(y, 0.5, out=y)


def _softplus(x: Any, out: Any) -> Any:
    return np.logaddexp(x, x.dtype.type(0), out=out)


def _relu(x: Any, out: Any) -> Any:
    return np.maximum(x, 0, out=out)


def _relu_grad(g: Any, y: Any, out: Any) -> Any:
    return np.multiply(g, np.greater(y, 0), out=out)


def _tanh_grad(g: Any, y: Any, out: Any) -> Any:
    t = np.multiply(y, y)
    t = np.subtract(1, t, out=t if t.__class__ is np.ndarray else None)
    return np.multiply(g, t, out=out)


def _sigmoid_grad(g: Any, y: Any, out: Any) -> Any:
    return np.multiply(g, y * (1 - y), out=out)


def _softplus_grad(g: Any, x: Any, out: Any) -> Any:
    return np.multiply(g, _sigmoid(np.asarray(x), None), out=out)


def _elementwise(function: Callable[[float], float]) -> Callable[..., Any]:
    """A function that NumPy lacks, by Python's own on each element."""
    ufunc = np.frompyfunc(function, 1, 1)

    def apply(x: Any, out: Any) -> Any:
        y = np.asarray(ufunc(x)).astype(x.dtype)
        if out is None:
            return y
        np.copyto(out, y)
        return out

    return apply


def _normal_cdf(x: Any) -> Any:
    return 0.5 * ERFC(np.asarray(-x * math.sqrt(0.5)), None)


def _gelu(x: Any, out: Any) -> Any:
    return np.multiply(x, _normal_cdf(x).astype(x.dtype), out=out)


def _gelu_grad(g: Any, x: Any, out: Any) -> Any:
    x = np.asarray(x)
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return np.multiply(g, (_normal_cdf(x) + x * density).astype(x.dtype), out=out)


def _ufunc1(f: Any) -> Callable[..., Any]:
    return lambda x, out: f(x, out=out)


ERFC = _elementwise(math.erfc)
UNARY: dict[str, Callable[..., Any]] = {
    name: _ufunc1(getattr(np, f)) for name, f in {
        "neg": "negative", "abs": "absolute", "sign": "sign", "exp": "exp", "exp2": "exp2",
        "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
        "sqrt": "sqrt", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "arcsin",
        "acos": "arccos", "atan": "arctan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
        "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "floor": "floor",
        "ceil": "ceil", "trunc": "trunc", "round": "rint", "isnan": "isnan", "isinf": "isinf",
        "isfinite": "isfinite", "logical_not": "logical_not",
    }.items()
}
UNARY |= {
    "reciprocal": lambda x, out: np.divide(x.dtype.type(1), x, out=out),
    "rsqrt": _rsqrt, "sigmoid": _sigmoid, "softplus": _softplus, "relu": _relu, "gelu": _gelu,
    "erf": _elementwise(math.erf), "erfc": ERFC,
}
BINARY: dict[str, Callable[..., Any]] = {
    name: getattr(np, f) for name, f in {
        "add": "add", "sub": "subtract", "mul": "multiply", "div": "true_divide",
        "floor_divide": "floor_divide", "remainder": "remainder", "fmod": "fmod", "pow": "power",
        "maximum": "maximum", "minimum": "minimum", "atan2": "arctan2", "copysign": "copysign",
        "hypot": "hypot", "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal",
        "gt": "greater", "ge": "greater_equal", "logical_and": "logical_and",
        "logical_or": "logical_or", "logical_xor": "logical_xor",
    }.items()
}
BINARY |= {
    "relu_grad": _relu_grad, "tanh_grad": _tanh_grad, "sigmoid_grad": _sigmoid_grad,
    "softplus_grad": _softplus_grad, "gelu_grad": _gelu_grad,
}
