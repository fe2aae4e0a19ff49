"""Depthwise convolution: every channel has its own small kernel, and there is no product to make.

    y[n, c, p] = b[c] + sum_k w[c, k] x[n, c, p * stride - pad + k * dilation]

    for each image and channel:                                     in parallel
        source = the plane between zeros                            a few KB, in the first level
        for each row, 16 positions at a time:
            sum = b[c];   for each k:  sum += w[c, k] * source[p + k]      pool_vector.py

A matrix product would use a tile of 14 x 32 for one row. Here 9 multiply-adds belong to a number
of the result: the work is to read the plane once and to write it once, with the sums in between.

The gradient for x (stride 1) is the same with the window read backwards. The gradient for w is a
dot product for each k: of g, with zeros between its rows so that they are as long as the source's,
and the source shifted by k. A channel belongs to one thread, and its images are added in order.
"""

from __future__ import annotations

from .conv_window import SLACK, clear, plane_of, spread
from .launch import shared
from .pool_vector import weigh_windows, weigh_windows_2
from .softmax import dot
from .toolchain import device, wide


@device
def part_of(count, worker, workers):
    return count * worker // workers, count * (worker + 1) // workers


@shared
def weigh(worker, workers, y, x, weights, bias, biased, sizes, backwards, w, room):
    """y (images, channels, down, across), flat. sizes = (down, across, kernel, stride, dilation).

    w spreads whole planes without phases. `backwards` reads the windows from their last element.
    """
    down, across, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w = sizes
    size, source, elements = y.itemsize, room[worker], kernel_h * kernel_w
    row_step, column_step, start = dilation_h * w.line, dilation_w, 0
    if backwards:
        start = (kernel_h - 1) * row_step + (kernel_w - 1) * column_step
        row_step, column_step = -row_step, -column_step
    first, last = part_of(w.images * w.groups, worker, workers)
    for plane in range(first, last):
        channel = plane % w.groups
        spread(source, x, plane * w.height * w.width, 0, 1, w)
        shift = y.dtype.type(0)
        if biased:
            shift = bias[channel]
        table = weights.ctypes.data + channel * elements * size
        for i in range(down):
            row = (
                y.ctypes.data + (plane * down + i) * across * size, table,
                source.ctypes.data, i * stride_h * w.line + start, across,
            )  # fmt: skip
            steps = (row_step, column_step, shift)
            if stride_w == 2:
                weigh_windows_2(y.dtype, *row, kernel_h, kernel_w, *steps)
            elif kernel_h == kernel_w == 3:  # numbers that LLVM knows: no loop is left
                weigh_windows(y.dtype, *row, 3, 3, *steps)
            else:
                weigh_windows(y.dtype, *row, kernel_h, kernel_w, *steps)


@shared
def weight_grad(worker, workers, gw, x, g, sizes, w, room):
    """gw (channels, kernel) for stride 1, flat; g (images, channels, down, across)."""
    down, across, kernel_h, kernel_w, _, _, dilation_h, dilation_w = sizes
    wide()
    source, lined = room[worker], room[worker, plane_of(w) + SLACK :]
    clear(lined, 0, down * w.line)
    count, elements = (down - 1) * w.line + across, kernel_h * kernel_w
    first, last = part_of(w.groups, worker, workers)
    for channel in range(first, last):
        for n in range(w.images):
            plane = n * w.groups + channel
            spread(source, x, plane * w.height * w.width, 0, 1, w)
            for i in range(down):
                at = (plane * down + i) * across
                for j in range(across):
                    lined[i * w.line + j] = g[at + j]
            for k in range(elements):
                at = k // kernel_w * dilation_h * w.line + k % kernel_w * dilation_w
                some = dot(lined[:count], source[at : at + count])
                to = channel * elements + k
                gw[to] = some if n == 0 else gw[to] + some
