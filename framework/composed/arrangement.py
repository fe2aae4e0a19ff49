"""The same values turned, reshaped, broadcast or spread: compositions of the layout ops."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as _combinations
from itertools import combinations_with_replacement
from math import prod
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..autograd import apply
from ..dtypes import int64
from ..errors import ArgumentError, ShapeError, fail
from ..ops.index import index_select
from ..ops.layout import (
    Unstrided,
    cat,
    expand,
    flip,
    narrow,
    permute,
    reshape,
    stack,
    transpose,
)
from ..ops.layout import diagonal as _diagonal
from ..shape import broadcast, check_axis, check_size, int_tuple, resolve_reshape, row_major
from .joining import each

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("broadcast_shapes", "broadcast_tensors", "broadcast_to", "cartesian_prod"),
    *(
        "combinations",
        "contiguous",
        "diag",
        "diag_embed",
        "diagflat",
        "fliplr",
        "flipud",
        "meshgrid",
    ),
    *("ravel", "reshape_as", "roll", "rot90", "t", "tril_indices", "triu_indices"),
    *("unflatten",),
]


# turning ------------------------------------------------------------------------------------------
def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Tensor:
    """Shift along axes; what leaves at one end comes back at the other. Without `dims` flat."""
    moves = [shifts] if isinstance(shifts, int) else list(shifts)
    axes = [dims] if isinstance(dims, int) else list(dims or ())
    if not axes and len(moves) == 1:
        return reshape(roll(reshape(input, -1), moves[0], 0), input.shape)
    if len(axes) != len(moves):
        raise fail(
            ArgumentError,
            "roll",
            f"expected a shift for each axis, got {shifts} and dims {dims}; "
            "give as many shifts as dims",
        )
    y = input
    for shift, dim in zip(moves, axes, strict=True):
        axis = check_axis("roll", dim, len(y.shape))
        size = y.shape[axis] if y.shape else 1
        head = size - shift % size if size else 0
        if 0 < head < size:
            y = cat([narrow(y, axis, head, size - head), narrow(y, axis, 0, head)], axis)
    return y


def fliplr(input: Tensor) -> Tensor:
    """Columns in reverse order: flip along axis 1."""
    if len(input.shape) < 2:
        raise fail(
            ShapeError,
            "fliplr",
            f"expected at least two axes, got {input.shape}; unsqueeze it first",
        )
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Rows in reverse order: flip along axis 0."""
    if not input.shape:
        raise fail(
            ShapeError, "flipud", "expected at least one axis, got a 0-d tensor; reshape it to (1,)"
        )
    return flip(input, 0)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A turn by k * 90 degrees in the plane of two axes, from the first towards the second."""
    if len(dims) != 2:
        raise fail(ArgumentError, "rot90", f"expected two axes, got {tuple(dims)}; use (0, 1)")
    a, b = (check_axis("rot90", d, len(input.shape)) for d in dims)
    if a == b:
        raise fail(
            ArgumentError, "rot90", f"expected two different axes, got {tuple(dims)}; use (0, 1)"
        )
    turns = k % 4
    if turns == 0:
        return input
    if turns == 2:
        return flip(input, a, b)
    return transpose(flip(input, b), a, b) if turns == 1 else flip(transpose(input, a, b), b)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and 0-d tensors stay."""
    if len(input.shape) > 2:
        raise fail(ShapeError, "t", f"expected at most two axes, got {input.shape}; use transpose")
    return permute(input, tuple(range(len(input.shape)))[::-1])


# shapes -------------------------------------------------------------------------------------------
def ravel(input: Tensor) -> Tensor:
    """All elements as (n,)."""
    return reshape(input, -1) if prod(input.shape) else reshape(input, 0)


