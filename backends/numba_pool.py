"""Pooling on the Numba backend, over one or two spatial axes."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from ..kernels.numba_cpu import pool
from .defaults.pool import LOWEST, PoolDefaults
from .numba_memory import empty
from .tier1 import Buffer, Pairs, Shape, window_count


@lru_cache(512)
def pool_plan(
    x: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> tuple[pool.Pool, Shape]:
    """The kernel's sizes (one axis as the second of two) and the shape of the result."""
    counts = tuple(map(window_count, x[2:], kernel, stride, padding, dilation))
    before = [lo for lo, _ in padding]
    rows = [x[2:], counts, kernel, stride, before, dilation]
    fill = [1, 1, 1, 1, 0, 1]
    pairs = [(one, *row)[-2:] for one, row in zip(fill, rows)]
    sizes = (prod(x[:2]), *(n for pair in pairs for n in pair))
    return pool.Pool._make(sizes), (*x[:2], *counts)


def pieces(planes: int, size: int) -> int:
    """How many pieces of work planes of a size are."""
    return -(-planes // max(1, pool.PIECE // size))


def share(plan: pool.Pool) -> tuple[int, bool]:
    """How kernels are called that share the planes of a plan."""
    return pieces(plan.planes, plan.height * plan.width), True


class NumbaPool(PoolDefaults):
    """Overrides of pooling."""

    def max_pool(
        self, x: Buffer, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> tuple[Buffer, Buffer]:
        if x.ndim > 4 or x.size == 0:
            return super().max_pool(x, kernel, stride, padding, dilation)
        plan, shape = pool_plan(x.shape, kernel, stride, padding, dilation)
        y, positions = empty(shape, x.dtype), empty(shape, "int64")
        flat = y.reshape(-1), positions.reshape(-1), x.reshape(-1)
        lowest = x.dtype.type(LOWEST[str(x.dtype)])
        vectors = x.dtype.kind == "f" and plan.stride_w <= 2
        run = pool.max_pool_vector if vectors else pool.max_pool
        run(*share(plan), *flat, lowest, plan)
        return y, positions

    def max_pool_grad(
        self, g: Buffer, positions: Buffer, x_shape: Shape, out: Buffer = None
    ) -> Buffer:
        size, planes = prod(x_shape[2:]), prod(x_shape[:2])
        flat = positions.reshape(-1)
        if g.size == 0 or not pool.within(flat, size):
            return super().max_pool_grad(g, positions, x_shape, out)
        gx = empty(x_shape, g.dtype) if out is None else out
        given = gx.reshape(-1), g.reshape(-1), flat, g.size // planes, size
        pool.scatter(pieces(planes, size), True, *given)
        return gx

    def max_pool_pick(self, x: Buffer, positions: Buffer, out: Buffer = None) -> Buffer:
        size, planes = prod(x.shape[2:]), prod(x.shape[:2])
        flat = positions.reshape(-1)
        if flat.size == 0 or not pool.within(flat, size):
            return super().max_pool_pick(x, positions, out)
        y = empty(positions.shape, x.dtype) if out is None else out
        given = y.reshape(-1), x.reshape(-1), flat, flat.size // planes, size
        pool.pick(pieces(planes, size), True, *given)
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
        if x.ndim > 4 or x.size == 0 or x.dtype.kind != "f":
            return super().sum_pool(x, kernel, stride, padding, scale, out)
        plan, shape = pool_plan(x.shape, kernel, stride, padding, (1,) * len(kernel))
        y = empty(shape, x.dtype) if out is None else out
        factor: Any = x.dtype.type(scale)
        pool.sum_pool(*share(plan), y.reshape(-1), x.reshape(-1), factor, plan)
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
        if g.ndim > 4 or g.size == 0 or prod(x_shape) == 0 or g.dtype.kind != "f":
            return super().sum_pool_grad(g, x_shape, kernel, stride, padding, scale, out)
        plan, _ = pool_plan(x_shape, kernel, stride, padding, (1,) * len(kernel))
        gx = empty(x_shape, g.dtype) if out is None else out
        factor: Any = g.dtype.type(scale)
        pool.sum_pool_grad(*share(plan), gx.reshape(-1), g.reshape(-1), factor, plan)
        return gx
