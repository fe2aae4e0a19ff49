"""Rows read and added to at given places.

    for i in range(len(indices)):           gather              for i in ...:       scatter_add
        out[i, :] = x[indices[i], :]                                out[indices[i], :] += x[i, :]

A negative index counts from the end. `first_bad` looks at all of them before anything is read.

Reading is parallel over the rows of out. Adding cannot be: two rows may go to one place, and their
order would be that of the threads. So threads share the columns, and each goes through all rows in
order; narrow rows are left to one thread.
"""

from __future__ import annotations

from numba import prange, types

from .toolchain import device, kernel, parallel

GRAIN = 1 << 14  # elements of one piece of parallel work
COLUMNS = 64  # columns of one thread's share: whole lines of the cache


@kernel
def first_bad(indices, low, high):
    """The place of the first index outside low <= index < high, or -1."""
    bad = False
    for i in range(indices.size):  # without a jump, hence by vectors
        bad |= (indices[i] < low) | (indices[i] >= high)
    if bad:
        for i in range(indices.size):
            if indices[i] < low or indices[i] >= high:
                return i
    return -1


@device
def _copy_rows(out, x, indices, rows, length, first, last):
    for i in range(first, last):
        at = indices[i]
        of = (at + rows if at < 0 else at) * length
        to = i * length
        for j in range(length):
            out[to + j] = x[of + j]


@parallel
def _gather(out, x, indices, rows, length, each):
    for chunk in prange((indices.size + each - 1) // each):
        first = types.int64(chunk) * each
        _copy_rows(out, x, indices, rows, length, first, min(indices.size, first + each))


@kernel
def gather(out, x, indices, rows, length, few):
    """out[i, :] = x[indices[i], :], rows of `length` elements."""
    if out.size > few:
        _gather(out, x, indices, rows, length, max(1, GRAIN // length))
    else:
        _copy_rows(out, x, indices, rows, length, 0, indices.size)


@device
def _add_rows(out, x, indices, rows, length, begin, end):
    for i in range(indices.size):
        at = indices[i]
        to = (at + rows if at < 0 else at) * length
        of = i * length
        for j in range(begin, end):
            out[to + j] += x[of + j]


@parallel
def _scatter_add(out, x, indices, rows, length):
    for chunk in prange((length + COLUMNS - 1) // COLUMNS):
        begin = types.int64(chunk) * COLUMNS
        _add_rows(out, x, indices, rows, length, begin, min(length, begin + COLUMNS))


@kernel
def scatter_add(out, x, indices, rows, length, few):
    """out[indices[i], :] += x[i, :], in the order of i."""
    if x.size > few and length >= 2 * COLUMNS:
        _scatter_add(out, x, indices, rows, length)
    else:
        _add_rows(out, x, indices, rows, length, 0, length)
