"""Cases of repeated, joined, split, turned and spread tensors, and of einsum and other products."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import ALL, NUMBERS, Case, Draw, exactly, t

X = t(2, 3, 4)
M = t(3, 4)


def einsum(name: str, equation: str, *draws: Draw, **more: Any) -> Case:
    return Case(f"einsum {name}", [equation, *draws], np.einsum, **more)


def roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    return np.roll(x, shifts, dims)


def unfolded(x: Any, dimension: int, size: int, step: int) -> Any:
    y = np.lib.stride_tricks.sliding_window_view(x, size, dimension)
    return y[(slice(None),) * dimension + (slice(None, None, step),)]


def triangle(rows: int, cols: int, offset: int = 0) -> Any:
    return np.stack(np.tril_indices(rows, offset, cols))


def upper_triangle(rows: int, cols: int, offset: int = 0) -> Any:
    return np.stack(np.triu_indices(rows, offset, cols))


def plus(product: Any) -> Any:
    def oracle(x: Any, a: Any, b: Any, beta: float = 1, alpha: float = 1) -> Any:
        return beta * x + alpha * product(a, b)

    return oracle


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    n = x.shape[-1] + abs(offset)
    y = np.zeros((*x.shape[:-1], n, n), x.dtype)
    i = np.arange(x.shape[-1])
    y[..., i + max(-offset, 0), i + max(offset, 0)] = x
    return np.moveaxis(y, (-2, -1), (dim1, dim2))


REPEATED = [
    Case("repeat", [M, (2, 3)], np.tile, dtypes=ALL),
    Case("repeat with new axes", [M, (2, 1, 3)], np.tile),
    Case("repeat none", [M, (0, 2)], np.tile),
    Case("repeat a number", [t(), (3,)], np.tile),
    Case("tile", [M, (2, 3)], np.tile),
    Case("tile the last", [X, (2,)], np.tile),
    Case("repeat_interleave", [M, 2], np.repeat),
    Case("repeat_interleave along", [M, 3, 1], np.repeat, dtypes=ALL),
    Case("repeat_interleave each", [M, exactly([2, 0, 1], "int64", False), 0], np.repeat),
    Case("hstack", [[t(2, 3), t(2, 1)]], np.hstack, dtypes=ALL),
    Case("hstack vectors", [[t(3), t()]], np.hstack),
    Case("vstack", [[t(3), t(2, 3)]], np.vstack),
    Case("row_stack", [[t(3), t(3)]], np.vstack),
    Case("dstack", [[t(3), t(3)]], np.dstack),
    Case("dstack images", [[t(2, 3, 1), t(2, 3, 2)]], np.dstack),
    Case("column_stack", [[t(3), t(3, 2)]], np.column_stack),
    Case("block_diag", [t(2, 3), t(1, 2), t(2)], None),
    Case("atleast_1d", [t()], np.atleast_1d),
    Case("atleast_2d", [t(3)], np.atleast_2d),
    Case("atleast_3d", [t(3)], np.atleast_3d),
    Case("atleast_3d several", [t(3), M, X], lambda *xs: tuple(map(np.atleast_3d, xs))),
    Case("tensor_split", [t(7, 2), 3], np.array_split),
    Case("tensor_split at", [t(2, 7), (1, 5), 1], np.split),
    Case("tensor_split at the end", [t(5), (-2, 9)], np.split),
    Case("hsplit", [t(2, 6), 3], np.hsplit),
    Case("vsplit", [t(6, 2), (1, 2)], np.vsplit),
    Case("dsplit", [t(2, 2, 4), 2], np.dsplit),
    Case("select", [X, 1, -1], lambda x, dim, i: np.take(x, i, dim)),
    Case(
        "unfold of a tensor", [t(2, 7, 3), 1, 3, 2], unfolded, function=lambda x, *a: x.unfold(*a)
    ),
]

TURNED = [
    Case("roll", [M, 2], roll, dtypes=ALL),
    Case("roll along", [X, -1, 1], roll),
    Case("roll several", [X, (1, -2), (0, 2)], roll),
    Case("roll nothing", [t(0, 3), 1, 0], roll),
    *(Case(f"rot90 {k}", [t(2, 3), k], np.rot90) for k in (0, 1, 2, 3, -1)),
    Case("rot90 in another plane", [X, 1, (2, 0)], np.rot90),
    Case("fliplr", [X], np.fliplr),
    Case("flipud", [X], np.flipud),
    Case("t", [M], np.transpose),
    Case("t of a vector", [t(3)], np.transpose),
    Case("ravel", [X], np.ravel),
    Case("contiguous", [X], np.positive),
    Case("reshape_as", [X, t(6, 4, grad=False)], lambda x, y: x.reshape(y.shape)),
    Case("unflatten", [X, 2, (2, -1)], lambda x, dim, sizes: x.reshape(2, 3, 2, 2)),
    Case("broadcast_to", [t(3, 1), (2, 3, 4)], np.broadcast_to, dtypes=ALL),
    Case("broadcast_tensors", [t(3, 1), t(4), t()], np.broadcast_arrays),
    Case("meshgrid", [t(2), t(3), t(4)], None, {"indexing": "ij"}),
    Case(
        "meshgrid of points",
        [t(2), t(3)],
        lambda *xs, indexing: np.meshgrid(*xs, indexing="xy"),
        {"indexing": "xy"},
    ),
    Case("cartesian_prod", [t(2), t(3), t(2)], None),
    Case("cartesian_prod of one", [t(3)], None),
    Case("combinations", [t(5)], None),
    Case("combinations with replacement", [t(3), 3, True], None),
    Case("diag", [t(3, 4), 1], np.diag),
    Case("diag below", [t(3, 4), -2], np.diag),
    Case("diag of a vector", [t(3), -1], np.diag, dtypes=ALL),
    Case("diag_embed", [X], diag_embed),
    Case("diag_embed above", [X], diag_embed, {"offset": 2}),
    Case("diag_embed between", [X], diag_embed, {"offset": -1, "dim1": 0, "dim2": 2}),
    Case("diagflat", [t(2, 2)], np.diagflat),
    Case("diagflat above", [t(2, 2), 1], np.diagflat),
    Case("tril_indices", [3, 4, -1], triangle, grad=False),
    Case("triu_indices", [4, 3, 1], upper_triangle, grad=False),
]

PRODUCTS = [
    einsum("matrices", "ij,jk->ik", t(3, 4), t(4, 2), dtypes=NUMBERS),
    einsum("batches", "bij,bjk->bik", t(2, 3, 4), t(2, 4, 2)),
    einsum("implicit", "ij,jk", t(3, 4), t(4, 2)),
    einsum("implicit order", "ba", t(3, 4)),
    einsum("outer", "i,j->ij", t(3), t(4)),
    einsum("elementwise", "ij,ij->ij", M, M),
    einsum("inner", "ij,ij->", M, M),
    einsum("diagonal", "ii->i", t(3, 3)),
    einsum("trace", "ii", t(3, 3)),
    einsum("diagonals in products", "iij,jk->ik", t(3, 3, 4), t(4, 2)),
    einsum("sums of one", "ijk->j", X),
    einsum("ellipsis", "...ij,...jk->...ik", t(2, 1, 3, 4), t(5, 4, 2)),
    einsum("ellipsis implicit", "...i,i...", t(2, 3), t(3, 2)),
    einsum("ellipsis in the middle", "i...j->j...i", X),
    einsum("ellipsis left out", "i...->...", X),
    einsum("three", "ij,jk,kl->il", t(2, 3), t(3, 4), t(4, 2)),
    einsum("four", "a,b,c,ab->c", t(2), t(3), t(4), t(2, 3)),
    einsum("attention", "bqhd,bkhd->bhqk", t(2, 3, 2, 4), t(2, 5, 2, 4)),
    einsum("sizes 1", "ij,jk->ik", t(3, 1), t(4, 2)),
    einsum("nothing", "ij,jk->ik", t(3, 0), t(0, 2)),
    einsum("spaces", " i j , j -> i ", M, t(4)),
    Case("einsum of lists", [M, [0, 1], t(4, 2), [1, 2], [0, 2]], np.einsum),
    Case("einsum of lists with dots", [X, [0, ..., 1], [..., 0]], np.einsum),
    Case("tensordot", [X, t(3, 4, 2)], np.tensordot, dtypes=NUMBERS),
    Case("tensordot of one axis", [X, t(4, 2), 1], np.tensordot),
    Case("tensordot of none", [t(2), t(3), 0], np.tensordot),
    Case("tensordot of pairs", [X, t(4, 2, 5), ([0, 2], [1, 0])], np.tensordot),
    Case("tensordot beside 1", [t(3, 1), t(4, 2), ([1], [0])], None),
    Case("inner", [X, t(2, 4)], np.inner),
    Case("inner with a number", [X, t()], np.inner),
    Case("vdot", [t(5), t(5)], np.vdot),
    Case("linalg_vecdot", [X, t(4)], lambda x, y: (x * y).sum(-1), torch=None),
    Case("kron", [t(2, 3), t(3, 2)], np.kron, dtypes=NUMBERS),
    Case("kron of ranks", [t(2, 3), t(2, 1, 2)], np.kron),
    Case("trace", [t(3, 4)], np.trace, dtypes=NUMBERS),
    Case("cross", [t(4, 3), t(4, 3)], lambda a, b, dim: np.cross(a, b), {"dim": 1}),
    Case("cross of columns", [t(3, 4), t(3, 1)], lambda a, b: np.cross(a, b, axis=0)),
    Case("addmm", [t(2), t(3, 4), t(4, 2)], plus(np.matmul), {"beta": 0.5, "alpha": 2}),
    Case(
        "addmm without input",
        [exactly([np.nan, 1.0], grad=False), t(3, 4), t(4, 2)],
        None,
        {"beta": 0},
    ),
    Case("addmv", [t(3), M, t(4)], plus(np.matmul)),
    Case("addr", [t(3, 4), t(3), t(4)], plus(np.outer), {"alpha": -1}),
    Case(
        "addbmm",
        [t(3, 2), t(2, 3, 4), t(2, 4, 2)],
        plus(lambda a, b: np.matmul(a, b).sum(0)),
        {"beta": 2},
    ),
    Case("baddbmm", [t(1, 3, 2), t(2, 3, 4), t(2, 4, 2)], plus(np.matmul), {"alpha": 0.5}),
    Case(
        "cdist",
        [t(2, 3, 4), t(5, 4)],
        lambda a, b: np.sqrt(((a[..., :, None, :] - b[..., None, :, :]) ** 2).sum(-1)),
    ),
    Case(
        "cdist of city blocks",
        [t(3, 2), t(4, 2), 1.0],
        lambda a, b, p: np.abs(a[:, None] - b).sum(-1),
    ),
    Case(
        "cdist with itself",
        [exactly([[0.0, 1.0], [2.0, 0.5]]), exactly([[0.0, 1.0]])],
        None,
        smooth=False,
    ),
]

CASES = REPEATED + TURNED + PRODUCTS
