"""Convolution of many images: side by side in the lanes of one or two vectors.

    for each block of 32 images, and some rows of results:              in parallel
        turned[place, c, image] = x[image, c, place]                    16 x 16 in registers
        for each place p:
            sums[o, image] = sum_{taps k that meet a place q of x, c} w[o, k, c] turned[q, c, image]
        y[image, o, p] = sums + b[o]                                    turned back

Along rows of an image (conv.py) ten results fill ten of sixteen lanes, and the zeros around it are
multiplied like numbers: in the gradient of LeNet's second layer that is the half. Images fill all
lanes whatever the width, and a tap over the border is left out. Neighbouring taps of a row of the
window meet neighbouring places, so that their products are one run: a tile of gemm_micro.py whose
rows of B lie one after the other. Where all taps are met the runs are one tile, by a table.

64 images, two threads (us): LeNet's second layer 250 along rows, 150 here; its gradient for x 480
and 185. Turning costs as much for few products as for many: it is for sums of 100 and more.

The gradient for x is the same, with g as the source, w from the other side, and taps in the
opposite order. Results are sums in an order that depends on the shape alone.
"""

from __future__ import annotations

from typing import NamedTuple

from .conv import share
from .conv_micro import tile_at
from .gemm_block import strip_height
from .gemm_micro import copy_transposed
from .gemm_vector import VECTOR
from .launch import shared
from .toolchain import device, kernel

GAP = 16  # numbers
SLACK = 16  # places behind a turned image: blocks of 16 x 16 are written whole


class Lanes(NamedTuple):
    """The sizes of a convolution with images in the lanes."""

    images: int
    inputs: int  # channels summed over
    outputs: int
    taps: int
    sources: int  # places of an image that is read
    columns: int  # of results
    rows: int
    together: int  # rows of results that are turned back together
    wide: int  # images in a block


@device
def place_size(channels, s):
    """From place to place in a room: no power of two, or all fall into one set of the cache."""
    return channels * s.wide + GAP


@shared
def pack(task, packed, weights, s, by_output, by_input, backwards):
    """packed[strip][tap][input][output]; weights lie `by_output`, `by_input` and 1 for a tap."""
    strip, tap = task // s.taps, task % s.taps
    step = strip_height(s.outputs)
    first = strip * step
    rows = min(step, s.outputs - first)
    to = (first * s.taps + tap * rows) * s.inputs
    source = first * by_output + (s.taps - 1 - tap if backwards else tap)
    for c in range(s.inputs):
        for o in range(rows):
            packed[to + c * rows + o] = weights[source + o * by_output + c * by_input]


@kernel
def finite(weights):
    """Whether no weight is inf or nan: then what a tap over the border adds is 0."""
    zero = weights.dtype.type(0)
    total = zero
    for i in range(weights.size):
        total += weights[i] * zero
    return total == zero


@device
def turn(turned, x, first, images, begin, end, s):
    """turned[place, channel, image] for places begin ... end - 1 of some images."""
    size = x.itemsize
    lanes, plane = VECTOR // size, s.inputs * s.sources
    for c in range(s.inputs):
        for i in range(0, images, lanes):
            copy_transposed(
                x.dtype,
                x.ctypes.data + ((first + i) * plane + c * s.sources + begin) * size, plane,
                turned.ctypes.data + (begin * place_size(s.inputs, s) + c * s.wide + i) * size,
                place_size(s.inputs, s), min(lanes, images - i), end - begin,
            )  # fmt: skip


