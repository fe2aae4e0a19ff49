"""Cases of composed arithmetic, special functions, comparison, moments, running reductions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from case import ALL, NUMBERS, Case, Draw, apart, bools, exactly, ints, t
from cases_elementwise import scalar


def unary(name: str, oracle: Any, draw: Draw | None = None, **more: Any) -> Case:
    return Case(name, [draw or t(3, 5)], oracle, **{"elementwise": True, **more})


def binary(
    name: str, oracle: Any, a: Draw | None = None, b: Draw | None = None, **more: Any
) -> Case:
    return Case(name, [a or t(3, 5), b or t(3, 5)], oracle, **{"elementwise": True, **more})


def lerp(a: Any, b: Any, w: Any) -> Any:
    return np.where(np.abs(w) < 0.5, a + w * (b - a), b - (b - a) * (1 - w))


def xlogy(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log(y))


def xlog1py(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log1p(y))


def entr(x: Any) -> Any:
    return np.where(x == 0, 0.0, np.where(x < 0, -np.inf, -x * np.log(x)))


def heaviside(x: Any, values: Any) -> Any:
    return np.where(x == 0, values, (x > 0) * 1.0)


def addcmul(x: Any, a: Any, b: Any, value: float = 1) -> Any:
    return x + value * a * b


def addcdiv(x: Any, a: Any, b: Any, value: float = 1) -> Any:
    return x + value * a / b


def logcumsumexp(x: Any, dim: int) -> Any:
    return np.log(np.cumsum(np.exp(x), dim))


def special(name: str) -> Any:
    """torch.special's function, where torch is installed."""

    def function(*inputs: Any, **kwargs: Any) -> Any:
        import torch

        return getattr(torch.special, name)(*inputs, **kwargs)

    return function


def vector_norm(*inputs: Any, **kwargs: Any) -> Any:
    import torch

    return torch.linalg.vector_norm(*inputs, **kwargs)


def cov(x: Any, fweights: Any, aweights: Any) -> Any:
    return x.cov(fweights=fweights, aweights=aweights)


POSITIVE = t(3, 5, low=0.3, high=3.0)
INSIDE = t(3, 5, low=0.1, high=0.9)
FLOAT64 = ("float64",)
SMALL = [np.inf, -np.inf, np.nan, 0.0, 2.5]

ARITHMETIC = [
    unary("frac", lambda x: x - np.trunc(x), apart(3, 5)),
    unary("deg2rad", np.deg2rad),
    unary("rad2deg", np.rad2deg, loose=4),
    unary("signbit", np.signbit, dtypes=NUMBERS, grad=False, elementwise=False),
    unary("isposinf", lambda x: x == np.inf, grad=False),
    unary("isneginf", lambda x: x == -np.inf, grad=False),
    unary("positive", np.positive, dtypes=NUMBERS),
    Case("nan_to_num", [t(3, 5)], np.positive),
    Case("nan_to_num of each", [exactly(SMALL)], np.nan_to_num, dtypes=FLOAT64, grad=False),
    Case(
        "nan_to_num with values",
        [exactly(SMALL)],
        np.nan_to_num,
        {"nan": 1.5, "posinf": 2.0},
        dtypes=FLOAT64,
        grad=False,
    ),
    unary("clamp_min", lambda x, min: np.maximum(x, min), kwargs={"min": 0.1}),
    unary("clamp_max", lambda x, max: np.minimum(x, max), kwargs={"max": 0.1}),
    binary("rsub", lambda a, b: b - a, dtypes=NUMBERS),
    Case("rsub alpha", [t(3, 5), t(5)], lambda a, b, alpha: b - alpha * a, {"alpha": 2}),
    binary("fmax", np.fmax, apart(3, 5), apart(3, 5, low=-1.9), dtypes=NUMBERS),
    binary("fmin", np.fmin, apart(3, 5), apart(3, 5, low=-1.9), dtypes=NUMBERS),
    binary("heaviside", heaviside, dtypes=NUMBERS, grad=False),
    binary("ldexp", lambda x, n: x * np.exp2(n), elementwise=False),
    Case("lerp", [t(3, 5), t(3, 5), t(3, 5)], lerp),
    Case("lerp by a number", [t(3, 5), t(5), 0.3], lerp),
    Case("lerp by a large number", [t(3, 5), t(5), 0.75], lerp),
    Case("lerp to the end", [t(3), t(3), 1.0], lambda a, b, w: b),
    Case("addcmul", [t(3, 5), t(5), t(3, 1)], addcmul, {"value": -0.5}),
    Case("addcmul plain", [t(3), t(3), t(3)], addcmul, dtypes=NUMBERS),
    Case("addcdiv", [t(3, 5), t(5), POSITIVE], addcdiv, {"value": -0.5}),
    Case("float_power", [POSITIVE, t(3, 5)], np.power, dtypes=FLOAT64),
    Case("float_power of float32", [POSITIVE, 3], None, dtypes=("float32",)),
    Case("float_power of whole numbers", [t(3, low=1), 2], np.power, dtypes=("int64",), grad=False),
]

