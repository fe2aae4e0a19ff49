"""Cases of sorting, distinct elements and bins, and of values written at positions."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from case import ALL, NUMBERS, Case, apart, bools, exactly, ints, t

import etude


def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    order = np.argsort(-x if descending else x, dim, kind="stable")
    return np.take_along_axis(x, order, dim), order


def topk(x: Any, k: int, dim: int = -1, largest: bool = True) -> Any:
    values, order = sort(x, dim, largest)
    return np.take(values, np.arange(k), dim), np.take(order, np.arange(k), dim)


def kthvalue(x: Any, k: int, dim: int = -1) -> Any:
    values, order = sort(x, dim)
    return np.take(values, k - 1, dim), np.take(order, k - 1, dim)


def unique(
    x: Any, sorted: bool = True, inverse: bool = False, counts: bool = False, dim: Any = None
) -> Any:
    found = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    wanted = [found[0]] + [found[1].reshape(x.shape if dim is None else -1)] * inverse
    return wanted + [found[2]] * counts


def searchsorted(a: Any, v: Any, right: bool = False) -> Any:
    return np.searchsorted(a, v, "right" if right else "left")


def index_write(x: Any, dim: int, index: Any, src: Any) -> Any:
    y = x.copy()
    y[(slice(None),) * dim + (index,)] = src
    return y


def index_add(x: Any, dim: int, index: Any, src: Any, alpha: float = 1) -> Any:
    y = x.copy()
    np.add.at(y, (slice(None),) * dim + (index,), alpha * src)
    return y


def put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    y = x.copy().reshape(-1)
    if accumulate:
        np.add.at(y, index.reshape(-1), source.reshape(-1))
    else:
        y[index.reshape(-1)] = source.reshape(-1)
    return y.reshape(x.shape)


def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    y = np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)).copy()
    y[np.broadcast_to(mask, y.shape)] = source.reshape(-1)[: np.broadcast_to(mask, y.shape).sum()]
    return y


def method(name: str) -> Any:
    """torch's method, where torch has no function or one that works in place."""

    def function(x: Any, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*inputs, **kwargs)

    return function


def with_sorter(a: Any, v: Any) -> Any:
    if isinstance(v, np.ndarray):
        return np.searchsorted(a, v, sorter=np.argsort(a))
    module = etude if isinstance(a, etude.Tensor) else importlib.import_module("torch")
    return module.searchsorted(a, v, sorter=module.argsort(a))


X = apart(4, 5)
DISTINCT = exactly([[2, 0, 1], [0, 3, 2]], "int64", False)
REPEATED = exactly([[0, 0, 2], [3, 0, 3]], "int64", False)
FEW = ints(3, 4, high=3)
EDGES = exactly([-1.5, -0.5, 0.5, 0.5, 1.5], grad=False)

SORTED = [
    Case("sort", [X], sort, dtypes=NUMBERS),
    Case("sort first axis", [X, 0], sort, {"descending": True}),
    Case("sort of ties", [FEW], sort, {"stable": True}, torch=None, grad=False),
    Case(
        "sort of ties descending",
        [FEW],
        sort,
        {"descending": True, "stable": True},
        torch=None,
        grad=False,
    ),
    Case("sort of nan", [exactly([1.0, np.nan, -1.0, np.inf])], None, grad=False),
    Case("sort of a number", [t()], None),
    Case("msort", [X], lambda x: np.sort(x, 0)),
    Case("topk", [X, 2], topk, dtypes=NUMBERS),
    Case("topk smallest", [X, 3, 0], topk, {"largest": False}),
    Case("topk none", [X, 0], topk),
    Case("topk of nan", [exactly([1.0, np.nan, -1.0, 2.0]), 2], None, grad=False),
    Case("kthvalue", [X, 2], kthvalue, dtypes=NUMBERS),
    Case("kthvalue along", [X, 4, 0], kthvalue),
    Case("kthvalue keepdim", [X, 1], None, {"keepdim": True}),
    Case("unique", [FEW], lambda x: np.unique(x), grad=False),
    Case("unique of floats", [exactly([1.5, -2.0, 1.5, 0.0])], lambda x: np.unique(x), grad=False),
    Case("unique of bool", [bools(5)], lambda x: np.unique(x), grad=False),
    Case("unique with everything", [FEW, True, True, True], unique, grad=False),
    Case("unique rows", [ints(6, 2, high=1), True, True, True, 0], unique, grad=False),
    Case("unique columns", [ints(2, 7, high=1), True, False, True, 1], unique, grad=False),
    Case("unique of nothing", [t(0)], lambda x: np.unique(x), grad=False),
    Case(
        "unique_consecutive",
        [ints(12, high=1)],
        None,
        {"return_inverse": True, "return_counts": True},
        grad=False,
    ),
    Case(
        "unique_consecutive rows",
        [ints(7, 2, high=1)],
        None,
        {"dim": 0, "return_counts": True},
        grad=False,
    ),
    Case("searchsorted", [EDGES, t(3, 4)], searchsorted, grad=False),
    Case(
        "searchsorted right",
        [EDGES, exactly([-1.5, 0.5, 9.0, -9.0])],
        searchsorted,
        {"right": True},
        grad=False,
    ),
    Case("searchsorted side", [EDGES, exactly([0.5, np.nan])], None, {"side": "right"}, grad=False),
    Case("searchsorted rows", [exactly([[1, 3, 5], [0, 0, 2]]), t(2, 4)], None, grad=False),
    Case("searchsorted of nothing", [t(0), t(3)], searchsorted, grad=False),
    Case(
        "searchsorted int32",
        [EDGES, t(4)],
        lambda a, v, out_int32: np.searchsorted(a, v),
        {"out_int32": True},
        grad=False,
    ),
    Case(
        "searchsorted with a sorter",
        [exactly([3.0, 1.0, 2.0]), t(4)],
        "same",
        function=with_sorter,
        grad=False,
    ),
    Case("bucketize", [t(3, 4), EDGES], None, grad=False),
    Case("bucketize right", [exactly([0.5, -0.5]), EDGES], None, {"right": True}, grad=False),
    Case("bincount", [ints(20, high=6)], lambda x: np.bincount(x), grad=False),
    Case("bincount weighted", [ints(9), t(9, grad=False)], None, {"minlength": 9}, grad=False),
    Case("bincount of nothing", [ints(0)], None, {"minlength": 2}, grad=False),
    Case("histc", [t(40)], None, {"bins": 7}, grad=False),
    Case(
        "histc in a range",
        [t(40)],
        lambda x, bins, min, max: np.histogram(x, bins, (min, max))[0],
        {"bins": 5, "min": -1, "max": 1},
        grad=False,
    ),
]

