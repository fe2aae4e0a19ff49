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

from .launch import put, take, take_back, task
from .toolchain import device


@device
def _inside(k, n, stride, before, dilation, count):
    """The first position, and the one after the last, at which element k lies in the image."""
    shift = before - k * dilation  # element k of window p lies at p * stride - shift
    first = min(count, max(0, -((-shift) // stride)))
    return first, max(first, min(count, (n - 1 + shift) // stride + 1))


@device
def _geometry(sizes):
    """What `unfold_task` says of sizes, as a tuple."""
    return (
        *(take(sizes, 0), take(sizes, 1), take(sizes, 2), take(sizes, 3), take(sizes, 4)),
        *(take(sizes, 5), take(sizes, 6), take(sizes, 7), take(sizes, 8)),
    )


def unfold_task(columns, x, rows, sizes, _, first, last):
    """columns (planes, k, kernel, lines, count) of planes of `size` elements.

    rows (k, lines): the other axes' kernel elements, and for each the positions of its windows.
    sizes: the number of rows, lines, size, and the last axis' kernel elements, size, stride,
    padding before, dilation and number of positions.
    """
    all_rows, lines, size, kernel, n, stride, before, dilation, count = _geometry(sizes)
    for plane in range(first, last):
        to = plane * all_rows * kernel * count
        for row in range(all_rows):
            line = take(rows, row)
            for k in range(kernel):
                at = to + ((row // lines * kernel + k) * lines + row % lines) * count
                begin, end = _inside(k, n, stride, before, dilation, count)
                if line < 0:
                    begin = end = count
                of = plane * size + line - before + k * dilation
                for p in range(begin):
                    put(columns, at + p, 0)
                for p in range(begin, end):
                    put(columns, at + p, take(x, of + p * stride))
                for p in range(end, count):
                    put(columns, at + p, 0)


def fold_task(x, columns, rows, sizes, _, first, last):
    """x = 0, then each element of the columns added where `unfold_task` read it."""
    all_rows, lines, size, kernel, n, stride, before, dilation, count = _geometry(sizes)
    for plane in range(first, last):
        to = plane * all_rows * kernel * count
        for i in range(size):
            put(x, plane * size + i, 0)
        for row in range(all_rows):
            line = take(rows, row)
            for k in range(kernel if line >= 0 else 0):
                at = to + ((row // lines * kernel + k) * lines + row % lines) * count
                begin, end = _inside(k, n, stride, before, dilation, count)
                of = plane * size + line - before + k * dilation
                for p in range(begin, end):
                    place = of + p * stride
                    put(x, place, take_back(x, place) + take(columns, at + p))


def unfold(dtype: str) -> int:
    """Compile or load `unfold_task` for a dtype."""
    return task(unfold_task, dtype, dtype, dtype, "int64", "int64")


def fold(dtype: str) -> int:
    """Compile or load `fold_task` for a dtype."""
    return task(fold_task, dtype, dtype, dtype, "int64", "int64")
