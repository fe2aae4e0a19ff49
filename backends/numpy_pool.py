"""Pooling in NumPy: window element k of all positions is one strided slice of the image.

    y     = max(slice 0, slice 1, ..., slice K-1)
    which = how many slices come before the first that equals y
          = m0 (1 + m1 (1 + m2 (...))),  mk = 1 where slice k < y, else 0

Each slice is first copied together, because it is read twice; a block of planes at a time, so that
the copies stay in the second-level cache.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .defaults.pool import LOWEST, PoolDefaults
from .numpy_functions import quietly
from .numpy_windows import in_planes, inside, pad_planes, slices, spans, stored
from .tier1 import Buffer, Pairs, Shape, window_count

BLOCK_BYTES = 1 << 20


def dot_steps(factors: list[Any], size: Shape) -> Any:
    """sum_i factors[i] * (elements in a row of axis i), the factors spread over their own axes."""
    steps = [prod(size[axis + 1 :]) for axis in range(len(size))]
    grids = np.ix_(*(np.asarray(f, np.int64) for f in factors))
    return sum(g * s for g, s in zip(grids, steps))


def largest(parts: Any, out: Any) -> Any:
    """The elementwise maximum; nan goes through."""
    np.copyto(out, parts[0])
    for part in parts[1:]:
        np.maximum(out, part, out=out)
    return out


def first_equal(parts: Any, y: Any) -> Any:
    """The number of the first part that equals y, their maximum."""
    which = np.zeros(y.shape, np.min_scalar_type(len(parts) - 1))
    for part in parts[-2::-1]:
        np.add(which, 1, out=which)
        np.multiply(which, np.less(part, y).view(np.uint8), out=which)
    return which


class NumpyPool(PoolDefaults):
    """Overrides of pooling."""

    @quietly
    def max_pool(
        self, x: Buffer, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> tuple[Buffer, Buffer]:
        padded = any(map(any, padding))
        if 0 in x.shape or (padded and x.dtype.kind != "f"):
            return super().max_pool(x, kernel, stride, padding, dilation)
        size = x.shape[2:]
        counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
        offsets = dot_steps([np.arange(k) * d for k, d in zip(kernel, dilation)], size)
        corners = dot_steps(
            [np.arange(m) * s - lo for m, s, (lo, _) in zip(counts, stride, padding)], size
        )
        planes = in_planes(x)
        y = np.empty((len(planes), *counts), x.dtype)
        positions = np.empty(y.shape, np.int64)
        step = max(1, BLOCK_BYTES // (prod(size) * x.itemsize))
        columns = np.empty((prod(kernel), min(step, len(planes)), *counts), x.dtype)
        for at in range(0, len(planes), step):
            block = pad_planes(planes[at : at + step], padding, LOWEST[str(x.dtype)])
            parts = columns[:, : len(block)]
            for part, spread in zip(parts, slices(block, kernel, stride, dilation, counts)):
                np.copyto(part, spread)
            top = largest(parts, y[at : at + step])
            if not np.isfinite(top).all():  # nan equals nothing, and -inf may be padding
                return super().max_pool(x, kernel, stride, padding, dilation)
            which = first_equal(parts, top)
            place = positions[at : at + step]
            np.take(offsets, which, out=place, mode="clip")  # "raise" would buffer
            np.add(place, corners, out=place)
        shape = (*x.shape[:2], *counts)
        return y.reshape(shape), positions.reshape(shape)

    def max_pool_grad(
        self, g: Buffer, positions: Buffer, x_shape: Shape, out: Buffer = None
    ) -> Buffer:
        gx = np.zeros(x_shape, g.dtype) if out is None else out
        if out is not None:
            out.fill(0)
        np.add.at(gx.reshape(-1), flat_positions(positions, x_shape), g.reshape(-1))
        return gx

    def max_pool_pick(self, x: Buffer, positions: Buffer, out: Buffer = None) -> Buffer:
        flat = flat_positions(positions, x.shape)
        return stored(x.reshape(-1)[flat].reshape(positions.shape), out)

    @quietly
    def sum_pool(
        self,
        x: Buffer,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        scale: float,
        out: Buffer = None,
    ) -> Buffer:
        """One axis after the other: k + l additions for a window of k l elements."""
        counts = tuple(map(window_count, x.shape[2:], kernel, stride, padding, (1,) * len(kernel)))
        y = np.empty((*x.shape[:2], *counts), x.dtype) if out is None else out
        planes = pad_planes(in_planes(x), padding, 0)
        if planes.shape[1:] == kernel and x.dtype.kind == "f":
            weights = np.full(prod(kernel), scale, x.dtype)
            np.dot(planes.reshape(len(planes), prod(kernel)), weights, out=y.reshape(-1))
            return y
        for axis in range(len(kernel), 0, -1):
            k, s, m = kernel[axis - 1], stride[axis - 1], counts[axis - 1]
            moved = planes.swapaxes(0, axis)
            total = moved[spans((0,), (s,), (m,))].swapaxes(0, axis).copy()
            for start in range(1, k):
                part = moved[spans((start,), (s,), (m,))].swapaxes(0, axis)
                np.add(total, part, out=total)
            planes = total
        np.multiply(planes.reshape(y.shape), scale, out=y)
        return y

    @quietly
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
        gx = np.empty(x_shape, g.dtype) if out is None else out
        planes = in_planes(gx)
        scaled = in_planes(np.multiply(g, scale))
        if planes.shape[1:] == kernel and not any(map(any, padding)):
            np.copyto(planes, scaled)
            return gx
        gx.fill(0)
        total = pad_planes(planes, padding, 0)
        apart = all(s >= k for s, k in zip(stride, kernel))
        for part in slices(total, kernel, stride, (1,) * len(kernel), g.shape[2:]):
            if apart:
                np.copyto(part, scaled)
            else:
                np.add(part, scaled, out=part)
        if total is not planes:
            np.copyto(planes, total[(slice(None), *inside(x_shape[2:], padding))])
        return gx


def flat_positions(positions: Any, x_shape: Shape) -> Any:
    """Positions in each plane (n, C, ...) as positions in all of x."""
    n, c, *size = x_shape
    starts = (np.arange(n * c) * prod(size)).reshape(n, c, *(1,) * len(size))
    return (positions + starts).reshape(-1)
