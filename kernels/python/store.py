"""How computed numbers become an array of C numbers.

    out[i] = value                  rounded to float32, or modulo 2^32 or 2^64, or to 0 and 1

Python computes in double precision and with integers of any length, so all rounding is here. The
values come as one iterable, because filling a whole array from it costs half of storing one by one.
"""

from __future__ import annotations

from array import array


def stored(typecode, values):
    """An array of `values`; integers beyond its range wrap around, bools ("b") become 0 or 1."""
    if typecode in "fd":
        return array(typecode, values)
    if typecode == "b":
        return array(typecode, map(bool, values))
    values = list(values)
    try:
        return array(typecode, values)
    except OverflowError:
        half = 1 << (8 * array(typecode).itemsize - 1)
        return array(typecode, [(v + half) % (2 * half) - half for v in values])
