"""Layout: concatenation and constant padding, from strided writes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..tier1 import Buffer, Number, Pairs, Shape, Tier1


def row_major(shape: Shape) -> list[int]:
    """Element strides of a C-contiguous array: the product of all later sizes."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return strides


class LayoutDefaults(Tier1):
    def share(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        """`from_host` that may use the memory itself, which nobody will write to."""
        return self.from_host(data, shape, dtype)

    def cat(self, xs: Sequence[Buffer], axis: int, out: Buffer = None) -> Buffer:
        """Join buffers that agree in every axis but `axis`."""
        shape = list(xs[0].shape)
        shape[axis] = sum(x.shape[axis] for x in xs)
        y = self.empty(tuple(shape), self.dtype(xs[0])) if out is None else out
        strides = row_major(tuple(shape))
        start = 0
        for x in xs:
            self.put_strided(y, x, strides, start * strides[axis])
            start += x.shape[axis]
        return y

    def pad(self, x: Buffer, padding: Pairs, value: Number, out: Buffer = None) -> Buffer:
        """Surround x with `value`: padding holds one (before, after) per axis, none negative."""
        shape = tuple(n + lo + hi for n, (lo, hi) in zip(x.shape, padding, strict=True))
        y = self.full(shape, value, self.dtype(x), out)
        strides = row_major(shape)
        offset = sum(lo * s for (lo, _), s in zip(padding, strides, strict=True))
        self.put_strided(y, x, strides, offset)
        return y

    def unstrided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        """The transpose of `strided` where no position occurs twice: x placed into zeros."""
        y = self.full(shape, 0, self.dtype(x), out)
        self.put_strided(y, x, strides, offset)
        return y

    def assign(self, dst: Buffer, src: Buffer) -> None:
        """In place: dst = src, of the same shape and dtype."""
        self.put_strided(dst, src, row_major(dst.shape), 0)

    def transpose(self, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        """Copy with axes in another order: y.shape[i] = x.shape[axes[i]]."""
        strides = row_major(x.shape)
        shape = tuple(x.shape[a] for a in axes)
        return self.strided(x, shape, [strides[a] for a in axes], 0, out)

    def expand(self, x: Buffer, shape: Shape, out: Buffer = None) -> Buffer:
        """Copy with broadcasting to `shape`."""
        aligned = (1,) * (len(shape) - len(x.shape)) + tuple(x.shape)
        strides = [0 if n == 1 else s for n, s in zip(aligned, row_major(aligned), strict=True)]
        return self.strided(x, shape, strides, 0, out)

    def keep(self, x: Buffer, like: Buffer, axes: Shape) -> Buffer:
        """View a reduced buffer with its reduced axes back as ones: it broadcasts to `like`."""
        shape = tuple(1 if i in axes else n for i, n in enumerate(like.shape))
        return self.reshape(x, shape)

    def mean(self, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        """Mean over `axes`, which leave the shape; nan over no elements."""
        count = prod(x.shape[a] for a in axes)
        return self.binary("div", self.reduce("sum", x, axes), count, out)

    def check_range(self, indices: Buffer, low: float, high: float) -> None:
        """Raise IndexError unless low <= every index (or other value) < high; nan is outside."""
        axes = tuple(range(len(indices.shape)))
        for name in ("min", "max"):
            value = self.to_host(self.reduce(name, indices, axes))[0]
            if not low <= value < high:
                raise IndexError(f"index {value} is out of range {low} ... {high - 1}")
