"""The product of float32 matrices that keeps the multipliers busy.

    for each tile of y, BM x BN:                                  a block of threads
        for each BK of the depth k:
            a's and b's tile -> shared memory                     while the one before is multiplied
            for kk in range(BK):
                for each of 8 x 8 numbers:                        a thread, in its registers
                    acc[i][j] += a[kk][i] * b[kk][j]
        y = activation(acc + bias)

Why it is fast, for tiles of 128 x 128 x 16 and 256 threads:

* *Bytes.* A tile of y reads (128 + 128) k numbers for 128 * 128 k products: 64 products a number,
  so that 2 TB/s from the second cache feed 64 TFLOP/s.
* *Instructions.* 8 x 8 products a step need 4 loads of 128 bits. All 16 steps stand in the code one
  after another (`repeated`), places are constants in the instructions, and of 1,150 instructions in
  the loop 1,024 multiply.
* *Waiting.* The next tile is copied by `cp.async` while this one is multiplied: one barrier a tile,
  and no register holds what is on its way. At most 128 registers a thread, so two blocks fit on a
  multiprocessor, and one multiplies while the other is at its barrier.
* *Banks.* A warp's threads lie 8 x 4 over the tile, in the order in which pairs of lanes read the
  same 16 bytes of a (lanes 2i, 2i+1) or of b (i, i+2): then 128-bit loads take two rounds, not
  four. Lines of shared memory are 4 numbers longer than the tile: a tile that is turned on its way
  (8 numbers of the depth by 4 rows a warp) lands in 32 different banks.
* *Edges.* Lines along the tile that lie outside the matrix are read from inside, for products that
  nobody stores. The depth's odd part comes first, filled with zeros, so the loop need not ask.
* *The order of tiles.* 8 rows of tiles are walked through together, so that blocks that run at the
  same time share their rows and columns in the second cache.

The ladder that leads here is in gemm.py, what few rows or columns need in gemm_split.py.

Source: Volkov & Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008 (registers, not
shared memory, hold the tile); Gray, "maxas: SGEMM" (the lanes' order).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .gemm_mma import TENSOR
from .gemm_sides import along, inlined, over, turned
from .gemm_way import TINY, WAYS, store
from .spec import Kernel, cuda, float32, int32, int64
from .vector import arrived, block_again, thread_again

TOGETHER = 8  # rows of tiles
ALL_WAYS = {**WAYS, **TENSOR}


@cache
def position(high: int, across: int) -> Any:
    """f(block, m, n): the matrix of the batch, and the first row and column of a block's tile."""

    def where(block, m, n):
        tall, broad = (m + high - 1) // high, (n + across - 1) // across
        z = over(block, tall * broad)
        number = block - z * tall * broad
        band = over(number, TOGETHER * broad)
        inside = number - band * TOGETHER * broad
        lines = min(TOGETHER, tall - band * TOGETHER)
        along_band = over(inside, lines)
        row = int32((band * TOGETHER + inside - along_band * lines) * high)
        return z, row, int32(along_band * across)

    return inlined(where)


@cache
def gemm(
    size: str,
    transpose_a: bool,
    transpose_b: bool,
    wide: bool,
    bias: str = "none",
    activation: str = "none",
) -> Kernel:
    """y = activation(a b + bias), a (m, k) and b (k, n), stored transposed or not.

    Grid: (tiles of all matrices, parts of the depth). Part p sums `part` numbers of the depth from
    p * part on, into y's matrix number z * parts + p. An operand of matrix z of the batch begins at
    z // inner * outer step + z % inner * inner step. wide: n, lines and steps are multiples of 4.
    """
    way = TINY if size == "tiny" else ALL_WAYS[size]
    tile, own, room_a, room_b = way.tile, way.rows * way.cols, way.room_a, way.room_b
    high, across, depth = tile.rows, tile.cols, tile.depth
    left = along(high, tile, wide) if transpose_a else turned(high, tile)
    right = turned(across, tile) if transpose_b else along(across, tile, wide)
    place_a, fill_a, next_a = left
    place_b, fill_b, next_b = right
    size_a, size_b = tile.sizes
    two_a, two_b = 2 * size_a, 2 * size_b
    places, multiply, where = way.places, way.multiply, position(high, across)
    put = store(way, wide and size not in TENSOR, bias, activation)

    def kernel(y, a, b, c, m, n, k, part, inner, a_outer, a_inner, b_outer, b_inner):
        thread = int32(cuda.threadIdx.x)
        sa, sb = (
            cuda.shared.array(two_a, float32, alignment=16),
            cuda.shared.array(two_b, float32, alignment=16),
        )
        fa, fb = cuda.local.array(room_a, float32), cuda.local.array(room_b, float32)
        acc = cuda.local.array(own, float32)
        for i in range(own):
            acc[i] = float32(0)
        z, row, col = where(cuda.blockIdx.x, m, n)
        line_a, line_b = int32(m if transpose_a else k), int32(k if transpose_b else n)
        step_a, step_b = (line_a if transpose_a else 1), (1 if transpose_b else line_b)
        start = cuda.blockIdx.y * part
        length = min(part, k - start)
        outer = over(z, inner)
        at_a = outer * a_outer + (z - outer * inner) * a_inner + start * step_a
        at_b = outer * b_outer + (z - outer * inner) * b_inner + start * step_b
        at_a += place_a(m, line_a, row, thread)
        at_b += place_b(n, line_b, col, thread)
        tiles = int32((length + depth - 1) // depth)
        rest = int32(length - (tiles - 1) * depth)
        fill_a(sa, 0, a, at_a, line_a, thread, m - row, rest)
        fill_b(sb, 0, b, at_b, line_b, thread, n - col, rest)
        at_a += rest * step_a
        at_b += rest * step_b
        own_a, own_b, _, _ = places(thread)
        here = int32(0)
        while tiles > 0:
            arrived()
            cuda.syncthreads()
            tiles = int32(tiles - 1)
            if tiles > 0:
                next_a(sa, (1 - here) * size_a, a, at_a, line_a, thread, m - row)
                next_b(sb, (1 - here) * size_b, b, at_b, line_b, thread, n - col)
                at_a += depth * step_a
                at_b += depth * step_b
            multiply(sa, sb, here * size_a + own_a, here * size_b + own_b, fa, fb, acc)
            here = int32(1 - here)
        _, _, own_row, own_col = places(thread_again())
        z, row, col = where(block_again(), m, n)
        at = (z * cuda.gridDim.y + cuda.blockIdx.y) * int64(m) * n
        put(y, at, n, c, row + own_row, col + own_col, m, n, acc)

    letters = "tn"[not transpose_a] + "tn"[not transpose_b]
    extra = "".join(f"_{x}" for x in (bias, activation) if x != "none")
    name = f"gemm_{letters}_{way.label}{'' if wide else '_odd'}{extra}"
    signature = ("float32*",) * 4 + ("int32",) * 5 + ("int64",) * 4
    block = tile.threads, 1, 1
    return Kernel(name, kernel, signature, block, blocks=way.blocks, narrow=True)


def catalogue() -> Iterator[Kernel]:
    """All three transpositions, every tile, what is not aligned, and ends."""
    for flags in ((False, False), (False, True), (True, False)):
        yield gemm("large", *flags, True)
    yield gemm("large", True, True, False)
    yield gemm("large", False, True, True, "column", "gelu")
    yield gemm("middle", False, False, True)
    yield gemm("small", False, True, False, "column", "relu")
    yield gemm("tf32_128", False, False, True)
    yield gemm("bf16_128", False, True, True)
