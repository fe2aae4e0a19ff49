"""Convolution where results have few places: the images of a batch lie side by side in the lanes.

    x lies turned: xt[c, place][image]; then for each strip of outputs:         in parallel
        weights of the strip as [c, tap][output]                                packed
        for each place p of the result, tap k, place q of x that they meet:
            sums[o, p][image] += w[o, :, k] xt[:, q][image]                     gemm_micro.tile
        y[image][o, p] = sums + b[o]                                            turned back

An image of 2 x 2 fills a quarter of a vector, and four ninths of its windows lie over the border.
Here every lane is used, and a tap that meets no place is in no product. Weights are most of what
has to be moved; they come from memory once. The gradient for x is the same with p and q exchanged,
and that for the weights sums over images:

    for each block of channels, for each 32 outputs:                            in parallel
        gw[o, c, k] = sum over (p, q) that k joins of  g[p][:, o] xt[c, q][:]

32 images of 2 x 2, 512 channels, two threads (ms): forward 1.2, gradients 1.4 and 1.6, where
conv_lanes.py and conv_weight.py took 5.9, 3.4 and 7.6. What is not finite sets `strange`: in the
border, 0 times infinity is not skipped elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from .conv import share
from .conv_micro import paste_rows
from .gemm_block import panel_width, strip_height, strip_width
from .gemm_micro import copy_transposed, tile
from .gemm_vector import VECTOR
from .launch import shared
from .toolchain import REASSOCIATE, device

CHANNELS = 28  # whose weights' gradients are computed at a time


class Batch(NamedTuple):
    """The sizes of a convolution by pairs of places."""

    images: int
    inputs: int
    outputs: int
    sources: int  # places of an image that is read
    places: int  # of a result
    taps: int
    back: bool  # weights lie (inputs, outputs, taps)


@device
def pack_strip(packed, weights, first, rows, s):
    """packed[c, tap][o] of some outputs."""
    lanes, narrow, length = VECTOR // 4, strip_width(4), s.inputs * s.taps
    count, columns = (s.inputs, s.taps) if s.back else (1, length)
    for c in range(count):
        for i in range(0, rows, lanes):
            if s.back:
                source = (c * s.outputs + first + i) * s.taps
            else:
                source = (first + i) * length
            copy_transposed(
                weights.dtype, weights.ctypes.data + source * 4, columns,
                packed.ctypes.data + (c * s.taps * narrow + i) * 4, narrow,
                min(lanes, rows - i), columns,
            )  # fmt: skip


@device(fastmath=REASSOCIATE)
def zero_times(sums, count):
    """0, or nan if one of them is no number."""
    total = zero = sums.dtype.type(0)
    for i in range(count):
        total += sums[i] * zero
    return total


@device
def fill(sums, first, last, value):
    for i in range(first, last):
        sums[i] = value


@device
def put_turned(y, to, row, sums, width, room, rows, columns):
    """y[to + j row + i] = sums[i width + j] for i < rows and j < columns."""
    lanes = VECTOR // 4
    length = (rows + lanes - 1) // lanes * lanes
    for i in range(0, rows, lanes):
        copy_transposed(
            y.dtype, sums.ctypes.data + i * width * 4, width,
            room.ctypes.data + i * 4, length, min(lanes, rows - i), columns,
        )  # fmt: skip
    paste_rows(y.dtype, room.ctypes.data, length, y.ctypes.data + to * 4, row, columns, rows)


@shared
def convolve(worker, workers, y, turned, weights, bias, biased, pairs, s, sizes, strange, room):
    """y (images, outputs, places), flat, of turned (inputs, sources, images).

    pairs = (place of y, place of x, tap); sizes = numbers of packed weights, and of sums.
    """
    step, narrow, wide, n = strip_height(s.outputs), strip_width(4), panel_width(4), s.images
    packed = room[worker]
    sums = packed[sizes[0] :]
    rest = sums[sizes[1] :]
    start, end = share((s.outputs + step - 1) // step, worker, workers)
    odd = zero = y.dtype.type(0)
    for strip in range(start, end):
        first = strip * step
        rows = min(step, s.outputs - first)
        pack_strip(packed, weights, first, rows, s)
        each = s.places * n
        for o in range(rows):
            fill(sums, o * each, (o + 1) * each, bias[first + o] if biased else zero)
        for r in range(pairs.shape[0]):
            place, source, tap = pairs[r, 0], pairs[r, 1], pairs[r, 2]
            for j in range(0, n, wide):
                tile(
                    y.dtype, packed.ctypes.data + tap * narrow * 4, 1, s.taps * narrow,
                    turned.ctypes.data + (source * n + j) * 4, s.sources * n,
                    sums.ctypes.data + (place * n + j) * 4, s.places * n,
                    rows, min(wide, n - j), s.inputs, False,
                )  # fmt: skip
        odd += zero_times(sums, rows * each)
        put_turned(y, first * s.places, s.outputs * s.places, sums, n, rest, rows * s.places, n)
    strange[worker] = odd


@shared
def weight_grad(worker, workers, gw, turned, g, pairs, s, size, strange, room):
    """gw (outputs, inputs, taps), flat, of turned x and g (places, images, outputs).

    size: numbers of the sums (channels, taps, 32 outputs).
    """
    wide, n = panel_width(4), s.images
    across = (s.inputs + CHANNELS - 1) // CHANNELS
    sums, rest = room[worker], room[worker, size:]
    start, end = share(across * ((s.outputs + wide - 1) // wide), worker, workers)
    odd = gw.dtype.type(0)
    for task in range(start, end):
        channel, output = task % across * CHANNELS, task // across * wide
        channels, columns = min(CHANNELS, s.inputs - channel), min(wide, s.outputs - output)
        rows, step = channels * s.taps, strip_height(channels)
        fill(sums, 0, rows * wide, gw.dtype.type(0))
        for r in range(pairs.shape[0]):
            place, source, tap = pairs[r, 0], pairs[r, 1], pairs[r, 2]
            for c in range(0, channels, step):
                tile(
                    gw.dtype,
                    turned.ctypes.data + ((channel + c) * s.sources + source) * n * 4,
                    s.sources * n, 1,
                    g.ctypes.data + (place * n * s.outputs + output) * 4, s.outputs,
                    sums.ctypes.data + (c * s.taps + tap) * wide * 4, s.taps * wide,
                    min(step, channels - c), columns, n, False,
                )  # fmt: skip
        odd += zero_times(sums, rows * wide)
        to = (output * s.inputs + channel) * s.taps
        put_turned(gw, to, s.inputs * s.taps, sums, wide, rest, rows, columns)
    strange[worker] = odd
