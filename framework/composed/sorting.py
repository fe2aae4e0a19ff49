"""Sorting and what follows from it: the largest, the k-th, the distinct elements, bins."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..dtypes import bool_, int32, int64
from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.elementwise import select
from ..ops.index import gather, nonzero, take_rows
from ..ops.layout import cat, movedim, narrow, reshape
from ..ops.pointwise import clamp
from ..ops.reduce import Found, any_, argsort, cumsum
from ..shape import check_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("bucketize", "isin", "kthvalue", "msort", "searchsorted", "sort", "topk", "unique"),
    "unique_consecutive",
]


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> Found:
    """(values, indices) in order along `dim`; always stable. nan counts as the largest."""
    axis = check_axis("sort", dim, len(input.shape))
    order = argsort(input.detach(), axis, descending)
    return Found(_taken(input, axis, order), order)


def _taken(x: Tensor, axis: int, order: Tensor) -> Tensor:
    return gather(x, axis, order) if x.shape else x.clone()


def msort(input: Tensor) -> Tensor:
    """The values in ascending order along the first axis."""
    return sort(input, 0).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Found:
    """(values, indices) of the k largest elements along `dim`, or smallest; always sorted.

    Of equal elements the first come first. nan counts as the largest.
    """
    axis = check_axis("topk", dim, len(input.shape))
    size = input.shape[axis] if input.shape else 1
    if not 0 <= k <= size:
        raise fail(
            ArgumentError,
            "topk",
            f"expected 0 <= k <= {size}, the size of axis {axis}, got {k}; use a smaller k",
        )
    order = argsort(input.detach(), axis, largest)
    order = narrow(order, axis, 0, k) if input.shape else order
    return Found(_taken(input, axis, order), order)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Found:
    """(values, indices) of the k-th smallest element along `dim`, counted from 1."""
    axis = check_axis("kthvalue", dim, len(input.shape))
    size = input.shape[axis] if input.shape else 1
    if not 1 <= k <= size:
        raise fail(
            ArgumentError,
            "kthvalue",
            f"expected 1 <= k <= {size}, the size of axis {axis}, got {k}; use 1 for the smallest",
        )
    order = argsort(input.detach(), axis)
    order = narrow(order, axis, k - 1, 1) if input.shape else order
    values = _taken(input, axis, order)
    if keepdim or not input.shape:
        return Found(values, order)
    return Found(values.squeeze(axis), order.squeeze(axis))


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in ascending order, or with `dim` the distinct slices along it.

    Then, if asked for, the inverse, int64 (where each element of `input` is found in the result),
    and the counts, int64. nan is distinct from nan. No gradient.
    """
    rows, axis = _rows("unique", input, dim)
    order = _lexical_order(rows)
    first = _differs_from_previous(take_rows("unique", rows, order))
    starts = nonzero(first, as_tuple=True)[0]
    found = take_rows("unique", rows, take_rows("unique", order, starts))
    group = cumsum(first.to(int64), 0) - 1
    inverse = take_rows("unique", group, argsort(order, 0))
    return _unique_result(input, found, inverse, starts, axis, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The elements without repetitions of the one before; otherwise as `unique`."""
    rows, axis = _rows("unique_consecutive", input, dim)
    first = _differs_from_previous(rows)
    starts = nonzero(first, as_tuple=True)[0]
    found = take_rows("unique_consecutive", rows, starts)
    inverse = cumsum(first.to(int64), 0) - 1
    return _unique_result(input, found, inverse, starts, axis, return_inverse, return_counts)


def _rows(op: str, input: Tensor, dim: int | None) -> tuple[Tensor, int | None]:
    """The slices to compare as rows (n, M)."""
    x = input.detach()
    if dim is None:
        return reshape(x, prod(x.shape), 1), None
    axis = check_axis(op, dim, len(x.shape))
    if prod(x.shape) == 0 and x.shape[axis]:
        raise fail(
            ShapeError,
            op,
            f"expected slices with elements, got {x.shape} along axis {axis}; leave empty ones out",
        )
    moved = movedim(x, axis, 0)
    return reshape(moved, x.shape[axis], prod(moved.shape[1:])), axis


def _lexical_order(rows: Tensor) -> Tensor:
    """The order of rows (n, M) by their first column, then the second, ..."""
    n, width = rows.shape
    order = _tensor.arange(n, backend=rows.backend)
    for column in range(width - 1, -1, -1):
        keys = take_rows("unique", reshape(narrow(rows, 1, column, 1), n), order)
        order = take_rows("unique", order, argsort(keys, 0))
    return order


def _differs_from_previous(rows: Tensor) -> Tensor:
    """Of rows (n, M) whether each differs from the one before; the first does."""
    n = rows.shape[0]
    if n == 0:
        return _tensor.zeros((0,), dtype=bool_, backend=rows.backend)
    changes = any_(e.NE(narrow(rows, 0, 1, n - 1), narrow(rows, 0, 0, n - 1)), 1)
    return cat([_tensor.ones((1,), dtype=bool_, backend=rows.backend), changes])


def _unique_result(
    input: Tensor,
    found: Tensor,
    inverse: Tensor,
    starts: Tensor,
    axis: int | None,
    return_inverse: bool,
    return_counts: bool,
) -> Any:
    count = found.shape[0]
    if axis is None:
        values, inverse = reshape(found, count), reshape(inverse, input.shape)
    else:
        rest = input.shape[:axis] + input.shape[axis + 1 :]
        values = movedim(reshape(found, count, *rest), 0, axis)
    results = [values]
    if return_inverse:
        results.append(inverse)
    if return_counts:
        size = prod(input.shape) if axis is None else input.shape[axis]
        end = _tensor.full((1,), size, dtype=int64, backend=input.backend)
        ends = cat([narrow(starts, 0, 1, count - 1), end]) if count else starts
        results.append(ends - starts)
    return tuple(results) if len(results) > 1 else values


def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | float,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each value would have to be inserted to keep the last axis of the sequence sorted.

    The first such place, or with `right` (side="right") the last: sequence[i - 1] < v <=
    sequence[i], or sequence[i - 1] <= v < sequence[i]. The sequence is (n,), or agrees with the
    input outside the last axis. By bisection: log2(n) steps. int64, or int32 with `out_int32`.
    """
    op = "searchsorted"
    if side not in (None, "left", "right") or (side == "left" and right):
        raise fail(
            ArgumentError,
            op,
            f"expected side 'left' or 'right', got {side!r} and right={right}; give one of the two",
        )
    sequence = sorted_sequence.detach()
    if sorter is not None:
        sequence = gather(sequence, -1, sorter)
    if isinstance(input, _tensor.Tensor):
        values = input.detach()
    else:
        values = _tensor.tensor(input, backend=sequence.backend)
    flat = len(sequence.shape) == 1
    if not flat and sequence.shape[:-1] != values.shape[:-1]:
        raise fail(
            ShapeError,
            op,
            f"expected a sequence (n,) or ({', '.join(map(str, values.shape[:-1]))}, n) for values "
            f"{values.shape}, got {sequence.shape}; "
            "give one sequence for all rows, or one for each",
        )
    beyond = e.GT if right or side == "right" else e.GE
    n = sequence.shape[-1]
    place = _tensor.zeros(values.shape, dtype=int64, backend=values.backend)
    step = 1 << (n.bit_length() - 1) if n else 0
    while step:
        reach = place + step
        at = clamp(reach, max=n) - 1
        probe = take_rows(op, sequence, at) if flat else gather(sequence, -1, at)
        smaller = e.LOGICAL_NOT(beyond(probe, values))
        place = select(e.LOGICAL_AND(smaller, e.LE(reach, n)), reach, place)
        step //= 2
    return place.to(int32) if out_int32 else place


def bucketize(
    input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The number of the bin of each value: `searchsorted` with the arguments turned round."""
    if len(boundaries.shape) != 1:
        raise fail(
            ShapeError,
            "bucketize",
            f"expected boundaries (n,), got {boundaries.shape}; flatten them",
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(
    elements: Tensor | float,
    test_elements: Tensor | float,
    *,
    assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:
    """Whether each element is one of `test_elements`; with `invert` whether it is none."""
    like = elements if isinstance(elements, _tensor.Tensor) else test_elements
    backend = like.backend if isinstance(like, _tensor.Tensor) else None
    x, tests = (
        t.detach() if isinstance(t, _tensor.Tensor) else _tensor.tensor(t, backend=backend)
        for t in (elements, test_elements)
    )
    ordered = sort(reshape(tests, -1)).values
    if prod(ordered.shape) == 0:
        found = _tensor.zeros(x.shape, dtype=bool_, backend=x.backend)
    else:
        at = clamp(searchsorted(ordered, x), max=ordered.shape[0] - 1)
        found = e.EQ(take_rows("isin", ordered, at), x)
    return e.LOGICAL_NOT(found) if invert else found
