"""Copies between two ways of walking through memory: permute, expand, slice, flip, diagonal.

    for i in range(shape[0]):
        for j in range(shape[1]):
            ...
                dst[to + i*dst_strides[0] + j*dst_strides[1] + ...] = \\
                src[of + i*src_strides[0] + j*src_strides[1] + ...]

A plan says it all: rows of sizes, strides in dst and strides in src, axes merged where both walk
straight on (backends/numba_plans.py). Two ways to go:

`copy_runs` walks along the last axis of the plan, which has stride 1 in dst. What has stride 1 in
src too is copied by vectors.

`copy_tiles` is for transposes, where stride 1 in dst and stride 1 in src are on different axes, and
whichever is walked along, the other array is touched in strides: each element fetches a line of 64
bytes, which is gone before its next element is wanted. A tile of 32 x 32 keeps its 32 lines of
both in the first cache until all of each is used.

4096 x 4096 floats, 2 threads (ms)      torch 42     `copy_runs` 102     `copy_tiles` 13
"""

from __future__ import annotations

from numba import prange, types

from .toolchain import device, kernel, parallel, wide

PIECE = 1 << 14  # elements of one piece of parallel work
TILE = 32


@device
def _places(plan, axes, number):
    """Where walk number `number` over the first `axes` axes begins in dst and in src."""
    to = of = types.int64(0)
    for axis in range(axes - 1, -1, -1):
        index = number % plan[0, axis]
        number //= plan[0, axis]
        to += index * plan[1, axis]
        of += index * plan[2, axis]
    return to, of


@device
def _run(dst, src, to, of, n, to_step, of_step):
    """n elements; the three loops are one loop whose steps LLVM knows."""
    if to_step == 1 and of_step == 1:
        for t in range(n):
            dst[to + t] = src[of + t]
    elif to_step == 1 and of_step == 0:
        value = src[of]
        for t in range(n):
            dst[to + t] = value
    else:
        for t in range(n):
            dst[to + t * to_step] = src[of + t * of_step]


@device
def _piece(dst, src, to, of, plan, pieces, piece):
    last = plan.shape[1] - 1
    begin = (piece % pieces) * PIECE
    i, j = _places(plan, last, piece // pieces)
    i += to + begin * plan[1, last]
    j += of + begin * plan[2, last]
    _run(dst, src, i, j, min(PIECE, plan[0, last] - begin), plan[1, last], plan[2, last])


@parallel
def _pieces(dst, src, to, of, plan, pieces, count, each):
    for chunk in prange((count + each - 1) // each):
        wide()
        first = types.int64(chunk) * each
        for piece in range(first, min(count, first + each)):
            _piece(dst, src, to, of, plan, pieces, piece)


@kernel
def copy_runs(dst, src, to, of, plan, size, few):
    """Walk along the plan's last axis; `size` elements in all."""
    n = plan[0, plan.shape[1] - 1]
    pieces = (n + PIECE - 1) // PIECE
    count = size // n * pieces
    if size > few:
        _pieces(dst, src, to, of, plan, pieces, count, max(1, PIECE // n))
    else:
        for piece in range(count):
            _piece(dst, src, to, of, plan, pieces, piece)


# transposes ---------------------------------------------------------------------------------------
@device
def _tile(dst, src, to, of, rows, columns, to_step, of_step):
    """dst[i, j] = src[j, i]: j has stride 1 in dst, i in src."""
    for i in range(rows):
        for j in range(columns):
            dst[to + i * to_step + j] = src[of + j * of_step + i]


@device
def _tile_piece(dst, src, to, of, plan, down, across, piece):
    """Tile number `piece`; the plan's last axis is j, the one before it i."""
    last = plan.shape[1] - 1
    j, rest = (piece % across) * TILE, piece // across
    i, rest = (rest % down) * TILE, rest // down
    start, origin = _places(plan, last - 1, rest)
    to_step, of_step = plan[1, last - 1], plan[2, last]
    rows, columns = min(TILE, plan[0, last - 1] - i), min(TILE, plan[0, last] - j)
    start, origin = to + start + i * to_step + j, of + origin + j * of_step + i
    if rows == TILE and columns == TILE:  # sizes that LLVM knows
        _tile(dst, src, start, origin, TILE, TILE, to_step, of_step)
    else:
        _tile(dst, src, start, origin, rows, columns, to_step, of_step)


@parallel
def _tiles(dst, src, to, of, plan, down, across, count, each):
    for chunk in prange((count + each - 1) // each):
        first = types.int64(chunk) * each
        for piece in range(first, min(count, first + each)):
            _tile_piece(dst, src, to, of, plan, down, across, piece)


@kernel
def copy_tiles(dst, src, to, of, plan, size, few):
    """Walk by tiles of the plan's last two axes: stride 1 in dst on the last, in src before it."""
    last = plan.shape[1] - 1
    down, across = (plan[0, last - 1] + TILE - 1) // TILE, (plan[0, last] + TILE - 1) // TILE
    count = size // (plan[0, last - 1] * plan[0, last]) * down * across
    if size > few:
        _tiles(dst, src, to, of, plan, down, across, count, max(1, PIECE // TILE**2))
    else:
        for piece in range(count):
            _tile_piece(dst, src, to, of, plan, down, across, piece)
