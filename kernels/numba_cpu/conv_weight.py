"""The gradient of a convolution for its weights: a product over all positions of all images.

    gw[o, (c, k)] = sum_n sum_p g[n, o, p] x[n, c, p * stride - pad + k * dilation]

    for each chunk of images, for each block of channels:                 in parallel
        for each image:
            source = its channels between zeros                           conv_window.spread
            for a few rows of positions p:
                strips = g[n, :, p]                                       packed
                for each panel of 32 (c, k):
                    panel[p, (c, k)] = source[table[c, k] + p]            turned in registers
                    for each strip:  gw[o, (c, k)] += strip x panel       gemm_micro.tile

The sum runs over positions, so the matrix of windows has to lie crosswise: neighbouring (c, k) side
by side. The panel is made of 16 x 16 blocks that are turned in registers (0.16 ns a number), which
every strip of outputs then uses.

Few weights (a first layer has 75) are no work for two threads, but many images are: then each
chunk of images has its own sums, which are added in order. How many chunks there are depends on the
shapes alone.
"""

from __future__ import annotations

from .conv import share
from .conv_micro import turned_at
from .conv_window import SLACK, plane_of, spread
from .gemm_block import pack_strips, panel_width, strip_height, strip_width
from .gemm_micro import tile
from .gemm_vector import VECTOR
from .launch import shared
from .toolchain import device

PIECE = 1 << 12  # numbers that one thread adds up at a time


@device
def pack_windows(target, source, table, first, columns, rows, w):
    """target[p, l] = window element first + l at position p, for `rows` rows of positions."""
    size = target.itemsize
    lanes, width = VECTOR // size, panel_width(size)
    for i in range(rows):
        for q in range(0, columns, lanes):
            turned_at(
                target.dtype,
                source + i * w.line * size, table.ctypes.data + (first + q) * 8,
                target.ctypes.data + (i * w.across * width + q) * size, width,
                min(lanes, columns - q), w.across,
            )  # fmt: skip


@device
def add_product(out, at, strips, panel, columns, count, fresh, w):
    """out[o, at ...] += strips x panel over `count` positions."""
    size = out.itemsize
    step, narrow = strip_height(w.outputs), strip_width(size)
    strip = strips.ctypes.data
    for i in range(0, w.outputs, step):
        tile(
            out.dtype, strip, 1, narrow, panel.ctypes.data, panel_width(size),
            out.ctypes.data + (i * w.depth + at) * size, w.depth,
            min(step, w.outputs - i), columns, count, fresh,
        )  # fmt: skip
        strip += narrow * count * size


@device
def one_image(out, x, g, table, image, channel, w, rows, room, fresh):
    """Add what one image gives to the weights of some channels of a group.

    image counts images and groups; channel = (first, how many); room: source, panel, strips.
    """
    size = out.itemsize
    first_channel, some_channels = channel
    elements = w.depth // w.channels
    plane, width = plane_of(w), panel_width(size)
    panel = room[some_channels * plane + SLACK :]
    strips = panel[rows * w.across * width + SLACK :]
    start, end = first_channel * elements, (first_channel + some_channels) * elements
    at = (image * w.channels + first_channel) * w.height * w.width
    source = room.ctypes.data - first_channel * plane * size
    for first in range(0, w.down, w.rows):
        spread(room, x, at, first, some_channels, w)
        last = min(first + w.rows, w.down)
        for row in range(first, last, rows):
            count = min(rows, last - row)
            place = (image * w.outputs * w.down + row) * w.across
            pack_strips(
                out.dtype, size, g.ctypes.data + place * size, w.down * w.across, 1,
                w.outputs, count * w.across, strips.ctypes.data,
            )  # fmt: skip
            here = source + (row - first) * w.line * size
            for column in range(start, end, width):
                columns = min(width, end - column)
                pack_windows(panel, here, table, column, columns, count, w)
                new = fresh and row == 0
                add_product(out, column, strips, panel, columns, count * w.across, new, w)


@shared
def weight_grad(worker, workers, parts, x, g, table, w, block, rows, room):
    """parts[chunk] = the gradient (groups * outputs, depth), flat, over one chunk of the images.

    block: channels at a time; rows: of positions, whose products are summed at a time.
    """
    chunks = parts.shape[0]
    blocks = (w.channels + block - 1) // block
    start, end = share(chunks * w.groups * blocks, worker, workers)
    for task in range(start, end):
        q, group, chunk = task % blocks, task // blocks % w.groups, task // blocks // w.groups
        channel = (q * block, min(block, w.channels - q * block))
        out = parts[chunk, group * w.outputs * w.depth :]
        first, last = share(w.images, chunk, chunks)
        for n in range(first, last):
            image = n * w.groups + group
            one_image(out, x, g, table, image, channel, w, rows, room[worker], n == first)


@shared
def add_parts(piece, out, parts):
    """out = the sum of the parts, in order."""
    first = piece * PIECE
    last = min(out.size, first + PIECE)
    for j in range(first, last):
        out[j] = parts[0, j]
    for q in range(1, parts.shape[0]):
        for j in range(first, last):
            out[j] += parts[q, j]
