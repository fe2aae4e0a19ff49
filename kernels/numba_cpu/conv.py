"""Convolution as a matrix product that never writes its matrix down (implicit GEMM).

    y[n, o, p] = b[o] + sum_{c, k} w[o, c, k] x[n, c, p * stride - pad + k * dilation]

The textbook way (im2col) copies each window into a column, and multiplies the weights with all
columns: nine times the image is written and read for a 3 x 3 kernel. But row (c, k) of that matrix
is nothing but channel c of the image, moved by a number. So the tile of gemm_micro.py gets, in
place of a matrix, the image and a table of such numbers:

    for each image, for each band of its rows:                  in parallel
        source = the band between zeros, one plane per phase of the stride        conv_window.spread
        for each block of some 320 (c, k):                      weights that stay in the cache,
            for a few images:                                   for a few small images at a time
                for each panel of 32 neighbouring positions p:
                    for each strip of 14 outputs o:             28 registers of sums
                        sums[o, p] += w[o, c, k] * source[table[c, k] + p]
        y[n, o, rows] = sums + b[o]

Positions run over whole rows of the source, padding included; what stands between the end of a row
and the beginning of the next is computed and dropped (2 of 58 columns at 56 x 56, 2 of 9 at 7 x 7).

The gradient for x is the same product: of g with the weights seen from the other side. With stride
s the elements of x fall into s x s classes by their place in a stride; each class takes every s-th
element of the kernel. The classes are rows of one product, with zeros where the kernel ends, so
that three channels (AlexNet's first layer, s = 4) are 48 rows and fill the tile.
"""

from __future__ import annotations

from .conv_window import (
    SLACK,
    bands_of,
    blocks_of,
    packed_block,
    plane_of,
    product,
    spread,
    strips_of,
)
from .gemm_block import strip_height, strip_width
from .gemm_micro import copy_transposed
from .gemm_vector import VECTOR
from .launch import shared
from .toolchain import device, kernel


@kernel
def naive(y, x, w):
    """The definition, for stride 1 without padding."""
    for n in range(y.shape[0]):
        for o in range(y.shape[1]):
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    y[n, o, i, j] = 0
                    for c in range(w.shape[1]):
                        for k in range(w.shape[2]):
                            for l in range(w.shape[3]):  # noqa: E741
                                y[n, o, i, j] += w[o, c, k, l] * x[n, c, i + k, j + l]


@device
def share(count, index, parts):
    """First and last + 1 of part `index` of `count` things."""
    return count * index // parts, count * (index + 1) // parts


@device
def band_of(task, w):
    """Image and group (one number), first row of positions, rows, positions."""
    bands = bands_of(w)
    at, first = task // bands, task % bands * w.rows
    rows = min(w.rows, w.down - first)
    return at, first, rows, (rows - 1) * w.line + w.across


@device
def parts_of(room, slot, w):
    """The source and the sums in one of the slots of a room."""
    source = w.channels * plane_of(w) + SLACK
    both = room[slot * (source + w.outputs * w.rows * w.line + SLACK) :]
    return both, both[source:]


@device
def products(room, y, direct, x, packed, table, start, end, w):
    """The sums of a few bands, in the room or, if `direct`, where they belong in y."""
    size = x.itemsize
    for task in range(start, end):
        at, first, _, _ = band_of(task, w)
        spread(
            parts_of(room, task - start, w)[0], x, at * w.channels * w.height * w.width, first,
            w.channels, w,
        )  # fmt: skip
    for q in range(blocks_of(w)):
        for task in range(start, end):
            at, first, _, count = band_of(task, w)
            source, sums = parts_of(room, task - start, w)
            target, row = sums.ctypes.data, count
            if direct:
                row = w.down * w.across
                target = y.ctypes.data + (at * w.outputs * row + first * w.across) * size
            product(target, row, source.ctypes.data, packed, at % w.groups, table, q, count, w)


@device
def add_bias(y, bias, at, first, rows, w):
    for o in range(w.outputs):
        b = bias[at % w.groups * w.outputs + o]
        to = ((at * w.outputs + o) * w.down + first) * w.across
        line = y[to : to + rows * w.across]
        for j in range(line.size):
            line[j] += b


@device
def place_rows(y, sums, bias, biased, at, first, rows, count, w):
    """Rows of positions without what is between them, plus the bias."""
    for o in range(w.outputs):
        b = y.dtype.type(0)
        if biased:
            b = bias[at % w.groups * w.outputs + o]
        to = ((at * w.outputs + o) * w.down + first) * w.across
        for i in range(rows):
            line, found = y[to : to + w.across], sums[o * count + i * w.line :]
            for j in range(w.across):
                line[j] = found[j] + b
            to += w.across


