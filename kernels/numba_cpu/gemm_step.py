"""The gradient of a layer's weights, and the optimizer's step while it is in the cache.

    for each thread, for some of its rows of gw = g^T x:              in parallel
        gw[rows] = the product                                        gemm.part
        w[rows], v[rows] = the step with gw[rows]                     optim.py's task

Two kernels, one after the other, divide gw differently, and each thread would have to fetch half
of it from the other: 256 x 784 for a batch of 64 took 180 to 224 us, and 134 here. The bits are the
same.
"""

from __future__ import annotations

from .gemm import SMALL, band, part
from .gemm_block import ROOM
from .gemm_micro import threads_now
from .launch import address, call, take_turns
from .optim import ADAM
from .toolchain import device, kernel

ROWS = 42  # of gw, that step together: three tiles, for which x is read as it lies


@device
def some_rows(task, gw, g, x, room, code, w, a, b, numbers, way, bands):
    columns = gw.shape[1]
    first, end = band(gw.shape[0], bands, task, 1)
    at, given, memory = address(gw), address(numbers), address(room) + task * ROOM
    for i in range(first, end, ROWS):
        last = min(end, i + ROWS)
        part(gw, g, x, True, False, i, last, 0, columns, memory)
        if way == ADAM:
            call(code, w, at, a, b, given, i * columns, last * columns)
        else:
            call(code, w, at, a, given, way, i * columns, last * columns)


@kernel
def product_and_step(gw, g, x, room, code, w, a, b, numbers, way):
    """gw = g^T x; then `code`, a task of optim.py, on w and what the optimizer keeps, a and b."""
    bands = 1
    if gw.size * g.shape[0] > SMALL:
        bands = min(threads_now(), gw.shape[0])
    given = gw, g, x, room, code, address(w), address(a), address(b), numbers, way, bands
    take_turns(some_rows, bands, bands > 1, given)