@device
def sum_place(sums, turned, packed, place, images, starts, runs, whole, table, s):
    """sums[o, image] of one place."""
    dtype, size = packed.dtype, packed.itemsize
    step, line = strip_height(s.outputs), place_size(s.inputs, s) * size
    strip, all_taps = packed.ctypes.data, s.taps * s.inputs
    first, last = starts[place], starts[place + 1]
    for o in range(0, s.outputs, step):
        to, rows = sums + o * s.wide * size, min(step, s.outputs - o)
        if whole[place] >= 0:
            tile_at(
                dtype, strip, 1, rows, turned + whole[place] * line, table.ctypes.data,
                to, s.wide, rows, images, all_taps, True,
            )  # fmt: skip
        elif first == last:
            tile_at(dtype, strip, 1, rows, turned, 0, to, s.wide, rows, images, 0, True)
        else:
            for r in range(first, last):
                tile_at(
                    dtype, strip + runs[r, 1] * s.inputs * rows * size, 1, rows,
                    turned + runs[r, 0] * line, table.ctypes.data + all_taps * 8,
                    to, s.wide, rows, images, runs[r, 2] * s.inputs, r == first,
                )  # fmt: skip
        strip += all_taps * rows * size


@device
def turn_back(y, sums, room, first, images, place, count, bias, biased, s):
    """y[image, o, place ...] = sums[place ..., o, image] + b[o]."""
    size = y.itemsize
    lanes, plane, step = VECTOR // size, s.rows * s.columns, place_size(s.outputs, s)
    length = (count + lanes - 1) // lanes * lanes
    for o in range(s.outputs):
        for p in range(0, count, lanes):
            copy_transposed(
                y.dtype, sums.ctypes.data + (p * step + o * s.wide) * size, step,
                room.ctypes.data + p * size, length, min(lanes, count - p), images,
            )  # fmt: skip
        b = y.dtype.type(0)
        if biased:
            b = bias[o]
        for i in range(images):
            to = ((first + i) * s.outputs + o) * plane + place
            line, found = y[to : to + count], room[i * length : i * length + count]
            for j in range(count):
                line[j] = found[j] + b


@device
def met(reach, row, end):
    """From which place of the source to before which the rows reach."""
    begin, after = reach[row, 0], reach[row, 1]
    for i in range(row + 1, end):
        begin, after = min(begin, reach[i, 0]), max(after, reach[i, 1])
    return begin, max(begin, after)


@device
def some_rows(
    y, x, packed, bias, biased, block, row, end, starts, runs, reach, whole, table, s, room
):
    """Rows row ... end - 1 of the results of a block of images; x is turned when it is needed."""
    first = block * s.wide
    images = min(s.wide, s.images - first)
    sums = room[(s.sources + SLACK) * place_size(s.inputs, s) :]
    back = sums[s.together * s.columns * place_size(s.outputs, s) :]
    done, _ = met(reach, row, end)
    for i in range(row, end, s.together):
        after = min(end, i + s.together)
        _, needed = met(reach, i, after)
        if needed > done:
            turn(room, x, first, images, done, needed, s)
            done = needed
        place = i * s.columns
        count = after * s.columns - place
        for p in range(count):
            to = sums.ctypes.data + p * place_size(s.outputs, s) * y.itemsize
            sum_place(
                to, room.ctypes.data, packed, place + p, images, starts, runs, whole, table, s
            )
        turn_back(y, sums, back, first, images, place, count, bias, biased, s)


@shared
def convolve(
    worker, workers, y, x, packed, bias, biased, starts, runs, reach, whole, table, s, room
):
    """y (images, outputs, places) of x (images, inputs, sources), both flat; room (workers, n).

    Place p has the runs starts[p] ... starts[p + 1] - 1, each (place of x, tap, how many taps); or,
    if whole[p] is a place, all taps from there on. reach[row] = the places of x that it meets.
    """
    blocks = (s.images + s.wide - 1) // s.wide
    now, last = share(blocks * s.rows, worker, workers)
    while now < last:
        block, row = now // s.rows, now % s.rows
        end = min(s.rows, row + last - now)
        some_rows(
            y, x, packed, bias, biased, block, row, end,
            starts, runs, reach, whole, table, s, room[worker],
        )  # fmt: skip
        now += end - row
