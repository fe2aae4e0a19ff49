"""Pooling of floats in C (kernels/c/pooling.c). Volumes and whole numbers keep the defaults."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from .c_base import CBase
from .c_library import ffi
from .c_memory import check
from .defaults.pool import PoolDefaults
from .tier1 import Buffer, Pairs, Shape, window_count

FLOATS = ("float32", "float64")
LARGEST_PLANE = 1 << 30  # the kernels count positions in 32 bits


def on_plane(values: Any, filler: Any) -> Any:
    """One or two numbers as two: a line is a plane of one row."""
    return (filler, *values) if len(values) == 1 else tuple(values)


@lru_cache(maxsize=1024)
def pool_shape(
    x_shape: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> tuple[Any, Shape]:
    """The kernels' PoolShape and the shape of the result."""
    counts = tuple(map(window_count, x_shape[2:], kernel, stride, padding, dilation))
    (h, w), (oh, ow) = on_plane(x_shape[2:], 1), on_plane(counts, 1)
    window, steps, gaps = (on_plane(pair, 1) for pair in (kernel, stride, dilation))
    (top, _), (left, _) = on_plane(padding, (0, 0))
    numbers = (prod(x_shape[:2]), h, w, oh, ow, *window, *steps, top, left, *gaps)
    return ffi.new("PoolShape *", numbers), (*x_shape[:2], *counts)


@lru_cache(maxsize=1024)
def each_window_meets(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> bool:
    """Whether every window has an element that is not padding."""
    for n, k, s, (lo, hi), d in zip(size, kernel, stride, padding, dilation):
        for start in range(-lo, n + hi - d * (k - 1), s):
            if not any(0 <= at < n for at in range(start, start + d * k, d)):
                return False
    return True


def in_c(x: Buffer, rank: int) -> bool:
    """Whether the kernels are for these values."""
    return x.dtype in FLOATS and rank in (1, 2) and x.size > 0


class CPool(CBase, PoolDefaults):
    """Overrides of pooling."""

    def max_pool(
        self, x: Buffer, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> tuple[Buffer, Buffer]:
        size = x.shape[2:]
        fits = in_c(x, len(kernel)) and prod(size) < LARGEST_PLANE
        if not fits or not each_window_meets(size, kernel, stride, padding, dilation):
            return super().max_pool(x, kernel, stride, padding, dilation)
        shape, result = pool_shape(x.shape, kernel, stride, padding, dilation)
        y, positions = self.empty(result, x.dtype), self.empty(result, "int64")
        kernel_of = self.c.max_pool[x.dtype]
        check(kernel_of(y.data, positions.data, x.data, shape), "max_pool")
        return y, positions

    def max_pool_grad(
        self, g: Buffer, positions: Buffer, x_shape: Shape, out: Buffer = None
    ) -> Buffer:
        if g.dtype not in FLOATS:
            return super().max_pool_grad(g, positions, x_shape, out)
        gx = self.empty(x_shape, g.dtype) if out is None else out
        planes, size = prod(x_shape[:2]), prod(x_shape[2:])
        each = g.size // max(planes, 1)
        kernel = self.c.max_pool_grad[g.dtype]
        if kernel(gx.data, g.data, positions.data, planes, size, each):
            return super().max_pool_grad(g, positions, x_shape, out)  # the error, or its own way
        return gx

    def max_pool_pick(self, x: Buffer, positions: Buffer, out: Buffer = None) -> Buffer:
        if x.dtype not in FLOATS:
            return super().max_pool_pick(x, positions, out)
        y = self.empty(positions.shape, x.dtype) if out is None else out
        planes, size = prod(x.shape[:2]), prod(x.shape[2:])
        each = positions.size // max(planes, 1)
        kernel = self.c.max_pool_pick[x.dtype]
        if kernel(y.data, x.data, positions.data, planes, size, each):
            return super().max_pool_pick(x, positions, out)
        return y

    def sum_pool(
        self,
        x: Buffer,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        scale: float,
        out: Buffer = None,
    ) -> Buffer:
        if not in_c(x, len(kernel)):
            return super().sum_pool(x, kernel, stride, padding, scale, out)
        shape, result = pool_shape(x.shape, kernel, stride, padding, (1,) * len(kernel))
        y = self.empty(result, x.dtype) if out is None else out
        kernel_of = self.c.sum_pool[x.dtype]
        check(kernel_of(y.data, x.data, scale, shape), "sum_pool")
        return y

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
        if not in_c(g, len(kernel)):
            return super().sum_pool_grad(g, x_shape, kernel, stride, padding, scale, out)
        shape, _ = pool_shape(x_shape, kernel, stride, padding, (1,) * len(kernel))
        gx = self.empty(x_shape, g.dtype) if out is None else out
        kernel_of = self.c.sum_pool_grad[g.dtype]
        check(kernel_of(gx.data, g.data, scale, shape), "sum_pool_grad")
        return gx
