"""The weight gradient of a 3 x 3 window by Winograd's algorithm F(3x3, 4x4).

    for each tile of 4 x 4 numbers of g (6 x 6 of x), each output o and channel c:
        m[o, c] += (G g[o, 4 x 4] G') . (B' x[c, 6 x 6] B)                        (. by element)
    gw[o, c] = A' m[o, c] A

As in winograd.py, 36 multiplications do the work of 144; here the window that slides over x is a
tile of g, the sum over tiles is inside, and A' is applied once, to the sums. What is left are 36
independent products (outputs x tiles) (tiles x channels).

64 outputs x 64 channels x up to 64 tiles are one step, for then all that it touches (twice 0.6 MB
of points, 0.6 MB of sums) stays in the second-level cache. Blocks of outputs and channels are
shared; where those are few, chunks of images too, whose results are added in order. Errors are
within 3e-5 of the largest result; nan and inf set `strange`.
"""

from __future__ import annotations

from typing import NamedTuple

from .conv import share
from .gemm_block import panel_width, strip_height
from .gemm_micro import tile
from .launch import shared
from .toolchain import device
from .winograd_image import transform_tiles
from .winograd_points import GROUP, POINTS, TAPS, weights_back


class Blocks(NamedTuple):
    """How a gradient is cut up."""

    images: int
    together: int  # images of a chunk
    chunks: int
    width: int  # tiles of a step
    step: int  # numbers from point to point of the sums


@device
def multiply(sums, u, v, outputs, channels, tiles, fresh, xs, gs, s):
    """sums[point, o, c] = or += the sum over tiles of u[point, tile, o] v[point, tile, c]."""
    strip, wide = strip_height(outputs), panel_width(4)
    for point in range(POINTS):
        for q in range(0, channels, wide):
            b = v.ctypes.data + (point * xs.step + q) * 4
            for o in range(0, outputs, strip):
                a = u.ctypes.data + (point * gs.step + o) * 4
                to = sums.ctypes.data + (point * s.step + o * xs.line + q) * 4
                tile(
                    sums.dtype, a, 1, gs.line, b, xs.line, to, xs.line,
                    min(strip, outputs - o), min(wide, channels - q), tiles, fresh,
                )  # fmt: skip


@device
def put_block(out, sums, odd, output, outputs, channel, channels, xs, s):
    """The weights of a block of outputs and channels, from their points."""
    for o in range(outputs):
        for c in range(0, channels, GROUP):
            to = ((output + o) * xs.channels + channel + c) * TAPS
            weights_back(
                out.dtype, sums.ctypes.data + (o * xs.line + c) * 4, s.step * 4,
                out.ctypes.data + to * 4, odd.ctypes.data, min(GROUP, channels - c),
            )  # fmt: skip


@device
def one_block(out, x, g, x_places, g_places, chunk, output, channel, xs, gs, s, room):
    """The gradient of a block of outputs and channels over a chunk of the images."""
    sums = room[GROUP:]
    u = sums[POINTS * s.step :]
    v = u[POINTS * gs.step :]
    turned = v[POINTS * xs.step :]
    outputs, channels = min(gs.line, gs.channels - output), min(xs.line, xs.channels - channel)
    first = chunk * s.together * xs.each
    last = min(s.images, (chunk + 1) * s.together) * xs.each
    for at in range(first, last, s.width):
        until = min(last, at + s.width)
        for c in range(0, channels, GROUP):
            to = v.ctypes.data + c * 4
            transform_tiles(to, turned, x, x_places, at, until, channel + c, xs)
        for o in range(0, outputs, GROUP):
            to = u.ctypes.data + o * 4
            transform_tiles(to, turned, g, g_places, at, until, output + o, gs)
        columns = (channels + GROUP - 1) // GROUP * GROUP
        multiply(sums, u, v, outputs, columns, until - at, at == first, xs, gs, s)
    put_block(out, sums, room, output, outputs, channel, channels, xs, s)


@shared
def weight_grad(worker, workers, parts, x, g, x_places, g_places, xs, gs, s, strange, room):
    """parts[chunk] (outputs, channels, 9) of x and g, all flat; strange[worker] = 0 or nan."""
    across, down = (xs.channels + xs.line - 1) // xs.line, (gs.channels + gs.line - 1) // gs.line
    mine = room[worker]
    for i in range(GROUP):
        mine[i] = 0
    start, end = share(s.chunks * down * across, worker, workers)
    for task in range(start, end):
        channel, rest = task % across * xs.line, task // across
        output, chunk = rest % down * gs.line, rest // down
        one_block(parts[chunk], x, g, x_places, g_places, chunk, output, channel, xs, gs, s, mine)
    total = x.dtype.type(0)
    for i in range(GROUP):
        total += mine[i]
    strange[worker] = total
