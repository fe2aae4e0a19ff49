"""The order that sorts each row.

    for each row:
        order = [0, 1, ..., length - 1], sorted by row[i], equal ones left as they stand

Python's sort (Timsort) is stable, also in reverse. It may compare only numbers: nan, which is
neither smaller nor larger than anything, would leave the rest unsorted too.
"""

from __future__ import annotations

from array import array


def argsort(out, x, length, descending):
    """Each row of out = the stable sorting order of the row of x, nan the largest."""
    for at in range(0, len(x), length or 1):
        row = x[at : at + length]
        order = [i for i, v in enumerate(row) if v == v]
        order.sort(key=row.__getitem__, reverse=descending)
        nans = [i for i, v in enumerate(row) if v != v]
        out[at : at + length] = array("q", nans + order if descending else order + nans)
