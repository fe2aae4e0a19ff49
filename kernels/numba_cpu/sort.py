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

from __future__ import annotations

import numpy as np
from numba import prange, types

from .toolchain import device, parallel

FEW = 48
BINS = 256


@device
def _key(bits, half, infinity, descending):
    """An unsigned integer in the order of the elements.

    half is the number of negative integers of the type; infinity its bits, 0 if x are integers.
    """
    i = types.int64(bits)
    if infinity > 0:
        magnitude = i & (half - 1)
        if magnitude > infinity:
            i = half - 1
        elif i < 0:
            i = -magnitude
    return types.uint64((~i if descending else i) + half)


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


@parallel
def argsort(out, bits, length, inner, infinity, descending):
    """Each line of out = the sorting order of the line of x, elements `inner` apart."""
    for line in prange(out.size // length):
        begin = types.int64(line) // inner * length * inner + types.int64(line) % inner
        half = types.int64(1) << types.int64(8 * bits.itemsize - 1)
        keys = np.empty(length, np.uint64)
        order = np.empty(length, np.int64)
        for i in range(length):
            keys[i] = _key(bits[begin + i * inner], half, infinity, descending)
        if length <= FEW:
            _insert(order, keys, length)
        else:
            _radix(order, np.empty(length, np.int64), keys, np.empty(BINS, np.int64), length)
        for i in range(length):
            out[begin + i * inner] = order[i]


@device
def _extreme_key(bits, half, infinity, smallest):
    """The key by which the sought element is the largest; nan is always that."""
    if infinity > 0 and (types.int64(bits) & (half - 1)) > infinity:
        return ~types.uint64(0)
    return _key(bits, half, infinity, smallest)


@parallel
def arg_extreme(out, bits, length, inner, infinity, smallest):
    """out[line] = where the largest (smallest) element stands first; nan is both."""
    for line in prange(out.size):
        half = types.int64(1) << types.int64(8 * bits.itemsize - 1)
        begin = types.int64(line) // inner * length * inner + types.int64(line) % inner
        best, at = _extreme_key(bits[begin], half, infinity, smallest), 0
        for i in range(1, length):
            k = _extreme_key(bits[begin + i * inner], half, infinity, smallest)
            if k > best:
                best, at = k, i
        out[line] = at
