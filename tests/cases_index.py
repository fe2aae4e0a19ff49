"""Cases of reading and writing by position."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import ALL, NUMBERS, Case, bools, exactly, ints, t


def gather(x: Any, dim: int, index: Any) -> Any:
    where = list(np.indices(index.shape))
    where[dim] = index
    return x[tuple(where)]


def scatter(x: Any, dim: int, index: Any, src: Any) -> Any:
    where = list(np.indices(index.shape))
    where[dim] = index
    y = x.copy()
    y[tuple(where)] = src[tuple(map(slice, index.shape))] if np.ndim(src) else src
    return y


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    where = list(np.indices(index.shape))
    where[dim] = index
    y = x.copy()
    np.add.at(y, tuple(where), src[tuple(map(slice, index.shape))])
    return y


def one_hot(x: Any, num_classes: int = -1) -> Any:
    count = num_classes if num_classes > 0 else x.max() + 1
    return (x[..., None] == np.arange(count)).astype(np.int64)


def embedding(index: Any, weight: Any, padding_idx: int | None = None) -> Any:
    return weight[index]


def written(key: Any, value: Any) -> Any:
    """x[key] = value on a copy, for tensors of etude and torch and arrays alike."""

    def function(x: Any, *more: Any) -> Any:
        y = x.copy() if isinstance(x, np.ndarray) else x.clone()
        if hasattr(y, "detach"):
            y = y.detach()
        y[more[0] if more else key] = value
        return y

    return function


def get(what: str, key: Any, torch: Any = "same", **more: Any) -> Case:
    return Case(f"getitem {what}", [X], "same", function=lambda x: x[key], torch=torch, **more)


X = t(3, 4, 5)
ROWS = [2, 0, -1, 2]
ORDER = exactly([[2, 0, 1], [1, 2, 0]], "int64", False)  # each position once

READING = [
    get("a number", 1, dtypes=ALL),
    get("a number from the end", -1),
    get("numbers", (1, -2, 3)),
    get("slices", (slice(1, None), slice(None, None, 2))),
    get("an empty slice", slice(2, 2)),
    get("a slice past the end", (slice(1, 99), slice(-99, 2))),
    get("backwards", (slice(None, None, -1), 0, slice(3, None, -2)), torch=None),
    get("None", (None, 0, None, ..., None)),
    get("dots", (..., 1)),
    get("dots between", (1, ..., slice(2))),
    get("everything", ...),
    get("a list", ROWS, dtypes=ALL),
    get("a list along 1", (slice(None), ROWS)),
    get("two lists", ([0, 2], [1, -1])),
    get("two lists that broadcast", (np.array([[0], [2]]), np.array([1, -1, 0])), torch=None),
    get("lists apart", ([0, 2], slice(None), [1, -1])),
    get("a number and a list", (1, slice(None), ROWS), torch=None),
    get("a list after a slice and None", (None, slice(1), [0, 1])),
    get("an empty list", []),
    get("a boolean list", [True, False, True]),
    get("a NumPy array", np.array([[0, 1], [2, 0]]), torch=None),
    get("True", True),
    Case("getitem an index", [X, ints(2, 3, high=2)], "same", function=lambda x, i: x[i]),
    Case(
        "getitem a negative index", [X, ints(4, low=-3, high=2)], "same", function=lambda x, i: x[i]
    ),
    Case(
        "getitem an int32 index", [X, exactly([0, 2], "int32")], "same", function=lambda x, i: x[i]
    ),
    Case("getitem a mask", [X, bools(3, 4, 5)], "same", function=lambda x, m: x[m], dtypes=ALL),
    Case("getitem a mask of rows", [X, bools(3)], "same", function=lambda x, m: x[m]),
    Case(
        "getitem a mask of the last axes", [X, bools(4, 5)], "same", function=lambda x, m: x[1, m]
    ),
    Case("getitem of nothing", [t(0, 3)], "same", function=lambda x: x[:, 1]),
    Case("getitem of a number", [t()], "same", function=lambda x: x[None]),
    Case(
        "index_select",
        [X, 1, exactly([3, 0, 3], "int64")],
        lambda x, dim, i: np.take(x, i, dim),
        dtypes=ALL,
    ),
    Case("index_select of nothing", [X, 1, ints(0)], lambda x, dim, i: np.take(x, i, dim)),
    Case("gather", [t(3, 5), 1, ints(3, 4)], gather, dtypes=ALL),
    Case("gather a corner", [t(3, 5, 2), 0, ints(4, 2, 1, high=2)], gather),
    Case("gather nothing", [t(3, 5), 1, ints(3, 0)], gather),
    Case("take_along_dim", [t(3, 5), ints(3, 2), 1], np.take_along_axis),
    Case("take_along_dim broadcast", [t(3, 5), ints(1, 2), 1], np.take_along_axis),
    Case("take_along_dim flat", [t(3, 5), ints(4, high=14)], lambda x, i: x.ravel()[i]),
    Case("masked_select", [t(3, 5), bools(3, 5)], lambda x, m: x[m], dtypes=ALL),
    Case("masked_select broadcast", [t(3, 5), bools(5)], lambda x, m: x[:, m].ravel()),
    Case("nonzero", [t(3, 5, low=-1, high=1)], lambda x: np.argwhere(x), dtypes=ALL, grad=False),
    Case(
        "nonzero as tuple",
        [t(3, 5, low=-1, high=1)],
        lambda x, as_tuple: np.nonzero(x),
        {"as_tuple": True},
        dtypes=ALL,
        grad=False,
    ),
    Case("nonzero of nothing", [t(0, 3)], lambda x: np.zeros((0, 2)), grad=False),
    Case("where with one argument", [bools(3, 4)], np.nonzero, dtypes=("bool",), grad=False),
    Case("one_hot", [ints(3, 2)], one_hot, {"num_classes": 6}, dtypes=("int64",), grad=False),
    Case("one_hot counting", [exactly([0, 2, 1])], one_hot, dtypes=("int64",), grad=False),
    Case("embedding", [ints(2, 3), t(5, 4)], embedding),
    Case("embedding with padding", [ints(9), t(5, 4)], embedding, {"padding_idx": 2}, smooth=False),
    Case(
        "embedding with padding from the end",
        [ints(9), t(5, 4)],
        embedding,
        {"padding_idx": -1},
        smooth=False,
    ),
]

WRITING = [
    Case("masked_fill", [t(3, 5), bools(3, 5), 1.5], lambda x, m, v: np.where(m, v, x)),
    Case("masked_fill broadcast", [t(3, 5), bools(5), -1.0], lambda x, m, v: np.where(m, v, x)),
    Case(
        "masked_fill with whole numbers",
        [t(9), bools(9), 3],
        lambda x, m, v: np.where(m, v, x),
        dtypes=NUMBERS,
    ),
    Case(
        "masked_fill with -inf",
        [t(9), bools(9), -np.inf],
        lambda x, m, v: np.where(m, v, x),
        grad=False,
    ),
    Case("scatter", [t(4, 3), 0, ORDER, t(2, 3)], scatter, dtypes=ALL),
    Case("scatter a number", [t(4, 3), 0, ORDER, 2.5], scatter),
    Case("scatter from a larger source", [t(3, 4), 1, ORDER, t(4, 5)], scatter, torch=None),
    Case("scatter_add", [t(3, 5), 1, ints(3, 7), t(3, 7)], scatter_add, dtypes=NUMBERS),
    Case("scatter_add first axis", [t(5, 3), 0, ints(7, 2), t(7, 3)], scatter_add, torch=None),
    Case("setitem a number", [t(3, 4)], "same", function=written(1, 2.5), grad=False),
    Case(
        "setitem slices",
        [t(3, 4)],
        "same",
        function=written((slice(1), slice(1, 3)), -1.0),
        grad=False,
        dtypes=NUMBERS,
    ),
    Case("setitem a list", [t(3, 4)], "same", function=written([0, 2], 7.0), grad=False),
    Case("setitem a mask", [t(3, 4), bools(3, 4)], "same", function=written(None, 7.0), grad=False),
    Case(
        "setitem backwards",
        [t(3, 4)],
        "same",
        function=written(slice(None, None, -2), 1.0),
        torch=None,
        grad=False,
    ),
]

CASES = READING + WRITING
