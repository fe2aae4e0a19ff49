"""Cases of the elementwise functions of one tensor: oracles are NumPy's or the math module's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import ALL, FLOATS, NUMBERS, Case, apart, t


def scalar(function: Any, count: int = 1) -> Any:
    """A Python function of plain numbers as an oracle on arrays."""
    ufunc = np.frompyfunc(function, count, 1)
    return lambda *xs: np.asarray(ufunc(*xs)).astype(np.float64)


def lgamma(x: float) -> float:
    return math.inf if x == -math.inf or (x <= 0 and x == int(x)) else math.lgamma(x)


def quiet(function: Any) -> Any:
    def oracle(*xs: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*xs)

    return oracle


def unary(
    name: str,
    oracle: Any,
    low: float = -2.0,
    high: float = 2.0,
    kink: bool = False,
    dtypes: Any = FLOATS,
    grad: bool = True,
    **more: Any,
) -> Case:
    draw = apart(3, 5, low=low, high=high) if kink else t(3, 5, low=low, high=high)
    return Case(name, [draw], quiet(oracle), dtypes=dtypes, grad=grad, elementwise=True, **more)


UNARY = [
    unary("neg", np.negative, dtypes=NUMBERS),
    unary("abs", np.abs, kink=True, dtypes=NUMBERS),
    unary("sign", np.sign, kink=True, dtypes=NUMBERS),
    unary("exp", np.exp),
    unary("exp2", np.exp2),
    unary("expm1", np.expm1),
    unary("log", np.log, 0.1, 4.0),
    unary("log2", np.log2, 0.1, 4.0),
    unary("log10", np.log10, 0.1, 4.0),
    unary("log1p", np.log1p, -0.9, 4.0),
    unary("sqrt", np.sqrt, 0.1, 4.0),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.1, 4.0),
    unary("reciprocal", lambda x: 1 / x, 0.3, 4.0),
    unary("square", np.square, dtypes=NUMBERS),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, -1.3, 1.3),
    unary("asin", np.arcsin, -0.9, 0.9),
    unary("acos", np.arccos, -0.9, 0.9),
    unary("atan", np.arctan),
    unary("sinh", np.sinh),
    unary("cosh", np.cosh),
    unary("tanh", np.tanh),
    unary("asinh", np.arcsinh),
    unary("acosh", np.arccosh, 1.2, 4.0),
    unary("atanh", np.arctanh, -0.9, 0.9),
    unary("erf", scalar(math.erf)),
    unary("erfc", scalar(math.erfc)),
    unary("lgamma", scalar(lgamma), 0.3, 5.0),
    unary("floor", np.floor, kink=True, dtypes=NUMBERS),
    unary("ceil", np.ceil, kink=True, dtypes=NUMBERS),
    unary("trunc", np.trunc, kink=True, dtypes=NUMBERS),
    unary("round", np.round, kink=True, dtypes=NUMBERS),
    unary("isnan", np.isnan, dtypes=NUMBERS, grad=False),
    unary("isinf", np.isinf, dtypes=NUMBERS, grad=False),
    unary("isfinite", np.isfinite, dtypes=NUMBERS, grad=False),
    unary("logical_not", np.logical_not, dtypes=ALL, grad=False),
]

CASES = UNARY
