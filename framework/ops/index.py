"""Reading and writing by position. Everything becomes `gather` or `scatter_add` of rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from .. import tensor as _tensor
from ..autograd import Op, Spec, apply
from ..dtypes import bool_, int32, int64
from ..errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError, fail
from ..guard import came, wrong_type
from ..shape import broadcast, check_axis, check_whole, row_major
from .elementwise import as_tensor_operand, select
from .layout import expand, movedim, reshape
from .reduce import argsort, sum_

if TYPE_CHECKING:
    from ..tensor import Tensor


class TakeRows(Op):
    """y[k] = x[indices[k]] for rows of x (R, M)."""

    def __init__(self, name: str = "take_rows") -> None:
        self.name = name

    def infer(self, *inputs: Any) -> Spec:
        x, indices = inputs
        return (indices.shape[0], x.shape[1]), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        try:
            return backend.gather(*buffers)
        except IndexError as error:
            raise _outside(self.name, error) from None

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, None]:
        x, indices = inputs
        return apply(AddRows(x.shape[0]), g, indices), None

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 0


class AddRows(Op):
    """y (rows, M) zeros; y[indices[k]] += x[k]."""

    name = "add_rows"

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def infer(self, *inputs: Any) -> Spec:
        return (self.rows, inputs[0].shape[1]), inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        try:
            return backend.scatter_add(buffers[0], buffers[1], self.rows)
        except IndexError as error:
            raise _outside(self.name, error) from None

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, None]:
        return apply(TakeRows(), g, inputs[1]), None


def _outside(op: str, error: IndexError) -> IndexOutOfRange:
    fix = "check where the indices come from"
    return IndexOutOfRange(f"[{op}] {error}, expected every index inside; {fix}")


def as_indices(op: str, indices: Any, like: Tensor) -> Tensor:
    """An int64 tensor on the backend of `like`."""
    t = indices
    if not isinstance(t, _tensor.Tensor):
        t = _tensor.tensor(
            indices, dtype=int64 if _is_empty(indices) else None, backend=like.backend
        )
    if t.dtype not in (int32, int64):
        raise fail(
            DTypeError,
            op,
            f"expected indices of int64 or int32, got {t.dtype}; convert with .to(etude.int64)",
        )
    return t.to(int64)


def _is_empty(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and len(x) == 0


def check_indices(op: str, indices: Tensor, size: int, low: int = 0) -> None:
    """Raise IndexOutOfRange unless low <= indices < size."""
    if prod(indices.shape) == 0:
        return
    try:
        indices.backend.check_range(indices.buffer, low, size)
    except IndexError as error:
        raise _outside(op, error) from None


def take_rows(op: str, x: Tensor, indices: Tensor) -> Tensor:
    """x[indices] along axis 0, for indices of any shape; negative ones count from the end."""
    rows = reshape(x, x.shape[0], prod(x.shape[1:]))
    y = apply(TakeRows(op), rows, reshape(indices, prod(indices.shape)))
    return reshape(y, indices.shape + x.shape[1:])


def index_select(input: Tensor, dim: int, index: Any) -> Tensor:
    """The slices at `index` (1-D) along `dim`."""
    axis = check_axis("index_select", dim, len(input.shape))
    indices = as_indices("index_select", index, input)
    if len(indices.shape) > 1:
        raise fail(
            ShapeError, "index_select", f"expected a 1-D index, got {indices.shape}; flatten it"
        )
    check_indices("index_select", indices, input.shape[axis] if input.shape else 1)
    if not input.shape:
        return input
    flat = reshape(indices, prod(indices.shape))
    return movedim(take_rows("index_select", movedim(input, axis, 0), flat), 0, axis)


def flat_positions(op: str, shape: tuple[int, ...], axis: int, index: Tensor) -> Tensor:
    """Flat positions in `shape` of the elements that torch.gather's `index` names, as (K,)."""
    size = index.shape
    others = [i for i in range(len(shape)) if i != axis]
    if len(size) != len(shape) or any(size[i] > shape[i] for i in others):
        raise fail(
            ShapeError,
            op,
            f"expected an index of {len(shape)} axes, no longer than {shape} outside axis {axis}, "
            f"got {size}; reshape or expand the index",
        )
    check_indices(op, index, shape[axis])
    strides = row_major(shape)
    flat = index * strides[axis]
    for i in others:
        steps = _tensor.arange(size[i], backend=index.backend) * strides[i]
        flat = flat + reshape(steps, tuple(size[i] if j == i else 1 for j in range(len(size))))
    return reshape(flat, prod(size))


