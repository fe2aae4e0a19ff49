"""sum, prod, max, min, any and all along one axis, the same to the bit for any number of threads.

    for o in range(outer):                              x is (outer, length, inner)
        for j in range(inner):
            out[o, j] = x[o, 0, j] + x[o, 1, j] + ... + x[o, length - 1, j]

Two walks, because memory is fast in one direction only. Is inner 1, the axis lies in memory, and
`rows_task` folds it with several vectors of partial results at once (a single one would wait four
cycles for each addition). Otherwise `columns_task` adds whole rows of x to a row of partial
results, four at a time, so that those are fetched from the cache and stored a quarter as often.

*The tree.* Long axes are cut into segments of SEGMENT elements (ROWS rows), and the segments'
results are folded like any other axis, until one is left. Where the cuts are depends on the shape
alone, so threads change only who computes a partial result, never which there are. And a sum of
many floats errs less this way: each is rounded about SEGMENT/64 + log times and not `length` times.

4096 x 4096 floats, 2 threads, against torch (their time / ours): see tests and bench.
"""
# ruff: noqa: F821 - names in the patterns are filled in when they are compiled

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np
from numba import prange, types

from .elementwise import FLOATS, TYPES
from .launch import address, call, put, take, take_back
from .ordered import keys
from .toolchain import REASSOCIATE, callback, device, kernel, parallel, wide

SEGMENT = 1 << 14  # elements of a row that are folded at once
ROWS = 128  # rows that are added up at once ...
COLUMNS = 2048  # ... and how many columns of them
GRAIN = 1 << 14  # elements of the least piece of parallel work


# the patterns: first, fold and last stand for what `task` puts in ---------------------------------
def rows_task(out, x, count, length, _):
    """out[r] = the fold of row r: first(x) is what is folded, from START on, and last(y) put."""
    wide()
    for r in range(count):
        y = START
        for i in range(r * length, (r + 1) * length):
            y = fold(y, first(take(x, i)))
        put(out, r, last(y))


def columns_task(out, x, length, inner, width):
    """out[j] = the fold of x[0, j], x[1, j], ..., rows `inner` apart; starts with the first."""
    wide()
    for j in range(width):
        put(out, j, last(first(take(x, j))))
    k = 1
    while k + 4 <= length:
        for j in range(width):
            at = k * inner + j
            two = fold(first(take(x, at)), first(take(x, at + inner)))
            more = fold(first(take(x, at + 2 * inner)), first(take(x, at + 3 * inner)))
            put(out, j, last(fold(first(take_back(out, j)), fold(two, more))))
        k += 4
    while k < length:
        for j in range(width):
            y = fold(first(take_back(out, j)), first(take(x, k * inner + j)))
            put(out, j, last(y))
        k += 1


def task(pattern: Any, name: str, dtype: str, **names: Any) -> int:
    """The address of the pattern's machine code, as in elementwise.py."""
    code = pattern.__code__.replace(co_name=f"{pattern.__name__}_{name}_{dtype}")
    filled = FunctionType(code, {**globals(), **names})
    filled.__qualname__ = code.co_name
    pointer = types.CPointer(TYPES[dtype])
    signature = types.void(pointer, pointer, *(types.int64,) * 3)
    return callback(signature, filled, fastmath=REASSOCIATE)


# what is folded -----------------------------------------------------------------------------------
@device(fastmath=REASSOCIATE)
def add(a, b):
    return a + b


@device(fastmath=REASSOCIATE)
def multiply(a, b):
    return a * b


@device
def larger(a, b):
    return a if a > b else b


@device
def smaller(a, b):
    return a if a < b else b


@device
def either(a, b):
    return a | b


@device
def both(a, b):
    return a & b


@device
def is_true(x):
    return types.int8(x != 0)


@device
def same(x):
    return x


def extreme(name: str, T: Any) -> dict[str, Any]:
    """max and min of floats, by keys."""
    key, value, low, high = keys(T)
    of_nan, start = (high, low) if name == "max" else (low, high)

    @device
    def first(x):
        return key(x, of_nan)

    fold = larger if name == "max" else smaller
    return {"first": first, "fold": fold, "last": value, "START": start}


