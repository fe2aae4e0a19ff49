"""Layout: the same values in another shape or order. All but reshape are one strided copy."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, Pairs, Shape

from .. import tensor as _tensor
from ..autograd import Op, Spec, apply
from ..dtypes import promote
from ..errors import ArgumentError, IndexOutOfRange, ShapeError, fail
from ..guard import wrong_type
from ..shape import (
    check_axes,
    check_axis,
    check_size,
    check_whole,
    resolve_reshape,
    row_major,
)
from .reduce import sum_to

if TYPE_CHECKING:
    from ..tensor import Tensor


class Movement(Op):
    """An op that moves values and computes nothing."""

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 0


class Reshape(Movement):
    """Another shape over the same memory."""

    name = "reshape"

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def infer(self, *inputs: Any) -> Spec:
        return self.shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.reshape(buffers[0], self.shape)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (reshape(g, inputs[0].shape),)


class Permute(Movement):
    """Axes in another order."""

    name = "permute"

    def __init__(self, axes: Shape) -> None:
        self.axes = axes

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        return tuple(x.shape[a] for a in self.axes), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.transpose(buffers[0], self.axes)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        inverse = [0] * len(self.axes)
        for i, a in enumerate(self.axes):
            inverse[a] = i
        return (apply(Permute(tuple(inverse)), g),)


class Expand(Movement):
    """Broadcast to a larger shape."""

    name = "expand"

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def infer(self, *inputs: Any) -> Spec:
        return self.shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.expand(buffers[0], self.shape)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (sum_to(g, inputs[0].shape),)


class Strided(Movement):
    """A view by strides, copied: slices, flips, diagonals. No element may be taken twice."""

    name = "strided"

    def __init__(self, shape: Shape, strides: Shape, offset: int) -> None:
        self.shape, self.strides, self.offset = shape, strides, offset

    def infer(self, *inputs: Any) -> Spec:
        return self.shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.strided(buffers[0], self.shape, self.strides, self.offset)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(Unstrided(inputs[0].shape, self.strides, self.offset), g),)


class Unstrided(Movement):
    """The transpose of Strided: place values into zeros."""

    name = "unstrided"

    def __init__(self, shape: Shape, strides: Shape, offset: int) -> None:
        self.shape, self.strides, self.offset = shape, strides, offset

    def infer(self, *inputs: Any) -> Spec:
        return self.shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.unstrided(buffers[0], self.shape, self.strides, self.offset)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(Strided(inputs[0].shape, self.strides, self.offset), g),)


class Cat(Movement):
    """Join along an axis."""

    name = "cat"

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def infer(self, *inputs: Any) -> Spec:
        shape = list(inputs[0].shape)
        for x in inputs[1:]:
            rest = [n for i, n in enumerate(x.shape) if i != self.axis]
            if len(x.shape) != len(shape) or rest != shape[: self.axis] + shape[self.axis + 1 :]:
                raise fail(
                    ShapeError,
                    "cat",
                    f"expected equal sizes outside axis {self.axis}, got shapes {tuple(shape)} "
                    f"and {x.shape}; join along the axis that differs, or use stack",
                )
        shape[self.axis] = sum(x.shape[self.axis] for x in inputs)
        return tuple(shape), inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.cat(buffers, self.axis)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, ...]:
        parts, start = [], 0
        for x in inputs:
            parts.append(narrow(g, self.axis, start, x.shape[self.axis]))
            start += x.shape[self.axis]
        return tuple(parts)


class Pad(Movement):
    """Surround with a constant."""

    name = "pad"

    def __init__(self, padding: Pairs, value: float) -> None:
        self.padding, self.value = padding, value

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        pairs = zip(x.shape, self.padding, strict=True)
        return tuple(n + lo + hi for n, (lo, hi) in pairs), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.pad(buffers[0], self.padding, self.value)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        (x,) = inputs
        for axis, (lo, _) in enumerate(self.padding):
            g = narrow(g, axis, lo, x.shape[axis])
        return (g,)


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements, row by row, in another shape; one size may be -1."""
    new = resolve_reshape("reshape", input.shape, shape)
    return apply(Reshape(new), input)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` in the shape of `other`."""
    return reshape(input, other.shape)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """Axes in the order `dims`: y.shape[i] = x.shape[dims[i]]."""
    order = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    axes = tuple(check_axis("permute", a, len(input.shape)) for a in order)
    if sorted(axes) != list(range(len(input.shape))):
        raise fail(
            ArgumentError,
            "permute",
            f"expected each of the {len(input.shape)} axes of {input.shape} once, "
            f"got {tuple(order)}; write them all, from 0 to {len(input.shape) - 1}",
        )
    return input if axes == tuple(range(len(axes))) else apply(Permute(axes), input)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two axes."""
    n = len(input.shape)
    a, b = check_axis("transpose", dim0, n), check_axis("transpose", dim1, n)
    order = list(range(n))
    if n:
        order[a], order[b] = b, a
    return permute(input, order)


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Move axes to new positions; the others keep their order."""
    n = len(input.shape)
    src = [source] if isinstance(source, int) else list(source)
    dst = [destination] if isinstance(destination, int) else list(destination)
    src = [check_axis("movedim", a, n) for a in src]
    dst = [check_axis("movedim", a, n) for a in dst]
    if len(src) != len(dst) or len(set(src)) != len(src) or len(set(dst)) != len(dst):
        raise fail(
            ArgumentError,
            "movedim",
            f"expected as many distinct sources as destinations, got {source} and {destination}; "
            "give each axis one place",
        )
    rest = iter(i for i in range(n) if i not in src)
    order = [src[dst.index(i)] if i in dst else next(rest) for i in range(n)]
    return permute(input, order)


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """Broadcast axes of size 1 to `sizes`; -1 keeps a size; new axes may come in front."""
    given = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    given = tuple(check_whole("expand", "every size", n) for n in given)
    lead = len(given) - len(input.shape)
    old = (1,) * lead + input.shape
    new = tuple(
        o if n == -1 and i >= lead else n for i, (n, o) in enumerate(zip(given, old, strict=False))
    )
    if lead < 0 or any(o != n and o != 1 for o, n in zip(old, new, strict=True)):
        raise fail(
            ShapeError,
            "expand",
            f"expected sizes that {input.shape} can grow to, got {given}; "
            "change only axes of size 1, and add new axes in front",
        )
    check_size("expand", new)
    return input if new == input.shape else apply(Expand(new), input)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Insert an axis of size 1."""
    axis = check_axis("unsqueeze", dim, len(input.shape) + 1)
    return reshape(input, input.shape[:axis] + (1,) + input.shape[axis:])


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Drop axes of size 1: all of them, or those in `dim` that have size 1."""
    none = isinstance(dim, (tuple, list)) and not dim
    axes = () if none else check_axes("squeeze", dim, len(input.shape))
    return reshape(input, tuple(n for i, n in enumerate(input.shape) if i not in axes or n != 1))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the axes start_dim ... end_dim into one."""
    n = len(input.shape)
    a, b = check_axis("flatten", start_dim, n), check_axis("flatten", end_dim, n)
    if a > b:
        raise fail(
            ArgumentError,
            "flatten",
            f"expected start_dim before end_dim, got {start_dim} and {end_dim}; swap them",
        )
    shape = input.shape
    if a == b and shape:
        return input
    return reshape(input, shape[:a] + (prod(shape[a : b + 1]),) + shape[b + 1 :])


def flip(input: Tensor, *axes: Any, dims: Any = ()) -> Tensor:
    """Reverse the order along axes: `x.flip(0, 1)` or `flip(x, dims=(0, 1))`."""
    given = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes or dims
    if not given or prod(input.shape) == 0:
        return input
    strides, offset = row_major(input.shape), 0
    for a in check_axes("flip", given, len(input.shape)):
        offset += (input.shape[a] - 1) * strides[a]
        strides[a] = -strides[a]
    return apply(Strided(input.shape, tuple(strides), offset), input)


def _real_axis(op: str, dim: int, x: Tensor) -> int:
    """`check_axis` for functions that take an axis apart, which a 0-d tensor has not."""
    if not x.shape:
        raise fail(
            ShapeError, op, "expected at least one axis, got a 0-d tensor; reshape it to (1,)"
        )
    return check_axis(op, dim, len(x.shape))


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` elements from `start` along one axis."""
    axis = _real_axis("narrow", dim, input)
    size = input.shape[axis]
    start, length = (
        check_whole("narrow", "start", start),
        check_whole("narrow", "length", length),
    )
    begin = start + (size if start < 0 else 0)
    if length < 0 or begin < 0 or begin + length > size:
        raise fail(
            IndexOutOfRange,
            "narrow",
            f"expected a part of axis {axis} of size {size}, got start {start} and "
            f"length {length}; use start + length <= {size}",
        )
    if length == size:
        return input
    strides = row_major(input.shape)
    shape = input.shape[:axis] + (length,) + input.shape[axis + 1 :]
    return apply(Strided(shape, tuple(strides), begin * strides[axis]), input)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of the plane (dim1, dim2), as a new last axis; offset > 0 is above it."""
    n = len(input.shape)
    a, b = check_axis("diagonal", dim1, n), check_axis("diagonal", dim2, n)
    if a == b:
        raise fail(
            ArgumentError,
            "diagonal",
            f"expected two different axes, got {dim1} and {dim2}; use 0 and 1",
        )
    strides = row_major(input.shape)
    up, down = max(offset, 0), max(-offset, 0)
    length = max(min(input.shape[a] - down, input.shape[b] - up), 0)
    rest = [i for i in range(n) if i not in (a, b)]
    shape = (*(input.shape[i] for i in rest), length)
    steps = (*(strides[i] for i in rest), strides[a] + strides[b])
    start = up * strides[b] + down * strides[a] if length else 0
    return apply(Strided(shape, steps, start), input)


