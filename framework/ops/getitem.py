"""x[key] and x[key] = value, for every kind of key that NumPy knows, with NumPy's result shapes."""

from __future__ import annotations

from math import prod
from operator import index
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..autograd import apply
from ..dtypes import bool_, int64
from ..errors import ArgumentError, IndexOutOfRange, ShapeError, fail
from ..guard import came
from ..shape import broadcast, check_place, row_major
from . import index as _index
from .elementwise import select
from .layout import Strided, expand, permute, reshape

if TYPE_CHECKING:
    from ..tensor import Tensor

OP = "index"


class _Truth:
    """A 0-d mask: it consumes no axis, and adds one of size 1 that is kept or dropped."""

    def __init__(self, mask: Tensor) -> None:
        self.indices = _index.nonzero(reshape(mask, 1), as_tuple=True)[0]


def getitem(x: Tensor, key: Any) -> Tensor:
    """Slices, whole numbers, None and ... give one strided copy; arrays and masks gather."""
    parts = _complete(_as_tuple(key, x), x)
    if any(isinstance(p, (_tensor.Tensor, _Truth)) for p in parts):
        parts = [_as_array(p, x) for p in parts]
    viewed, arrays = _basic(x, parts)
    return _advanced(viewed, arrays) if arrays else viewed


def setitem(x: Tensor, key: Any, value: Any) -> Tensor:
    """A copy of x with x[key] = value; value is broadcast to the shape of x[key]."""
    places = _tensor.arange(prod(x.shape), backend=x.backend)
    chosen = getitem(reshape(places, x.shape), key)
    if not isinstance(value, _tensor.Tensor):
        value = _tensor.tensor(value, dtype=x.dtype, backend=x.backend)
    lead = len(value.shape) - len(chosen.shape)
    if lead > 0 and all(n == 1 for n in value.shape[:lead]):
        value = reshape(value, value.shape[lead:])
    check_place("setitem", chosen.shape, value.shape)
    flat = reshape(expand(value, chosen.shape), -1)
    return _index.put_flat(x, reshape(chosen, -1), flat)


def _as_tuple(key: Any, x: Tensor) -> list[Any]:
    parts = list(key) if isinstance(key, tuple) else [key]
    return [_as_part(p, x) for p in parts]


def _as_part(p: Any, x: Tensor) -> Any:
    """Normalise one part of a key: None, Ellipsis, slice, int, or an int64 / bool Tensor."""
    if p is None or p is Ellipsis or isinstance(p, slice):
        return p
    if isinstance(p, bool):
        return _tensor.tensor(p, backend=x.backend)
    if isinstance(p, _tensor.Tensor):
        return p if p.dtype is bool_ else _index.as_indices(OP, p, x)
    if isinstance(p, (list, tuple)) or hasattr(p, "__array_interface__"):
        t = _tensor.tensor(p, dtype=int64 if _index._is_empty(p) else None, backend=x.backend)
        return t if t.dtype is bool_ else _index.as_indices(OP, t, x)
    try:
        return index(p)
    except TypeError:
        raise fail(
            ArgumentError,
            OP,
            "expected whole numbers, slices, None, ..., or tensors or lists of whole numbers or "
            f"bools, got {came(p)}; convert it to one of them",
        ) from None


def _width(p: Any) -> int:
    """How many axes of x a part consumes."""
    if p is None or p is Ellipsis:
        return 0
    return len(p.shape) if isinstance(p, _tensor.Tensor) and p.dtype is bool_ else 1


def _complete(parts: list[Any], x: Tensor) -> list[Any]:
    """Write ... out as full slices, and split masks into one index array per axis."""
    dots = [i for i, p in enumerate(parts) if p is Ellipsis]
    if len(dots) > 1:
        raise fail(
            ArgumentError,
            OP,
            f"expected ... once in a key, got it {len(dots)} times; use : instead",
        )
    used = sum(map(_width, parts))
    if used > len(x.shape):
        raise fail(
            IndexOutOfRange,
            OP,
            f"expected at most {len(x.shape)} indices for shape {x.shape}, got {used}; "
            "leave some out",
        )
    at = dots[0] if dots else len(parts)
    fill = [slice(None)] * (len(x.shape) - used)
    parts = parts[:at] + fill + parts[at + 1 :]
    out: list[Any] = []
    axis = 0
    for p in parts:
        if isinstance(p, _tensor.Tensor) and p.dtype is bool_:
            size = x.shape[axis : axis + len(p.shape)]
            if p.shape != size:
                raise fail(
                    ShapeError,
                    OP,
                    f"expected a mask {size} of the axes that it covers, got {p.shape}; "
                    "compare a tensor of that shape",
                )
            out.extend(_index.nonzero(p, as_tuple=True) if p.shape else [_Truth(p)])
        else:
            out.append(p)
        axis += _width(p)
    return out


