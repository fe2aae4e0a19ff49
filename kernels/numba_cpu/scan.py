"""Running sums and products along one axis.

    for o in range(outer):                              x is (outer, length, inner)
        for j in range(inner):
            total = START                               0 or 1
            for k in range(length):
                total = total + x[o, k, j]              or times
                out[o, k, j] = total

Each element waits for the one before it, so there are no vectors here. Threads share the lines;
where inner is not 1 a line's elements are far apart, but the lines beside it use the rest of each
line of the cache. The total is kept in double precision (integers in 64 bits): it starts as
`start`, whose type it keeps.
"""
# ruff: noqa: F821 - START and fold are filled in when the pattern is compiled

from __future__ import annotations

import numpy as np

from .elementwise import FLOATS
from .launch import put, take, task
from .reduce import add, multiply


def scan_task(out, x, length, inner, _, first, last):
    """Lines of `length` elements, `inner` apart."""
    for line in range(first, last):
        begin = line // inner * length * inner + line % inner
        total = START
        for at in range(begin, begin + length * inner, inner):
            total = fold(total, take(x, at))
            put(out, at, total)


def scan(name: str, dtype: str) -> int:
    """Compile or load `scan_task` for cumsum or cumprod and a dtype."""
    kind = np.float64 if dtype in FLOATS else np.int64
    fold, start = (add, 0) if name == "cumsum" else (multiply, 1)
    return task(scan_task, f"{name}_{dtype}", dtype, dtype, START=kind(start), fold=fold)