def gather(input: Tensor, dim: int, index: Any) -> Tensor:
    """y[i][j] = x[index[i][j]][j] for dim 0, and so on; y has the shape of `index`."""
    indices = as_indices("gather", index, input)
    if not input.shape:
        return expand(input, indices.shape)
    axis = check_axis("gather", dim, len(input.shape))
    flat = flat_positions("gather", input.shape, axis, indices)
    y = apply(TakeRows("gather"), reshape(input, prod(input.shape), 1), flat)
    return reshape(y, indices.shape)


def take_along_dim(input: Tensor, indices: Any, dim: int | None = None) -> Tensor:
    """`gather` with the other axes broadcast; without `dim`, of the flattened tensor.

    Negative indices count from the end.
    """
    index = as_indices("take_along_dim", indices, input)
    if dim is None or not input.shape:
        return take_along_dim(reshape(input, -1), reshape(index, -1), 0)
    axis = check_axis("take_along_dim", dim, len(input.shape))
    if len(index.shape) != len(input.shape):
        raise fail(
            ShapeError,
            "take_along_dim",
            f"expected indices with as many axes as {input.shape}, got {index.shape}; "
            "reshape or unsqueeze them",
        )
    pairs = list(enumerate(zip(input.shape, index.shape, strict=True)))
    index = select(index < 0, index + input.shape[axis], index)
    wide = [m if i == axis else max(n, m) if n and m else 0 for i, (n, m) in pairs]
    long = [n if i == axis else max(n, m) if n and m else 0 for i, (n, m) in pairs]
    return gather(expand(input, long), axis, expand(index, wide))


def scatter_add(input: Tensor, dim: int, index: Any, src: Tensor) -> Tensor:
    """x with src added at the positions of `index` along `dim`; repeated positions add up."""
    indices = as_indices("scatter_add", index, input)
    axis = check_axis("scatter_add", dim, len(input.shape))
    if not input.shape:
        return reshape(scatter_add(*as_rows(input, indices, src)), ())
    flat = flat_positions("scatter_add", input.shape, axis, indices)
    values = corner("scatter_add", src, indices)
    added = apply(AddRows(prod(input.shape)), reshape(values.to(input.dtype), -1, 1), flat)
    return input + reshape(added, input.shape)


def scatter(input: Tensor, dim: int, index: Any, src: Any) -> Tensor:
    """x with src (a Tensor or a number) written at the positions of `index`; the last counts."""
    indices = as_indices("scatter", index, input)
    axis = check_axis("scatter", dim, len(input.shape))
    if not input.shape:
        return reshape(scatter(*as_rows(input, indices, src)), ())
    flat = flat_positions("scatter", input.shape, axis, indices)
    if isinstance(src, _tensor.Tensor):
        values = reshape(corner("scatter", src, indices), -1)
    else:
        values = _tensor.full(flat.shape, src, dtype=input.dtype, backend=input.backend)
    return put_flat(input, flat, values)


def as_rows(input: Tensor, index: Tensor, src: Any) -> tuple[Tensor, int, Tensor, Any]:
    """The arguments of a scatter into a 0-d tensor, as 1-d ones."""
    column = reshape(src, -1) if isinstance(src, _tensor.Tensor) else src
    return reshape(input, 1), 0, reshape(index, -1), column


def corner(op: str, src: Tensor, index: Tensor) -> Tensor:
    """The part of src that the index covers."""
    if len(src.shape) != len(index.shape) or any(
        s < i for s, i in zip(src.shape, index.shape, strict=True)
    ):
        raise fail(
            ShapeError,
            op,
            f"expected src at least as large as the index {index.shape}, got {src.shape}; "
            "use a smaller index",
        )
    return getitem(src, tuple(slice(0, n) for n in index.shape))


