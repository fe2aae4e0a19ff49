"""Rows read and added to at given places.

    for i in range(len(indices)):           gather              for i in ...:       scatter_add
        out[i, :] = x[indices[i], :]                                out[indices[i], :] += x[i, :]

A negative index counts from the end. All are checked before anything is written.
"""

from __future__ import annotations

from operator import add

from .store import stored


def places(indices, rows):
    """The indices as 0 ... rows-1; raises IndexError for one outside -rows ... rows-1."""
    for i in indices:
        if not -rows <= i < rows:
            raise IndexError(f"index {i} is out of range {-rows} ... {rows - 1}")
    return [i % rows for i in indices]


def gather(out, x, indices, rows, length):
    """out[i, :] = x[indices[i], :], rows of `length` elements."""
    at = 0
    for i in places(indices, rows):
        out[at : at + length] = x[i * length : (i + 1) * length]
        at += length


def scatter_add(out, x, indices, rows, length):
    """out = 0, then out[indices[i], :] += x[i, :], in double precision."""
    totals = [0] * len(out)
    at = 0
    for i in places(indices, rows):
        here = slice(i * length, (i + 1) * length)
        totals[here] = map(add, totals[here], x[at : at + length])
        at += length
    out[:] = stored(out.typecode, totals)
