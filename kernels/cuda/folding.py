"""Folding the numbers of a warp, or of a block, into one; what sum, max, any, ... fold with.

    fold of a warp, 5 steps:        lane i takes in lane i + 16's number, then i + 8's, 4, 2, 1
    fold of a block:                each warp folds; its first lane leaves the result in shared
                                    memory; the first warp folds those; all read the result

A shuffle moves a number between the registers of a warp's lanes, with no memory and no barrier; the
tree through shared memory that it replaces took a barrier for each of 8 steps. The order of a fold
is fixed, so a result is the same in every run.
"""

from __future__ import annotations

from functools import cache
from math import inf
from typing import Any

from .spec import TYPES, cuda, float32, float64, int32, int64

LANES = 32
ALL = 0xFFFFFFFF


def add(a, b):
    """a + b."""
    return a + b


def multiply(a, b):
    """a b."""
    return a * b


def larger(a, b):
    """The larger one; nan if either is nan."""
    return a if a >= b or a != a else b


def smaller(a, b):
    """The smaller one; nan if either is nan."""
    return a if a <= b or a != a else b


def either(a, b):
    """Whether one is not 0."""
    return a | b


def both(a, b):
    """Whether none is 0."""
    return a & b


def truth(x):
    """1 or 0."""
    return int32(1) if x != 0 else int32(0)


OPERATIONS = {"sum": (add, 0), "prod": (multiply, 1), "max": (larger, -inf), "min": (smaller, inf)}
WHOLE = {"max": -(2**63), "min": 2**63 - 1}
ON_BOOLS = {"sum": "any", "max": "any", "prod": "all", "min": "all"}


def operation(name: str, dtype: str) -> tuple[Any, Any, Any, Any]:
    """(combine, start, the accumulator's type, what makes one of an element).

    Integers are folded as int64, truth as int32.
    """
    if dtype == "bool":
        name = ON_BOOLS.get(name, name)
    if name in ("any", "all"):
        return (either, 0, int32, truth) if name == "any" else (both, 1, int32, truth)
    combine, start = OPERATIONS[name]
    if dtype in ("float32", "float64"):
        kind = float32 if dtype == "float32" else float64
        return combine, float(start), kind, kind
    return combine, WHOLE.get(name, start), int64, int64


@cache
def warp_folder(combine: Any, lanes: int = LANES) -> Any:
    """fold(y): the fold of the numbers of `lanes` neighbouring lanes, in the first of them."""

    def fold(y):
        delta = lanes // 2
        while delta > 0:
            y = combine(y, cuda.shfl_down_sync(ALL, y, delta))
            delta = delta // 2
        return y

    return fold


@cache
def lanes_folder(combine: Any) -> Any:
    """fold(y): the fold of the numbers of a warp, in each of its lanes."""

    def fold(y):
        lanes = LANES // 2
        while lanes > 0:
            y = combine(y, cuda.shfl_xor_sync(ALL, y, lanes))
            lanes = lanes // 2
        return y

    return fold


@cache
def block_folder(combine: Any, start: Any, kind: str) -> Any:
    """fold(y): the fold of all threads' numbers of a block (x only), in each of them."""
    T, warp_fold = TYPES[kind], warp_folder(combine)

    def fold(y):
        parts = cuda.shared.array(LANES, T)
        lane, warp = cuda.threadIdx.x % LANES, cuda.threadIdx.x // LANES
        y = warp_fold(y)
        cuda.syncthreads()  # the fold before this one has been read by all
        if lane == 0:
            parts[warp] = y
        cuda.syncthreads()
        if warp == 0:
            y = parts[lane] if lane * LANES < cuda.blockDim.x else T(start)
            y = warp_fold(y)
            cuda.syncwarp()
            if lane == 0:
                parts[0] = y
        cuda.syncthreads()
        return parts[0]

    return fold
