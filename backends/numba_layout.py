"""Copies, indexing and sliding windows on Numba."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..kernels.numba_cpu import index, layout, unfold
from .defaults.layout import row_major
from .numba_elementwise import movable
from .numba_memory import empty
from .numba_plans import copy_plan
from .tier1 import Buffer, Pairs, Shape, window_count


@lru_cache(256)
def line_table(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, counts: Shape
) -> Any:
    """Where each line of a plane begins, (kernel elements, positions) of all axes but the last."""
    strides = row_major(size)
    axes = list(zip(size, stride, padding, dilation, strides))[:-1]
    table = []
    for k in product(*map(range, kernel[:-1])):
        for p in product(*map(range, counts[:-1])):
            at = [i * s - pad[0] + j * d for i, j, (_, s, pad, d, _) in zip(p, k, axes)]
            inside = all(0 <= i < axis[0] for i, axis in zip(at, axes))
            table.append(sum(i * axis[4] for i, axis in zip(at, axes)) if inside else -1)
    return np.array(table, np.int64)


def windows(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> tuple[Shape, tuple[Any, ...]]:
    """The number of windows by axis, and what kernels/numba_cpu/unfold.py wants to know."""
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    table = line_table(size, kernel, stride, padding, dilation, counts)
    axis = size[-1], stride[-1], padding[-1][0], dilation[-1], counts[-1]
    return counts, (table, prod(counts[:-1]), prod(size), kernel[-1], axis)


def check_rows(indices: Any, rows: int) -> None:
    """Raise IndexError unless -rows <= each index < rows."""
    bad = index.first_bad(indices.reshape(-1), -rows, rows)
    if bad >= 0:
        found = indices.reshape(-1)[bad]
        raise IndexError(f"index {found} is out of range {-rows} ... {rows - 1}")


class NumbaLayout:
    few: int

    def strided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, x.dtype) if out is None else out
        plan = copy_plan(tuple(shape), tuple(row_major(shape)), tuple(strides))
        self._copy(y, x, 0, offset, plan, y.size)
        return y

    def put_strided(self, dst: Buffer, src: Buffer, strides: Sequence[int], offset: int) -> None:
        plan = copy_plan(src.shape, tuple(strides), tuple(row_major(src.shape)))
        self._copy(dst, src, offset, 0, plan, src.size)

    def _copy(self, dst: Any, src: Any, to: int, of: int, copy: Any, size: int) -> None:
        if size:
            walk = layout.copy_tiles if copy.tiles else layout.copy_runs
            walk(movable(dst), movable(src), to, of, copy.plan, size, self.few)

    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        rows, length = x.shape
        check_rows(indices, rows)
        y = empty((*indices.shape, length), x.dtype) if out is None else out
        if y.size:
            index.gather(movable(y), movable(x), indices.reshape(-1), rows, length, self.few)
        return y

    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        check_rows(indices, rows)
        length = x.shape[1]
        y = empty((rows, length), x.dtype) if out is None else out
        y.fill(0)
        if x.size:
            arrays = y.reshape(-1), x.reshape(-1), indices.reshape(-1)
            index.scatter_add(*arrays, rows, length, self.few)
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
            unfold.unfold(movable(y), movable(x), *geometry)
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
            unfold.fold(y.reshape(-1), columns.reshape(-1), *geometry)
        return y
