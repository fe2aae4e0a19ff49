"""Running sums and products along one axis.

    for o in range(outer):                              x is (outer, length, inner)
        for j in range(inner):
            total = 0 (1)
            for k in range(length):
                total = total + x[o, k, j] (times);   out[o, k, j] = total

Each element waits for the one before it. `lines` lets it: a thread for each line, side by side
where inner > 1. A single long line would be one thread with one load under way, so `blocks` gives
it a block, which takes as many elements at a time as it has threads, in log steps:

    in a warp:      5 times: lane i takes in lane i - 1's, then i - 2's, 4, 8, 16: shuffles
    in a block:     each thread takes in the totals of the warps before its own, by shared memory
    along the line: the total so far is carried

That is n log2(n) additions in place of n, and still memory's time, once there are several lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .folding import ALL, LANES, operation
from .spec import TYPES, Kernel, cuda

BLOCK = 256
FOLDS = {"cumsum": "sum", "cumprod": "prod"}


@cache
def lines(name: str, dtype: str) -> Kernel:
    """A thread for each line. Arguments: out, x, lines, length, inner."""
    combine, start, kind, _ = operation(FOLDS[name], "int64" if dtype == "bool" else dtype)
    A, T = TYPES[kind.name], TYPES[dtype]

    def kernel(out, x, lines, length, inner):
        line = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if line < lines:
            at = line // inner * length * inner + line % inner
            total = A(start)
            for _ in range(length):
                total = combine(total, A(x[at]))
                out[at] = T(total)
                at += inner

    signature = (dtype + "*", dtype + "*", "int64", "int64", "int64")
    narrow = dtype == "float32"
    return Kernel(f"{name}_lines_{dtype}", kernel, signature, (BLOCK, 1, 1), narrow=narrow)


@cache
def blocks(name: str, dtype: str) -> Kernel:
    """A block for each line. Arguments: out, x, length, inner."""
    combine, start, kind, _ = operation(FOLDS[name], "int64" if dtype == "bool" else dtype)
    A, T = TYPES[kind.name], TYPES[dtype]

    def kernel(out, x, length, inner):
        totals = cuda.shared.array(LANES, A)
        line, t = cuda.blockIdx.x, cuda.threadIdx.x
        lane, warp = t % LANES, t // LANES
        base = line // inner * length * inner + line % inner
        carry = A(start)
        begin = 0
        while begin < length:
            i = begin + t
            y = A(x[base + i * inner]) if i < length else A(start)
            delta = 1
            while delta < LANES:
                before = cuda.shfl_up_sync(ALL, y, delta)
                if lane >= delta:
                    y = combine(before, y)
                delta = delta * 2
            if lane == LANES - 1:
                totals[warp] = y
            cuda.syncthreads()
            for other in range(warp):
                carry = combine(carry, totals[other])
            if i < length:
                out[base + i * inner] = T(combine(carry, y))
            for other in range(warp, cuda.blockDim.x // LANES):
                carry = combine(carry, totals[other])
            cuda.syncthreads()
            begin += cuda.blockDim.x

    signature = (dtype + "*", dtype + "*", "int64", "int64")
    narrow = dtype == "float32"
    return Kernel(f"{name}_blocks_{dtype}", kernel, signature, (BLOCK, 1, 1), narrow=narrow)


def catalogue() -> Iterator[Kernel]:
    """Both ways."""
    yield lines("cumsum", "float32")
    yield blocks("cumsum", "float32")
    yield blocks("cumprod", "int64")
