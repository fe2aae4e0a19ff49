"""The gradient of a convolution for its weights, with images in the lanes (see conv_lanes.py).

    for each 16 images:                                                         in parallel
        for a few rows of positions p:
            turned x[place, c, image], with zeros around, and g[p, o, image]    conv_lanes.turn
            for each row k of the window, for 4 outputs o, for 6 neighbours (l, c) of that row:
                for each p:  sums[o, k, (l, c)] += g[p, o] x[p * stride + (k, l), c]
        gw[o, c, k, l] = the sum of the lanes of sums[o, k, (l, c)]

A vector has one number of each of 16 images, so nothing has to be packed crosswise, as in
conv_weight.py, and lanes are full whatever the width of an image is. 24 sums stay in registers over
the rows: 10 loads for 24 multiply-adds. Neighbouring columns of the window are neighbours in
memory, whose channels follow upon each other: one row of the window is one line of L * C numbers.

LeNet's first layer takes 90 us on two threads in place of 285, its second 190 in place of 252. The
sums of many weights (32 x 32 x 9) leave no room for turned images in the second-level cache: there
packing crosswise is as fast.

Each group of images has sums of its own, added in order: the same for any number of threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .conv import share
from .conv_micro import prepare as prepare_tile
from .gemm_micro import I, called, copy_transposed, make_routine, slot, written
from .gemm_vector import VECTOR, Lanes, advance, constant, fma, load, store
from .launch import shared
from .toolchain import device

OUTPUTS, LINE = {64: (4, 6), 32: (2, 4), 16: (2, 4)}[VECTOR]  # sums in registers


# the tile -----------------------------------------------------------------------------------------
def one_tile(
    v: Lanes, builder: Any, shape: tuple[int, int], a: Any, b: Any, size: Any, c: Any
) -> None:
    """c[m][n] += the sum over rows and columns of a[m] b[n]; a, b = (address, row, column)."""
    m, n = shape
    places = [advance(builder, c, k * VECTOR) for k in range(m * n)]
    sums = [slot(builder, load(builder, v, place)) for place in places]
    rows = slot(builder, a[0]), slot(builder, b[0])
    with cgutils.for_range(builder, size[0]):
        at = [slot(builder, builder.load(x)) for x in rows]
        with cgutils.for_range(builder, size[1]):
            here = [builder.load(x) for x in at]
            left = [load(builder, v, advance(builder, here[0], i * VECTOR)) for i in range(m)]
            for j in range(n):
                x = load(builder, v, advance(builder, here[1], j * VECTOR))
                for i in range(m):
                    place = sums[i * n + j]
                    builder.store(fma(builder, v, left[i], x, builder.load(place)), place)
            for x, now, step in zip(at, here, (a[2], b[2])):
                builder.store(builder.add(now, step), x)
        for x, step in zip(rows, (a[1], b[1])):
            builder.store(builder.add(builder.load(x), step), x)
    for y, place in zip(sums, places):
        store(builder, v, builder.load(y), place)


def choose(v: Lanes, builder: Any, *arguments: Any) -> None:
    """All tiles, and a jump to the one of m outputs and n neighbours."""
    a, a_row, a_column, b, b_row, b_column, rows, columns, c, m, n = arguments
    steps = [builder.mul(x, constant(v.size)) for x in (a_row, a_column, b_row, b_column)]
    end = builder.append_basic_block("end")
    choice = builder.switch(builder.add(builder.mul(m, constant(LINE + 1)), n), end)
    for i in range(1, OUTPUTS + 1):
        for j in range(1, LINE + 1):
            block = builder.append_basic_block(f"sums_{i}_{j}")
            choice.add_case(ir.Constant(m.type, i * (LINE + 1) + j), block)
            builder.position_at_end(block)
            given = (a, *steps[:2]), (b, *steps[2:])
            one_tile(v, builder, (i, j), *given, (rows, columns), c)
            builder.branch(end)
    builder.position_at_end(end)


@intrinsic
def write_lane_sums(typingctx, dtype, integers):
    return written(choose, types.void(dtype, integers))


def sums_routine(dtype):
    def lane_sums(a, a_row, a_column, b, b_row, b_column, rows, columns, c, m, n):
        integers = (a, a_row, a_column, b, b_row, b_column, rows, columns, c, m, n)
        write_lane_sums(dtype, integers)

    return lane_sums


@cache
def prepare(dtype: Any) -> None:
    """Make the routines ready for np.float32 or np.float64."""
    prepare_tile(dtype)
    make_routine("lane_sums", dtype, sums_routine(dtype), 11)


@intrinsic
def lane_sums(typingctx, dtype, a, a_row, a_column, b, b_row, b_column, rows, columns, c, m, n):
    """c[m][n] += the sum over rows and columns of vectors a[m] * b[n]: addresses, numbers."""
    return called("lane_sums", dtype, *[I] * 11)


# the kernel ---------------------------------------------------------------------------------------
class Sizes(NamedTuple):
    """The sizes of a convolution without dilation."""

    images: int
    channels: int
    height: int
    width: int
    outputs: int
    down: int  # results
    across: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    line: int  # places of a row of x with zeros around
    rows: int  # of results that are turned at a time
    wide: int  # images in the lanes


@device
def clear(room, first, last):
    for j in range(first, last):
        room[j] = 0


@device
def turn_rows(room, x, first, images, channels, plane, at, rows, width, step, wide):
    """room[row, place, channel, image] for some rows of x; `step` numbers from row to row."""
    size = x.itemsize
    for i in range(rows):
        for c in range(channels):
            copy_transposed(
                x.dtype, x.ctypes.data + ((first * channels + c) * plane + at) * size,
                channels * plane, room.ctypes.data + (i * step + c * wide) * size,
                channels * wide, images, width,
            )  # fmt: skip
        at += width


@device
def turn(room, x, first, images, row, lines, channels, height, width, before, line, wide):
    """Rows row ... row + lines - 1 of x between zeros: `before` of `line` places to the left."""
    place, plane = channels * wide, height * width
    top, end = min(max(0, -row), lines), max(0, min(lines, height - row))
    at, step = (row + top) * width, line * place
    here = room[(top * line + before) * place :]
    if line == width:
        count = (end - top) * width
        turn_rows(here, x, first, images, channels, plane, at, 1, count, step, wide)
    else:
        turn_rows(here, x, first, images, channels, plane, at, end - top, width, step, wide)
        for i in range(top, end):
            clear(room, i * step, i * step + before * place)
            clear(room, i * step + (before + width) * place, (i + 1) * step)
    clear(room, 0, top * step)
    clear(room, end * step, lines * step)
    if images < wide:
        for vector in range(0, lines * step, wide):
            clear(room, vector + images, vector + wide)


@device
def add_rows(sums, x, g, rows, s):
    """sums[o, k, (l, c)] += what some rows of turned results and images give."""
    size, place, by = x.itemsize, s.channels * s.wide, s.outputs * s.wide
    length, to = s.kernel_w * s.channels, sums.ctypes.data
    for o in range(0, s.outputs, OUTPUTS):
        m = min(OUTPUTS, s.outputs - o)
        for k in range(s.kernel_h):
            for first in range(0, length, LINE):
                n = min(LINE, length - first)
                lane_sums(
                    x.dtype, g.ctypes.data + o * s.wide * size, s.across * by, by,
                    x.ctypes.data + (k * s.line * place + first * s.wide) * size,
                    s.stride_h * s.line * place, s.stride_w * place, rows, s.across, to, m, n,
                )  # fmt: skip
                to += m * n * VECTOR


@device
def put_sums(gw, sums, order, block, wide):
    """gw[order[v]] = the sum of the lanes of vector v of sums; block: room for wide x wide."""
    for v in range(0, order.size, wide):
        count = min(wide, order.size - v)
        copy_transposed(
            gw.dtype, sums.ctypes.data + v * wide * gw.itemsize, wide,
            block.ctypes.data, wide, count, wide,
        )  # fmt: skip
        for j in range(1, wide):
            for i in range(wide):
                block[i] += block[j * wide + i]
        for i in range(count):
            gw[order[v + i]] = block[i]


@device
def add_block(sums, room, x, g, first, images, s):
    """Add what 16 images give."""
    lines = (s.rows - 1) * s.stride_h + s.kernel_h
    results = room[(lines * s.line + s.wide) * s.channels * s.wide :]
    for row in range(0, s.down, s.rows):
        rows = min(s.rows, s.down - row)
        lines = (rows - 1) * s.stride_h + s.kernel_h
        turn(
            room, x, first, images, row * s.stride_h - s.pad_h, lines,
            s.channels, s.height, s.width, s.pad_w, s.line, s.wide,
        )  # fmt: skip
        turn(
            results, g, first, images, row, rows,
            s.outputs, s.down, s.across, 0, s.across, s.wide,
        )  # fmt: skip
        add_rows(sums, room, results, rows, s)


@shared
def weight_grad(worker, workers, parts, x, g, order, s, room):
    """parts[chunk] (outputs, channels, kernel) = the gradient over one chunk of the images.

    order[v] = which of them vector v of the sums is for.
    """
    chunks, blocks = parts.shape[0], (s.images + s.wide - 1) // s.wide
    size = order.size * s.wide
    sums, rest = room[worker, :size], room[worker, size:]
    start, end = share(chunks, worker, workers)
    for chunk in range(start, end):
        clear(sums, 0, size)
        first, last = share(blocks, chunk, chunks)
        for block in range(first, last):
            at = block * s.wide
            add_block(sums, rest, x, g, at, min(s.wide, s.images - at), s)
        put_sums(parts[chunk], sums, order, rest, s.wide)
