"""Convolution and pooling in NumPy on images side by side: x (N, C, H, W) as base (H, C, W, N).

    columns[h, c, l, (w, n)]   = base[h, c, w + l, n]          runs of W N numbers
    y[h, o, (w, n)]            = sum_{k, c, l} w[o, k, c, l] columns[h + k, c, l, (w, n)]

The rows (k, c, l) of the windows in line h begin at columns[h] and follow one another, so that one
matrix product for each line reads them where they are: an image is copied once for each column of
the kernel, not for each element of it. With W N numbers in a run, pooling reads whole vectors.
Weights are turned to the order (k, c, l) at each call, which costs little.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .lanes import turned
from .numpy_functions import UNARY, keep_where
from .numpy_memory import room
from .tier1 import Buffer, Pairs, Shape

BLOCK_BYTES = 1 << 22  # of columns, or of products before they are summed
Which = tuple[Any, Shape, Shape]  # the number of the largest element, kernel and stride


# convolution ------------------------------------------------------------------------------------
def lines(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut `count` lines of `size` bytes into blocks: where each begins and ends."""
    step = max(1, BLOCK_BYTES // size)
    for at in range(0, count, step):
        yield at, min(at + step, count)


def shifts(size: int, kernel: int, before: int, count: int) -> Iterator[tuple[slice, slice]]:
    """For each element of a kernel the positions of windows, and the numbers they read there."""
    for k in range(kernel):
        first = max(0, before - k)
        last = min(count, size + before - k)
        yield slice(first, last), slice(first + k - before, last + k - before)


def columns(base: Any, kernel: int, pairs: Pairs, first: int, last: int) -> Any:
    """Columns (last - first, C, kernel, W' N) of padded lines first..last."""
    height, channels, width, n = base.shape
    (top, _), (left, right) = pairs
    count = width + left + right - kernel + 1
    found = room((last - first, channels, kernel, count, n), base.dtype)
    a, b = max(first, top), min(last, top + height)
    found[: a - first] = 0
    found[b - first :] = 0
    rows, source = found[a - first : b - first], base[a - top : b - top]
    for k, (at, read) in enumerate(shifts(width, kernel, left, count)):
        np.copyto(rows[:, :, k, at], source[:, :, read])
        rows[:, :, k, : at.start] = 0
        rows[:, :, k, at.stop :] = 0
    return found.reshape(last - first, channels, kernel, count * n)


def windows(rows: Any, kernel: int) -> Any:
    """A view (lines, kernel * R, L) of rows (lines + kernel - 1, ..., L): R rows for each line."""
    length, several = rows.shape[-1], rows[0].size // rows.shape[-1]
    size = rows.itemsize
    shape = (len(rows) - kernel + 1, kernel * several, length)
    return np.ndarray(shape, rows.dtype, rows, 0, (several * length * size, length * size, size))


def conv(
    out: Buffer,
    x: Buffer,
    w: Buffer,
    b: Buffer | None,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    activation: str | None = None,
) -> Buffer:
    """`conv` with stride 1."""
    height, channels, width, n = x.shape
    outputs, _, *kernel = w.shape
    count = [m + sum(p) - k + 1 for m, p, k in zip((height, width), padding, kernel)]
    y = room((count[0], outputs, count[1], n), x.dtype) if out is None else out
    flat = y.reshape(count[0], outputs, count[1] * n)
    weight = np.ascontiguousarray(w.transpose(0, 2, 1, 3)).reshape(outputs, -1)
    size = channels * kernel[1] * count[1] * n * x.itemsize
    for first, last in lines(count[0], size):
        rows = columns(x, kernel[1], padding, first, last + kernel[0] - 1)
        np.matmul(weight, windows(rows, kernel[0]), out=flat[first:last])
    if b is not None:
        np.add(flat, b.reshape(-1, 1), out=flat)
    return y if activation is None else UNARY[activation](y, y)


def conv_weight_grad(
    out: Buffer,
    x: Buffer,
    g: Buffer,
    w_shape: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> Buffer:
    """`conv_weight_grad` with stride 1: a sum over lines, then in the order of w."""
    outputs, channels, *kernel = w_shape
    count, length = len(g), g.shape[2] * g.shape[3]
    flat = g.reshape(count, outputs, length).swapaxes(1, 2)
    size = channels * kernel[1] * max(length, kernel[0] * outputs) * x.itemsize
    total: Any = 0
    for first, last in lines(count, size):
        rows = columns(x, kernel[1], padding, first, last + kernel[0] - 1)
        total = total + np.matmul(windows(rows, kernel[0]), flat[first:last]).sum(0)
    y = np.empty(w_shape, x.dtype) if out is None else out
    np.copyto(y, total.reshape(kernel[0], channels, kernel[1], outputs).transpose(3, 1, 0, 2))
    return y


def conv_input_grad(
    out: Buffer,
    g: Buffer,
    w: Buffer,
    x_shape: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> Buffer:
    """`conv_input_grad` with stride 1: windows of lines of g, and columns added back to places.

    cols[h, c, l, (w, n)] = sum_{k, o} w[o, c, k, l] g[h + before - k, o, (w, n)]
    """
    outputs, channels, *kernel = w.shape
    y = room(turned(x_shape), g.dtype) if out is None else out
    height, _, width, n = y.shape
    (top, bottom), (left, _) = padding
    rows = g.reshape(len(g), outputs, -1)
    before, after = kernel[0] - 1 - top, kernel[0] - 1 - bottom
    if before or after:
        rows = room((len(g) + before + after, *rows.shape[1:]), g.dtype)
        rows[:before] = 0
        rows[before + len(g) :] = 0
        np.copyto(rows[before : before + len(g)].reshape(g.shape), g)
    back = np.ascontiguousarray(w[:, :, ::-1].transpose(1, 3, 2, 0))
    weight = back.reshape(channels * kernel[1], kernel[0] * outputs)
    y.fill(0)
    for first, last in lines(height, channels * kernel[1] * rows[0, 0].nbytes):
        made = np.matmul(weight, windows(rows[first : last + kernel[0] - 1], kernel[0]))
        parts = made.reshape(last - first, channels, kernel[1], g.shape[2], n)
        for k, (at, place) in enumerate(shifts(width, kernel[1], left, g.shape[2])):
            total = y[first:last, :, place]
            np.add(total, parts[:, :, k, at], out=total)
    return y


# pooling ----------------------------------------------------------------------------------------
def elements(base: Any, kernel: Shape, stride: Shape, count: Shape) -> list[Any]:
    """Views (H', C, W', N): each element of all windows."""
    ends = [s * (m - 1) + 1 for s, m in zip(stride, count)]
    return [
        base[i : i + ends[0] : stride[0], :, j : j + ends[1] : stride[1]]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]


def max_pool(
    out: Buffer,
    x: Buffer,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
) -> tuple[Buffer, Which]:
    """`max_pool` without padding, and which element of the window was the first largest."""
    count = tuple((m - k) // s + 1 for m, k, s in zip((len(x), x.shape[2]), kernel, stride))
    parts = elements(x, kernel, stride, count)
    y = room(parts[0].shape, x.dtype)
    np.copyto(y, parts[0])
    for part in parts[1:]:
        np.maximum(y, part, out=y)
    which = np.zeros(y.shape, np.min_scalar_type(len(parts) - 1))
    if np.isfinite(y).all():
        for part in parts[-2::-1]:
            np.add(which, 1, out=which)
            np.multiply(which, np.less(part, y).view(np.uint8), out=which)
    else:  # nan equals nothing
        np.copyto(which, np.argmax(np.stack(parts), axis=0), casting="unsafe")
    return y, (which, kernel, stride)


def max_pool_grad(out: Buffer, g: Buffer, which: Which, x_shape: Shape) -> Buffer:
    """`max_pool_grad`: each g where its maximum was."""
    number, kernel, stride = which
    y = room(turned(x_shape), g.dtype) if out is None else out
    count = (len(g), g.shape[2])
    whole = all(k * m == n for k, m, n in zip(kernel, count, (len(y), y.shape[2])))
    apart = all(s >= k for s, k in zip(stride, kernel))
    if not (apart and whole):
        y.fill(0)
    for k, place in enumerate(elements(y, kernel, stride, count)):
        if apart:
            keep_where(np.equal(number, k), g, place)
        else:
            np.add(place, keep_where(np.equal(number, k), g), out=place)
    return y
