"""Reading and adding rows at indices on CUDA, and orders: what reads through indices."""

from __future__ import annotations

from typing import Any

from ..kernels.cuda import index, sort, toolchain
from ..kernels.cuda.divide import divisor
from .cuda_layout import fill
from .cuda_plans import GRID, cut, index_type
from .cuda_runtime import empty, launch, recorder
from .defaults.layout import LayoutDefaults
from .tier1 import Buffer, Tier1

NOWHERE = 1 << 62
NO_SKIP = -(1 << 63)


def raise_if_bad(backend: Tier1, word: Any, indices: Any, low: int, high: int) -> None:
    """Raise IndexError for the index at the place that kernels left in `word`, if they did."""
    place = backend.to_host(word)[0]
    if place != NOWHERE:
        found = backend.to_host(indices)[place]
        raise IndexError(f"index {found} is out of range {low} ... {high - 1}")


def check(backend: Tier1, indices: Any, low: int, high: int, skip: int = NO_SKIP) -> None:
    """Raise IndexError unless low <= each index < high or it is `skip`.

    While work is being recorded, whoever replays it asks afterwards.
    """
    if not indices.size:
        return
    word = fill(empty((1,), "int64"), NOWHERE)
    blocks, block = cut(indices.size)
    launch(index.check(), blocks, word, indices, indices.size, low, high, skip, block=block)
    recorded = recorder()
    if recorded is None:
        raise_if_bad(backend, word, indices, low, high)
    else:
        recorded.check(word, indices, low, high, None if skip == NO_SKIP else skip)


def argsort(x: Any, outer: int, length: int, inner: int, descending: bool, out: Any) -> Any:
    """The order of the lines of x (outer, length, inner), in `out`: tiles, then merges."""
    n = outer * length * inner
    run = toolchain.threads(length, sort.TILE)
    tiles, passes = -(-length // run), max(0, (-(-length // run) - 1).bit_length())
    spare = empty(out.shape, "int64") if passes else out
    here, there = (out, spare) if passes % 2 == 0 else (spare, out)
    kernel = sort.tile(x.dtype, descending)
    for begin in range(0, outer * inner * tiles, GRID):
        blocks = min(GRID, outer * inner * tiles - begin)
        launch(kernel, blocks, here, x, length, inner, tiles, begin, block=run)
    for _ in range(passes):
        blocks, block = cut(n)
        kernel = sort.merge(x.dtype, descending)
        launch(kernel, blocks, there, here, x, n, length, inner, run, block=block)
        here, there, run = there, here, 2 * run
    return out


class CudaIndex(LayoutDefaults):
    def check_range(self, indices: Buffer, low: float, high: float) -> None:
        if indices.dtype == "int64":
            check(self, indices, int(low), int(high))
        else:
            super().check_range(indices, low, high)

    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        rows, length = x.shape
        check(self, indices, -rows, rows)
        y = empty((*indices.shape, length), x.dtype) if out is None else out
        if y.size:
            wide, kind = length % 4 == 0, index_type(y.size)
            blocks, block = cut(y.size // 4 if wide else y.size)
            given = y, x, indices, y.size, rows, length, *divisor(length, kind)
            launch(index.gather(x.dtype, wide, kind), blocks, *given, block=block)
        return y

    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        check(self, indices, -rows, rows)
        count, length = indices.size, x.shape[1]
        y = empty((rows, length), x.dtype) if out is None else out
        if not count or not y.size:
            return fill(y, 0)
        order = argsort(indices, 1, count, 1, False, empty((count,), "int64"))
        begin, end = (fill(empty((2 * rows,), "int64"), 0) for _ in range(2))
        blocks, block = cut(count)
        launch(index.segments(), blocks, begin, end, indices, order, count, rows, block=block)
        kind = index_type(y.size)
        blocks, block = cut(y.size)
        given = y, x, order, begin, end, y.size, rows, length, *divisor(length, kind)
        launch(index.scatter_add(x.dtype, kind), blocks, *given, block=block)
        return y
