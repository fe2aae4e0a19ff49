"""Copies, indexing and sliding windows on Numba."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..kernels.numba_cpu import index, layout, unfold
from ..kernels.numba_cpu.launch import run
from .defaults.layout import row_major
from .numba_elementwise import compiled, movable
from .numba_memory import empty
from .numba_plans import Walk, copy_plan, transposition
from .tier1 import Buffer, Pairs, Shape, window_count

GRAIN = 1 << 14  # elements of one piece of parallel work


@lru_cache(256)
def windows(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> tuple[Shape, tuple[Any, Any]]:
    """The number of windows by axis, and what kernels/numba_cpu/unfold.py calls rows and sizes."""
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    axes = list(zip(size, stride, padding, dilation, row_major(size)))
    table = []
    for k in product(*map(range, kernel[:-1])):
        for p in product(*map(range, counts[:-1])):
            at = [i * s - pad[0] + j * d for i, j, (_, s, pad, d, _) in zip(p, k, axes)]
            inside = all(0 <= i < axis[0] for i, axis in zip(at, axes))
            table.append(sum(i * axis[4] for i, axis in zip(at, axes)) if inside else -1)
    last = kernel[-1], size[-1], stride[-1], padding[-1][0], dilation[-1], counts[-1]
    sizes = len(table), prod(counts[:-1]), prod(size), *last
    return counts, (np.array(table, np.int64), np.array(sizes, np.int64))


def check_rows(indices: Any, rows: int) -> None:
    """Raise IndexError unless -rows <= each index < rows."""
    bad = index.first_bad(indices.ravel(), -rows, rows)
    if bad >= 0:
        found = indices.ravel()[bad]
        raise IndexError(f"index {found} is out of range {-rows} ... {rows - 1}")


class NumbaLayout:
    few: int

    def strided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, x.dtype) if out is None else out
        self._copy(y, x, 0, offset, copy_plan(tuple(shape), None, tuple(strides)), y.size)
        return y

    def transpose(self, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        shape, walk = transposition(x.shape, tuple(axes))
        y = empty(shape, x.dtype) if out is None else out
        self._copy(y, x, 0, 0, walk, y.size)
        return y

    def put_strided(self, dst: Buffer, src: Buffer, strides: Sequence[int], offset: int) -> None:
        self._copy(dst, src, offset, 0, copy_plan(src.shape, tuple(strides), None), src.size)

    def _copy(self, dst: Any, src: Any, to: int, of: int, walk: Walk, size: int) -> None:
        if size:
            y = movable(dst)
            task = compiled(layout.tiles if walk.tiles else layout.runs, y)
            threads = size > self.few
            run(task, y, movable(src), walk.plan, to, of, walk.pieces, walk.each, threads)

    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        rows, length = x.shape
        check_rows(indices, rows)
        y = empty((*indices.shape, length), x.dtype) if out is None else out
        if y.size:
            flat = movable(y)
            arrays = flat, movable(x), indices.ravel()
            each, threads = max(1, GRAIN // length), y.size > self.few
            task = compiled(index.gather, flat)
            run(task, *arrays, rows, length, indices.size, each, threads)
        return y

    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        check_rows(indices, rows)
        length = x.shape[1]
        y = empty((rows, length), x.dtype) if out is None else out
        y.fill(0)
        if x.size:
            arrays = y.ravel(), x.ravel(), indices.ravel()
            sizes = np.array([indices.size, rows, length], np.int64)
            threads = x.size > self.few and length >= 2 * index.COLUMNS
            task = compiled(index.scatter_add, x)
            run(task, *arrays, sizes, 0, length, index.COLUMNS, threads)
        return y

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
        counts, geometry = windows(tuple(size), kernel, stride, padding, dilation)
        shape = n, c * prod(kernel), prod(counts)
        y = empty(shape, x.dtype) if out is None else out
        if y.size:
            flat, planes = movable(y), n * c
            task, threads = compiled(unfold.unfold, flat), y.size > self.few
            run(task, flat, movable(x), *geometry, 0, planes, 1, threads)
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
        y = empty(shape, columns.dtype) if out is None else out
        _, geometry = windows(shape[2:], kernel, stride, padding, dilation)
        if y.size:
            task, threads = compiled(unfold.fold, y), columns.size > self.few
            planes = shape[0] * shape[1]
            run(task, y.ravel(), columns.ravel(), *geometry, 0, planes, 1, threads)
        return y