def put_flat(x: Tensor, positions: Tensor, values: Tensor) -> Tensor:
    """x with flat(x)[positions] = values, both (K,); of equal positions the last one counts."""
    count, size = positions.shape[0], prod(x.shape)
    if count == 0:
        return x
    order = argsort(positions)
    ordered = take_rows("put", positions, order)
    last = _tensor.ones((1,), dtype=bool_, backend=x.backend)
    from .layout import cat, narrow

    ends = cat([narrow(ordered, 0, 1, count - 1) != narrow(ordered, 0, 0, count - 1), last])
    kept = take_rows("put", order, nonzero(ends, as_tuple=True)[0])
    at = take_rows("put", positions, kept)
    column = reshape(take_rows("put", values.to(x.dtype), kept), -1, 1)
    one = _tensor.ones(column.shape, dtype=int64, backend=x.backend)
    hit = reshape(apply(AddRows(size), one, at), x.shape) > 0
    if x.dtype is bool_:
        column = column.to(int64)
    put = reshape(apply(AddRows(size), column, at), x.shape)
    return select(hit, put.to(x.dtype), x)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Positions of the elements that are not zero, in order: (K, ndim), or a tuple of (K,)."""
    mask = input.to(bool_)
    flat = reshape(mask, -1).to(int64)
    count = int(sum_(flat).item())
    at = getitem(argsort(flat, 0, descending=True), slice(0, count))
    columns = []
    for size, step in zip(input.shape, row_major(input.shape), strict=True):
        columns.append((at // step) % size if size else at)
    if as_tuple:
        return tuple(columns) if columns else (at,)
    from .layout import stack

    if not columns:
        return _tensor.zeros((count, 0), dtype=int64, backend=input.backend)
    return stack(columns, 1)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """input where condition holds, else other, broadcast; with one argument, `nonzero`."""
    if input is None and other is None:
        return nonzero(as_tensor_operand("where", condition), as_tuple=True)
    return select(condition, input, other)


def masked_fill(input: Tensor, mask: Tensor, value: float) -> Tensor:
    """x with `value` where the mask is true."""
    _check_mask("masked_fill", input, mask)
    filled = select(mask, value, input)
    if filled.dtype is not input.dtype:
        raise fail(
            DTypeError,
            "masked_fill",
            f"expected a value that fits {input.dtype}, got {came(value)}; convert the input first",
        )
    return filled


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is true, as a 1-D tensor."""
    shape = _check_mask("masked_select", input, mask)
    return getitem(expand(input, shape), expand(mask, shape))


def _check_mask(op: str, x: Tensor, mask: Any) -> tuple[int, ...]:
    """The shape to which a bool mask and x broadcast."""
    if not isinstance(mask, _tensor.Tensor):
        raise wrong_type(op, "mask", _tensor.Tensor, mask)
    if mask.dtype is not bool_:
        raise fail(
            DTypeError, op, f"expected a bool mask, got {mask.dtype}; compare first, as in x > 0"
        )
    return broadcast(op, x.shape, mask.shape)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 (..., num_classes): 1 at the label, 0 elsewhere; by default max + 1 classes."""
    labels = as_indices("one_hot", tensor, tensor)
    num_classes = check_whole("one_hot", "num_classes", num_classes)
    if num_classes < 0:
        if prod(labels.shape) == 0:
            raise fail(
                ArgumentError,
                "one_hot",
                "expected num_classes for a tensor without labels, got none; pass num_classes",
            )
        num_classes = int(labels.amax().item()) + 1
    check_indices("one_hot", labels, num_classes)
    classes = _tensor.arange(num_classes, backend=labels.backend)
    hot: Tensor = labels.unsqueeze(-1) == classes
    return hot.to(int64)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two axes, zeros above it."""
    diagonal = check_whole("tril", "diagonal", diagonal)
    return _triangle("tril", input, lambda row, column: column <= row + diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two axes, zeros below it."""
    diagonal = check_whole("triu", "diagonal", diagonal)
    return _triangle("triu", input, lambda row, column: column >= row + diagonal)


def _triangle(op: str, x: Tensor, keep: Any) -> Tensor:
    if len(x.shape) < 2:
        raise fail(ShapeError, op, f"expected at least two axes, got {x.shape}; unsqueeze it first")
    row = _tensor.arange(x.shape[-2], backend=x.backend).unsqueeze(1)
    mask = keep(row, _tensor.arange(x.shape[-1], backend=x.backend))
    return select(mask, x, _tensor.zeros((), dtype=x.dtype, backend=x.backend))


from .getitem import getitem  # noqa: E402 - getitem is built on take_rows and nonzero
