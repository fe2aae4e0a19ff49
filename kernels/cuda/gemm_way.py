"""What a block's threads do with two tiles in shared memory, and how the results reach memory.

A `Way` says which numbers of the tile a thread owns, multiplies, and knows where each of them lies.
`plain` is 8 x 8 (or fewer) numbers a thread by fused multiply-add; gemm_mma.py has tensor cores.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from .four import store4
from .functions import function
from .gemm_sides import Tile, inlined
from .spec import float32
from .vector import take4


class Way(NamedTuple):
    """Numbers a thread holds, and functions that kernels call.

    places(thread)                   where it begins: in a's tile, in b's, and its row and column
    multiply(sa, sb, p, q, a, b, acc)   add the products of two tiles' whole depth
    row(i), col(j), number(i, j)     where its numbers lie from there, and which of acc they are
    """

    label: str
    tile: Tile
    rows: int
    cols: int
    room_a: int
    room_b: int
    blocks: int  # that should fit on a multiprocessor
    places: Any
    multiply: Any
    row: Any
    col: Any
    number: Any


@cache
def plain(rows: int, cols: int, depth: int, own_rows: int, own_cols: int, blocks: int) -> Way:
    """A tile of float32; a warp's threads lie 8 x 4, each with pieces of 4 x 4."""
    down, across = rows // (8 * own_rows), cols // (4 * own_cols)
    tile = Tile(rows, cols, depth, 32 * down * across)
    long_a, long_b = rows + tile.pad, cols + tile.pad

    def places(thread):
        lane, warp = thread & 31, thread >> 5
        row = warp % down * (8 * own_rows) + ((lane >> 1) & 7) * 4
        col = warp // down * (4 * own_cols) + ((lane & 1) | ((lane >> 3) & 2)) * 4
        return row, col, row, col

    def once(sa, sb, p, q, a, b, acc):
        for i in range(0, own_rows, 4):
            a[i], a[i + 1], a[i + 2], a[i + 3] = take4(sa, p + i * 8)
        for j in range(0, own_cols, 4):
            b[j], b[j + 1], b[j + 2], b[j + 3] = take4(sb, q + j * 4)
        for i in range(own_rows):
            for j in range(own_cols):
                acc[i * own_cols + j] += a[i] * b[j]

    def row(i):
        return i // 4 * 32 + i % 4

    def col(j):
        return j // 4 * 16 + j % 4

    def number(i, j):
        return i * own_cols + j

    multiply = repeated(inlined(once), 1, depth, long_a, long_b)
    at = map(inlined, (row, col, number))
    label = f"{rows}x{cols}"
    own = own_rows, own_cols
    return Way(label, tile, *own, *own, blocks, inlined(places), multiply, *at)


def repeated(f: Any, done: int, times: int, step_a: int, step_b: int) -> Any:
    """f for `times` steps, one after another in the code: loops this long stay loops otherwise."""
    if done == times:
        return f
    on_a, on_b = done * step_a, done * step_b

    def twice(sa, sb, p, q, a, b, acc):
        f(sa, sb, p, q, a, b, acc)
        f(sa, sb, p + on_a, q + on_b, a, b, acc)

    return repeated(inlined(twice), 2 * done, times, step_a, step_b)


@cache
def finish(bias: str, activation: str) -> Any:
    """f(value, bias, row, column) = activation(value + bias), the bias by row or by column."""
    by_row, has_bias, active = bias == "row", bias != "none", activation != "none"
    act = function(activation, "float32") if active else float32

    def finished(value, b, row, col):
        if has_bias:
            value = value + b[row if by_row else col]
        if active:
            value = float32(act(value))
        return value

    return inlined(finished)


@cache
def store(way: Way, wide: bool, bias: str, activation: str) -> Any:
    """f(y, at, line, b, row, col, m, n, acc): the thread's numbers, finished, to y."""
    rows, cols, each = way.rows, way.cols, 4 if wide else 1
    row_at, col_at, number = way.row, way.col, way.number
    end = finish(bias, activation)

    def stored(y, at, line, b, row, col, m, n, acc):
        for i in range(rows):
            r = row + row_at(i)
            if r < m:
                for j in range(0, cols, each):
                    c, k = col + col_at(j), number(i, j)
                    if c < n:
                        if wide:
                            store4(
                                y,
                                at + r * line + c,
                                end(acc[k], b, r, c),
                                end(acc[k + 1], b, r, c + 1),
                                end(acc[k + 2], b, r, c + 2),
                                end(acc[k + 3], b, r, c + 3),
                            )
                        else:
                            y[at + r * line + c] = end(acc[k], b, r, c)

    return inlined(stored)


# float32 by fused multiply-add: 8 x 8, 8 x 4 and 4 x 4 numbers a thread.
LARGE, MIDDLE, SMALL = (
    plain(128, 128, 16, 8, 8, 2),
    plain(64, 64, 16, 8, 4, 4),
    plain(32, 32, 32, 4, 4, 8),
)
WAYS = {"large": LARGE, "middle": MIDDLE, "small": SMALL}
# The least that a warp can share: what the simulator takes for small products, to be done sooner.
TINY = plain(32, 16, 8, 4, 4, 8)
