"""Convolution as a product of matrices that are never written down (implicit GEMM), and its ladder.

    for n, o, u, v:                                       y (N, O, U, V)
        for c in range(C / groups):
            for r, s in the kernel:
                y[n, o, u, v] += w[o, c, r, s] * x[n, c, u*stride + r*dilation - pad, ...]

Rows of the product are channels o, columns are pixels (n, u, v), its depth is (c, r, s): it is
gemm_tile.py's loop, with a side whose tile is gathered from the image. What unfolding would write
to memory and read again, r*s times the image, goes to shared memory at once.

A *table* says for each number of the depth where it lies: from a pixel's place in the image
(offset, rows down, columns across), and in a row of the weights, which `pack` lays out by it first:
weights are few, and so their tiles come by 128 bits and need no question. So one kernel does

* the forward pass: pixels are y's, and the table runs over (c, r, s);
* the gradient for x: pixels are x's, of one residue class of the stride at a time. All pixels of a
  class meet the same taps, those with (place + pad - r*dilation) divisible by the stride, and read
  g at unit steps; rows are channels c, the depth is (o, taps). No product with an inserted zero.

The ladder: `naive`, a thread for each number of y, whose every product reads memory twice; then
`conv`, in tiles of 128 pixels by 128, 64 or 32 channels with all of gemm_tile.py's reasons. A
thread copies numbers of one pixel, whose coordinates it works out once; neighbouring threads copy
neighbouring pixels, so a warp's copy is one request. Padding is a copy of nothing: cp.async fills
zeros. The gradient for the weights is in conv_weight.py, groups of one channel in depthwise.py.

Source: Chetlur et al., "cuDNN: efficient primitives for deep learning", 2014, section 3 (the
image's tiles are gathered on their way to shared memory).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .divide import quotient
from .four import load4, store4
from .gemm_mma import tensor
from .gemm_sides import Tile, along, inlined, over
from .gemm_way import LARGE, SMALL, TINY, Way, finish, plain
from .spec import Kernel, cuda, float32, int32, int64, uint32
from .vector import arrived, copy1_if

WAYS = {
    "c128": LARGE,
    "c64": plain(64, 128, 16, 8, 8, 3),
    "c32": plain(32, 128, 16, 4, 8, 4),
    "small": SMALL,
    "tiny": TINY,
} | {f"{kind}_128": tensor(kind, 128, 128) for kind in ("tf32", "bf16")}
OUTSIDE = -(1 << 30)  # a row from which no tap leads back into the image
NOWHERE = -(1 << 31)  # in a table: 32768 rows up, out of every image
TABLE = 2  # numbers for each place of the depth: offset; 65536 rows down + columns across
BLOCK = 256


def sign_of_low(turn):
    """The lower 16 bits of an int32 as a signed number."""
    return int32((turn & 0xFFFF) ^ 0x8000) - 0x8000


def naive() -> Kernel:
    """One group, a thread for each number of y. Grid: (V / 16, U / 16, N * O)."""

    def kernel(y, x, w, channels, outs, h, wide, down, across, kh, kw, sh, sw, ph, pw, dh, dw):
        v, u = cuda.grid(2)
        n, o = cuda.blockIdx.z // outs, cuda.blockIdx.z % outs
        if u < down and v < across:
            total = float32(0)
            for c in range(channels):
                for r in range(kh):
                    for s in range(kw):
                        i, j = u * sh + r * dh - ph, v * sw + s * dw - pw
                        if i >= 0 and i < h and j >= 0 and j < wide:
                            at = ((n * channels + c) * int64(h) + i) * wide + j
                            total += w[((o * channels + c) * kh + r) * kw + s] * x[at]
            y[((n * outs + o) * int64(down) + u) * across + v] = total

    signature = ("float32*",) * 3 + ("int32",) * 14
    return Kernel("conv_naive", kernel, signature, (16, 16, 1))


@cache
def pack(high: int = 8) -> Kernel:
    """w's groups as (depth, rows), both padded with zeros to whole tiles: a side that lies `along`.

    Grid: (depth / 32, rows / 32, groups) of out (groups, depth, rows); k numbers of the depth and m
    rows are w's. A tile of 32 x 32 turns in shared memory: both ways are read and written in lines,
    `high` of them at a time.
    """
    size = 32 * 33

    def kernel(out, w, offsets, m, k, rows, depth, w_row, w_group):
        tile = cuda.shared.array(size, float32)
        tx, ty, group = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        d, row = cuda.blockIdx.x * 32, cuda.blockIdx.y * 32
        offset = offsets[d + tx] if d + tx < k else 0
        for i in range(ty, 32, high):
            inside = d + tx < k and row + i < m
            at = group * w_group + (row + i) * w_row + offset
            tile[i * 33 + tx] = w[at] if inside else float32(0)
        cuda.syncthreads()
        for i in range(ty, 32, high):
            if d + i < depth and row + tx < rows:
                out[(group * int64(depth) + d + i) * rows + row + tx] = tile[tx * 33 + i]

    signature = ("float32*",) * 2 + ("int32*",) + ("int32",) * 4 + ("int64",) * 2
    return Kernel("conv_pack" + ("" if high == 8 else f"_{high}"), kernel, signature, (32, high, 1))


@cache
def gather(tile: Tile) -> Any:
    """f(s, to, x, at, table, k, i0, j0, h, w, thread): pixels' numbers of one tile's depth.

    at, i0, j0: the thread's pixel, in memory and in the image. Lines come in pairs, whose four
    numbers of the table are one load.
    """
    width, depth = tile.cols, tile.depth
    long, step = tile.cols + tile.pad, 2 * (tile.threads // tile.cols)

    def one(s, to, x, at, offset, turn, i0, j0, h, w):
        row, col = uint32(i0 + (turn >> 16)), uint32(j0 + sign_of_low(turn))
        inside = row < uint32(h) and col < uint32(w)  # what is below 0 is large without a sign
        copy1_if(s, to, x, at, offset, inside)

    copy = inlined(one)

    def filled(s, to, x, at, table, k, i0, j0, h, w, thread):
        d = thread // width * 2
        to, k = to + d * long + thread % width, k + d
        for i in range(0, depth, step):
            first, turn, second, more = load4(table, TABLE * (k + i))
            copy(s, to + i * long, x, at, first, turn, i0, j0, h, w)
            copy(s, to + (i + 1) * long, x, at, second, more, i0, j0, h, w)

    return inlined(filled)


@cache
def store(way: Way, wide: bool, bias: bool, activation: str) -> Any:
    """f(y, at, channel, b, row, col, ...): the thread's numbers, finished, to the images of y."""
    rows, cols, each = way.rows, way.cols, 4 if wide else 1
    row_at, col_at, number = way.row, way.col, way.number
    end = finish("row" if bias else "none", activation)

    def stored(y, at, channel, b, first, row, col, m, n, pixel, acc):
        for j in range(0, cols, each):
            c = col + col_at(j)
            if c < n:
                to = at + place(c, *pixel)
                for i in range(rows):
                    r, k = row + row_at(i), number(i, j)
                    if r < m:
                        if wide:
                            store4(
                                y,
                                to + r * channel,
                                end(acc[k], b, first + r, 0),
                                end(acc[k + 1], b, first + r, 0),
                                end(acc[k + 2], b, first + r, 0),
                                end(acc[k + 3], b, first + r, 0),
                            )
                        else:
                            y[to + r * channel] = end(acc[k], b, first + r, 0)

    return inlined(stored)


