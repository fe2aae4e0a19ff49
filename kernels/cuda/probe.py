"""What a device can do at most: multiply-adds that wait for nothing.

    for each thread: a0 ... a7 = start
        for count times, eight times over: ak = ak * s + t        eight chains, 64 fma a turn
    y[thread] = a0 + ... + a7                                     so that none is left out

Why it is the ceiling: an fma takes four cycles, and a scheduler starts one each cycle; eight chains
in each of many warps leave no cycle without one whose inputs are ready. Nothing is loaded, and a
turn of the loop costs two instructions beside 64.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .spec import Kernel, cuda, float32

BLOCK = 256
CHAINS, UNROLLED = 8, 8


def _multiply_adds(y, count, s, t):  # type: ignore[no-untyped-def]
    i = cuda.grid(1)
    a0 = float32(i) * s
    a1, a2, a3 = a0 + s, a0 - s, a0 + t
    a4, a5, a6, a7 = a1 + t, a2 + t, a1 - t, a2 - t
    for _ in range(count):
        for _ in range(UNROLLED):
            a0 = a0 * s + t
            a1 = a1 * s + t
            a2 = a2 * s + t
            a3 = a3 * s + t
            a4 = a4 * s + t
            a5 = a5 * s + t
            a6 = a6 * s + t
            a7 = a7 * s + t
    y[i] = ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))


@cache
def multiply_adds() -> Kernel:
    """y (threads,) float32, count int32, s, t float32; a grid of whole blocks."""
    signature = ("float32*", "int32", "float32", "float32")
    return Kernel("multiply_adds_float32", _multiply_adds, signature, (BLOCK, 1, 1))


def flops(threads: int, count: int) -> float:
    """Operations of one launch."""
    return 2.0 * CHAINS * UNROLLED * threads * count


def catalogue() -> Iterator[Kernel]:
    """The kernel."""
    yield multiply_adds()
