"""The gradient for a convolution's weights: few numbers, each the sum over all pixels of a batch.

    for o, (c, r, s):                                     gw (O, C, R, S)
        for n, u, v:
            gw[o, c, r, s] += g[n, o, u, v] * x[n, c, u*stride + r*dilation - pad, ...]

As a product of matrices: rows o, columns (c, r, s), and the depth is the pixels, a million for
64 * 576 numbers. So tiles are few and the depth is cut into parts, each summed by a block of its
own; a second pass adds the parts in their order (gemm_split.py). Both sides lie along the depth, as
in a product of a matrix with a transposed one: 8 neighbouring pixels of 4 rows are a warp's copy. A
thread copies two pixels of some rows of g and of some columns of x, so it works the coordinates of
its pixels out once for both; where a column lies in x the table says (conv.py).

`one thread for each of gw` would be the ladder's first step: it reads 8 bytes for each product.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .conv import NOWHERE, OUTSIDE, TABLE, WAYS, sign_of_low
from .divide import quotient
from .gemm_sides import Tile, inlined, over
from .gemm_way import store
from .spec import Kernel, cuda, float32, int32, int64, uint32
from .vector import arrived, copy1_if


def gather(tile: Tile) -> Any:
    """f(sa, sb, to_a, to_b, g, x, at_g, at_x, table, columns, ...): both sides' next tile.

    Pixels from k on, before `stop`; rows before `left`; the thread's first column is number `col`.
    """
    depth, lines = tile.depth, tile.threads // 8
    high, broad, long_a, long_b = tile.rows, tile.cols, tile.rows + tile.pad, tile.cols + tile.pad

    each = depth // 8

    def filled(
        sa, sb, to_a, to_b, g, x, at_g, at_x, table, columns, k, stop, left, col, thread,
        area, magic, shift, line, line_magic, line_shift, g_image, x_image, h, width, su, sv,
    ):  # fmt: skip
        row, d = thread // 8, thread % 8
        to_a, to_b = to_a + d * long_a + row, to_b + d * long_b + row
        of = cuda.local.array(each, int64)
        i0, j0 = cuda.local.array(each, int32), cuda.local.array(each, int32)
        for j in range(each):
            here = k + d + 8 * j < stop
            q = int32(k + d + 8 * j if here else 0)
            n = quotient(q, magic, shift)
            p = q - n * area
            u = quotient(p, line_magic, line_shift)
            down, across = u * su, (p - u * line) * sv
            at = at_g + n * g_image + p
            for i in range(0, high, lines):
                valid = here and row + i < left
                copy1_if(sa, to_a + j * 8 * long_a + i, g, at, i * int64(area), valid)
            of[j] = at_x + n * x_image + down * int64(width) + across
            i0[j], j0[j] = int32(down if here else OUTSIDE), int32(across)
        for i in range(0, broad, lines):
            known = col + i < columns
            place = TABLE * (col + i if known else 0)
            offset, turn = table[place], table[place + 1] if known else int32(NOWHERE)
            down, across = turn >> 16, sign_of_low(turn)
            for j in range(each):
                r, c = uint32(i0[j] + down), uint32(j0[j] + across)
                inside = r < uint32(h) and c < uint32(width)
                copy1_if(sb, to_b + j * 8 * long_b + i, x, of[j], offset, inside)

    return inlined(filled)


@cache
def conv_weight(size: str, wide: bool) -> Kernel:
    """gw (parts, groups, m, columns) from g and x. Grid: (tiles, parts of the pixels, groups).

    `table` (columns, 2) int32 as in conv.py; m rows in a group; `part` a multiple of the tile's
    depth. g and x: numbers from image to image and from group to group; su, sv: strides; pixels
    (u, v) lie in `area`, in lines of `line`. wide: columns are a multiple of 4.
    """
    way = WAYS[size]
    tile, own, room_a, room_b = way.tile, way.rows * way.cols, way.room_a, way.room_b
    high, broad, depth = tile.rows, tile.cols, tile.depth
    size_a, size_b = tile.sizes
    two_a, two_b = 2 * size_a, 2 * size_b
    fill, places, multiply = gather(tile), way.places, way.multiply
    put = store(way, wide and not size.startswith(("tf32", "bf16")), "none", "none")

    def kernel(
        gw, g, x, table, m, columns, pixels, part, g_image, g_group, x_image, x_group,
        h, width, su, sv, area, magic, shift, line, line_magic, line_shift,
    ):  # fmt: skip
        thread = int32(cuda.threadIdx.x)
        sa, sb = (
            cuda.shared.array(two_a, float32, alignment=16),
            cuda.shared.array(two_b, float32, alignment=16),
        )
        fa, fb = cuda.local.array(room_a, float32), cuda.local.array(room_b, float32)
        acc = cuda.local.array(own, float32)
        for i in range(own):
            acc[i] = float32(0)
        tall, group = (m + high - 1) // high, cuda.blockIdx.z
        band = over(cuda.blockIdx.x, tall)
        row, first = int32((cuda.blockIdx.x - band * tall) * high), int32(band * broad)
        col, left = int32(first + thread // 8), int32(m - row)
        at_g = group * g_group + (row + thread // 8) * int64(area)
        at_x = group * x_group
        at = int32(cuda.blockIdx.y * part)
        stop = int32(min(at + part, pixels))
        fill(
            sa, sb, 0, 0, g, x, at_g, at_x, table, columns, at, stop, left, col, thread,
            area, magic, shift, line, line_magic, line_shift, g_image, x_image, h, width, su, sv,
        )  # fmt: skip
        own_a, own_b, own_row, own_col = places(thread)
        here = int32(0)
        while at < stop:
            arrived()
            cuda.syncthreads()
            at, to = int32(at + depth), 1 - here
            if at < stop:
                fill(
                    sa, sb, to * size_a, to * size_b, g, x, at_g, at_x, table, columns, at, stop,
                    left, col, thread, area, magic, shift, line, line_magic, line_shift, g_image,
                    x_image, h, width, su, sv,
                )  # fmt: skip
            multiply(sa, sb, here * size_a + own_a, here * size_b + own_b, fa, fb, acc)
            here = int32(1 - here)
        at_y = (cuda.blockIdx.y * int64(cuda.gridDim.z) + group) * m * columns
        put(gw, at_y, columns, gw, row + own_row, first + own_col, m, columns, acc)

    signature = ("float32*",) * 3 + ("int32*",) + ("int32",) * 4 + ("int64",) * 4 + ("int32",) * 4
    signature += ("int32", "uint32", "uint32") * 2
    name = f"conv_weight_{way.label}{'' if wide else '_odd'}"
    block = tile.threads, 1, 1
    return Kernel(name, kernel, signature, block, blocks=way.blocks, narrow=True)


def catalogue() -> Iterator[Kernel]:
    """Tiles of float32 and of tensor cores."""
    for size in ("c64", "c32", "tf32_128"):
        yield conv_weight(size, True)
