"""Running sums and products along one axis.

    for o in range(outer):                              x is (outer, length, inner)
        for j in range(inner):
            total = start                               0 or 1
            for k in range(length):
                total = total + x[o, k, j]              or times
                out[o, k, j] = total

Each element waits for the one before it, so there are no vectors here. Threads share the lines;
where inner is not 1 a line's elements are far apart, but the lines beside it use the rest of each
line of the cache. The total is kept in double precision (integers in 64 bits): it starts as
`start`, whose type it keeps.
"""

from __future__ import annotations

from numba import prange, types

from .toolchain import device, kernel, parallel


@device
def _line(out, x, line, length, inner, start, product):
    begin = line // inner * length * inner + line % inner
    total = start
    for at in range(begin, begin + length * inner, inner):
        total = total * x[at] if product else total + x[at]
        out[at] = total


@parallel
def _lines(out, x, lines, length, inner, start, product):
    for line in prange(lines):
        _line(out, x, types.int64(line), length, inner, start, product)


@kernel
def scan(out, x, length, inner, start, product, few):
    """out = the running sums (products) along an axis of `length` elements, `inner` apart."""
    lines = x.size // length
    if x.size > few and lines > 1:
        _lines(out, x, lines, length, inner, start, product)
    else:
        for line in range(lines):
            _line(out, x, line, length, inner, start, product)
