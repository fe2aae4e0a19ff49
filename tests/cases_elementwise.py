"""Cases of the elementwise functions of one tensor: oracles are NumPy's or the math module's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import ALL, FLOATS, INTEGERS, NUMBERS, Case, apart, exactly, t


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
    return Case(
        name, [draw], oracle and quiet(oracle), dtypes=dtypes, grad=grad, elementwise=True, **more
    )


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
    unary("lgamma", scalar(lgamma), 0.3, 5.0, second=False),
    unary("digamma", None, 0.3, 5.0, grad=False),
    unary("floor", np.floor, kink=True, dtypes=NUMBERS),
    unary("ceil", np.ceil, kink=True, dtypes=NUMBERS),
    unary("trunc", np.trunc, kink=True, dtypes=NUMBERS),
    unary("round", np.round, kink=True, dtypes=NUMBERS),
    unary("isnan", np.isnan, dtypes=NUMBERS, grad=False),
    unary("isinf", np.isinf, dtypes=NUMBERS, grad=False),
    unary("isfinite", np.isfinite, dtypes=NUMBERS, grad=False),
    unary("logical_not", np.logical_not, dtypes=ALL, grad=False),
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    unary("relu", lambda x: np.where(x <= 0, 0, x), kink=True, dtypes=NUMBERS),
    unary("relu6", lambda x: np.clip(x, 0, 6), -3.0, 9.0, kink=True),
    unary("hardtanh", lambda x: np.clip(x, -1, 1), kink=True),
    unary("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), kink=True),
    unary("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x), kink=True),
    unary("silu", lambda x: x / (1 + np.exp(-x))),
    unary("gelu", lambda x: x * 0.5 * scalar(math.erfc)(-x / math.sqrt(2))),
    unary("softplus", lambda x: np.logaddexp(x, 0.0)),
]

RELU_AT_0 = exactly([0.0, -0.0, 1.0, -1.0])

CASES = [
    *UNARY,
    Case("relu at 0", [RELU_AT_0], lambda x: np.maximum(x, 0), smooth=False),
    Case("abs at 0", [RELU_AT_0], np.abs, smooth=False),
    Case("leaky_relu at 0", [RELU_AT_0], None, {"negative_slope": 0.1}, smooth=False),
    Case(
        "hardtanh at its limits",
        [exactly([-1.0, 1.0, 0.5, 2.0])],
        None,
        {"max_val": 0.5},
        smooth=False,
    ),
    Case("elu alpha", [apart(9)], None, {"alpha": 0.3}),
    Case("gelu tanh", [t(3, 5)], None, {"approximate": "tanh"}),
    Case("softplus beta", [t(3, 5, low=-8.0, high=8.0)], None, {"beta": 3.0, "threshold": 10.0}),
    Case("round to the even one", [exactly([0.5, 1.5, 2.5, -0.5, -1.5])], np.round, grad=False),
    Case("round decimals", [t(9)], lambda x, decimals: np.round(x, decimals), {"decimals": 1}),
    Case("round to hundreds", [t(9, low=-900.0, high=900.0)], np.round, {"decimals": -2}),
    Case("sigmoid of whole numbers", [t(9)], lambda x: 1 / (1 + np.exp(-x)), dtypes=INTEGERS),
    Case("exp of whole numbers", [t(9)], np.exp, dtypes=INTEGERS, grad=False),
    Case("clamp", [apart(3, 5)], np.clip, {"min": -0.77, "max": 0.91}),
    Case("clamp from below", [apart(3, 5)], None, {"min": 0.11}),
    Case("clamp from above", [apart(3, 5)], None, {"max": 0.11}),
    Case(
        "clamp at its limits",
        [exactly([-1.0, 0.0, 1.0, 3.0])],
        None,
        {"min": -1.0, "max": 1.0},
        smooth=False,
    ),
    Case("clamp of whole numbers", [t(9)], np.clip, {"min": -1, "max": 1}, dtypes=INTEGERS),
    Case(
        "clamp by tensors",
        [apart(3, 5), exactly(-1.01), exactly([0.1, 0.2, 0.3, 0.4, 0.5])],
        np.clip,
    ),
    Case("clip", [apart(3, 5), -0.77, 0.91], np.clip),
]
