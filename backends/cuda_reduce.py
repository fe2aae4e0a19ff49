"""Reductions, extremes' places, running sums and orders on CUDA."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from ..kernels.cuda import reduce, scan, sort, toolchain
from ..kernels.cuda.spec import Kernel
from .cuda_index import argsort
from .cuda_layout import fill
from .cuda_plans import GRID, PLANS, cut, cut_lanes
from .cuda_runtime import empty, launch
from .tier1 import Buffer, Shape, Tier1

EMPTY = {"sum": 0, "any": 0, "prod": 1, "all": 1}  # over no elements
SEGMENT = 1 << 13  # elements of a row that a block folds
ROWS = 64  # of a column, at least, that a block folds
BLOCKS = 1 << 10  # that keep every multiprocessor busy
SHORT, MIDDLE = 8, 64  # rows up to which a thread, or eight lanes, fold one
SIMULATED = 128  # the same in the simulator, where threads that meet are dear


class Fold(NamedTuple):
    """A launch of a reduction: its kernel, grid and block, what it leaves, and its numbers."""

    kernel: Kernel
    blocks: int
    block: Any
    size: int
    numbers: tuple[int, ...]


def fold_rows(name: str, dtype: str, rows: int, length: int) -> tuple[Fold, int]:
    """How rows are folded, and in how many cuts."""
    if length <= 1024:
        lanes = 8 if length <= MIDDLE else 32
        blocks, block = cut_lanes(rows * lanes)
        return Fold(reduce.rows_lanes(name, dtype, lanes), blocks, block, rows, (rows, length)), 1
    cuts = 1 if rows >= BLOCKS else -(-length // SEGMENT)
    each = length if cuts == 1 else SEGMENT
    kernel = reduce.rows_block(name, dtype, length % 4 == 0)
    block = toolchain.warps(reduce.BLOCK)
    return Fold(kernel, rows * cuts, block, rows * cuts, (length, cuts, each)), cuts


def fold_columns(name: str, dtype: str, outer: int, length: int, inner: int) -> tuple[Fold, int]:
    """How columns are folded, and in how many cuts."""
    across = -(-inner // reduce.WIDTH)
    cuts = min(-(-length // ROWS), max(1, BLOCKS // (outer * across)))
    each = -(-length // cuts)
    cuts = -(-length // each)
    height = max(1, toolchain.warps(reduce.ROOM) // reduce.WIDTH)
    numbers = length, inner, across, cuts, each
    block, blocks = (reduce.WIDTH, height, 1), outer * cuts * across
    return Fold(reduce.columns(name, dtype), blocks, block, outer * cuts * inner, numbers), cuts


def folds(name: str, dtype: str, outer: int, length: int, inner: int) -> list[Fold]:
    """How to fold the middle axis of x (outer, length, inner): cuts, then their results."""
    found = []
    cuts, lines = 2, outer * inner
    short = SIMULATED if toolchain.simulating() else SHORT
    while cuts > 1:
        if length <= short or lines > GRID:
            blocks, block = cut(lines)
            kernel = reduce.lines(name, dtype)
            fold, cuts = Fold(kernel, blocks, block, lines, (lines, length, inner)), 1
        elif inner == 1:
            fold, cuts = fold_rows(name, dtype, outer, length)
        else:
            fold, cuts = fold_columns(name, dtype, outer, length, inner)
        found.append(fold)
        length = cuts
    return found


@lru_cache(PLANS)
def reduction_plan(
    name: str, dtype: str, shape: Shape, axes: Shape, _: bool
) -> tuple[Shape, list[Fold]]:
    """The shape that is left, and one fold after the other, the innermost reduced axes first."""
    groups: list[tuple[int, bool]] = []  # neighbouring axes that are all reduced, or all kept
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        if groups and groups[-1][1] == (axis in axes):
            groups[-1] = (groups[-1][0] * n, groups[-1][1])
        else:
            groups.append((n, axis in axes))
    kept = tuple(n for axis, n in enumerate(shape) if axis not in axes)
    steps: list[Fold] = []
    sizes = [n for n, _ in groups]
    if prod(shape):
        for place in range(len(groups) - 1, -1, -1):
            if groups[place][1]:
                around = prod(sizes[:place]), sizes[place], prod(sizes[place + 1 :])
                steps += folds(name, dtype, *around)
                sizes[place] = 1
        steps = steps or folds(name, dtype, prod(sizes), 1, 1)
    return kept, steps


class CudaReduce(Tier1):
    def reduce(self, name: str, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        simulated = toolchain.simulating()
        kept, steps = reduction_plan(name, x.dtype, x.shape, tuple(axes), simulated)
        y = empty(kept, x.dtype) if out is None else out
        if not x.size:
            return fill(y, EMPTY.get(name, 0))
        source = x
        for step in steps:
            last = step is steps[-1]
            target = y if last else empty((step.size,), x.dtype)
            launch(step.kernel, step.blocks, target, source, *step.numbers, block=step.block)
            source = target
        return y

    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape[:axis] + x.shape[axis + 1 :], "int64") if out is None else out
        length, inner = x.shape[axis], prod(x.shape[axis + 1 :])
        if not y.size:
            return y
        if long_lines(length, y.size):
            block = toolchain.warps(sort.BLOCK)
            launch(sort.arg_block(name, x.dtype), y.size, y, x, length, inner, block=block)
        else:
            blocks, block = cut(y.size)
            kernel = sort.arg_lines(name, x.dtype)
            launch(kernel, blocks, y, x, y.size, length, inner, block=block)
        return y

    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape, x.dtype) if out is None else out
        length, inner = x.shape[axis], prod(x.shape[axis + 1 :])
        if not x.size:
            return y
        lines = x.size // length
        if long_lines(length, lines):
            block = toolchain.warps(scan.BLOCK)
            launch(scan.blocks(name, x.dtype), lines, y, x, length, inner, block=block)
        else:
            blocks, block = cut(lines)
            kernel = scan.lines(name, x.dtype)
            launch(kernel, blocks, y, x, lines, length, inner, block=block)
        return y

    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        y = empty(x.shape, "int64") if out is None else out
        if x.size:
            length, inner = x.shape[axis], prod(x.shape[axis + 1 :])
            argsort(x, x.size // (length * inner), length, inner, descending, y)
        return y


def long_lines(length: int, lines: int) -> bool:
    """Whether a line is worth a block: long, and too few of them for a thread each."""
    least = SIMULATED if toolchain.simulating() else 256
    return length > least and lines < 1 << 14
