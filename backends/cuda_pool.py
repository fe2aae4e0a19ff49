"""Pooling on CUDA over one or two spatial axes; more go by the defaults."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from ..kernels.cuda import pool
from ..kernels.cuda.divide import divisor
from .cuda_index import check
from .cuda_layout import fill
from .cuda_plans import PLANS, cut, cut_lanes, index_type
from .cuda_runtime import empty, launch
from .defaults.pool import PoolDefaults
from .tier1 import Buffer, Pairs, Shape, window_count

FAR = 1 << 40  # more than any distance in a plane
FLOATS = ("float32", "float64")


@lru_cache(PLANS)
def windows(
    shape: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> tuple[Shape, tuple[int, ...]]:
    """The shape of the result, and what pool.WINDOWS names (one axis as the second of two)."""
    size = shape[2:]
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    before = [lo for lo, _ in padding]
    rows = [size, kernel, stride, before, counts]
    pairs = [(one, *row)[-2:] for one, row in zip((1, 1, 1, 0, 1), rows)]
    numbers = tuple(n for pair in pairs for n in pair)
    return (*shape[:2], *counts), numbers


def divisors(numbers: tuple[int, ...], *places: int, index: str = "int32") -> tuple[int, ...]:
    """magic and shift of the numbers at some places."""
    return tuple(n for place in places for n in divisor(numbers[place], index))


def planes(shape: Shape) -> tuple[int, int]:
    """Height and width of the planes of (N, C, *size), all but the last axis being the height."""
    return prod(shape[2:-1]), shape[-1]


class CudaPool(PoolDefaults):
    """Overrides of pooling."""

    def max_pool(
        self, x: Buffer, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> tuple[Buffer, Buffer]:
        if len(x.shape) > 4 or not x.size:
            return super().max_pool(x, kernel, stride, padding, dilation)
        shape, numbers = windows(x.shape, kernel, stride, padding, dilation)
        y, positions = empty(shape, x.dtype), empty(shape, "int64")
        if y.size:
            blocks, block = cut(y.size)
            sizes = y.size, *(1, *dilation)[-2:], *numbers
            index = index_type(*sizes)
            given = y, positions, x, *sizes, *divisors(numbers, 8, 9, index=index)
            launch(pool.max_pool(x.dtype, index), blocks, *given, block=block)
        return y, positions

    def max_pool_grad(
        self, g: Buffer, positions: Buffer, x_shape: Shape, out: Buffer = None
    ) -> Buffer:
        gx = empty(tuple(x_shape), g.dtype) if out is None else out
        if not g.size or not gx.size or g.dtype not in FLOATS:
            return super().max_pool_grad(g, positions, x_shape, out)
        (h, w), (down, across) = planes(tuple(x_shape)), planes(tuple(g.shape))
        check(self, positions, 0, h * w)
        words = fill(empty((4,), "int64"), FAR)
        numbers = h, w, down, across
        # A pixel may be a plane away from its window, and both are multiplied by counts.
        products = (2 * h + 1) * down + h, (2 * w + 1) * across + w
        index = index_type(gx.size, g.size, *products)
        blocks, block = cut_lanes(g.size)
        rest = divisors(numbers, 1, 3, 2, index=index)
        launch(pool.reach(index), blocks, words, positions, g.size, *numbers, *rest, block=block)
        blocks, block = cut(gx.size)
        given = gx, g, positions, words, gx.size, *numbers, *divisors(numbers, 1, 0, index=index)
        launch(pool.spread(g.dtype, index), blocks, *given, block=block)
        return gx

    def max_pool_pick(self, x: Buffer, positions: Buffer, out: Buffer = None) -> Buffer:
        if not positions.size or not x.size:
            return super().max_pool_pick(x, positions, out)
        size = prod(x.shape[2:])
        check(self, positions, 0, size)
        y = empty(positions.shape, x.dtype) if out is None else out
        index, (blocks, block) = index_type(y.size, size), cut(y.size)
        given = y, x, positions, y.size, size, *divisor(prod(positions.shape[2:]), index)
        launch(pool.pick(x.dtype, index), blocks, *given, block=block)
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
        if len(x.shape) > 4 or not x.size or x.dtype not in FLOATS:
            return super().sum_pool(x, kernel, stride, padding, scale, out)
        shape, numbers = windows(x.shape, kernel, stride, padding, (1,) * len(kernel))
        y = empty(shape, x.dtype) if out is None else out
        if y.size:
            index, (blocks, block) = index_type(y.size, *numbers), cut(y.size)
            rest = scale, *numbers, *divisors(numbers, 8, 9, index=index)
            launch(pool.sum_pool(x.dtype, index), blocks, y, x, y.size, *rest, block=block)
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
        if len(g.shape) > 4 or not g.size or not prod(x_shape) or g.dtype not in FLOATS:
            return super().sum_pool_grad(g, x_shape, kernel, stride, padding, scale, out)
        ones = (1,) * len(kernel)
        _, numbers = windows(tuple(x_shape), kernel, stride, padding, ones)
        gx: Any = empty(tuple(x_shape), g.dtype) if out is None else out
        index, (blocks, block) = index_type(gx.size, *numbers), cut(gx.size)
        before, after = (divisors(numbers, *at, index=index) for at in ((4, 5), (0, 1)))
        given = gx, g, gx.size, scale, *before, *numbers, *after
        launch(pool.sum_pool_grad(g.dtype, index), blocks, *given, block=block)
        return gx
