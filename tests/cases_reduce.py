"""Cases of reductions, running sums, positions of extremes and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import ALL, INTEGERS, NUMBERS, Case, apart, bools, exactly, t


def over(ufunc: Any) -> Any:
    """NumPy's reduction under torch's argument names."""

    def oracle(x: Any, dim: Any = None, keepdim: bool = False, **more: Any) -> Any:
        axis = tuple(dim) if isinstance(dim, (list, tuple)) else dim
        return ufunc(x, axis=axis or None if axis == () else axis, keepdims=keepdim, **more)

    return oracle


def moments(function: Any) -> Any:
    def oracle(
        x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, correction: Any = 1
    ) -> Any:
        ddof = correction if unbiased is None else int(unbiased)
        return function(x, axis=dim, keepdims=keepdim, ddof=ddof)

    return oracle


def logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    top = np.max(x, dim, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    y = np.log(np.sum(np.exp(x - top), dim, keepdims=True)) + top
    return y if keepdim else np.squeeze(y, dim)


def norm(x: Any, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    x = np.abs(x)
    if p in (np.inf, -np.inf):
        return (np.max if p > 0 else np.min)(x, axis=dim, keepdims=keepdim)
    if p == 0:
        return np.sum(x != 0, axis=dim, keepdims=keepdim)
    order = 2.0 if p == "fro" else p
    return np.sum(x**order, axis=dim, keepdims=keepdim) ** (1.0 / order)


def extremes(name: str) -> Any:
    def oracle(x: Any, dim: int, keepdim: bool = False) -> Any:
        value, where = getattr(np, name), getattr(np, f"arg{name}")
        return value(x, axis=dim, keepdims=keepdim), where(x, axis=dim, keepdims=keepdim)

    return oracle


def argsort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    if not descending:
        return np.argsort(x, dim, kind="stable")
    back = np.flip(np.argsort(np.flip(x, dim), dim, kind="stable"), dim)
    return x.shape[dim] - 1 - back


X = t(3, 4, 5)
NO_0 = apart(2, 3, 4)
TIES = exactly([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
DIMS: list[Any] = [{}, {"dim": 1}, {"dim": (0, -1)}, {"dim": -1, "keepdim": True}]


def each(name: str, draw: Any, oracle: Any, dims: Any = DIMS, **more: Any) -> list[Case]:
    """The function over all axes, one, two, and one that is kept."""
    return [
        Case(f"{name} {kwargs or 'all'}", [draw], oracle, kwargs, reduction=True, **more)
        for kwargs in dims
    ]


ONE_DIM: list[Any] = [{"dim": 0}, {"dim": -2, "keepdim": True}]

CASES = [
    *each("sum", X, over(np.sum), dtypes=NUMBERS),
    *each("mean", X, over(np.mean)),
    *each("prod", t(2, 3, 4), over(np.prod), [{}, {"dim": 1}], dtypes=NUMBERS),
    *each("amax", apart(3, 4, 5), over(np.max), dtypes=NUMBERS),
    *each("amin", apart(3, 4, 5), over(np.min), dtypes=NUMBERS),
    *each("var", X, moments(np.var)),
    *each("std", X, moments(np.std)),
    *each("all", t(3, 4), over(np.all), [{}, {"dim": 1}], dtypes=ALL, grad=False),
    *each("any", t(3, 4), over(np.any), [{}, {"dim": 1}], dtypes=ALL, grad=False),
    *each("logsumexp", X, logsumexp, DIMS[1:]),
    *each("norm", X, norm),
    *each("max", apart(3, 4), extremes("max"), ONE_DIM, dtypes=NUMBERS),
    *each("min", apart(3, 4), extremes("min"), ONE_DIM, dtypes=NUMBERS),
    *each("max", apart(3, 4), np.max, [{}], dtypes=NUMBERS),
    *each("min", apart(3, 4), np.min, [{}], dtypes=NUMBERS),
    *each("argmax", apart(3, 4), over(np.argmax), [{}, *ONE_DIM], dtypes=NUMBERS, grad=False),
    *each("argmin", apart(3, 4), over(np.argmin), [{}, *ONE_DIM], dtypes=NUMBERS, grad=False),
    Case("max of two", [apart(3, 4), apart(4, low=-1.9)], np.maximum),
    Case("min of two", [apart(3, 4), apart(4, low=-1.9)], np.minimum),
    Case("max of ties", [TIES], extremes("max"), {"dim": 1}, smooth=False),
    Case("amax of ties", [TIES], over(np.max), {"dim": 1}, smooth=False),
    Case("amin of ties", [TIES], over(np.min), smooth=False),
    Case("argmax of ties", [TIES], over(np.argmax), {"dim": 1}, grad=False),
    Case("argmin of ties", [TIES], over(np.argmin), {"dim": 1}, grad=False),
    Case("argmax of a number", [t()], np.argmax, grad=False),
    Case("max of a number", [t()], None, {"dim": 0}),
    Case("sum of a number", [t()], np.sum),
    Case("sum of bools", [bools(3, 4)], over(np.sum), {"dim": 1}, dtypes=("bool",), grad=False),
    Case(
        "sum as float64",
        [t(3, 4)],
        lambda x, dtype: np.sum(x),
        {"dtype": "float64"},
        torch=None,
        dtypes=NUMBERS,
        result="float64",
    ),
    Case("sum of nothing", [t(0, 3)], np.sum, dtypes=NUMBERS),
    Case("sum over an empty axis", [t(3, 0)], over(np.sum), {"dim": 1}, dtypes=NUMBERS),
    Case("prod of nothing", [t(0, 3)], np.prod, dtypes=NUMBERS),
    Case("prod over an empty axis", [t(3, 0)], over(np.prod), {"dim": 1}, dtypes=NUMBERS),
    Case("mean of nothing", [t(0)], lambda x: np.nan, grad=False),
    Case("mean of many", [t(7, 5, 3), (0, 2)], lambda x, dim: np.mean(x, dim)),
    Case(
        "mean as float64",
        [t(5)],
        lambda x, dtype: np.mean(x),
        {"dtype": "float64"},
        torch=None,
        dtypes=INTEGERS,
        grad=False,
        result="float64",
    ),
    Case("all of nothing", [bools(0, 3)], over(np.all), {"dim": 0}, dtypes=("bool",), grad=False),
    Case("any of nothing", [bools(0, 3)], over(np.any), {"dim": 0}, dtypes=("bool",), grad=False),
    Case("amax over axes of an empty rest", [t(0, 3)], over(np.max), {"dim": 1}),
    Case("argmax of an empty rest", [t(0, 3)], over(np.argmax), {"dim": 1}, grad=False),
    Case("prod of one 0", [exactly([[1.5, 0.0, 2.0], [2.0, 3.0, 0.5]])], over(np.prod), {"dim": 1}),
    Case("prod of two 0s", [exactly([0.0, 1.5, 0.0, 2.0])], over(np.prod)),
    Case("prod over a pair", [t(2, 3, 2), (0, 2)], lambda x, dim: np.prod(x, dim), torch=None),
    Case("var biased", [X], moments(np.var), {"dim": 1, "unbiased": False}),
    Case("var correction", [X], moments(np.var), {"dim": (0, 2), "correction": 2}),
    Case("std correction 0", [X], moments(np.std), {"correction": 0}),
    Case("logsumexp of large numbers", [t(3, 5, low=900.0, high=1000.0)], logsumexp, {"dim": 1}),
    Case("norm 1", [apart(3, 5)], norm, {"p": 1}),
    Case("norm 3", [apart(3, 5)], norm, {"p": 3.0, "dim": 1}),
    Case("norm 0", [exactly([1.0, 0.0, -2.0])], norm, {"p": 0}, grad=False),
    Case("norm inf", [apart(3, 5)], norm, {"p": np.inf, "dim": 0, "keepdim": True}),
    Case("norm -inf", [apart(3, 5)], norm, {"p": -np.inf, "dim": 0}),
    Case("norm fro", [t(3, 5)], norm, {"p": "fro"}),
    Case("norm at 0", [exactly([0.0, 0.0])], norm, smooth=False),
    Case("norm 1 at 0", [exactly([0.0, 0.0])], norm, {"p": 1}, smooth=False),
    Case("cumsum", [X, 1], np.cumsum, dtypes=NUMBERS, reduction=True),
    Case("cumsum last", [X, -1], np.cumsum),
    Case("cumsum of nothing", [t(3, 0), 1], np.cumsum),
    Case("cumsum of bools", [bools(9), 0], np.cumsum, dtypes=("bool",), grad=False),
    Case("cumsum of a number", [t(), 0], lambda x, dim: x),
    Case("cumprod", [t(2, 5, 2), 1], np.cumprod, dtypes=NUMBERS, reduction=True),
    Case("cumprod with a 0", [exactly([1.5, 0.0, 2.0, 0.0, 3.0]), 0], np.cumprod),
    Case("cumprod of nothing", [t(0, 2), 0], np.cumprod),
    Case("argsort", [apart(3, 7)], argsort, dtypes=NUMBERS, grad=False),
    Case("argsort first axis", [apart(5, 3)], argsort, {"dim": 0, "descending": True}, grad=False),
    Case(
        "argsort stable",
        [t(20, low=0, high=3)],
        argsort,
        {"stable": True},
        dtypes=INTEGERS,
        grad=False,
    ),
    Case(
        "argsort stable downwards",
        [t(20, low=0, high=3)],
        argsort,
        {"descending": True, "stable": True},
        dtypes=INTEGERS,
        grad=False,
    ),
    Case("argsort with nan", [exactly([2.0, np.nan, 1.0, np.inf, -np.inf])], argsort, grad=False),
    Case(
        "argsort with nan downwards",
        [exactly([2.0, np.nan, 1.0, np.inf, -np.inf])],
        None,
        {"descending": True},
        grad=False,
    ),
    Case("argsort of bools", [bools(9)], argsort, {"stable": True}, dtypes=("bool",), grad=False),
]
