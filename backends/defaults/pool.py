"""Pooling over sliding windows of x (N, C, *S), any number of spatial axes.

Average, L2 and global pooling are built on `sum_pool`; `max_pool` also returns where each maximum
stood, as a flat position in its (unpadded) input plane, which its gradient and unpooling need.
"""

from __future__ import annotations

from array import array
from math import prod

from ...kernels.python.unfold import window_table
from ..tier1 import Buffer, Number, Pairs, Shape, window_count
from .layout import LayoutDefaults

LOWEST: dict[str, Number] = {
    "float32": float("-inf"),
    "float64": float("-inf"),
    "int32": -(2**31),
    "int64": -(2**63),
    "bool": False,
}


def window_positions(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> array[int]:
    """Flat position in the plane of each window element, (prod(kernel), L) row-major.

    Padding is named after the first element inside the window: it is the maximum only of a window
    that holds nothing larger than the padding, and then that element is one too.
    """
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    before = [lo for lo, _ in padding]
    lines = window_table(size, kernel, stride, before, counts, dilation)
    inside = [next((at for at in window if at >= 0), 0) for window in zip(*lines, strict=True)]
    return array("q", [at if at >= 0 else i for line in lines for at, i in zip(line, inside)])


class PoolDefaults(LayoutDefaults):
    def max_pool(
        self, x: Buffer, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> tuple[Buffer, Buffer]:
        """The largest element of each window and its flat position (int64) in the input plane."""
        n, c, *size = x.shape
        padded = self.pad(x, ((0, 0), (0, 0), *padding), LOWEST[self.dtype(x)])
        planes = self.reshape(padded, (n * c, 1, *padded.shape[2:]))
        none = tuple((0, 0) for _ in kernel)
        windows = self.unfold(planes, kernel, stride, none, dilation)
        counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
        length = prod(counts)
        table = window_positions(tuple(size), kernel, stride, padding, dilation)
        which = self.arg_reduce("argmax", windows, 1)
        column = self.from_host(memoryview(array("q", range(length))), (1, length), "int64")
        flat = self.binary("add", self.binary("mul", which, length), column)
        positions = self.gather(
            self.from_host(memoryview(table), (len(table), 1), "int64"),
            self.reshape(flat, (n * c * length,)),
        )
        shape = (n, c, *counts)
        y = self.reduce("max", windows, (1,))
        return self.reshape(y, shape), self.reshape(positions, shape)

    def max_pool_grad(
        self, g: Buffer, positions: Buffer, x_shape: Shape, out: Buffer = None
    ) -> Buffer:
        """Add each g to the input element that was the maximum."""
        planes, size = prod(x_shape[:2]), prod(x_shape[2:])
        rows = self._plane_rows(positions, planes, size)
        flat = None if out is None else self.reshape(out, (planes * size, 1))
        gx = self.scatter_add(self.reshape(g, (prod(g.shape), 1)), rows, planes * size, flat)
        return self.reshape(gx, x_shape)

    def max_pool_pick(self, x: Buffer, positions: Buffer, out: Buffer = None) -> Buffer:
        """Elements of x (N, C, *S) at `positions` (N, C, *out): max_pool_grad's transpose."""
        planes, size = prod(x.shape[:2]), prod(x.shape[2:])
        rows = self._plane_rows(positions, planes, size)
        flat = None if out is None else self.reshape(out, (rows.shape[0], 1))
        y = self.gather(self.reshape(x, (planes * size, 1)), rows, flat)
        return self.reshape(y, positions.shape)

    def _plane_rows(self, positions: Buffer, planes: int, size: int) -> Buffer:
        per_plane = prod(positions.shape) // max(planes, 1)
        starts = array("q", range(0, planes * size, size)) if size else array("q", [0] * planes)
        offsets = self.from_host(memoryview(starts), (planes, 1), "int64")
        rows = self.binary("add", self.reshape(positions, (planes, per_plane)), offsets)
        return self.reshape(rows, (planes * per_plane,))

    def sum_pool(
        self,
        x: Buffer,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        scale: float,
        out: Buffer = None,
    ) -> Buffer:
        """scale * (sum of each zero-padded window); scale = 1 / prod(kernel) is average pooling."""
        n, c, *size = x.shape
        ones = (1,) * len(kernel)
        planes = self.reshape(x, (n * c, 1, *size))
        windows = self.unfold(planes, kernel, stride, padding, ones)
        counts = tuple(map(window_count, size, kernel, stride, padding, ones))
        y = self.reshape(self.reduce("sum", windows, (1,)), (n, c, *counts))
        return self.binary("mul", y, scale, out)

    def sum_pool_grad(
        self,
        g: Buffer,
        x_shape: Shape,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        scale: float,
        out: Buffer = None,
    ) -> Buffer:
        """The transpose of `sum_pool`: spread scale * g over each window."""
        planes, length = prod(x_shape[:2]), prod(g.shape[2:])
        scaled = self.reshape(self.binary("mul", g, scale), (planes, 1, length))
        columns = self.expand(scaled, (planes, prod(kernel), length))
        plane_shape = (planes, 1, *x_shape[2:])
        target = None if out is None else self.reshape(out, plane_shape)
        ones = (1,) * len(kernel)
        gx = self.fold(columns, plane_shape, kernel, stride, padding, ones, target)
        return self.reshape(gx, x_shape)
