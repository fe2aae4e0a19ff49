"""3 x 3 convolution by Winograd's algorithm F(4x4, 3x3): 36 multiplications where 144 were.

    for each tile of 4 x 4 results (6 x 6 elements of x), each output o:
        tile = A' [ sum over c of (G w[o, c] G') . (B' x[c, 6 x 6] B) ] A         (. by element)

Once transformed, what is left are 36 independent products (tiles x channels) (channels x outputs),
a quarter of the multiplications. Lavin and Gray, "Fast algorithms for convolutional neural
networks", CVPR 2016, section 4.

    of many tiles:  weights -> points, all of them;    then for each block of tiles   in parallel
                        x -> points; for 32 outputs at a time: products, tiles of y
    of few tiles:   x -> points, all of it;            then for each 32 outputs       in parallel
                        for 128 channels at a time: weights -> points, products; tiles of y

So what is multiplied was just written to the second-level cache. Images are turned over, 16
channels at a time, to [place][channel], for the transforms of winograd_points.py.

The points 2 and -2 cost accuracy: errors are within 3e-5 of the largest result (3e-6 directly). A
nan or inf would spread over its tile: then `strange` is set, and all has to be computed directly.
Each sum's order depends on the shape alone.
"""

from __future__ import annotations

from typing import NamedTuple

from .conv import share
from .gemm_block import panel_width, strip_height
from .gemm_micro import copy_transposed, tile
from .gemm_vector import VECTOR
from .launch import shared
from .toolchain import device
from .winograd_image import SLACK, transform_tiles
from .winograd_points import GROUP, POINTS, RESULTS, TAPS, tile_back, weight_points

PANEL = 32  # outputs that are worked on together
DEPTH = 128  # channels, whose weights' points are made at a time where tiles are few


class Tiles(NamedTuple):
    """How a convolution is cut up."""

    outputs: int
    down: int  # rows of results
    across: int
    tiles: int  # of all images
    block: int  # transformed at a time
    by_output: int  # steps in the weights
    by_input: int
    many: bool


@device
def weight_step(s, xs):
    """Numbers from point to point: more than the data, lest they share sets of the cache."""
    return (xs.channels if s.many else min(xs.channels, DEPTH)) * PANEL + GROUP


@device
def sum_step(s):
    return s.block * PANEL + GROUP