def place(p, area, magic, shift, line, line_magic, line_shift, image, down, across):
    """Where pixel p of all images lies: p = (n, u, v), v < line and (u, v) < area."""
    n = quotient(p, magic, shift)
    p -= n * area
    u = quotient(p, line_magic, line_shift)
    return n * image + u * down + (p - u * line) * across


@cache
def conv(size: str, wide: bool = False, bias: bool = False, activation: str = "none") -> Kernel:
    """y's pixels (n, u, v) = activation(w's rows * x gathered by the table + bias).

    Grid: (tiles of channels * tiles of pixels, parts of the depth, groups). m channels and k
    numbers of the depth in each group, k and `part` multiples of the tile's depth; w as `pack` lays
    it; the table (k, 4) int32 sends what is padded `OUTSIDE`. x: h by width, `x_image` and
    `x_group` apart, pixel (u, v) reads from (u*su, v*sv). y: images, groups, channels, rows and
    columns of pixels apart, the first at `y_first`; the parts of the depth are `y_part` apart.
    wide: pixels lie in y one after another, four are aligned.
    """
    way = WAYS[size]
    tile, own, room_a, room_b = way.tile, way.rows * way.cols, way.room_a, way.room_b
    high, broad, depth = tile.rows, tile.cols, tile.depth
    size_a, size_b = tile.sizes
    two_a, two_b = 2 * size_a, 2 * size_b
    place_w, _, fill_w = along(high, tile, True)
    fill_x, places, multiply = gather(tile), way.places, way.multiply
    put = store(way, wide and not size.startswith(("tf32", "bf16")), bias, activation)

    def kernel(
        y, w, x, b, table, m, pixels, k, part, h, width, x_image, x_group, su, sv,
        area, magic, shift, line, line_magic, line_shift,
        y_image, y_group, y_channel, y_down, y_across, y_first, y_part,
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
        row, col = int32((cuda.blockIdx.x - band * tall) * high), int32(band * broad)
        p = col + thread % broad
        outside = p >= pixels
        p = int32(0 if outside else p)
        n = quotient(p, magic, shift)
        u = quotient(p - n * area, line_magic, line_shift)
        v = p - n * area - u * line
        i0, j0 = int32(OUTSIDE if outside else u * su), int32(v * sv)
        at_x = n * x_image + group * x_group + u * su * int64(width) + j0
        at, rows = int32(cuda.blockIdx.y * part), int32(tall * high)
        at_w = (group * int64(k) + at) * rows + place_w(rows, rows, row, thread)
        tiles = int32(max(0, min(part, k - at)) // depth)
        if tiles > 0:
            fill_w(sa, 0, w, at_w, rows, thread, rows)
            fill_x(sb, 0, x, at_x, table, at, i0, j0, h, width, thread)
        own_a, own_b, own_row, own_col = places(thread)
        here = int32(0)
        while tiles > 0:
            arrived()
            cuda.syncthreads()
            tiles = int32(tiles - 1)
            if tiles > 0:
                at = int32(at + depth)
                at_w += depth * rows
                fill_w(sa, (1 - here) * size_a, w, at_w, rows, thread, rows)
                fill_x(sb, (1 - here) * size_b, x, at_x, table, at, i0, j0, h, width, thread)
            multiply(sa, sb, here * size_a + own_a, here * size_b + own_b, fa, fb, acc)
            here = int32(1 - here)
        at_y = cuda.blockIdx.y * y_part + group * y_group + y_first
        pixel = (area, magic, shift, line, line_magic, line_shift, y_image, y_down, y_across)
        put(y, at_y, y_channel, b, group * m, row + own_row, col + own_col, m, pixels, pixel, acc)

    extra = ("_bias" if bias else "") + (f"_{activation}" if activation != "none" else "")
    name = f"conv_{way.label}{'' if wide else '_odd'}{extra}"
    signature = ("float32*",) * 4 + ("int32*",) + ("int32",) * 6 + ("int64",) * 2 + ("int32",) * 2
    signature += (
        ("int32", "uint32", "uint32") * 2 + ("int64",) * 3 + ("int32",) * 2 + ("int64",) * 2
    )
    block = tile.threads, 1, 1
    return Kernel(name, kernel, signature, block, blocks=way.blocks, narrow=True)


def catalogue() -> Iterator[Kernel]:
    """The naive kernel, each tile, and ends."""
    yield naive()
    yield pack()
    for size in ("c128", "c64", "c32", "bf16_128"):
        yield conv(size, True)
    yield conv("c128", False, True, "relu")
