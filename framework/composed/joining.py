"""The same values repeated, joined or split: compositions of the layout ops."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import index as _whole
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..errors import ArgumentError, ShapeError, fail
from ..guard import wrong_type
from ..ops.getitem import getitem
from ..ops.index import index_select
from ..ops.layout import (
    cat,
    expand,
    movedim,
    narrow,
    reshape,
)
from ..shape import check_axis, check_size, check_whole

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "column_stack", "dsplit"),
    *("dstack", "hsplit", "hstack", "repeat", "repeat_interleave", "row_stack", "select"),
    *("tensor_split", "tile", "vsplit", "vstack"),
]


# repeating ----------------------------------------------------------------------------------------
def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """Copies side by side: x.repeat(2, 3) has twice the rows and three times the columns.

    More numbers than axes add axes in front.
    """
    counts = check_size("repeat", repeats)
    lead = len(counts) - len(input.shape)
    if lead < 0:
        raise fail(
            ShapeError,
            "repeat",
            f"expected a number for each of the {len(input.shape)} axes of {input.shape}, "
            f"got {counts}; use tile to leave the first axes alone",
        )
    shape = (1,) * lead + input.shape
    apart = reshape(input, tuple(m for n in shape for m in (1, n)))
    wide = expand(apart, tuple(m for r, n in zip(counts, shape, strict=True) for m in (r, n)))
    return reshape(wide, tuple(r * n for r, n in zip(counts, shape, strict=True)))


MOST_PARTS = 2**20  # a list of more would not be meant


def tile(input: Tensor, *repeats: Any, dims: Any = ()) -> Tensor:
    """`repeat`, where missing numbers in front are 1."""
    counts = check_size("tile", repeats or (tuple(dims),))
    return repeat(input, (1,) * (len(input.shape) - len(counts)) + counts)


def repeat_interleave(
    input: Tensor,
    repeats: Tensor | int,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each slice along `dim` repeated in place, all equally or each by its own number.

    Without `dim` the tensor is flattened. `output_size` is torch's hint, and only checked.
    """
    op = "repeat_interleave"
    x = reshape(input, -1) if dim is None or not input.shape else input
    axis = check_axis(op, 0 if dim is None else dim, len(x.shape))
    size = x.shape[axis]
    listed = repeats.tolist() if isinstance(repeats, _tensor.Tensor) else _whole(repeats)
    counts = listed if isinstance(listed, list) else [listed] * size
    counts = counts * size if len(counts) == 1 else counts
    if len(counts) != size or any(not isinstance(c, int) or c < 0 for c in counts):
        raise fail(
            ArgumentError,
            op,
            f"expected a whole number >= 0 for each of the {size} slices along axis {axis}, "
            f"got {listed}; "
            "give one number for all, or one for each",
        )
    check_size(op, (sum(counts),))
    if output_size is not None and output_size != sum(counts):
        raise fail(
            ArgumentError,
            op,
            f"expected output_size {sum(counts)}, got {output_size}; "
            "leave it out to have it worked out",
        )
    return index_select(x, axis, [i for i, c in enumerate(counts) for _ in range(c)])


# joining ------------------------------------------------------------------------------------------
def each(op: str, tensors: Any) -> list[Tensor]:
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    if not tensors:
        raise fail(ArgumentError, op, "expected at least one tensor, got none; give one or more")
    for i, x in enumerate(tensors):
        if not isinstance(x, _tensor.Tensor):
            raise wrong_type(op, f"tensors[{i}]", _tensor.Tensor, x)
    return list(tensors)


def _as_given(tensors: Any, results: list[Tensor]) -> Any:
    alone = len(tensors) == 1 and isinstance(tensors[0], _tensor.Tensor)
    return results[0] if alone else tuple(results)


def atleast_1d(*tensors: Any) -> Any:
    """Tensors with at least one axis; several give a tuple."""
    xs = [x if x.shape else reshape(x, 1) for x in each("atleast_1d", tensors)]
    return _as_given(tensors, xs)


def atleast_2d(*tensors: Any) -> Any:
    """Tensors with at least two axes; (n,) becomes a row (1, n)."""
    xs = each("atleast_2d", tensors)
    return _as_given(tensors, [x if len(x.shape) > 1 else reshape(x, 1, -1) for x in xs])


def atleast_3d(*tensors: Any) -> Any:
    """Tensors with at least three axes; (n,) becomes (1, n, 1) and (m, n) becomes (m, n, 1)."""
    xs = [atleast_2d(x) for x in each("atleast_3d", tensors)]
    return _as_given(tensors, [x if len(x.shape) > 2 else reshape(x, *x.shape, 1) for x in xs])


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join side by side: along axis 1, and vectors along their only axis."""
    xs = [atleast_1d(x) for x in each("hstack", tensors)]
    return cat(xs, 0 if len(xs[0].shape) == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join as rows: along axis 0, where vectors are rows (1, n)."""
    return cat([atleast_2d(x) for x in each("vstack", tensors)], 0)


