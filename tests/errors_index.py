"""Wrong calls that read and write by position."""

from __future__ import annotations

from typing import Any

import numpy as np
from wrong import Wrong

import etude
from etude import functional as F
from etude.framework.errors import (
    ArgumentError,
    CallError,
    DTypeError,
    IndexOutOfRange,
    ShapeError,
)


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape or (2, 3), **kwargs)


def whole(*values: int) -> Any:
    return etude.tensor(list(values))


KEYS = [
    Wrong("index by a fraction", lambda: x()[1.5], ArgumentError, "the number 1.5"),
    Wrong("index by a string", lambda: x()["a"], ArgumentError, "the string 'a'"),
    Wrong("index by a dict", lambda: x()[{}], ArgumentError, "a dict"),
    Wrong("index by a list of fractions", lambda: x()[[0.5]], DTypeError, "float32"),
    Wrong("index by a float tensor", lambda: x()[x(2)], DTypeError, "float32"),
    Wrong("index by a float array", lambda: x()[np.ones(2)], DTypeError, "float64"),
    Wrong("tensor index by a list of strings", lambda: x()[["a"]], CallError, "the string 'a'"),
    Wrong("index too large", lambda: x()[2], IndexOutOfRange, "axis 0 of size 2", "got 2"),
    Wrong("index too small", lambda: x()[-3], IndexOutOfRange, "axis 0 of size 2", "got -3"),
    Wrong("index second too large", lambda: x()[0, 3], IndexOutOfRange, "axis 1 of size 3"),
    Wrong("index after an ellipsis", lambda: x()[..., 5], IndexOutOfRange, "axis 1", "got 5"),
    Wrong("index into an empty axis", lambda: x(0, 3)[0], IndexOutOfRange, "size 0", "empty"),
    Wrong("index a 0-d tensor", lambda: etude.tensor(1.0)[0], IndexOutOfRange, "()", "got 1"),
    Wrong("index too many", lambda: x()[0, 0, 0], IndexOutOfRange, "at most 2", "got 3"),
    Wrong("index too many slices", lambda: x()[:, :, :], IndexOutOfRange, "at most 2", "got 3"),
    Wrong("index two ellipses", lambda: x()[..., ...], ArgumentError, "2 times"),
    Wrong("index by a list too large", lambda: x()[[0, 2]], IndexOutOfRange, "2"),
    Wrong("index by a list too small", lambda: x()[[0, -3]], IndexOutOfRange, "-3"),
    Wrong("index by a tensor too large", lambda: x()[whole(0, 7)], IndexOutOfRange, "7"),
    Wrong("index by two lists too large", lambda: x()[[0, 1], [0, 3]], IndexOutOfRange, "3"),
    Wrong(
        "index by lists of two lengths", lambda: x()[[0, 1], [0, 1, 2]], ShapeError, "(2,)", "(3,)"
    ),
    Wrong("index by a list into an empty axis", lambda: x(0, 2)[[0]], IndexOutOfRange, "0"),
    Wrong("index by a mask of another size", lambda: x()[x(3) > 0], ShapeError, "(2,)", "(3,)"),
    Wrong(
        "index by a mask of another shape", lambda: x()[x(3, 2) > 0], ShapeError, "(2, 3)", "(3, 2)"
    ),
    Wrong(
        "index by a mask of too many axes", lambda: x(2)[x(2, 2) > 0], IndexOutOfRange, "at most 1"
    ),
    Wrong("index slice of step 0", lambda: x()[::0], ArgumentError, "::0", "step"),
    Wrong("index slice from a fraction", lambda: x()[0.5:], ArgumentError, "0.5:"),
    Wrong("index slice to a string", lambda: x()[:"b"], ArgumentError, ":'b'"),  # type: ignore[misc]
]

