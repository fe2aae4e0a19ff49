"""Writing by position: values placed, added or combined at indices, as new tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..autograd import apply
from ..dtypes import bool_, int64
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..ops import derivatives as e
from ..ops import index as _index
from ..ops.elementwise import full_like, select
from ..ops.getitem import getitem, setitem
from ..ops.index import AddRows, as_indices, check_indices, put_flat, take_rows
from ..ops.layout import cat, diagonal, expand, movedim, narrow, reshape
from ..ops.pointwise import clamp
from ..ops.reduce import amax, amin, any_, argsort, cumsum
from ..shape import broadcast, check_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("argwhere", "bincount", "diagonal_scatter", "histc", "index_add", "index_copy"),
    *("index_fill", "index_put", "index_reduce", "masked_scatter", "put", "scatter"),
    *("scatter_reduce", "select_scatter", "slice_scatter", "take"),
]

COMBINE: dict[str, Callable[..., Any]] = {"prod": e.MUL, "amax": e.MAXIMUM, "amin": e.MINIMUM}


def take(input: Tensor, index: Tensor) -> Tensor:
    """flat(x)[index], in the shape of `index`; negative indices count from the end."""
    return take_rows("take", reshape(input, prod(input.shape)), as_indices("take", index, input))


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """x with flat(x)[index] = source, or += with `accumulate`; negative ones count from the end.

    Of equal indices the last one counts.
    """
    flat = reshape(as_indices("put", index, input), -1)
    if prod(source.shape) != prod(flat.shape):
        raise fail(
            ShapeError,
            "put",
            f"expected as many elements as indices, got {source.shape} and {index.shape}; "
            "give one element for each index",
        )
    check_indices("put", flat, prod(input.shape), -prod(input.shape))
    flat = select(flat < 0, flat + prod(input.shape), flat)
    return _written(input, flat, reshape(source, -1), accumulate)


def _written(x: Tensor, flat: Tensor, values: Tensor, accumulate: bool) -> Tensor:
    if not accumulate:
        return put_flat(x, flat, values)
    column = reshape(values.to(x.dtype), prod(values.shape), 1)
    return x + reshape(apply(AddRows(prod(x.shape)), column, flat), x.shape)


def index_put(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """x with x[indices] = values, or += with `accumulate`, where repeated places add up."""
    key = tuple(indices)
    if not accumulate:
        return setitem(input, key, values)
    chosen = _places(input, lambda p: getitem(p, key))
    return _written(
        input, reshape(chosen, -1), reshape(expand(values, chosen.shape), -1), accumulate
    )


def _places(x: Tensor, view: Callable[[Tensor], Tensor]) -> Tensor:
    """The flat positions in x of the elements that a view of x would show."""
    return view(reshape(_tensor.arange(prod(x.shape), backend=x.backend), x.shape))


def _embed(op: str, x: Tensor, src: Tensor, view: Callable[[Tensor], Tensor]) -> Tensor:
    places = _places(x, view)
    if broadcast(op, src.shape, places.shape) != places.shape:
        raise fail(ShapeError, op, f"expected src {places.shape}, got {src.shape}; reshape src")
    return put_flat(x, reshape(places, -1), reshape(expand(src, places.shape), -1))


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """x with the slice at `index` along `dim` replaced by `src`."""
    axis = check_axis("select_scatter", dim, len(input.shape))
    key = (*[slice(None)] * axis, index)
    return _embed("select_scatter", input, src, lambda p: getitem(p, key))


def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """x with x[start:end:step] along `dim` replaced by `src`."""
    axis = check_axis("slice_scatter", dim, len(input.shape))
    key = (*[slice(None)] * axis, slice(start, end, step))
    return _embed("slice_scatter", input, src, lambda p: getitem(p, key))


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """x with the diagonal of the plane (dim1, dim2) replaced by `src`."""
    return _embed("diagonal_scatter", input, src, lambda p: diagonal(p, offset, dim1, dim2))


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """x with the elements where the mask is true replaced by those of `source`, in order."""
    shape = broadcast("masked_scatter", input.shape, mask.shape)
    x, wanted = expand(input, shape), expand(mask, shape)
    rank = cumsum(reshape(wanted, -1).to(int64), 0) - 1
    size = prod(source.shape)
    if prod(shape) == 0 or not bool((rank[-1] >= 0).item()):
        return x
    if int(rank[-1].item()) >= size:
        raise fail(
            ShapeError,
            "masked_scatter",
            f"expected at least {int(rank[-1].item()) + 1} elements in source, one for each true "
            f"element of the mask, got {source.shape}; "
            "give a larger source",
        )
    values = take_rows("masked_scatter", reshape(source, size), clamp(rank, min=0))
    return select(wanted, reshape(values.to(x.dtype), shape), x)


def _slices(
    op: str, x: Tensor, dim: int, index: Tensor, source: Tensor
) -> tuple[Tensor, int, Tensor, Tensor]:
    """Checked: x and source with at least one axis, the axis, and the index as (K,)."""
    indices = reshape(as_indices(op, index, x), -1)
    axis = check_axis(op, dim, len(x.shape))
    if not x.shape:
        x, source = reshape(x, 1), reshape(source, -1)
    expected = (*x.shape[:axis], indices.shape[0], *x.shape[axis + 1 :])
    if len(source.shape) < len(x.shape):
        source = reshape(source, expected) if prod(source.shape) == prod(expected) else source
    if source.shape != expected:
        raise fail(
            ShapeError,
            op,
            f"expected a source {expected} for x {x.shape} and {indices.shape[0]} indices along "
            f"axis {axis}, got {source.shape}; "
            "reshape the source",
        )
    check_indices(op, indices, x.shape[axis])
    return x, axis, indices, source


def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> Tensor:
    """x with alpha * source added to the slices at `index` along `dim`; repeated ones add up."""
    x, axis, indices, source = _slices("index_add", input, dim, index, source)
    if alpha != 1:
        source = source * alpha
    moved = movedim(source.to(x.dtype), axis, 0)
    rows = reshape(moved, indices.shape[0], prod(moved.shape[1:]))
    added = apply(AddRows(x.shape[axis]), rows, indices)
    added = reshape(added, x.shape[axis], *moved.shape[1:])
    return reshape(x + movedim(added, 0, axis), input.shape)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """x with the slices at `index` along `dim` replaced by those of `source`; the last counts."""
    x, axis, indices, source = _slices("index_copy", input, dim, index, source)
    return reshape(_index.scatter(x, axis, _along(indices, axis, source), source), input.shape)


def _along(indices: Tensor, axis: int, like: Tensor) -> Tensor:
    """Indices (K,) along an axis, in the shape of `like`: from index_* to scatter's form."""
    shape = tuple(-1 if i == axis else 1 for i in range(len(like.shape)))
    return expand(reshape(indices, shape), like.shape)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """x with the slices at `index` along `dim` filled with a number (or a 0-d tensor)."""
    indices = reshape(as_indices("index_fill", index, input), -1)
    axis = check_axis("index_fill", dim, len(input.shape))
    size = input.shape[axis] if input.shape else 1
    check_indices("index_fill", indices, size, -size)
    indices = select(indices < 0, indices + size, indices)
    ones = _tensor.ones((indices.shape[0], 1), dtype=int64, backend=input.backend)
    hit = reshape(apply(AddRows(size), ones, indices), size) > 0
    shape = tuple(-1 if i == axis else 1 for i in range(len(input.shape)))
    filled = select(reshape(hit, shape), value, input)
    return filled.to(input.dtype)