@shared
def forward(worker, workers, y, x, packed, bias, biased, table, w, room):
    """y (images, groups * outputs, down, across), all flat; room (workers, n)."""
    start, end = share(w.images * w.groups * bands_of(w), worker, workers)
    direct = w.line == w.across
    for some in range(start, end, w.together):
        last = min(end, some + w.together)
        products(room[worker], y, direct, x, packed, table, some, last, w)
        for task in range(some, last):
            at, first, rows, count = band_of(task, w)
            if not direct:
                sums = parts_of(room[worker], task - some, w)[1]
                place_rows(y, sums, bias, biased, at, first, rows, count, w)
            elif biased:
                add_bias(y, bias, at, first, rows, w)


@device
def place_classes(gx, sums, classes, height, width, at, first, rows, count, w):
    """Output (c, a, b) of the product at (i, j) is gx[c, i s_h + a - q_h, j s_w + b - q_w]."""
    s_h, s_w, q_h, q_w = classes
    channels = w.outputs // (s_h * s_w)
    for m in range(w.outputs):
        c, a, b = m // (s_h * s_w), m // s_w % s_h, m % s_w
        left = (q_w - b + s_w - 1) // s_w if q_w > b else 0
        right = min((width - 1 + q_w - b) // s_w + 1, w.across)
        for i in range(rows):
            h = (first + i) * s_h + a - q_h
            if 0 <= h < height:
                to = ((at * channels + c) * height + h) * width + b - q_w
                line = sums[m * count + i * w.line :]
                if s_w == 1:
                    for j in range(left, right):
                        gx[to + j] = line[j]
                else:
                    for j in range(left, right):
                        gx[to + j * s_w] = line[j]


@shared
def input_grad(worker, workers, gx, g, packed, table, w, room, classes, height, width):
    """gx (images, channels, height, width), flat; classes = (s_h, s_w, q_h, q_w)."""
    start, end = share(w.images * w.groups * bands_of(w), worker, workers)
    direct = w.line == w.across and classes == (1, 1, 0, 0)
    for some in range(start, end, w.together):
        last = min(end, some + w.together)
        products(room[worker], gx, direct, g, packed, table, some, last, w)
        if direct:
            continue
        for task in range(some, last):
            at, first, rows, count = band_of(task, w)
            sums = parts_of(room[worker], task - some, w)[1]
            place_classes(gx, sums, classes, height, width, at, first, rows, count, w)


@device
def turned(packed, to, weights, source, m, rows, narrow, classes, sizes):
    """The taps of one o for the rows m ... of a strip, number by number."""
    s_h, s_w, _, _ = classes
    kernel_h, kernel_w, taps_h, taps_w = sizes
    for r in range(m, m + rows):
        c, a, b = r // (s_h * s_w), r // s_w % s_h, r % s_w
        for t in range(taps_h * taps_w):
            k, l = a + t // taps_w * s_h, b + t % taps_w * s_w  # noqa: E741
            value = packed.dtype.type(0)
            if k < kernel_h and l < kernel_w:
                value = weights[source + (c * kernel_h + k) * kernel_w + l]
            packed[to + t * narrow + r - m] = value


@device
def turned_fast(packed, to, weights, source, m, rows, narrow, taps):
    """The same without stride: columns become rows, a block in registers at a time."""
    size = packed.itemsize
    lanes = VECTOR // size
    for r in range(0, rows, lanes):
        copy_transposed(
            packed.dtype,
            weights.ctypes.data + (source + (m + r) * taps) * size, taps,
            packed.ctypes.data + (to + r) * size, narrow, min(lanes, rows - r), taps,
        )  # fmt: skip


@shared
def pack_turned(task, packed, weights, w, classes, sizes):
    """Weights (groups, o, c, kernel) as strips of rows (c, a, b), with depth (o, tap).

    Row (c, a, b) and tap (u, v) hold element (a + u s_h, b + v s_w) of the kernel, or 0. A block of
    the depth is a number of whole o. sizes = (rows and columns of the kernel, of the taps).
    """
    taps = sizes[2] * sizes[3]
    each, inner, strips = w.block // taps, w.depth // taps, strips_of(w)
    narrow, step = strip_width(packed.itemsize), strip_height(w.outputs)
    blocks = (inner + each - 1) // each
    strip, q, group = task % strips, task // strips % blocks, task // strips // blocks
    count = min(each, inner - q * each)
    m = strip * step
    rows = min(step, w.outputs - m)
    to = (group * blocks + q) * packed_block(packed.itemsize, w) + strip * narrow * count * taps
    per_o = w.outputs // (classes[0] * classes[1]) * sizes[0] * sizes[1]
    fast = classes[0] * classes[1] == 1
    for o in range(count):
        source, here = (group * inner + q * each + o) * per_o, to + o * taps * narrow
        if fast and (count - o - 1) * taps >= narrow:  # it writes up to a block behind
            turned_fast(packed, here, weights, source, m, rows, narrow, taps)
        else:
            turned(packed, here, weights, source, m, rows, narrow, classes, sizes)