def row_stack(tensors: Sequence[Tensor]) -> Tensor:
    """`vstack` under its other name."""
    return vstack(tensors)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along axis 2, after atleast_3d."""
    return cat([atleast_3d(x) for x in each("dstack", tensors)], 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Join as columns: along axis 1, where vectors are columns (n, 1)."""
    xs = each("column_stack", tensors)
    return cat([x if len(x.shape) > 1 else reshape(x, -1, 1) for x in xs], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of a larger one, zeros elsewhere; vectors are rows."""
    xs = [atleast_2d(x) for x in each("block_diag", tensors)]
    if any(len(x.shape) > 2 for x in xs):
        raise fail(
            ShapeError,
            "block_diag",
            f"expected matrices, got {[x.shape for x in tensors]}; reshape each to two axes",
        )
    width, before, rows = sum(x.shape[1] for x in xs), 0, []
    for x in xs:
        left, right = (
            _tensor.zeros((x.shape[0], n), dtype=x.dtype, backend=x.backend)
            for n in (before, width - before - x.shape[1])
        )
        rows.append(cat([left, x, right], 1))
        before += x.shape[1]
    return cat(rows, 0)


# splitting ----------------------------------------------------------------------------------------
def tensor_split(
    input: Tensor, indices_or_sections: Tensor | int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Parts of sizes that differ by at most one (the larger first), or parts cut at indices."""
    return _cut("tensor_split", input, indices_or_sections, dim)


def _cut(op: str, x: Tensor, cuts: Any, dim: int) -> tuple[Tensor, ...]:
    axis = check_axis(op, dim, len(x.shape))
    if not x.shape:
        raise fail(
            ShapeError, op, "expected at least one axis, got a 0-d tensor; reshape it to (1,)"
        )
    size = x.shape[axis]
    given = cuts.tolist() if isinstance(cuts, _tensor.Tensor) else cuts
    if isinstance(given, int):
        if not 0 < given <= MOST_PARTS:
            raise fail(
                ArgumentError,
                op,
                f"expected 1 ... {MOST_PARTS} sections, got {given}; use 1 for a single part",
            )
        places = [i * (size // given) + min(i, size % given) for i in range(given + 1)]
        return tuple(narrow(x, axis, a, b - a) for a, b in pairwise(places))
    bounds = [None, *(check_whole(op, "every cut", i) for i in _listed(given)), None]
    lead = (slice(None),) * axis
    pairs = pairwise(bounds)
    return tuple(getitem(x, (*lead, slice(a, b))) for a, b in pairs)


def _listed(cuts: Any) -> Any:
    return cuts if isinstance(cuts, (list, tuple)) else [cuts]


def _equal_cut(op: str, x: Tensor, cuts: Any, least: int, dim: int) -> tuple[Tensor, ...]:
    if len(x.shape) < least:
        raise fail(
            ShapeError, op, f"expected at least {least} axes, got {x.shape}; unsqueeze it first"
        )
    if isinstance(cuts, int) and cuts > 0 and x.shape[dim] % cuts:
        raise fail(
            ArgumentError,
            op,
            f"expected sections that divide {x.shape[dim]}, the size of axis {dim}, got {cuts}; "
            "use tensor_split for unequal parts",
        )
    return _cut(op, x, cuts, dim)


def hsplit(input: Tensor, indices_or_sections: Tensor | int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` into equal parts along axis 1; of a vector along its only axis."""
    return _equal_cut("hsplit", input, indices_or_sections, 1, 0 if len(input.shape) == 1 else 1)


def vsplit(input: Tensor, indices_or_sections: Tensor | int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` into equal parts along axis 0 of at least two."""
    return _equal_cut("vsplit", input, indices_or_sections, 2, 0)


def dsplit(input: Tensor, indices_or_sections: Tensor | int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` into equal parts along axis 2."""
    return _equal_cut("dsplit", input, indices_or_sections, 3, 2)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at `index` along `dim`, without that axis."""
    axis = check_axis("select", dim, len(input.shape))
    return getitem(input, (*[slice(None)] * axis, index))


def unfold_axis(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` elements along an axis, `step` apart; each becomes the last axis."""
    axis = check_axis("unfold", dimension, len(input.shape))
    n = input.shape[axis] if input.shape else 1
    if not 0 <= size <= n or step < 1:
        raise fail(
            ArgumentError,
            "unfold",
            f"expected 0 <= size <= {n} and step >= 1, got size {size} and step {step}; "
            "use a smaller size",
        )
    if not input.shape:
        return reshape(input, 1) if size else getitem(reshape(input, 1), slice(0, 0))
    starts = range(0, n - size + 1, step)
    taken = index_select(input, axis, [a + i for a in starts for i in range(size)])
    shape = (*input.shape[:axis], len(starts), size, *input.shape[axis + 1 :])
    return movedim(reshape(taken, shape), axis + 1, -1)
