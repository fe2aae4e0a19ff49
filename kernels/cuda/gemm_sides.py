"""How an operand's tile comes into shared memory: line k holds number k of the depth.

along    the operand's lines run along the tile: four numbers by one copy
turned   they run along the depth: 8 numbers of 4 lines by a warp, each copied to its place
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from .spec import device, int32, uint32
from .vector import copy1, copy1_if, copy4, copy4_if


class Tile(NamedTuple):
    """Sizes of a block's tile, the block's threads, and numbers between lines that nobody reads."""

    rows: int
    cols: int
    depth: int
    threads: int
    pad: int = 4

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of shared memory for a tile of either operand."""
        return self.depth * (self.rows + self.pad), self.depth * (self.cols + self.pad)


class Side(NamedTuple):
    """How one operand's tile comes into shared memory; see `along` and `turned`.

    place(size, line, first, thread)                          where the thread begins in x
    fill(s, to, x, at, line, thread, left, limit)             copy a tile whose depth ends at limit
    next(s, to, x, at, line, thread, left)                    copy a whole tile

    size: rows or columns of the operand; line: numbers from line to line; left: size - first.
    """

    place: Any
    fill: Any
    next: Any


def over(a, b):
    """a // b for 0 <= a < 2^31 and b > 0: in 32 bits, a fraction of what a division of 64 takes."""
    return int32(uint32(a) // uint32(b))


def inlined(f: Callable[..., Any]) -> Any:
    return device(f)


@cache
def along(width: int, tile: Tile, wide: bool) -> Side:
    """An operand whose lines run along the tile: line k holds number k of the depth."""
    each = 4 if wide else 1
    per, long, depth = width // each, width + tile.pad, tile.depth
    step = tile.threads // per
    copy, copy_if = (copy4, copy4_if) if wide else (copy1, copy1_if)

    def place(size, line, first, thread):
        return thread // per * line + min(first + thread % per * each, size - each)

    def fill(s, to, x, at, line, thread, left, limit):
        k, to = thread // per, to + thread // per * long + thread % per * each
        for i in range(0, depth, step):
            copy_if(s, to + i * long, x, at, i * line, k + i < limit)

    def next_(s, to, x, at, line, thread, left):
        to = to + thread // per * long + thread % per * each
        for i in range(0, depth, step):
            copy(s, to + i * long, x, at, i * line)

    return Side(*map(inlined, (place, fill, next_)))


@cache
def turned(width: int, tile: Tile) -> Side:
    """An operand whose lines run along the depth: 8 numbers of 4 lines by a warp, turned."""
    long, depth, rows = width + tile.pad, tile.depth, tile.threads // 8

    def place(size, line, first, thread):
        return (first + thread // 8) * line + thread % 8

    def fill(s, to, x, at, line, thread, left, limit):
        row, k = thread // 8, thread % 8
        to = to + k * long + row
        for i in range(0, width, rows):
            for j in range(0, depth, 8):
                valid = row + i < left and k + j < limit
                copy1_if(s, to + j * long + i, x, at, i * line + j, valid)

    def next_(s, to, x, at, line, thread, left):
        row = thread // 8
        to = to + thread % 8 * long + row
        for i in range(0, width, rows):
            for j in range(0, depth, 8):
                copy1_if(s, to + j * long + i, x, at, i * line + j, row + i < left)

    return Side(*map(inlined, (place, fill, next_)))
