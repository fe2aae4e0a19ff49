"""Rows folded into one number each, or into running totals.

    for r in range(rows):
        total = 0
        for i in range(length):
            total += x[r * length + i]
        out[r] = total

The axes to reduce have been moved to the end, so that a row is a slice and the inner loop is one
call of `sum`, `max`, ... which adds in double precision.
"""

from __future__ import annotations

from itertools import accumulate
from math import nan, prod
from operator import add, mul, ne

from .store import stored


def largest(row):
    """max, but nan if there is one: comparisons with nan are False, so `max` may pass it over."""
    return nan if any(map(ne, row, row)) else max(row)


def smallest(row):
    """min, but nan if there is one."""
    return nan if any(map(ne, row, row)) else min(row)


FOLDS = {"sum": sum, "prod": prod, "max": largest, "min": smallest, "any": any, "all": all}
STEPS = {"cumsum": add, "cumprod": mul}


def fold(out, name, x, length):
    """out[r] = the sum, prod, ... of row r."""
    f = FOLDS[name]
    rows = range(len(out))
    out[:] = stored(out.typecode, [f(x[r * length : (r + 1) * length]) for r in rows])


def arg(out, name, x, length):
    """out[r] = where the largest (argmax) or smallest of row r stands first; nan counts as both."""
    f = largest if name == "argmax" else smallest
    for r in range(len(out)):
        row = x[r * length : (r + 1) * length]
        best = f(row)
        out[r] = row.index(best) if best == best else [v != v for v in row].index(True)


def scan(out, name, x, length):
    """Each row of out = the running sum or product of the row of x."""
    for at in range(0, len(x), length or 1):
        row = accumulate(x[at : at + length], STEPS[name])
        out[at : at + length] = stored(out.typecode, row)