def _as_array(p: Any, x: Tensor) -> Any:
    """Beside arrays NumPy treats a whole number as a 0-d array."""
    return _tensor.tensor(p, dtype=int64, backend=x.backend) if isinstance(p, int) else p


def _basic(x: Tensor, parts: list[Any]) -> tuple[Tensor, dict[int, Tensor]]:
    """Apply None, slices and numbers as one strided copy; keep arrays by their axis in it."""
    strides, offset, axis = row_major(x.shape), 0, 0
    shape: list[int] = []
    steps: list[int] = []
    arrays: dict[int, Tensor] = {}
    whole = True
    for p in parts:
        if p is None or isinstance(p, _Truth):
            if p is not None:
                arrays[len(shape)] = p.indices
            shape.append(1)
            steps.append(0)
            continue
        size, step = (
            x.shape[axis] if axis < len(x.shape) else 1,
            (strides[axis] if axis < len(x.shape) else 0),
        )
        if isinstance(p, _tensor.Tensor):
            arrays[len(shape)] = p
            shape.append(size)
            steps.append(step)
        elif isinstance(p, slice):
            start, stop, jump = _slice(p, size)
            length = len(range(start, stop, jump))
            whole = whole and length == size and jump == 1
            offset += start * step if length else 0
            shape.append(length)
            steps.append(jump * step)
        else:
            if not -size <= p < size:
                raise fail(
                    IndexOutOfRange,
                    OP,
                    f"expected an index into axis {axis} of size {size}, got {p}; "
                    + (
                        f"use {-size} ... {size - 1}"
                        if size
                        else "use a slice, for the axis is empty"
                    ),
                )
            offset += (p + size if p < 0 else p) * step
            whole = False
        axis += 1
    if whole:
        return reshape(x, tuple(shape)), arrays
    if 0 in shape:
        offset = 0
    return apply(Strided(tuple(shape), tuple(steps), offset), x), arrays


def _slice(p: slice, size: int) -> tuple[int, int, int]:
    try:
        return p.indices(size)
    except (TypeError, ValueError):
        raise fail(
            ArgumentError,
            OP,
            f"expected a slice of whole numbers with a step other than 0, got {_spelt(p)}; "
            + ("use a step of 1" if p.step == 0 else "convert its parts with int(...)"),
        ) from None


def _spelt(p: slice) -> str:
    """A slice as it is written in brackets."""
    ends = ["" if part is None else f"{part!r:.20}" for part in (p.start, p.stop, p.step)]
    return ":".join(ends if ends[2] else ends[:2])


def _advanced(x: Tensor, arrays: dict[int, Tensor]) -> Tensor:
    """Gather along the axes that hold arrays, which broadcast together."""
    axes = list(arrays)
    shape: tuple[int, ...] = ()
    for a in arrays.values():
        shape = broadcast(OP, shape, a.shape)
    rest = [i for i in range(len(x.shape)) if i not in arrays]
    moved = permute(x, axes + rest)
    sizes = [x.shape[a] for a in axes]
    flat = _flat_index(arrays, sizes, shape)
    block = reshape(moved, (prod(sizes), *(x.shape[i] for i in rest)))
    y = _index.take_rows(OP, block, flat)
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    lead = axes[0] if together else 0
    if not lead:
        return y
    k = len(shape)
    order = [*range(k, k + lead), *range(k), *range(k + lead, len(y.shape))]
    return permute(y, order)


def _flat_index(arrays: dict[int, Tensor], sizes: list[int], shape: tuple[int, ...]) -> Tensor:
    """One row number per chosen element; a single array is checked by the gather itself."""
    if len(arrays) == 1:
        (only,) = arrays.values()
        return only
    total: Any = None
    for a, size, step in zip(arrays.values(), sizes, row_major(tuple(sizes)), strict=True):
        _index.check_indices(OP, a, size, -size)
        part = select(a < 0, a + size, a) * step
        total = part if total is None else total + part
    return expand(total, shape)