def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """`scatter_reduce` of whole slices: reduce is "prod", "mean", "amax" or "amin"."""
    x, axis, indices, source = _slices("index_reduce", input, dim, index, source)
    along = _along(indices, axis, source)
    y = scatter_reduce(x, axis, along, source, reduce, include_self=include_self)
    return reshape(y, input.shape)


def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor | float | None = None,
    *,
    value: float | None = None,
    reduce: str | None = None,
) -> Tensor:
    """x with src (a Tensor or a number, or `value`) written at `index` along `dim`.

    For dim 0: y[index[i][j]][j] = src[i][j]. Of equal positions the last one counts; `reduce` "add"
    or "multiply" combines them all with x instead.
    """
    if (src is None) == (value is None):
        raise fail(ArgumentError, "scatter", "expected src or value, and not both; leave one out")
    given: Any = value if src is None else src
    if reduce is None:
        return _index.scatter(input, dim, index, given)
    if reduce not in ("add", "multiply"):
        raise fail(
            ArgumentError,
            "scatter",
            f"expected reduce 'add' or 'multiply', got {reduce!r}; "
            "leave it out to write the values",
        )
    if not isinstance(given, _tensor.Tensor):
        given = _tensor.full(index.shape, given, dtype=input.dtype, backend=input.backend)
    return scatter_reduce(input, dim, index, given, "sum" if reduce == "add" else "prod")


