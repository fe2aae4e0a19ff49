"""What the convolution kernels share: sizes, the image between zeros, packed weights, products."""

from __future__ import annotations

from typing import NamedTuple

from .conv_micro import paste_rows, tile_at
from .gemm_block import pack_strips, panel_width, strip_height, strip_width
from .gemm_micro import MR
from .launch import shared
from .toolchain import device

SLACK = 1 << 10  # numbers behind each part of a room: whole vectors are read and written
STRIPS = 1 << 19  # bytes of packed weights that all panels use before the next are fetched


class Window(NamedTuple):
    """The sizes of one product of weights with shifted images."""

    images: int
    groups: int
    channels: int  # of the source, in a group
    height: int  # of the source
    width: int
    outputs: int  # rows of weights in a group
    depth: int  # products in an output: channels * elements of a window
    block: int  # of them that are summed at a time
    across: int  # positions in a row
    down: int  # rows of positions
    rows: int  # of them in a band, which one thread computes at a time
    line: int  # numbers in a row of the spread image
    lines: int  # rows of it that a band needs
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    phases_h: int  # strided images: rows i * stride + a for each a that a window begins with
    phases_w: int
    together: int  # bands whose products take turns, so that each block of weights serves all


@device
def plane_of(w):
    """Numbers of one spread channel."""
    return w.phases_h * w.phases_w * w.lines * w.line


@device
def bands_of(w):
    return (w.down + w.rows - 1) // w.rows


@device
def clear(target, first, last):
    for j in range(first, last):
        target[j] = 0


@device
def inside(size, count, stride, shift):
    """The first and last + 1 of `count` places i with 0 <= i stride + shift < size."""
    first = min(max((stride - 1 - shift) // stride, 0), count)
    return first, min(max((size - 1 - shift) // stride + 1, first), count)


@device
def spread_phase(target, to, x, base, row_shift, shift, w):
    """One plane: rows i stride_h + row_shift and columns j stride_w + shift of x from `base` on."""
    top, end = inside(w.height, w.lines, w.stride_h, row_shift)
    first, last = inside(w.width, w.line, w.stride_w, shift)
    if top > 0 or end < w.lines or first > 0 or last < w.line:
        clear(target, to, to + w.lines * w.line)
    size = x.itemsize
    at = base + (top * w.stride_h + row_shift) * w.width + first * w.stride_w + shift
    to += top * w.line + first
    if w.stride_w == 1:
        paste_rows(
            x.dtype, x.ctypes.data + at * size, w.stride_h * w.width,
            target.ctypes.data + to * size, w.line, end - top, last - first,
        )  # fmt: skip
        return
    for _ in range(top, end):
        for j in range(last - first):
            target[to + j] = x[at + j * w.stride_w]
        at += w.stride_h * w.width
        to += w.line


@device
def spread(target, x, base, first_row, channels, w):
    """target[c, a, b, i, j] = x[c, (first_row + i) stride + a - pad, j stride + b - pad] or 0.

    The image of a band between zeros, its rows and columns sorted by their place in a stride: then
    every element of the window sees a contiguous image, whatever stride, padding and dilation are.
    """
    to = 0
    for _ in range(channels):
        for a in range(w.phases_h):
            for b in range(w.phases_w):
                row_shift = first_row * w.stride_h + a - w.pad_h
                spread_phase(target, to, x, base, row_shift, b - w.pad_w, w)
                to += w.lines * w.line
        base += w.height * w.width


@device
def strips_of(w):
    return (w.outputs + MR - 1) // MR


@device
def packed_block(size, w):
    """Numbers of one packed block: all strips, `block` deep, and what packing writes behind."""
    return (strips_of(w) * w.block + 16) * strip_width(size)


@device
def blocks_of(w):
    return (w.depth + w.block - 1) // w.block


@shared
def pack_weights(task, packed, weights, w):
    """Weights (groups, outputs, depth) in strips, a block of the depth after the other."""
    blocks = blocks_of(w)
    size = packed.itemsize
    group, first = task // blocks, task % blocks * w.block
    source = weights.ctypes.data + (group * w.outputs * w.depth + first) * size
    target = packed.ctypes.data + task * packed_block(size, w) * size
    count = min(w.block, w.depth - first)
    pack_strips(packed.dtype, size, source, w.depth, 1, w.outputs, count, target)


@device
def product(target, row, source, packed, group, table, q, count, w):
    """target (outputs, count) = or += block q of the weights times the shifted source.

    target and source are addresses; `row` numbers lie between rows of the target. The panel is 32
    neighbouring positions; so many strips of weights are used for all panels as stay in the cache.
    """
    dtype, size = packed.dtype, packed.itemsize
    width, step, narrow = panel_width(size), strip_height(w.outputs), strip_width(size)
    first = q * w.block
    depth = min(w.block, w.depth - first)
    shifts = table.ctypes.data + first * 8
    start = packed.ctypes.data + (group * blocks_of(w) + q) * packed_block(size, w) * size
    most = max(1, STRIPS // (narrow * depth * size)) * step
    for top in range(0, w.outputs, most):
        for j in range(0, count, width):
            strip = start + top // step * narrow * depth * size
            for i in range(top, min(top + most, w.outputs), step):
                tile_at(
                    dtype, strip, 1, narrow, source + j * size, shifts,
                    target + (i * row + j) * size, row,
                    min(step, w.outputs - i), min(width, count - j), depth, q == 0,
                )  # fmt: skip
                strip += narrow * depth * size
