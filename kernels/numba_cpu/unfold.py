"""Sliding windows laid out as columns (im2col), and columns added back into images (col2im).

    for each plane:                                     a channel of a sample; threads share them
        for k in window:                                (one loop per spatial axis)
            for p in positions of the window:           (one loop per spatial axis)
                columns[plane, k, p] = x[plane, p * stride - before + k * dilation], or 0 outside

The last axis is a loop of its own, whose bounds leave out the padding, so nothing is tested inside.
For all other axes together `rows` says where each line of the image begins, for each (k, p) in
order, or -1 for a line of padding: so any number of axes is two loops. `fold` walks the same way
and adds; the order in which an element of the image gets its terms is always the same.
"""

from __future__ import annotations

from numba import prange, types

from .toolchain import device, parallel


@device
def _inside(k, axis):
    """The first position, and the one after the last, at which element k lies in the image."""
    n, stride, before, dilation, count = axis
    shift = before - k * dilation  # element k of window p lies at p * stride - shift
    first = min(count, max(0, -((-shift) // stride)))
    return first, max(first, min(count, (n - 1 + shift) // stride + 1))


@parallel
def unfold(columns, x, rows, lines, size, kernel, axis):
    """columns (planes, k, kernel, lines, count) of planes of `size` elements.

    rows (k, lines): the other axes' kernel elements, and for each the positions of its windows.
    axis: the last one's size, stride, padding before, dilation and number of positions.
    """
    _, stride, before, dilation, count = axis
    height = rows.size * kernel * count
    for plane in prange(columns.size // height):
        to, start = types.int64(plane) * height, types.int64(plane) * size
        for row in range(rows.size):
            for k in range(kernel):
                at = to + ((row // lines * kernel + k) * lines + row % lines) * count
                first, last = _inside(k, axis) if rows[row] >= 0 else (count, count)
                of = start + rows[row] - before + k * dilation
                for p in range(first):
                    columns[at + p] = 0
                for p in range(first, last):
                    columns[at + p] = x[of + p * stride]
                for p in range(last, count):
                    columns[at + p] = 0


@parallel
def fold(x, columns, rows, lines, size, kernel, axis):
    """x = 0, then each element of the columns added where `unfold` read it."""
    _, stride, before, dilation, count = axis
    height = rows.size * kernel * count
    for plane in prange(x.size // size):
        to, start = types.int64(plane) * height, types.int64(plane) * size
        for i in range(size):
            x[start + i] = 0
        for row in range(rows.size):
            for k in range(kernel):
                at = to + ((row // lines * kernel + k) * lines + row % lines) * count
                first, last = _inside(k, axis) if rows[row] >= 0 else (count, count)
                of = start + rows[row] - before + k * dilation
                for p in range(first, last):
                    x[of + p * stride] += columns[at + p]
