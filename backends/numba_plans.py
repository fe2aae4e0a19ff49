"""How arrays of several axes are walked: as few axes as possible, worked out once for each shape.

A plan is a flat int64 array: the number of axes, their sizes, each array's strides in elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..kernels.numba_cpu.layout import PIECE, TILE
from ..kernels.numba_cpu.reduce import COLUMNS, ROWS, SEGMENT
from .defaults.layout import row_major
from .tier1 import Shape

BOTH, NUMBER_LEFT, NUMBER_RIGHT = 0, 1, 2  # kernels/numba_cpu/launch.py's modes
NARROW = 4  # an axis shorter than this is not worth tiles


def merged(shape: Shape, *strides: Sequence[int]) -> list[tuple[int, ...]]:
    """(size, stride in each array) by axis: ones dropped, and axes joined where all walk on."""
    axes: list[tuple[int, ...]] = []
    for n, *steps in zip(shape, *strides):
        if n == 1:
            continue
        if axes and all(outer == n * inner for outer, inner in zip(axes[-1][1:], steps)):
            axes[-1] = (axes[-1][0] * n, *steps)
        else:
            axes.append((n, *steps))
    return axes or [(1, *(1 for _ in strides))]


def as_plan(axes: list[tuple[int, ...]]) -> Any:
    return np.array([len(axes), *(n for line in zip(*axes) for n in line)], np.int64)


def broadcast_shape(*shapes: Shape) -> Shape:
    """The shape that all stretch to."""
    longest = max(map(len, shapes))
    aligned = [(1,) * (longest - len(s)) + tuple(s) for s in shapes]
    return tuple(max(sizes) if 0 not in sizes else 0 for sizes in zip(*aligned))


def stretched(shape: Shape, to: Shape) -> list[int]:
    """The strides by which an array of `shape` is read as one of shape `to`."""
    aligned = (1,) * (len(to) - len(shape)) + tuple(shape)
    return [0 if n == 1 else s for n, s in zip(aligned, row_major(aligned))]


@lru_cache(1024)
def binary_plan(a: Shape, b: Shape) -> tuple[Shape, Any, int]:
    """The shape of a + b, the plan (None for a single run), and the mode of its runs."""
    shape = broadcast_shape(a, b)
    axes = merged(shape, stretched(a, shape), stretched(b, shape))
    _, left, right = axes[-1]
    mode = NUMBER_LEFT if left == 0 else (NUMBER_RIGHT if right == 0 else BOTH)
    return shape, as_plan(axes) if len(axes) > 1 else None, mode


@lru_cache(1024)
def where_plan(*shapes: Shape) -> tuple[Shape, Any, int]:
    """The shape of the result, the plan of condition, a and b, and the length of a run."""
    shape = broadcast_shape(*shapes)
    axes = merged(shape, *(stretched(s, shape) for s in shapes))
    return shape, as_plan(axes), axes[-1][0]


class Walk(NamedTuple):
    """What kernels/numba_cpu/launch.py's `run` wants to know of a copy.

    Whether it goes by tiles; the plan; how many pieces there are, how many a thread takes at once.
    """

    tiles: bool
    plan: Any
    pieces: int
    each: int


@lru_cache(1024)
def copy_plan(shape: Shape, dst: Sequence[int] | None, src: Sequence[int] | None) -> Walk:
    """How to copy best: along an axis that has stride 1 in both, by tiles, or along any.

    dst and src are strides in elements; None for an array that lies in memory as it is read.
    """
    strides = [tuple(row_major(shape)) if s is None else s for s in (dst, src)]
    axes = sorted(merged(shape, *strides), key=lambda axis: -abs(axis[1]))
    to = [axis for axis in axes if axis[1] == 1]
    of = [axis for axis in axes if axis[2] == 1]
    if to and of and to != of and min(to[0][0], of[0][0]) >= NARROW:
        others = [axis for axis in axes if axis not in (to[0], of[0])]
        down, across = (-(-axis[0] // TILE) for axis in (of[0], to[0]))
        count = prod(axis[0] for axis in others) * down * across
        return Walk(True, as_plan([*others, of[0], to[0]]), count, PIECE // TILE**2)
    last = (to or of or [max(axes)])[0]
    axes.remove(last)
    count = prod(axis[0] for axis in axes) * -(-last[0] // PIECE)
    return Walk(False, as_plan([*axes, last]), count, max(1, PIECE // max(1, last[0])))


@lru_cache(1024)
def transposition(shape: Shape, axes: Shape) -> tuple[Shape, Walk]:
    """The shape with its axes in another order, and how to copy."""
    strides = row_major(shape)
    turned = tuple(shape[a] for a in axes)
    return turned, copy_plan(turned, None, tuple(strides[a] for a in axes))


class Fold(NamedTuple):
    """One run of a reduction's task: x (., length, inner) to `size` results, by `count` pieces."""

    by_rows: bool
    length: int
    inner: int  # of rows: the number of segments that each is cut into
    size: int
    pieces: int
    each: int


def folds(outer: int, length: int, inner: int) -> list[Fold]:
    """How to fold the middle axis of x (outer, length, inner): segments, then their results."""
    found = []
    while True:
        if inner == 1:
            cuts = max(1, -(-length // SEGMENT))
            each = max(1, PIECE // max(1, length))
            found.append(Fold(True, length, cuts, outer * cuts, outer * cuts, each))
        else:
            cuts, blocks = max(1, -(-length // ROWS)), -(-inner // COLUMNS)
            each = max(1, PIECE // max(1, min(length, ROWS) * min(inner, COLUMNS)))
            size = outer * cuts * inner
            found.append(Fold(False, length, inner, size, outer * cuts * blocks, each))
        if cuts == 1:
            return found
        length = cuts


@lru_cache(1024)
def reduction_plan(shape: Shape, axes: Shape) -> tuple[Shape, list[Fold]]:
    """The shape that is left, and one fold after the other, the innermost reduced axes first."""
    groups: list[tuple[int, bool]] = []  # neighbouring axes that are all reduced, or all kept
    for axis, n in enumerate(shape):
        if groups and groups[-1][1] == (axis in axes):
            groups[-1] = (groups[-1][0] * n, groups[-1][1])
        else:
            groups.append((n, axis in axes))
    steps: list[Fold] = []
    sizes = [n for n, _ in groups]
    for place in range(len(groups) - 1, -1, -1):
        if groups[place][1]:
            steps += folds(prod(sizes[:place]), sizes[place], prod(sizes[place + 1 :]))
            sizes[place] = 1
    kept = tuple(n for axis, n in enumerate(shape) if axis not in axes)
    return kept, steps or folds(1, 1, prod(sizes))
