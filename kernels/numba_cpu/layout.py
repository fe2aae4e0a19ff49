"""Copies between two ways of walking through memory: permute, expand, slice, flip, diagonal.

    for i in range(shape[0]):
        for j in range(shape[1]):
            ...
                dst[to + i*dst_strides[0] + j*dst_strides[1] + ...] = \\
                src[of + i*src_strides[0] + j*src_strides[1] + ...]

A plan says it all: rows of sizes, strides in dst and strides in src, axes merged where both walk
straight on (backends/numba_plans.py). Two ways to go:

`runs_task` walks along the last axis of the plan, which has stride 1 in dst. What has stride 1 in
src too is copied by vectors.

`tiles_task` is for transposes, where stride 1 in dst and stride 1 in src are on different axes, and
whichever is walked along, the other array is touched in strides: each element fetches a line of 64
bytes, which is gone before its next element is wanted. A tile of 32 x 32 keeps its 32 lines of
both in the first cache until all of each is used.

4096 x 4096 floats, 2 threads (ms)      torch 40     `runs_task` 61     `tiles_task` 15
"""

from __future__ import annotations

from .launch import put, take, task
from .toolchain import device, wide

PIECE = 1 << 14  # elements of a run that are one number of the task's range
TILE = 32


@device
def _places(plan, axes, counted, number):
    """Where walk number `number` over the first `counted` axes begins in dst and in src."""
    to = of = 0
    for axis in range(counted, 0, -1):
        index = number % take(plan, axis)
        number //= take(plan, axis)
        to += index * take(plan, axes + axis)
        of += index * take(plan, 2 * axes + axis)
    return to, of


def runs_task(dst, src, plan, to, of, first, last):
    """Pieces of runs along the plan's last axis, from the places `to` and `of` on."""
    wide()
    axes = take(plan, 0)
    size, to_step, of_step = take(plan, axes), take(plan, 2 * axes), take(plan, 3 * axes)
    pieces = (size + PIECE - 1) // PIECE
    for piece in range(first, last):
        begin = (piece % pieces) * PIECE
        i, j = _places(plan, axes, axes - 1, piece // pieces)
        i, j = i + to + begin * to_step, j + of + begin * of_step
        n = min(PIECE, size - begin)
        if to_step == 1 and of_step == 1:  # one loop in three forms, whose steps LLVM knows
            for t in range(n):
                put(dst, i + t, take(src, j + t))
        elif to_step == 1 and of_step == 0:
            value = take(src, j)
            for t in range(n):
                put(dst, i + t, value)
        else:
            for t in range(n):
                put(dst, i + t * to_step, take(src, j + t * of_step))


@device
def _tile(dst, src, to, of, rows, columns, to_step, of_step):
    """dst[i, j] = src[j, i]: j has stride 1 in dst, i in src."""
    for i in range(rows):
        for j in range(columns):
            put(dst, to + i * to_step + j, take(src, of + j * of_step + i))


def tiles_task(dst, src, plan, to, of, first, last):
    """Tiles of the plan's last two axes: the last has stride 1 in dst, the other in src."""
    axes = take(plan, 0)
    height, width = take(plan, axes - 1), take(plan, axes)
    to_step, of_step = take(plan, 2 * axes - 1), take(plan, 3 * axes)
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    for piece in range(first, last):
        j, rest = (piece % across) * TILE, piece // across
        i, rest = (rest % down) * TILE, rest // down
        start, origin = _places(plan, axes, axes - 2, rest)
        rows, columns = min(TILE, height - i), min(TILE, width - j)
        start, origin = to + start + i * to_step + j, of + origin + j * of_step + i
        if rows == TILE and columns == TILE:  # sizes that LLVM knows
            _tile(dst, src, start, origin, TILE, TILE, to_step, of_step)
        else:
            _tile(dst, src, start, origin, rows, columns, to_step, of_step)


def runs(dtype: str) -> int:
    """Compile or load `runs_task` for a dtype."""
    return task(runs_task, dtype, dtype, dtype, "int64")


def tiles(dtype: str) -> int:
    """Compile or load `tiles_task` for a dtype."""
    return task(tiles_task, dtype, dtype, dtype, "int64")