SPECIAL = [
    unary("erfinv", None, t(3, 5, low=-0.95, high=0.95)),
    unary("erfinv near 1", None, t(9, low=0.99, high=0.9999), second=False, loose=10),
    Case("digamma with its gradient", [apart(3, 5, low=-3.4, high=9)], None, loose=100),
    unary("sinc", np.sinc),
    Case("sinc at 0", [exactly([0.0, 1.0, -2.0])], np.sinc, second=False),
    unary("ndtr", scalar(lambda x: 0.5 * math.erfc(-x * math.sqrt(0.5))), torch=special("ndtr")),
    unary("entr", entr, POSITIVE, torch=special("entr")),
    unary("logit", lambda p: np.log(p / (1 - p)), INSIDE),
    Case("logit with eps", [t(9, low=-0.5, high=1.5)], None, {"eps": 0.2}),
    binary("logaddexp", np.logaddexp),
    binary("logaddexp2", np.logaddexp2),
    Case(
        "logaddexp of huge numbers",
        [exactly([800.0, -800.0, 1e5]), exactly([799.0, -801.0, 1e5])],
        np.logaddexp,
        second=False,
    ),
    Case(
        "logaddexp of infinities",
        [exactly([-np.inf, np.inf, -np.inf]), exactly([-np.inf, np.inf, 1.0])],
        np.logaddexp,
        grad=False,
    ),
    binary("xlogy", xlogy, b=POSITIVE),
    binary("xlog1py", xlog1py, b=POSITIVE, torch=special("xlog1py")),
    Case("xlogy of 0", [exactly([0.0, 0.0, 0.0]), exactly([0.0, 2.0, -1.0])], xlogy, grad=False),
    Case("xlogy by a number", [t(5), 3.0], xlogy),
    Case("xlogy of a number", [2.0, POSITIVE], xlogy),
]

X = t(3, 4, 5)
CLOSE = exactly([1.0, 2.0, np.nan, np.inf, 1e-9, 3.0])
OTHER = exactly([1.0 + 1e-6, 2.1, np.nan, np.inf, 0.0, -np.inf])

COMPARISON = [
    Case("isclose", [CLOSE, OTHER], np.isclose, grad=False),
    Case("isclose with nan", [CLOSE, OTHER], np.isclose, {"equal_nan": True}, grad=False),
    Case("isclose wide", [CLOSE, OTHER], np.isclose, {"rtol": 0.1, "atol": 0.01}, grad=False),
    Case("isclose of whole numbers", [t(9), t(9)], np.isclose, dtypes=("int64",), grad=False),
    Case("isin", [ints(3, 4, high=9), ints(3, high=9)], np.isin, grad=False),
    Case("isin inverted", [t(7), t(3)], np.isin, {"invert": True}, grad=False),
    Case("isin nothing", [t(7), t(0)], np.isin, grad=False),
]