def contiguous(input: Tensor) -> Tensor:
    """`input` itself: tensors here always are contiguous."""
    return input


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` in the shape of `other`."""
    return reshape(input, other.shape)


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several, row by row; one of the sizes may be -1."""
    axis = check_axis("unflatten", dim, len(input.shape))
    if not input.shape:
        raise fail(
            ShapeError,
            "unflatten",
            "expected at least one axis, got a 0-d tensor; reshape it to (1,)",
        )
    parts = resolve_reshape("unflatten", (input.shape[axis],), (tuple(sizes),))
    return reshape(input, (*input.shape[:axis], *parts, *input.shape[axis + 1 :]))


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that all these shapes broadcast to."""
    y: tuple[int, ...] = ()
    for shape in shapes:
        y = broadcast("broadcast_shapes", y, check_size("broadcast_shapes", (_listed(shape),)))
    return y


def _listed(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """`expand` under NumPy's name."""
    return expand(input, shape)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape."""
    xs = each("broadcast_tensors", tensors)
    shape = broadcast_shapes(*[x.shape for x in xs])
    return tuple(expand(x, shape) for x in xs)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of a grid: the k-th result holds the k-th vector's values along its k-th axis.

    With indexing "xy" the first two axes are swapped, as in plots.
    """
    xs = [reshape(x, -1) for x in each("meshgrid", tensors)]
    if indexing not in ("ij", "xy"):
        raise fail(
            ArgumentError,
            "meshgrid",
            f"expected indexing 'ij' or 'xy', got {indexing!r}; use 'ij' for matrices",
        )
    shape = tuple(x.shape[0] for x in xs)
    grids = []
    for axis, x in enumerate(xs):
        along = tuple(-1 if i == axis else 1 for i in range(len(xs)))
        grid = expand(reshape(x, along), shape)
        grids.append(transpose(grid, 0, 1) if indexing == "xy" and len(xs) > 1 else grid)
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All ways to take one element of each vector: (prod n, count), or (n,) of one vector."""
    xs = each("cartesian_prod", tensors)
    if len(xs) == 1:
        return xs[0]
    return stack([reshape(g, -1) for g in meshgrid(*xs)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take r elements of a vector, in order: (count, r)."""
    if len(input.shape) != 1 or r < 0:
        raise fail(
            ArgumentError,
            "combinations",
            f"expected a vector and r >= 0, got {input.shape}, {r}; "
            "flatten the tensor, and give r as 0 or more",
        )
    choose = combinations_with_replacement if with_replacement else _combinations
    rows = list(choose(range(input.shape[0]), r)) if r else []
    taken = index_select(input, 0, [i for row in rows for i in row])
    return reshape(taken, len(rows), r) if r else reshape(taken, 0)


# diagonals ----------------------------------------------------------------------------------------
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last axis as the diagonal of a new plane (dim1, dim2), zeros elsewhere."""
    x = input if input.shape else reshape(input, 1)
    n = len(x.shape) + 1
    a, b = check_axis("diag_embed", dim1, n), check_axis("diag_embed", dim2, n)
    if a == b:
        raise fail(
            ArgumentError,
            "diag_embed",
            f"expected two different axes, got {dim1}, {dim2}; use 0 and 1",
        )
    side = x.shape[-1] + abs(offset)
    rest = iter(x.shape[:-1])
    shape = tuple(side if i in (a, b) else next(rest) for i in range(n))
    steps = row_major(shape)
    strides = [s for i, s in enumerate(steps) if i not in (a, b)]
    start = offset * steps[b] if offset >= 0 else -offset * steps[a]
    start = start if prod(x.shape) else 0
    return apply(Unstrided(shape, (*strides, steps[a] + steps[b]), start), x)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix that has this vector as its diagonal."""
    if len(input.shape) not in (1, 2):
        raise fail(
            ShapeError,
            "diag",
            f"expected a vector or a matrix, got {input.shape}; "
            "use diagonal or diag_embed for more axes",
        )
    return diag_embed(input, diagonal) if len(input.shape) == 1 else _diagonal(input, diagonal)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix that has all elements as its diagonal."""
    return diag_embed(ravel(input), offset)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = int64, backend: Any = None
) -> Tensor:
    """Positions (2, K) of the lower triangle of a (row, col) matrix, row by row."""
    return _triangle_indices("tril_indices", row, col, dtype, backend, lambda i, j: j <= i + offset)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = int64, backend: Any = None
) -> Tensor:
    """Positions (2, K) of the upper triangle of a (row, col) matrix, row by row."""
    return _triangle_indices("triu_indices", row, col, dtype, backend, lambda i, j: j >= i + offset)


def _triangle_indices(op: str, row: int, col: int, dtype: Any, backend: Any, inside: Any) -> Tensor:
    rows, cols = int_tuple(op, "row and col", (row, col), 2, 0)
    found = [(i, j) for i in range(rows) for j in range(cols) if inside(i, j)]
    flat = [i for i, _ in found] + [j for _, j in found]
    return reshape(_tensor.tensor(flat, dtype=int64, backend=backend).to(dtype), 2, len(found))