def scatter_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """x combined with src at the positions of `index` along `dim`, which may repeat.

    `reduce` is "sum", "prod", "mean" (of whole numbers rounded down), "amax" or "amin". Without
    `include_self` the elements of x that are written to do not take part.
    """
    op = "scatter_reduce"
    if reduce not in ("sum", "mean", *COMBINE):
        raise fail(
            ArgumentError,
            op,
            f"expected reduce 'sum', 'prod', 'mean', 'amax' or 'amin', got {reduce!r}; "
            "use 'sum' to add",
        )
    indices = as_indices(op, index, input)
    axis = check_axis(op, dim, len(input.shape))
    if not input.shape:
        rows = _index.as_rows(input, indices, src)
        return reshape(scatter_reduce(*rows, reduce, include_self=include_self), ())
    if input.dtype is bool_:
        wide = scatter_reduce(
            input.to(int64), dim, index, src.to(int64), reduce, include_self=include_self
        )
        return wide.to(bool_)
    flat = _index.flat_positions(op, input.shape, axis, indices)
    values = reshape(_index.corner(op, src, indices).to(input.dtype), -1)
    count = _added(_tensor.ones(flat.shape, dtype=int64, backend=input.backend), flat, input)
    hit = e.GT(count, 0)
    if reduce in COMBINE:
        best = _combined(COMBINE[reduce], values, flat, input)
        return select(hit, COMBINE[reduce](input, best) if include_self else best, input)
    total = _added(values, flat, input) + (input if include_self else select(hit, 0, input))
    if reduce == "sum":
        return total
    share = clamp(count + int(include_self), min=1)
    share = share.to(total.dtype)
    return total / share if total.dtype.is_floating_point else total // share


def _added(values: Tensor, flat: Tensor, like: Tensor) -> Tensor:
    """Zeros of a shape with values added at flat positions."""
    column = reshape(values, prod(values.shape), 1)
    return reshape(apply(AddRows(prod(like.shape)), column, flat), like.shape)


def _combined(op: Callable[..., Any], values: Tensor, flat: Tensor, like: Tensor) -> Tensor:
    """Zeros of a shape with op(op(a, b), c)... of the values of each flat position there.

    The values are sorted by position; then each is combined with the one 1, 2, 4, ... places before
    it as long as any two have the same position, after which the last of each position has all.
    """
    order = argsort(flat, 0)
    at, v = take_rows("scatter_reduce", flat, order), take_rows("scatter_reduce", values, order)
    n, step = flat.shape[0], 1
    while step < n:
        same = e.EQ(narrow(at, 0, step, n - step), narrow(at, 0, 0, n - step))
        if not bool(any_(same).item()):
            break
        late = narrow(v, 0, step, n - step)
        joined = select(same, op(late, narrow(v, 0, 0, n - step)), late)
        v = cat([narrow(v, 0, 0, step), joined])
        step *= 2
    return put_flat(full_like(like, 0), at, v)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each whole number 0, 1, ... occurs (N,), or the sum of its weights."""
    op = "bincount"
    values = as_indices(op, input, input)
    if len(values.shape) != 1:
        raise fail(ShapeError, op, f"expected whole numbers (N,), got {input.shape}; flatten them")
    if minlength < 0:
        raise fail(
            ArgumentError,
            op,
            f"expected minlength >= 0, got {minlength}; use 0 for no least length",
        )
    if weights is not None and weights.shape != values.shape:
        raise fail(
            ShapeError,
            op,
            f"expected weights {values.shape}, got {weights.shape}; "
            "give one weight for each element",
        )
    size = max(int(amax(values).item()) + 1, minlength, 1) if values.shape[0] else minlength
    check_indices(op, values, size)
    given = _tensor.ones(values.shape, dtype=int64, backend=input.backend)
    if weights is not None:
        given = weights.detach() if weights.dtype == "float32" else weights.detach().to("float64")
    zeros = _tensor.zeros((size,), dtype=given.dtype, backend=input.backend)
    return _added(given, values, zeros)


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` equal intervals of [min, max], in x's dtype.

    min = max = 0 stands for the range of the elements. What lies outside is not counted; `max`
    belongs to the last interval.
    """
    if bins <= 0:
        raise fail(ArgumentError, "histc", f"expected bins > 0, got {bins}; use 10")
    if not input.dtype.is_floating_point:
        raise fail(
            DTypeError,
            "histc",
            f"expected a float tensor, got {input.dtype}; convert it with .float()",
        )
    x = reshape(input.detach(), prod(input.shape))
    low, high = float(min), float(max)
    if low == high == 0 and x.shape[0]:
        low, high = float(amin(x).item()), float(amax(x).item())
    if low == high:
        low, high = low - 1, high + 1
    if not low < high or high - low == float("inf"):
        raise fail(
            ArgumentError,
            "histc",
            f"expected finite min < max, got {low} and {high}; give finite min and max",
        )
    inside = e.LOGICAL_AND(e.GE(x, low), e.LE(x, high))
    bin_of = clamp(((select(inside, x, low) - low) * bins / (high - low)).to(int64), max=bins - 1)
    zeros = _tensor.zeros((bins,), dtype=x.dtype, backend=x.backend)
    return _added(inside.to(x.dtype), bin_of, zeros)


def argwhere(input: Tensor) -> Tensor:
    """Positions of the elements that are not zero, in order: (K, ndim) int64."""
    return _index.nonzero(input)  # type: ignore[no-any-return]