WRITTEN = [
    Case("take", [X, ints(3, 2, low=-20, high=19)], np.take, dtypes=ALL),
    Case("put", [X, DISTINCT, t(2, 3)], put, dtypes=NUMBERS, torch=None),
    Case("put distinct", [X, exactly([3, -1, 7], "int64", False), t(3)], put, torch=method("put")),
    Case("put accumulate", [X, REPEATED, t(2, 3), True], put, torch=method("put")),
    Case("index_add", [X, 0, ints(6, high=3), t(6, 5)], index_add, dtypes=NUMBERS),
    Case("index_add alpha", [X, 1, ints(3), t(4, 3)], index_add, {"alpha": 2.5}),
    Case("index_copy", [X, 0, exactly([2, 0], "int64", False), t(2, 5)], index_write, dtypes=ALL),
    Case("index_copy columns", [X, 1, exactly([4, 1], "int64", False), t(4, 2)], index_write),
    Case("index_fill", [X, 1, exactly([4, 1], "int64", False), -3], index_write, dtypes=NUMBERS),
    Case(
        "index_put",
        [X, (exactly([2, 0], "int64", False),), t(2, 5)],
        None,
        torch=method("index_put"),
    ),
    Case(
        "index_put accumulate",
        [X, (exactly([2, 2, 0], "int64", False),), t(5), True],
        None,
        torch=method("index_put"),
    ),
    Case("masked_scatter", [X, bools(4, 5), t(30)], masked_scatter, dtypes=ALL),
    Case("masked_scatter broadcast", [t(5), bools(4, 1), t(4, 5)], masked_scatter),
    Case(
        "masked_scatter nothing",
        [t(2), exactly([False, False], "bool"), t(2)],
        masked_scatter,
        torch=None,
        smooth=False,
    ),
    Case("select_scatter", [X, t(5), 0, 1], None),
    Case("slice_scatter", [X, t(2, 5), 0, 1, 4, 2], None),
    Case("diagonal_scatter", [X, t(4)], None, {"offset": 1}),
    *(
        Case(f"scatter_reduce {how}", [X, 0, REPEATED, apart(2, 3, low=-1.9), how], None)
        for how in ("sum", "prod", "mean", "amax", "amin")
    ),
    *(
        Case(
            f"scatter_reduce {how} alone",
            [X, 1, REPEATED, apart(2, 3, low=-1.9), how],
            None,
            {"include_self": False},
        )
        for how in ("sum", "prod", "mean", "amax", "amin")
    ),
    *(
        Case(
            f"scatter_reduce {how} of whole numbers",
            [t(4, 5), 0, REPEATED, t(2, 3), how],
            None,
            dtypes=("int64", "int32"),
            grad=False,
        )
        for how in ("sum", "prod", "mean", "amax", "amin")
    ),
    Case(
        "scatter_reduce of many",
        [t(2), 0, exactly([0] * 9 + [1], "int64", False), t(10), "prod"],
        None,
    ),
    Case(
        "scatter add by reduce",
        [X, 0, REPEATED, t(2, 3)],
        None,
        {"reduce": "add"},
        torch=lambda x, dim, index, src, reduce: x.scatter_add(dim, index, src),
    ),
    Case("scatter multiply", [X, 0, REPEATED, t(2, 3)], None, {"reduce": "multiply"}, grad=False),
    Case(
        "scatter multiply by a number",
        [X, 0, REPEATED],
        None,
        {"value": 3.0, "reduce": "multiply"},
        grad=False,
    ),
    *(
        Case(f"index_reduce {how}", [X, 1, exactly([0, 3, 0], "int64", False), t(4, 3), how], None)
        for how in ("prod", "mean", "amax", "amin")
    ),
    Case("argwhere", [exactly([[0, 1, 0], [2, 0, 3]])], np.argwhere, grad=False),
]

CASES = SORTED + WRITTEN
