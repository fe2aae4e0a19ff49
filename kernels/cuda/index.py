"""Rows read and added to at given places.

    for i in range(len(indices)):           gather              for i in ...:       scatter_add
        out[i, :] = x[indices[i], :]                                out[indices[i], :] += x[i, :]

A negative index counts from the end. `check` looks at all indices first and leaves the place of the
first bad one in a word that the host reads when it next waits; rows at bad indices are neither read
nor written, so a mistake never leaves the buffers.

Reading: a thread for each four numbers of out, neighbours side by side, so rows of 128 bytes or
more are read by whole lines; what is between the rows costs nothing.

Adding cannot be one thread for each number of x with an atomic addition: two rows may go to one
place, their order would be the scheduler's, and every run would round differently. The ladder:
    a thread for each number of out, looks at all indices       rows * len(indices) reads
    indices sorted, stably (sort.py); then `segments` marks where each row's part of the order
    begins, and a thread for each number of out adds its part, in order: x is read once, out written
    once, and the sort is of the indices alone
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .divide import quotient_of
from .fault import note_least
from .folding import operation
from .four import load4, store4
from .indexed import kernel as indexed
from .spec import TYPES, Kernel, cuda

BLOCK = 256


@cache
def check() -> Kernel:
    """fault[0] = min(fault[0], place of an index outside low <= index < high).

    Arguments: fault, indices, n, low, high, skip: an index that may be anything.
    """

    def kernel(fault, indices, n, low, high, skip):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            at = indices[i]
            if (at < low or at >= high) and at != skip:
                note_least(fault, 0, i)

    signature = ("int64*", "int64*", "int64", "int64", "int64", "int64")
    return Kernel("index_check", kernel, signature, (BLOCK, 1, 1))


@cache
def gather(dtype: str, wide: bool, index: str = "int32") -> Kernel:
    """Arguments: out, x, indices, n (numbers of out), rows, length, and length's magic and shift.

    wide: four numbers a thread; length is a multiple of four.
    """
    quotient = quotient_of(index)

    def fours(out, x, indices, n, rows, length, magic, shift):
        i = 4 * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        if i < n:
            k = quotient(i, magic, shift)
            at = indices[k]
            if at < 0:
                at += rows
            if at >= 0 and at < rows:
                a, b, c, d = load4(x, at * length + i - k * length)
                store4(out, i, a, b, c, d)

    def ones(out, x, indices, n, rows, length, magic, shift):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            k = quotient(i, magic, shift)
            at = indices[k]
            if at < 0:
                at += rows
            if at >= 0 and at < rows:
                out[i] = x[at * length + i - k * length]

    kinds = ("*", "*", "int64*", "index", "int64", "int64", "divisor")
    name, function = ("gather4", fours) if wide else ("gather", ones)
    return indexed(name, dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def segments() -> Kernel:
    """begin[r], end[r] = the part of `order` whose indices are r. Arguments: begin, end, indices,
    order, n, rows. begin and end come filled with zeros.
    """

    def kernel(begin, end, indices, order, n, rows):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            at = indices[order[i]]
            row = at + rows if at < 0 else at
            if row >= 0 and row < rows:
                if i == 0 or indices[order[i - 1]] != at:
                    begin[row if at >= 0 else row + rows] = i
                if i == n - 1 or indices[order[i + 1]] != at:
                    end[row if at >= 0 else row + rows] = i + 1

    signature = ("int64*", "int64*", "int64*", "int64*", "int64", "int64")
    return Kernel("scatter_segments", kernel, signature, (BLOCK, 1, 1))


@cache
def scatter_add(dtype: str, index: str = "int32") -> Kernel:
    """out[r, j] = the sum of x[order[i], j] over both of r's segments, in the order of the rows.

    Row r has two parts of the order: that of index r and that of index r - rows, `rows` further in
    begin and end. Arguments: out, x, order, begin, end, n (numbers of out), rows, length and its
    magic and shift.
    """
    combine, start, kind, first = operation("sum", dtype)
    T, quotient = TYPES[kind.name], quotient_of(index)

    def kernel(out, x, order, begin, end, n, rows, length, magic, shift):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            row = quotient(i, magic, shift)
            j = i - row * length
            y = T(start)
            a, b = begin[row], begin[row + rows]
            stop_a, stop_b = end[row], end[row + rows]
            while a < stop_a or b < stop_b:
                if b >= stop_b or (a < stop_a and order[a] < order[b]):
                    at = order[a]
                    a += 1
                else:
                    at = order[b]
                    b += 1
                y = combine(y, first(x[at * length + j]))
            out[i] = y

    kinds = ("*", "*", "int64*", "int64*", "int64*", "index", "int64", "int64", "divisor")
    return indexed("scatter_add", dtype, kernel, kinds, (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """All, in float32; one over indices of 64 bits."""
    yield check()
    yield gather("float32", True)
    yield gather("float32", False)
    yield gather("float32", False, "int64")
    yield segments()
    yield scatter_add("float32")