def _several(op: str, tensors: Any) -> list[Tensor]:
    """One tensor or more, as a list."""
    if not isinstance(tensors, (list, tuple)):
        raise wrong_type(op, "tensors", list[_tensor.Tensor], tensors)
    if not tensors:
        raise fail(ArgumentError, op, "expected at least one tensor, got none; give a list of them")
    return list(tensors)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors that agree outside `dim`; dtypes are promoted, and empty (0,) ones left out."""
    xs = _several("cat", tensors)
    if any(not x.shape for x in xs):
        raise fail(
            ShapeError,
            "cat",
            "expected tensors with at least one axis, got a 0-d one; use stack, or reshape to (1,)",
        )
    dtype = xs[0].dtype
    for x in xs[1:]:
        dtype = promote(dtype, x.dtype)
    xs = [x for x in xs if x.shape != (0,)] or xs[:1]
    axis = check_axis("cat", dim, len(xs[0].shape))
    return apply(Cat(axis), *[x.to(dtype) for x in xs])


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    xs = _several("stack", tensors)
    if any(x.shape != xs[0].shape for x in xs):
        odd = next(x.shape for x in xs if x.shape != xs[0].shape)
        raise fail(
            ShapeError,
            "stack",
            f"expected equal shapes, got {xs[0].shape} and {odd}; reshape one, or use cat",
        )
    axis = check_axis("stack", dim, len(xs[0].shape) + 1)
    return cat([unsqueeze(x, axis) for x in xs], axis)


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Parts of a given size (the last may be smaller), or of the given sizes."""
    axis = _real_axis("split", dim, tensor)
    size = tensor.shape[axis]
    if isinstance(split_size_or_sections, int):
        step = int(split_size_or_sections)
        if step <= 0:
            raise fail(
                ArgumentError, "split", f"expected a size > 0, got {step}; use 1 for single slices"
            )
        sizes = [min(step, size - i) for i in range(0, size, step)] or [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != size or any(n < 0 for n in sizes):
            raise fail(
                ArgumentError,
                "split",
                f"expected sizes that add up to {size}, the size of axis {axis}, got {sizes}; "
                "change one, or give one size for all parts",
            )
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(tensor, axis, s, n) for s, n in zip(starts, sizes, strict=True))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of equal size (the last may be smaller)."""
    axis = _real_axis("chunk", dim, input)
    chunks = check_whole("chunk", "chunks", chunks)
    if chunks <= 0:
        raise fail(
            ArgumentError, "chunk", f"expected chunks > 0, got {chunks}; use 1 for a single part"
        )
    return split(input, max(-(-input.shape[axis] // chunks), 1), axis)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis, without it."""
    axis = _real_axis("unbind", dim, input)
    rest = input.shape[:axis] + input.shape[axis + 1 :]
    return tuple(reshape(narrow(input, axis, i, 1), rest) for i in range(input.shape[axis]))