REDUCTIONS = [
    Case("var_mean", [X, 1], lambda x, d: (x.var(d, ddof=1), x.mean(d))),
    Case("var_mean of all", [X], lambda x: (x.var(ddof=1), x.mean())),
    Case("std_mean", [X, (0, 2)], lambda x, d: (x.std(d, ddof=1), x.mean(d))),
    Case("std_mean biased", [X, 1], None, {"correction": 0, "keepdim": True}),
    Case("nansum", [exactly([[1.0, np.nan], [2.0, 3.0]])], np.nansum, smooth=False),
    Case("nansum along", [exactly([[1.0, np.nan], [np.nan, np.nan]]), 1], np.nansum, smooth=False),
    Case("nanmean", [exactly([[1.0, np.nan], [2.0, 3.0]]), 1], np.nanmean, smooth=False),
    Case("nanmean keepdim", [X], None, {"dim": (0, 1), "keepdim": True}),
    Case("aminmax", [apart(3, 4)], lambda x: (x.min(), x.max()), dtypes=NUMBERS),
    Case("aminmax along", [apart(3, 4)], None, {"dim": 1, "keepdim": True}),
    Case("count_nonzero", [t(3, 4, low=0, high=1)], np.count_nonzero, dtypes=ALL, grad=False),
    Case("count_nonzero along", [bools(3, 4), 1], np.count_nonzero, grad=False),
    Case("median", [apart(3, 5)], np.median, dtypes=NUMBERS),
    Case("median lower of two", [apart(6)], None),
    Case("median along", [apart(3, 4, 5), 1], None),
    Case("median keepdim", [apart(3, 5), 1], None, {"keepdim": True}),
    Case("median of nan", [exactly([[1.0, np.nan, 0.0], [3.0, 2.0, 1.0]]), 1], None, grad=False),
    Case("median of a number", [t()], None),
    Case("nanmedian", [exactly([[1.0, np.nan, 0.0], [3.0, 2.0, 1.0]])], None, smooth=False),
    Case(
        "nanmedian along", [exactly([[1.0, np.nan, 0.0], [3.0, 2.0, 1.0]]), 1], None, smooth=False
    ),
    Case("quantile", [apart(11), 0.3], np.quantile),
    Case("quantile several", [apart(3, 6), exactly([0.1, 0.45, 0.9])], None, {"dim": 1}),
    Case("quantile ends", [apart(7), exactly([0.0, 0.5, 1.0], grad=False)], np.quantile),
    Case("quantile keepdim", [apart(3, 6), 0.25], None, {"dim": 0, "keepdim": True}),
    *(
        Case(f"quantile {how}", [apart(4, 6), 0.3, 1], None, {"interpolation": how})
        for how in ("lower", "higher", "nearest", "midpoint")
    ),
    Case("quantile of nan", [exactly([[1.0, np.nan], [2.0, 3.0]]), 0.5, 1], None, grad=False),
    Case("dist", [t(3, 4), t(4)], lambda a, b: np.linalg.norm(a - b)),
    Case("dist with p", [t(3, 4), t(3, 4), 3], None),
    *(
        Case(f"linalg_vector_norm {p}", [apart(3, 4), p], None, torch=vector_norm)
        for p in (2, 1, 3.5, np.inf, -np.inf)
    ),
    Case("linalg_vector_norm 0", [apart(3, 4), 0], None, torch=vector_norm, grad=False),
    Case("linalg_vector_norm along", [X, 2, (0, 2)], None, {"keepdim": True}, torch=vector_norm),
    Case(
        "linalg_vector_norm of 0",
        [exactly(np.zeros((2, 3))), 3, 1],
        None,
        torch=vector_norm,
        smooth=False,
    ),
    Case("cov", [t(3, 7)], np.cov),
    Case("cov of a vector", [t(7)], np.cov),
    Case(
        "cov biased", [t(3, 4)], lambda x, correction: np.cov(x, ddof=correction), {"correction": 0}
    ),
    Case("cov weighted", [t(3, 4), ints(4, low=1), t(4, low=0.5, grad=False)], None, function=cov),
    Case("corrcoef", [t(3, 7)], np.corrcoef, loose=10),
]

RUNNING = [
    Case("cummax", [apart(3, 5), 1], None, dtypes=NUMBERS),
    Case("cummax first axis", [apart(9, 2), 0], None),
    Case("cummax of ties", [exactly([1.0, 1.0, 0.0, 2.0, 2.0]), 0], None, smooth=False),
    Case("cummax of nan", [exactly([1.0, np.nan, 0.0, 2.0]), 0], None, grad=False),
    Case("cummin", [apart(3, 5), 1], None, dtypes=NUMBERS),
    Case("cummin of a number", [t(), 0], None),
    Case("cummin of nan", [exactly([1.0, np.nan, 0.0, 2.0]), 0], None, grad=False),
    Case("logcumsumexp", [t(3, 7), 1], logcumsumexp),
    Case("logcumsumexp first axis", [t(5, 2), 0], logcumsumexp),
    Case("logcumsumexp of huge numbers", [exactly([900.0, 901.0, -900.0]), 0], None),
    Case("diff", [t(3, 5)], np.diff, dtypes=NUMBERS),
    Case("diff twice", [t(3, 5)], np.diff, {"n": 2}),
    Case("diff of bool", [bools(7)], np.diff, grad=False),
    Case("diff with more", [t(3, 5), 1, 0, t(1, 5), t(2, 5)], None),
    Case("trapezoid", [t(3, 5)], np.trapezoid),
    Case("trapezoid with places", [t(3, 5), t(5)], np.trapezoid),
    Case("trapezoid with dx", [t(3, 5)], None, {"dx": 0.5, "dim": 0}),
    Case("trapezoid with all places", [t(3, 5), t(3, 5)], None, {"dim": 0}),
    Case("trapz", [t(3, 5), t(3, 5)], np.trapezoid),
    Case("cumulative_trapezoid", [t(3, 5)], None),
    Case("cumulative_trapezoid with places", [t(3, 5), t(5)], None),
]

CASES = ARITHMETIC + SPECIAL + COMPARISON + REDUCTIONS + RUNNING