@device
def columns_of(panel, s):
    """Outputs of a panel, whole groups."""
    return min(PANEL, (s.outputs - panel * PANEL + GROUP - 1) // GROUP * GROUP)


@device
def gather(room, weights, output, c, count, s):
    """room[(c, tap), o] of 16 outputs; beyond the last, any of them."""
    lanes = VECTOR // 4
    for i in range(0, GROUP, lanes):
        o = min(output + i, s.outputs - 1)
        copy_transposed(
            weights.dtype, weights.ctypes.data + (o * s.by_output + c * s.by_input) * 4,
            s.by_output, room.ctypes.data + i * 4, GROUP, min(lanes, s.outputs - o), count * TAPS,
        )  # fmt: skip


@device
def transform_weights(u, room, weights, taps, panel, begin, end, xs, s):
    """u[point, c, o] of a panel of outputs and channels begin ... end - 1; u is an address."""
    together = GROUP if s.by_input == TAPS else 1  # whose taps follow upon each other
    for q in range(0, columns_of(panel, s), GROUP):
        for c in range(begin, end, together):
            count = min(together, end - c)
            gather(room, weights, panel * PANEL + q, c, count, s)
            weight_points(
                weights.dtype, room.ctypes.data, TAPS * GROUP * 4, taps.ctypes.data, 0,
                u + ((c - begin) * PANEL + q) * 4, weight_step(s, xs) * 4, PANEL * 4, count,
            )  # fmt: skip


@device
def multiply(m, u, v, panel, tiles, begin, end, xs, s):
    """m[point, tile, o] = or += the sum of v[point, tile, c] u[point, c, o], begin <= c < end."""
    step, columns, wide = strip_height(tiles), columns_of(panel, s), panel_width(4)
    for point in range(POINTS):
        for q in range(0, columns, wide):
            b = u + (point * weight_step(s, xs) + q) * 4
            for t in range(0, tiles, step):
                a = v.ctypes.data + (point * xs.step + t * xs.line + begin) * 4
                to = m.ctypes.data + (point * sum_step(s) + t * PANEL + q) * 4
                tile(
                    m.dtype, a, xs.line, 1, b, PANEL, to, PANEL,
                    min(step, tiles - t), min(wide, columns - q), end - begin, begin == 0,
                )  # fmt: skip


@device
def put_rest(y, results, to, outputs, rows, columns, s):
    """What of a tile lies inside."""
    for o in range(outputs):
        for i in range(rows):
            for j in range(columns):
                here = to + o * s.down * s.across + i * s.across + j
                y[here] = results[o * RESULTS + i * 4 + j]


@device
def put_panel(y, m, bias, panel, first, tiles, room, xs, s):
    """Tiles of a panel of outputs, from their points; room: what is strange, and a tile."""
    results, odd = room[GROUP:], room.ctypes.data
    for t in range(tiles):
        image, place = (first + t) // xs.each, (first + t) % xs.each
        row, column = place // xs.across * 4, place % xs.across * 4
        rows, columns = min(4, s.down - row), min(4, s.across - column)
        for q in range(0, columns_of(panel, s), GROUP):
            o = panel * PANEL + q
            to = ((image * s.outputs + o) * s.down + row) * s.across + column
            source, more = m.ctypes.data + (t * PANEL + q) * 4, bias.ctypes.data + o * 4
            if rows == 4 == columns and o + GROUP <= s.outputs:
                plane, line = s.down * s.across * 4, s.across * 4
                target = y.ctypes.data + to * 4
                tile_back(y.dtype, source, sum_step(s) * 4, more, target, plane, line, odd)
            else:
                target = results.ctypes.data
                tile_back(y.dtype, source, sum_step(s) * 4, more, target, RESULTS * 4, 16, odd)
                put_rest(y, results, to, min(GROUP, s.outputs - o), rows, columns, s)


@shared
def make_points(task, points, x, weights, places, taps, xs, s, size):
    """All points of the smaller side: of a panel's weights, or of 16 channels of a block of tiles.

    size: numbers of each panel, or of each block; the room of a task lies behind all points.
    """
    if s.many:
        panels = (s.outputs + PANEL - 1) // PANEL
        room = points[panels * size + task * GROUP * GROUP * TAPS :]
        u = points[task * size :].ctypes.data
        transform_weights(u, room, weights, taps, task, 0, xs.channels, xs, s)
    else:
        groups, tiles = (xs.channels + GROUP - 1) // GROUP, s.tiles
        block, c = task // groups, task % groups * GROUP
        blocks, first = (tiles + s.block - 1) // s.block, block * s.block
        room = points[blocks * size + task * (xs.size + SLACK) * GROUP :]
        v = points[block * size + c :].ctypes.data
        transform_tiles(v, room, x, places, first, min(tiles, first + s.block), c, xs)


@device
def many_tiles(y, x, points, size, bias, places, start, end, xs, s, odd, m, own):
    """Blocks start ... end - 1 of tiles."""
    tiles, turned = s.tiles, own[POINTS * xs.step :]
    for block in range(start, end):
        first = block * s.block
        last = min(tiles, first + s.block)
        for c in range(0, xs.channels, GROUP):
            transform_tiles(own.ctypes.data + c * 4, turned, x, places, first, last, c, xs)
        for panel in range((s.outputs + PANEL - 1) // PANEL):
            u = points.ctypes.data + panel * size * 4
            multiply(m, u, own, panel, last - first, 0, xs.channels, xs, s)
            put_panel(y, m, bias, panel, first, last - first, odd, xs, s)


@device
def few_tiles(y, weights, points, size, bias, taps, start, end, xs, s, odd, sums, own):
    """Panels start ... end - 1 of outputs."""
    tiles, step = s.tiles, POINTS * sum_step(s)
    blocks = (tiles + s.block - 1) // s.block
    u, room = own[(blocks - 1) * step :], own[(blocks - 1) * step + POINTS * weight_step(s, xs) :]
    for panel in range(start, end):
        for begin in range(0, xs.channels, DEPTH):
            last = min(xs.channels, begin + DEPTH)
            transform_weights(u.ctypes.data, room, weights, taps, panel, begin, last, xs, s)
            for block in range(blocks):
                count = min(s.block, tiles - block * s.block)
                m, v = sums[block * step :], points[block * size :]
                multiply(m, u.ctypes.data, v, panel, count, begin, last, xs, s)
        for block in range(blocks):
            count = min(s.block, tiles - block * s.block)
            put_panel(y, sums[block * step :], bias, panel, block * s.block, count, odd, xs, s)


@shared
def convolve(
    worker, workers, y, x, weights, points, size, bias, places, taps, xs, s, strange, room
):
    """y (images, outputs, down, across) of x, all flat; strange[worker] is set to 0 or nan."""
    odd = room[worker]
    for i in range(GROUP):
        odd[i] = 0
    m = odd[GROUP + GROUP * RESULTS :]
    own = m[POINTS * sum_step(s) :]
    if s.many:
        start, end = share((s.tiles + s.block - 1) // s.block, worker, workers)
        many_tiles(y, x, points, size, bias, places, start, end, xs, s, odd, m, own)
    else:
        start, end = share((s.outputs + PANEL - 1) // PANEL, worker, workers)
        few_tiles(y, weights, points, size, bias, taps, start, end, xs, s, odd, m, own)
    total = y.dtype.type(0)
    for i in range(GROUP):
        total += odd[i]
    strange[worker] = total
