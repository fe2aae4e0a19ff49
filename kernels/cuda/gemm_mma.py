"""Products on tensor cores: fewer digits of the factors, sums in float32.

    for each tile of 128 x 128:                                         a block of 4 warps
        for each 8 (TF32) or 16 (bfloat16) of a tile's depth:
            4 pieces of 16 rows, 8 of 8 columns from shared memory, rounded     a warp's 64 x 64
            for each of the 4 x 8 pieces of y:  one mma.sync

A multiprocessor has 128 fused multiply-adds a cycle, and tensor cores for 1,024 of TF32 and 2,048
of bfloat16 (sm_90). What the factors lose: TF32 keeps 10 bits of fraction of 23, bfloat16 7; both
keep float32's range. So this is asked for (etude.set_float32_matmul_precision), and off by default.

Why 64 x 64 a warp: a step reads 16 + 16 numbers a thread for 32 instructions of 1,024 products;
with 64 x 32 it would be 24 for 16, and shared memory the limit. 128 sums a thread are the price.
Tiles come as for float32 (gemm_sides.py) and are rounded on their way from shared memory. Lines
there are 8 (4) numbers longer than the tile, so that the 4 x 8 numbers that a warp reads at once
lie in 32 different banks.

The instructions, and which lane holds what: mma.py.
"""

from __future__ import annotations

from .gemm_sides import Tile, inlined
from .gemm_way import Way, repeated
from .mma import mma_bf16, mma_tf32, pair, tf32
from .vector import take1

WARP = 64  # rows and columns of y that a warp owns
DOWN, ACROSS = WARP // 16, WARP // 8
ROOM_A, ROOM_B, OWN = 4 * DOWN, 2 * ACROSS, 4 * DOWN * ACROSS


def single(tile: Tile) -> tuple[object, int]:
    """f(sa, sb, p, q, a, b, acc) for 8 of the depth in TF32."""
    high, wide = tile.rows + tile.pad, tile.cols + tile.pad

    def once(sa, sb, p, q, a, b, acc):
        for i in range(DOWN):
            at, k = p + 16 * i, 4 * i
            a[k], a[k + 1] = tf32(take1(sa, at)), tf32(take1(sa, at + 8))
            a[k + 2], a[k + 3] = tf32(take1(sa, at + 4 * high)), tf32(take1(sa, at + 4 * high + 8))
        for j in range(ACROSS):
            at = q + 8 * j
            b[2 * j], b[2 * j + 1] = tf32(take1(sb, at)), tf32(take1(sb, at + 4 * wide))
        for i in range(DOWN):
            for j in range(ACROSS):
                k, u, v = 4 * (i * ACROSS + j), 4 * i, 2 * j
                acc[k], acc[k + 1], acc[k + 2], acc[k + 3] = mma_tf32(
                    acc[k], acc[k + 1], acc[k + 2], acc[k + 3],
                    a[u], a[u + 1], a[u + 2], a[u + 3], b[v], b[v + 1],
                )  # fmt: skip

    return once, 8


def double(tile: Tile) -> tuple[object, int]:
    """f(sa, sb, p, q, a, b, acc) for 16 of the depth in bfloat16."""
    high, wide = tile.rows + tile.pad, tile.cols + tile.pad

    def two(s, i, line):
        return pair(take1(s, i), take1(s, i + line))

    def once(sa, sb, p, q, a, b, acc):
        for i in range(DOWN):
            at, k = p + 16 * i, 4 * i
            a[k], a[k + 1] = two(sa, at, high), two(sa, at + 8, high)
            a[k + 2], a[k + 3] = two(sa, at + 8 * high, high), two(sa, at + 8 * high + 8, high)
        for j in range(ACROSS):
            at = q + 8 * j
            b[2 * j], b[2 * j + 1] = two(sb, at, wide), two(sb, at + 8 * wide, wide)
        for i in range(DOWN):
            for j in range(ACROSS):
                k, u, v = 4 * (i * ACROSS + j), 4 * i, 2 * j
                acc[k], acc[k + 1], acc[k + 2], acc[k + 3] = mma_bf16(
                    acc[k], acc[k + 1], acc[k + 2], acc[k + 3],
                    a[u], a[u + 1], a[u + 2], a[u + 3], b[v], b[v + 1],
                )  # fmt: skip

    return once, 16


def tensor(kind: str, rows: int, cols: int) -> Way:
    """A tile of rows x cols, multiples of 64, by warps of 64 x 64."""
    down = rows // WARP
    tile = Tile(rows, cols, 16, 32 * down * (cols // WARP), 8 if kind == "tf32" else 4)
    high, wide = tile.rows + tile.pad, tile.cols + tile.pad
    once, depth = (single if kind == "tf32" else double)(tile)
    stride = 1 if kind == "tf32" else 2  # of the depth, from lane to lane

    def places(thread):
        lane, warp = thread & 31, thread >> 5
        top, left = warp % down * WARP, warp // down * WARP
        g, t = lane >> 2, lane & 3
        k = t * stride
        return top + g + k * high, left + g + k * wide, top + g, left + 2 * t

    def row(i):
        return i // 2 * 16 + i % 2 * 8

    def col(j):
        return j // 2 * 8 + j % 2

    def number(i, j):
        return (i // 2 * ACROSS + j // 2) * 4 + i % 2 * 2 + j % 2

    multiply = repeated(inlined(once), 1, tile.depth // depth, depth * high, depth * wide)
    at = map(inlined, (row, col, number))
    label = f"{kind}_{rows}x{cols}"
    sizes = 2 * DOWN, 2 * ACROSS, ROOM_A, ROOM_B
    return Way(label, tile, *sizes, 2, inlined(places), multiply, *at)


TENSOR = {
    f"{kind}_{size}": tensor(kind, size, size) for kind in ("tf32", "bf16") for size in (128, 64)
}
