"""Sliding windows as columns in C, and back; see kernels/c/unfold.c."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from .c_base import CBase
from .c_library import ffi
from .c_memory import ITEMSIZE
from .tier1 import Buffer, Pairs, Shape, window_count


@lru_cache(maxsize=4096)
def plan_windows(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> tuple[int, Any]:
    """How many positions a window has, and what the kernel wants to know of each axis."""
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    before = [lo for lo, _ in padding]
    axes = zip(size, kernel, stride, before, dilation, counts, strict=True)
    return prod(counts), ffi.new("int64_t[]", [v for axis in axes for v in axis])


class CUnfold(CBase):
    """unfold and fold over any number of axes."""

    def unfold(
        self,
        x: Buffer,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Buffer = None,
    ) -> Buffer:
        n, c, *size = x.shape
        positions, plan = plan_windows(tuple(size), kernel, stride, padding, dilation)
        y = self.empty((n, c * prod(kernel), positions), x.dtype) if out is None else out
        if y.size:
            self.c.unfold(y.data, x.data, ITEMSIZE[x.dtype], n * c, len(size), plan)
        return y

    def fold(
        self,
        columns: Buffer,
        shape: Shape,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Buffer = None,
    ) -> Buffer:
        _, plan = plan_windows(shape[2:], kernel, stride, padding, dilation)
        y = self.empty(shape, columns.dtype) if out is None else out
        if y.size:
            planes = shape[0] * shape[1]
            self.c.fold[columns.dtype](y.data, columns.data, planes, len(shape) - 2, plan)
        return y
