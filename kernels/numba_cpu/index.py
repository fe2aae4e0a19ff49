"""Rows read and added to at given places.

    for i in range(len(indices)):           gather              for i in ...:       scatter_add
        out[i, :] = x[indices[i], :]                                out[indices[i], :] += x[i, :]

A negative index counts from the end. `first_bad` looks at all of them before anything is read.

Reading is parallel over the rows of out. Adding cannot be: two rows may go to one place, and their
order would be that of the threads. So threads share the columns, and each goes through all rows in
order; narrow rows are left to one thread.
"""

from __future__ import annotations

from .launch import put, take, take_back, task
from .toolchain import kernel

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


def gather_task(out, x, indices, rows, length, first, last):
    """out[i, :] = x[indices[i], :], rows of `length` elements."""
    for i in range(first, last):
        at = take(indices, i)
        of = (at + rows if at < 0 else at) * length
        to = i * length
        for j in range(length):
            put(out, to + j, take(x, of + j))


def scatter_task(out, x, indices, sizes, _, first, last):
    """Columns first ... last - 1 of out[indices[i], :] += x[i, :]; sizes: count, rows, length."""
    count, rows, length = take(sizes, 0), take(sizes, 1), take(sizes, 2)
    for i in range(count):
        at = take(indices, i)
        to = (at + rows if at < 0 else at) * length
        for j in range(first, last):
            put(out, to + j, take_back(out, to + j) + take(x, i * length + j))


def gather(dtype: str) -> int:
    """Compile or load `gather_task` for a dtype."""
    return task(gather_task, dtype, dtype, dtype, "int64")


def scatter_add(dtype: str) -> int:
    """Compile or load `scatter_task` for a dtype."""
    return task(scatter_task, dtype, dtype, dtype, "int64", "int64")
