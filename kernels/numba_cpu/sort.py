"""The stable order that sorts each line, and the places of its extremes.

    for each byte of the keys, the lowest first:        keys are integers, ordered as x is
        count how often each value of the byte occurs
        the count of all smaller values is where the first element with this value goes
        for each element, in the present order: it goes to the next place of its value

Sorting by one byte keeps the order of elements that are equal in it, so after the last byte all is
sorted by all bytes, and stable: radix sort, n steps for each byte, and no comparison at all. A byte
that all elements share is skipped. Lines of up to FEW elements are sorted by insertion, which has
no counters to clear.

Floats come as their bits (`_key` makes them integers in order; nan is the largest). A descending
order is the ascending one of the inverted keys, which leaves equal elements in place.
"""
# ruff: noqa: F821 - HALF and INFINITY are filled in when the patterns are compiled

from __future__ import annotations

import numpy as np
from numba import types

from .launch import put, take, task
from .toolchain import device

FEW = 48
BINS = 256
# Of each dtype: the integers to read it as, how many of them are negative, the bits of infinity.
READ_AS = {
    "float32": ("int32", 1 << 31, 0x7F800000),
    "float64": ("int64", 1 << 63, 0x7FF0000000000000),
    "int32": ("int32", 1 << 31, 0),
    "int64": ("int64", 1 << 63, 0),
    "bool": ("int8", 1 << 7, 0),
}


@device
def _key(bits, half, infinity, descending):
    """An unsigned integer in the order of the elements; half and infinity are READ_AS's."""
    i = types.int64(bits)
    if infinity > 0:
        magnitude = i & types.int64(half - types.uint64(1))
        if magnitude > infinity:
            i = types.int64(half - types.uint64(1))
        elif i < 0:
            i = -magnitude
    return types.uint64(~i if descending else i) + half


@device
def _insert(order, keys, n):
    """Sort few elements: each moves down past larger ones."""
    for i in range(n):
        k, j = keys[i], i
        while j > 0 and keys[order[j - 1]] > k:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i


@device
def _radix(order, spare, keys, counts, n):
    """Sort by bytes; the result is in `order`."""
    for i in range(n):
        order[i] = i
    for byte in range(8):
        shift = types.uint64(8 * byte)
        counts[:] = 0
        for i in range(n):
            counts[(keys[i] >> shift) & types.uint64(BINS - 1)] += 1
        if counts[(keys[0] >> shift) & types.uint64(BINS - 1)] == n:
            continue
        total = 0
        for value in range(BINS):
            many = counts[value]
            counts[value] = total
            total += many
        for i in range(n):
            value = (keys[order[i]] >> shift) & types.uint64(BINS - 1)
            spare[counts[value]] = order[i]
            counts[value] += 1
        for i in range(n):
            order[i] = spare[i]


def argsort_task(out, x, length, inner, descending, first, last):
    """Lines of out = the sorting orders of the lines of x, elements `inner` apart."""
    keys, order = np.empty(length, np.uint64), np.empty(length, np.int64)
    spare, counts = np.empty(length, np.int64), np.empty(BINS, np.int64)
    for line in range(first, last):
        begin = line // inner * length * inner + line % inner
        for i in range(length):
            keys[i] = _key(take(x, begin + i * inner), HALF, INFINITY, descending != 0)
        if length <= FEW:
            _insert(order, keys, length)
        else:
            _radix(order, spare, keys, counts, length)
        for i in range(length):
            put(out, begin + i * inner, order[i])


def extreme_task(out, x, length, inner, smallest, first, last):
    """out[line] = where the largest (smallest) element stands first; nan is both."""
    nan = types.int64(HALF - types.uint64(1))
    for line in range(first, last):
        begin = line // inner * length * inner + line % inner
        best, at = types.uint64(0), 0
        for i in range(length):
            x_bits = take(x, begin + i * inner)
            k = _key(x_bits, HALF, INFINITY, smallest != 0)
            if INFINITY > 0 and (x_bits & nan) > INFINITY:
                k = ~types.uint64(0)
            if k > best or i == 0:
                best, at = k, i
        put(out, line, at)


def argsort(dtype: str) -> int:
    """Compile or load `argsort_task` for a dtype."""
    integer, half, infinity = READ_AS[dtype]
    names = {"HALF": np.uint64(half), "INFINITY": infinity}
    return task(argsort_task, dtype, "int64", integer, **names)


def arg_extreme(dtype: str) -> int:
    """Compile or load `extreme_task` for a dtype."""
    integer, half, infinity = READ_AS[dtype]
    names = {"HALF": np.uint64(half), "INFINITY": infinity}
    return task(extreme_task, dtype, "int64", integer, **names)