PICKING = [
    Wrong(
        "gather too large", lambda: x().gather(1, etude.tensor([[0], [3]])), IndexOutOfRange, "3"
    ),
    Wrong("gather too small", lambda: x(3).gather(0, whole(-1)), IndexOutOfRange, "-1"),
    Wrong("gather float indices", lambda: x(3).gather(0, x(3)), DTypeError, "float32", "int64"),
    Wrong("gather too few axes", lambda: x().gather(0, whole(0, 1)), ShapeError, "(2,)", "2 axes"),
    Wrong(
        "gather too long",
        lambda: x(2, 1).gather(0, etude.zeros(2, 3, dtype="int64")),
        ShapeError,
        "(2, 3)",
    ),
    Wrong("gather axis out of range", lambda: x().gather(2, whole(0)), IndexOutOfRange, "got 2"),
    Wrong("gather from a list", lambda: etude.gather([1, 2], 0, whole(0)), CallError, "[1, 2]"),
    Wrong("gather no index", lambda: x().gather(0), CallError, "no 'index'"),
    Wrong("tensor gather by a string", lambda: x().gather(0, "ab"), CallError, "'ab'"),
    Wrong("index_select too large", lambda: x().index_select(1, whole(5)), IndexOutOfRange, "5"),
    Wrong(
        "index_select two axes",
        lambda: x().index_select(0, etude.zeros(1, 1, dtype=int)),
        ShapeError,
        "(1, 1)",
    ),
    Wrong("index_select float indices", lambda: x().index_select(0, x(1)), DTypeError, "float32"),
    Wrong(
        "index_select axis out of range",
        lambda: x().index_select(-3, whole(0)),
        IndexOutOfRange,
        "-3",
    ),
    Wrong(
        "take_along_dim other axes",
        lambda: etude.take_along_dim(x(), whole(0), 1),
        ShapeError,
        "(1,)",
        "(2, 3)",
    ),
    Wrong(
        "gather take_along_dim too large",
        lambda: etude.take_along_dim(x(), whole(9)),
        IndexOutOfRange,
        "9",
    ),
    Wrong("scatter too large", lambda: x(3).scatter(0, whole(3), 1.0), IndexOutOfRange, "3"),
    Wrong(
        "scatter too small a source",
        lambda: x(3).scatter(0, whole(0, 1), x(1)),
        ShapeError,
        "(2,)",
        "(1,)",
    ),
    Wrong("scatter float indices", lambda: x(3).scatter(0, x(2), 1.0), DTypeError, "float32"),
    Wrong("full scatter of a string", lambda: x(3).scatter(0, whole(0), "a"), CallError, "'a'"),
    Wrong(
        "scatter_add too large", lambda: x(3).scatter_add(0, whole(4), x(1)), IndexOutOfRange, "4"
    ),
    Wrong(
        "scatter_add a number",
        lambda: x(3).scatter_add(0, whole(1), 2.0),
        CallError,
        "the number 2.0",
    ),
    Wrong(
        "scatter_add axis out of range",
        lambda: x(3).scatter_add(1, whole(1), x(1)),
        IndexOutOfRange,
        "got 1",
    ),
    Wrong(
        "masked_fill a mask of numbers",
        lambda: x(3).masked_fill(x(3), 0.0),
        DTypeError,
        "float32",
        "x > 0",
    ),
    Wrong(
        "masked_fill a fraction into whole numbers",
        lambda: whole(1, 2).masked_fill(whole(1, 2) > 1, 0.5),
        DTypeError,
        "0.5",
        "int64",
    ),
    Wrong(
        "masked_fill a mask of another shape",
        lambda: x(3).masked_fill(x(4) > 0, 0.0),
        ShapeError,
        "(4,)",
        "(3,)",
    ),
    Wrong(
        "masked_fill a list as mask",
        lambda: x(2).masked_fill([True, False], 0.0),
        CallError,
        "[True, False]",
    ),
    Wrong(
        "masked_select a mask of another shape",
        lambda: x(3).masked_select(x(4) > 0),
        ShapeError,
        "(4,)",
        "(3,)",
    ),
    Wrong(
        "masked_select a mask of numbers", lambda: x(3).masked_select(x(3)), DTypeError, "float32"
    ),
    Wrong(
        "masked_select a list as mask",
        lambda: x(2).masked_select([True, False]),
        CallError,
        "[True, False]",
    ),
    Wrong(
        "where a condition of numbers", lambda: etude.where(x(2), 1.0, 0.0), DTypeError, "float32"
    ),
    Wrong("where a plain condition", lambda: etude.where(True, x(2), x(2)), CallError, "True"),
    Wrong(
        "where shapes that do not broadcast",
        lambda: etude.where(x(2) > 0, x(3), 0.0),
        ShapeError,
        "(2,)",
        "(3,)",
    ),
    Wrong("where one of two values", lambda: etude.where(x(2) > 0, x(2)), CallError, "None"),
    Wrong("where a string", lambda: etude.where(x(2) > 0, x(2), "a"), CallError, "'a'"),
    Wrong("one_hot too large a label", lambda: F.one_hot(whole(0, 3), 3), IndexOutOfRange, "3"),
    Wrong("one_hot a negative label", lambda: F.one_hot(whole(-1), 3), IndexOutOfRange, "-1"),
    Wrong("one_hot of fractions", lambda: F.one_hot(x(2), 3), DTypeError, "float32"),
    Wrong(
        "one_hot of no labels",
        lambda: F.one_hot(etude.zeros(0, dtype=int)),
        ArgumentError,
        "num_classes",
    ),
    Wrong("one_hot of a list", lambda: F.one_hot([0, 1], 3), CallError, "[0, 1]"),
    Wrong(
        "one_hot a fractional number of classes", lambda: F.one_hot(whole(0), 2.5), CallError, "2.5"
    ),
    Wrong(
        "embedding too large an index", lambda: F.embedding(whole(5), x(5, 2)), IndexOutOfRange, "5"
    ),
    Wrong(
        "embedding a negative index", lambda: F.embedding(whole(-1), x(5, 2)), IndexOutOfRange, "-1"
    ),
    Wrong("embedding of fractions", lambda: F.embedding(x(1), x(5, 2)), DTypeError, "float32"),
    Wrong(
        "embedding a vector of weights",
        lambda: F.embedding(whole(0), x(5)),
        ShapeError,
        "(5,)",
        "(V, D)",
    ),
    Wrong(
        "embedding padding_idx out of range",
        lambda: F.embedding(whole(0), x(5, 2), 5),
        IndexOutOfRange,
        "5",
    ),
    Wrong("tril of a vector", lambda: x(3).tril(), ShapeError, "(3,)"),
    Wrong("triu of a list", lambda: etude.triu([[1]]), CallError, "[[1]]"),
    Wrong("triu a fractional diagonal", lambda: x().triu(0.5), CallError, "0.5"),
]

WRONG = [*KEYS, *PICKING]