def meaning(name: str, dtype: str) -> dict[str, Any]:
    """What the patterns call: first, fold, last and START."""
    if dtype == "bool":
        name = {"sum": "any", "max": "any", "prod": "all", "min": "all"}.get(name, name)
    if name in ("any", "all"):
        fold, start = (either, 0) if name == "any" else (both, 1)
        return {"first": is_true, "fold": fold, "last": same, "START": np.int8(start)}
    if name in ("sum", "prod"):
        kind = np.float64 if dtype in FLOATS else np.int64
        fold, start = (add, 0) if name == "sum" else (multiply, 1)
        return {"first": kind, "fold": fold, "last": same, "START": kind(start)}
    if dtype in FLOATS:
        return extreme(name, FLOATS[dtype])
    least = np.iinfo(np.int64).min if name == "max" else np.iinfo(np.int64).max
    fold = larger if name == "max" else smaller
    return {"first": np.int64, "fold": fold, "last": same, "START": np.int64(least)}


def rows(name: str, dtype: str) -> int:
    """Compile or load `rows_task`; its address for `fold_rows`."""
    return task(rows_task, name, dtype, **meaning(name, dtype))


def columns(name: str, dtype: str) -> int:
    """Compile or load `columns_task`; its address for `fold_columns`."""
    return task(columns_task, name, dtype, **meaning(name, dtype))


# threads ------------------------------------------------------------------------------------------
@parallel
def _row_chunks(task, out, x, item, count, length, each):
    for chunk in prange((count + each - 1) // each):
        first = types.int64(chunk) * each
        many = min(each, count - first)
        call(task, out + first * item, x + first * length * item, many, length, 0)


@parallel
def _row_segments(task, out, x, item, count, length, cuts):
    for piece in prange(count * cuts):
        row, cut = types.int64(piece) // cuts, types.int64(piece) % cuts
        begin = cut * SEGMENT
        n = min(SEGMENT, length - begin)
        call(task, out + piece * item, x + (row * length + begin) * item, 1, n, 0)


@kernel
def fold_rows(task, out, x, length, few):
    """out[r] = the fold of row r of x, or of segment s of it for out (rows, segments)."""
    item, cuts = x.itemsize, max(1, (length + SEGMENT - 1) // SEGMENT)
    count = out.size // cuts
    if cuts > 1:
        _row_segments(task, address(out), address(x), item, count, length, cuts)
    elif x.size <= few:
        call(task, address(out), address(x), count, length, 0)
    else:
        each = max(1, GRAIN // max(1, length))
        _row_chunks(task, address(out), address(x), item, count, length, each)


@device
def _piece(task, out, x, item, length, inner, cuts, blocks, piece):
    """One block of columns over one segment of rows."""
    block, rest = piece % blocks, piece // blocks
    cut, o = rest % cuts, rest // cuts
    j, k = block * COLUMNS, cut * ROWS
    many, width = min(ROWS, length - k), min(COLUMNS, inner - j)
    place = x + ((o * length + k) * inner + j) * item
    call(task, out + (rest * inner + j) * item, place, many, inner, width)


@parallel
def _pieces(task, out, x, item, outer, length, inner, cuts, blocks):
    for piece in prange(outer * cuts * blocks):
        _piece(task, out, x, item, length, inner, cuts, blocks, types.int64(piece))


@kernel
def fold_columns(task, out, x, outer, length, inner, few):
    """out (outer, segments, inner) = the folds of segments of ROWS rows of x (outer, ., inner)."""
    cuts, blocks = (length + ROWS - 1) // ROWS, (inner + COLUMNS - 1) // COLUMNS
    places = address(out), address(x), x.itemsize
    if x.size > few:
        _pieces(task, *places, outer, length, inner, cuts, blocks)
    else:
        for piece in range(outer * cuts * blocks):
            _piece(task, *places, length, inner, cuts, blocks, piece)
