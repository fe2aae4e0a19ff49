"""The second stage of products whose depth was cut: parts are added in their order.

    for i in range(size):                                     a thread
        y[i] = activation(parts[0][i] + parts[1][i] + ... + bias[row or column])

A product of few rows and columns has few tiles, and a device of 132 multiprocessors stands idle;
its depth is long (a layer's batch of 8, a weight's gradient). So blocks share a tile's depth, and
each writes its own sum: parts * m * n numbers are written and read once more, where k (m + n) are
read. Floating-point atomics would save this pass, and give other numbers in each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .gemm_way import finish
from .spec import Kernel, cuda, float32

BLOCK = 256


@cache
def add(bias: str = "none", activation: str = "none") -> Kernel:
    """Grid: (size / 256, up to `matrices`) for y (matrices, size), parts (matrices, count, size).

    The bias asks for rows of `line` numbers, `rows` of them over and over (y's channels).
    """
    end = finish(bias, activation)

    def kernel(y, parts, b, size, count, line, rows, matrices):
        i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
        if i < size:
            row = i // line
            for z in range(cuda.blockIdx.y, matrices, cuda.gridDim.y):
                total = float32(0)
                for p in range(count):
                    total += parts[(z * count + p) * size + i]
                y[z * size + i] = end(total, b, row % rows, i - row * line)

    extra = "".join(f"_{x}" for x in (bias, activation) if x != "none")
    signature = ("float32*",) * 3 + ("int64",) + ("int32",) * 4
    return Kernel(f"gemm_add{extra}", kernel, signature, (BLOCK, 1, 1), narrow=True)


def catalogue() -> Iterator[Kernel]:
    """A plain sum, and one with an end."""
    yield add()
    yield add("column", "relu")
    yield add("row")
