"""a where a condition holds, else b, with broadcasting.

    for each run of the result:                         (launch.py says what a run is)
        for t in range(n):
            out[t] = a[t] if condition[t] else b[t]

Both values are fetched before one is chosen: a choice between two numbers is one instruction for a
whole vector, a choice between two loads is a jump for each element. Steps along the run are 1, or 0
for what is broadcast; LLVM cannot know, so the frequent cases have loops of their own.
"""

from __future__ import annotations

from numba import prange, types

from .launch import CHUNK
from .toolchain import device, kernel, parallel, wide


@device
def _run(out, c, a, b, o, i, j, k, n, steps):
    """n elements from the places o, i, j, k on; steps[1:4] are those of c, a and b."""
    if steps[1] == 1 and steps[2] == 1 and steps[3] == 1:
        for t in range(n):
            x, y = a[j + t], b[k + t]
            out[o + t] = x if c[i + t] else y
    elif steps[1] == 1 and steps[2] == 1:
        y = b[k]
        for t in range(n):
            x = a[j + t]
            out[o + t] = x if c[i + t] else y
    elif steps[1] == 1 and steps[3] == 1:
        x = a[j]
        for t in range(n):
            y = b[k + t]
            out[o + t] = x if c[i + t] else y
    else:
        for t in range(n):
            x, y = a[j + t * steps[2]], b[k + t * steps[3]]
            out[o + t] = x if c[i + t * steps[1]] else y


@device
def _piece(out, c, a, b, plan, pieces, piece):
    """Piece number `piece` of a run, at most CHUNK elements."""
    last = plan.shape[1] - 1
    size, steps = plan[0, last], plan[:, last]
    row, begin = piece // pieces, (piece % pieces) * CHUNK
    i, j, k = begin * steps[1], begin * steps[2], begin * steps[3]
    o, rest = row * size + begin, row
    for axis in range(last - 1, -1, -1):
        index = rest % plan[0, axis]
        rest //= plan[0, axis]
        i += index * plan[1, axis]
        j += index * plan[2, axis]
        k += index * plan[3, axis]
    _run(out, c, a, b, o, i, j, k, min(CHUNK, size - begin), steps)


@parallel
def _pieces(out, c, a, b, plan, pieces, count, each):
    for chunk in prange((count + each - 1) // each):
        wide()
        first = types.int64(chunk) * each
        for piece in range(first, min(count, first + each)):
            _piece(out, c, a, b, plan, pieces, piece)


@kernel
def where(out, c, a, b, plan, few):
    """plan holds the axes' sizes, and the strides of c, of a and of b in elements."""
    size = plan[0, plan.shape[1] - 1]
    pieces = (size + CHUNK - 1) // CHUNK
    count = out.size // size * pieces
    if out.size > few:
        _pieces(out, c, a, b, plan, pieces, count, max(1, CHUNK // size))
    else:
        for piece in range(count):
            _piece(out, c, a, b, plan, pieces, piece)
