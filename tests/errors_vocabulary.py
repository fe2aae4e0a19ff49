"""Wrong calls of arranging, sorting, scattering, resampling and products."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import functional as F
from etude.framework.errors import ArgumentError, CallError, DTypeError, IndexOutOfRange, ShapeError


def x(*shape: int) -> Any:
    return etude.ones(shape)


def whole(*values: int) -> Any:
    return etude.tensor(list(values), dtype=etude.int64)


IMAGE = x(2, 3, 4, 4)

ARRANGING = [
    Wrong("roll shifts without axes", lambda: etude.roll(x(2, 3), (1, 2)), ArgumentError, "(1, 2)"),
    Wrong("roll axis out of range", lambda: etude.roll(x(2, 3), 1, 2), IndexOutOfRange, "got 2"),
    Wrong("roll by a string", lambda: etude.roll(x(3), "a"), CallError, "the string 'a'"),
    Wrong("fliplr of a vector", lambda: etude.fliplr(x(3)), ShapeError, "(3,)"),
    Wrong("flipud of a number", lambda: etude.flipud(etude.tensor(1.0)), ShapeError, "0-d"),
    Wrong("rot90 one axis", lambda: etude.rot90(x(2, 3), 1, (0,)), ArgumentError, "(0,)"),
    Wrong("rot90 one axis twice", lambda: etude.rot90(x(2, 3), 1, (0, 0)), ArgumentError, "(0, 0)"),
    Wrong(
        "unflatten sizes that do not fit",
        lambda: etude.unflatten(x(6), 0, (4, 2)),
        ShapeError,
        "(4, 2)",
        "6 elements",
    ),
    Wrong(
        "meshgrid unknown indexing",
        lambda: etude.meshgrid(x(2), indexing="yx"),
        ArgumentError,
        "'yx'",
    ),
    Wrong("meshgrid of nothing", lambda: etude.meshgrid(), ArgumentError, "none"),
    Wrong("diag of three axes", lambda: etude.diag(x(2, 2, 2)), ShapeError, "(2, 2, 2)"),
    Wrong(
        "diag_embed one axis twice", lambda: etude.diag_embed(x(3), 0, 1, 1), ArgumentError, "1, 1"
    ),
    Wrong("combinations of a matrix", lambda: etude.combinations(x(2, 2)), ArgumentError, "(2, 2)"),
    Wrong(
        "broadcast_shapes broadcast_tensors that do not",
        lambda: etude.broadcast_tensors(x(2), x(3)),
        ShapeError,
        "(2,)",
        "(3,)",
    ),
    Wrong(
        "repeat fewer numbers than axes", lambda: x(2, 3).repeat(2), ShapeError, "(2, 3)", "(2,)"
    ),
    Wrong("repeat a negative number", lambda: x(3).repeat(-1), ArgumentError, "(-1,)"),
    Wrong(
        "repeat_interleave two numbers for three",
        lambda: etude.repeat_interleave(x(3), whole(1, 2)),
        ArgumentError,
        "[1, 2]",
        "3",
    ),
    Wrong(
        "repeat_interleave a negative number",
        lambda: etude.repeat_interleave(x(3), -1),
        ArgumentError,
        "-1",
    ),
    Wrong("tensor_split no sections", lambda: etude.tensor_split(x(3), 0), ArgumentError, "got 0"),
    Wrong("hsplit that does not divide", lambda: etude.hsplit(x(2, 5), 2), ArgumentError, "5", "2"),
    Wrong("vsplit of a vector", lambda: etude.vsplit(x(4), 2), ShapeError, "(4,)"),
    Wrong(
        "block_diag of three axes", lambda: etude.block_diag(x(2, 2, 2)), ShapeError, "(2, 2, 2)"
    ),
]

SORTING = [
    Wrong("topk more than there are", lambda: etude.topk(x(3), 4), ArgumentError, "3", "got 4"),
    Wrong("topk negative", lambda: etude.topk(x(3), -1), ArgumentError, "-1"),
    Wrong("kthvalue 0", lambda: etude.kthvalue(x(3), 0), ArgumentError, "got 0"),
    Wrong("sort axis out of range", lambda: etude.sort(x(3), 1), IndexOutOfRange, "got 1"),
    Wrong(
        "searchsorted another side",
        lambda: etude.searchsorted(x(3), x(2), side="middle"),
        ArgumentError,
        "'middle'",
    ),
    Wrong(
        "searchsorted rows for columns",
        lambda: etude.searchsorted(x(2, 3), x(4, 2)),
        ShapeError,
        "(2, 3)",
        "(4, 2)",
    ),
    Wrong(
        "bucketize boundaries of two axes",
        lambda: etude.bucketize(x(3), x(2, 2)),
        ShapeError,
        "(2, 2)",
    ),
    Wrong("median of bools", lambda: etude.median(x(3) > 0), DTypeError, "bool"),
    Wrong("median of an empty axis", lambda: etude.median(x(2, 0), 1), ShapeError, "(2, 0)"),
    Wrong("quantile above 1", lambda: etude.quantile(x(3), 1.5), ArgumentError, "1.5"),
    Wrong("histc no bins", lambda: etude.histc(x(3), 0), ArgumentError, "got 0"),
    Wrong("bincount of fractions", lambda: etude.bincount(x(3)), DTypeError, "float32"),
    Wrong("bincount of negative numbers", lambda: etude.bincount(whole(-1)), IndexOutOfRange, "-1"),
]

SCATTERING = [
    Wrong(
        "index_add too large an index",
        lambda: x(3).index_add(0, whole(3), x(1)),
        IndexOutOfRange,
        "3",
    ),
    Wrong(
        "index_add source of another size",
        lambda: x(3).index_add(0, whole(0), x(2)),
        ShapeError,
        "(1,)",
        "(2,)",
    ),
    Wrong(
        "scatter_reduce unknown reduction",
        lambda: x(3).scatter_reduce(0, whole(0), x(1), "avg"),
        ArgumentError,
        "'avg'",
        "'mean'",
    ),
    Wrong(
        "scatter_reduce too large an index",
        lambda: x(3).scatter_reduce(0, whole(5), x(1), "sum"),
        IndexOutOfRange,
        "5",
    ),
    Wrong(
        "scatter source and value",
        lambda: F.scatter(x(3), 0, whole(0), x(1), value=2.0),
        ArgumentError,
        "src",
    ),
    Wrong(
        "masked_scatter too small a source",
        lambda: x(3).masked_scatter(x(3) > 0, x(2)),
        ShapeError,
        "3",
        "(2,)",
    ),
    Wrong("index select too large", lambda: x(3).select(0, 3), IndexOutOfRange, "3"),
    Wrong("take too large an index", lambda: x(3).take(whole(3)), IndexOutOfRange, "3"),
]

RESAMPLING = [
    Wrong(
        "interpolate unknown mode",
        lambda: F.interpolate(IMAGE, 8, mode="bilinar"),
        ArgumentError,
        "'bilinar'",
    ),
    Wrong(
        "interpolate size and factor", lambda: F.interpolate(IMAGE, 8, 2.0), ArgumentError, "both"
    ),
    Wrong("interpolate neither", lambda: F.interpolate(IMAGE), ArgumentError, "neither"),
    Wrong(
        "interpolate to nothing",
        lambda: F.interpolate(IMAGE, scale_factor=0.1),
        ArgumentError,
        "(0, 0)",
        "(4, 4)",
    ),
    Wrong(
        "interpolate a negative factor",
        lambda: F.interpolate(IMAGE, scale_factor=-1.0),
        ArgumentError,
        "-1.0",
    ),
    Wrong(
        "interpolate bilinear a sequence",
        lambda: F.interpolate(x(2, 3, 4), 8, mode="bilinear"),
        ShapeError,
        "(2, 3, 4)",
    ),
    Wrong(
        "interpolate corners of nearest",
        lambda: F.interpolate(IMAGE, 8, mode="nearest", align_corners=True),
        ArgumentError,
        "align_corners",
    ),
    Wrong(
        "pixel_shuffle channels that do not divide",
        lambda: F.pixel_shuffle(IMAGE, 2),
        ShapeError,
        "(2, 3, 4, 4)",
    ),
    Wrong(
        "pixel_unshuffle sizes that do not divide",
        lambda: F.pixel_unshuffle(IMAGE, 3),
        ShapeError,
        "(2, 3, 4, 4)",
    ),
    Wrong(
        "affine_grid theta of another size",
        lambda: F.affine_grid(x(2, 3, 3), (2, 3, 4, 4)),
        ShapeError,
        "(2, 3, 3)",
    ),
    Wrong(
        "grid_sample unknown mode",
        lambda: F.grid_sample(IMAGE, x(2, 4, 4, 2), "cubic"),
        ArgumentError,
        "'cubic'",
    ),
    Wrong(
        "grid_sample grid of another batch",
        lambda: F.grid_sample(IMAGE, x(1, 4, 4, 2)),
        ShapeError,
        "(1, 4, 4, 2)",
    ),
    Wrong(
        "max_unpool2d indices of another shape",
        lambda: F.max_unpool2d(x(1, 1, 2, 2), whole(0), 2),
        ShapeError,
        "(1,)",
    ),
    Wrong(
        "max_unpool2d too large an index",
        lambda: F.max_unpool2d(x(1, 1, 1, 1), etude.full((1, 1, 1, 1), 9), 2),
        IndexOutOfRange,
        "9",
    ),
    Wrong("unfold images without channels", lambda: F.unfold(x(4, 4), 2), ShapeError, "(4, 4)"),
    Wrong(
        "fold columns that do not fit",
        lambda: F.fold(x(1, 4, 3), (4, 4), 2),
        ShapeError,
        "(1, 4, 3)",
    ),
]

PRODUCTS = [
    Wrong(
        "einsum too few operands",
        lambda: etude.einsum("ij,jk->ik", x(2, 2)),
        ArgumentError,
        "2 terms",
        "1",
    ),
    Wrong(
        "einsum sizes that differ",
        lambda: etude.einsum("ij,jk->ik", x(2, 3), x(2, 3)),
        ShapeError,
        "'j'",
        "3 and 2",
    ),
    Wrong(
        "einsum too few labels", lambda: etude.einsum("i->i", x(2, 3)), ShapeError, "(2, 3)", "'i'"
    ),
    Wrong(
        "einsum an unknown label in the output",
        lambda: etude.einsum("ij->k", x(2, 3)),
        ArgumentError,
        "'k'",
    ),
    Wrong("einsum a digit", lambda: etude.einsum("i1->i", x(2, 3)), ArgumentError, "'i1'"),
    Wrong("einsum of lists", lambda: etude.einsum("i->", [1.0, 2.0]), CallError, "the number 1.0"),
    Wrong(
        "tensordot sizes that differ",
        lambda: etude.tensordot(x(2, 3), x(2, 3), 1),
        ShapeError,
        "(2, 3)",
    ),
    Wrong(
        "tensordot too many axes", lambda: etude.tensordot(x(2), x(2), 2), ArgumentError, "got 2"
    ),
    Wrong("cross of two elements", lambda: etude.cross(x(2), x(2)), ShapeError, "(2,)"),
    Wrong("trace of a vector", lambda: etude.trace(x(3)), ShapeError, "(3,)"),
    Wrong(
        "cdist of different widths",
        lambda: etude.cdist(x(2, 3), x(2, 4)),
        ShapeError,
        "(2, 3)",
        "(2, 4)",
    ),
    Wrong("diff negative", lambda: etude.diff(x(3), -1), ArgumentError, "-1"),
    Wrong("cov of three axes", lambda: etude.cov(x(2, 2, 2)), ShapeError, "(2, 2, 2)"),
    Wrong(
        "isclose negative tolerance",
        lambda: etude.isclose(x(2), x(2), rtol=-1.0),
        ArgumentError,
        "-1.0",
    ),
]

WRONG = [*ARRANGING, *SORTING, *SCATTERING, *RESAMPLING, *PRODUCTS]
