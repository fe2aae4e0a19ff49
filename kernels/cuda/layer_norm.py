"""Layer norm of the rows of x (rows, length), forward and gradient.

    for each row:                                                   rows in parallel
        mean = sum(x) / length;   r = 1 / sqrt(sum((x - mean)^2) / length + eps)
        y = (x - mean) r w + b

`registers`: the threads of a row (a warp, for long rows a block) keep its numbers from the first
load on, so x is read once and y written once: the bound. The squared deviations are taken from the
mean, not from sum(x^2), which would cancel. `lines`: a thread for a row of a few numbers;
`streaming`: a block for a row too long to keep, which reads it three times, twice from the cache.

The gradient has two directions. Along a row, with h = g w and xhat = (x - mean) r:

    gx = r (h - E[h] - xhat E[h xhat])              the same forms
    gw = sum over rows of g xhat;   gb = sum over rows of g

`weights` sums columns as reduce.py does: neighbouring threads take neighbouring columns, a block
takes some rows, and a second launch adds the blocks' sums, in order.

Source: Ba, Kiros & Hinton 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

from .folding import LANES, add, block_folder, lanes_folder
from .indexed import kernel
from .spec import TYPES, Kernel, cuda

BLOCK = 256
MOST = 32  # numbers that a thread keeps
WIDTH, HEIGHT = 32, 8
ROOM = WIDTH * HEIGHT
FORWARD = (*["*"] * 6, "T", "index", "index")  # y, mean, rstd, x, w, b, eps, sizes
BACKWARD = (*["*"] * 6, "index", "index")  # gx, g, x, w, mean, rstd, sizes


def folder(dtype: str, lanes: int) -> Any:
    """The sum of the numbers of a row's threads."""
    return lanes_folder(add) if lanes == LANES else block_folder(add, 0.0, dtype)


def named(what: str, form: str, weighted: bool, shifted: bool = False) -> str:
    return f"layer_norm_{what}{form}" + "_w" * weighted + "_b" * shifted


@cache
def registers(
    dtype: str, lanes: int, each: int, weighted: bool, shifted: bool, index: str = "int32"
) -> Kernel:
    """`lanes` threads (32 or the block) for a row, `each` numbers a thread. Arguments: FORWARD."""
    T, total_of = TYPES[dtype], folder(dtype, lanes)

    def function(y, mean, rstd, x, w, b, eps, rows, length):
        width = lanes if lanes == LANES else cuda.blockDim.x
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        row, lane = at // width, at % width
        if row < rows:
            values, begin, total = cuda.local.array(each, T), row * length, T(0.0)
            for k in range(each):
                i = lane + k * width
                if i < length:
                    values[k] = x[begin + i]
                    total += values[k]
            centre = total_of(total) / T(length)
            total = T(0.0)
            for k in range(each):
                if lane + k * width < length:
                    d = values[k] - centre
                    total += d * d
            r = T(1.0) / math.sqrt(total_of(total) / T(length) + eps)
            for k in range(each):
                i = lane + k * width
                if i < length:
                    v = (values[k] - centre) * r
                    v = v * w[i] if weighted else v
                    y[begin + i] = v + b[i] if shifted else v
            if lane == 0:
                mean[row] = centre
                rstd[row] = r

    name = named("", f"{lanes}x{each}", weighted, shifted)
    return kernel(name, dtype, function, FORWARD, (BLOCK, 1, 1), index)


@cache
def streaming(dtype: str, weighted: bool, shifted: bool, index: str = "int32") -> Kernel:
    """A block for a row of any length. Arguments: FORWARD."""
    T, total_of = TYPES[dtype], folder(dtype, BLOCK)

    def function(y, mean, rstd, x, w, b, eps, rows, length):
        row, t = cuda.blockIdx.x, cuda.threadIdx.x
        begin, total, i = row * length, T(0.0), t
        while i < length:
            total += x[begin + i]
            i += cuda.blockDim.x
        centre = total_of(total) / T(length)
        total, i = T(0.0), t
        while i < length:
            d = x[begin + i] - centre
            total += d * d
            i += cuda.blockDim.x
        r = T(1.0) / math.sqrt(total_of(total) / T(length) + eps)
        i = t
        while i < length:
            v = (x[begin + i] - centre) * r
            v = v * w[i] if weighted else v
            y[begin + i] = v + b[i] if shifted else v
            i += cuda.blockDim.x
        if t == 0:
            mean[row] = centre
            rstd[row] = r

    name = named("", "streaming", weighted, shifted)
    return kernel(name, dtype, function, FORWARD, (BLOCK, 1, 1), index)


@cache
def lines(dtype: str, weighted: bool, shifted: bool, index: str = "int32") -> Kernel:
    """A thread for a row. Arguments: FORWARD."""
    T = TYPES[dtype]

    def function(y, mean, rstd, x, w, b, eps, rows, length):
        row = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if row < rows:
            begin, total = row * length, T(0.0)
            for i in range(length):
                total += x[begin + i]
            centre = total / T(length)
            total = T(0.0)
            for i in range(length):
                d = x[begin + i] - centre
                total += d * d
            r = T(1.0) / math.sqrt(total / T(length) + eps)
            for i in range(length):
                v = (x[begin + i] - centre) * r
                v = v * w[i] if weighted else v
                y[begin + i] = v + b[i] if shifted else v
            mean[row] = centre
            rstd[row] = r

    name = named("", "lines", weighted, shifted)
    return kernel(name, dtype, function, FORWARD, (BLOCK, 1, 1), index)


@cache
def registers_grad(
    dtype: str, lanes: int, each: int, weighted: bool, index: str = "int32"
) -> Kernel:
    """gx by `lanes` threads for a row, `each` numbers a thread. Arguments: BACKWARD."""
    T, total_of = TYPES[dtype], folder(dtype, lanes)

    def function(gx, g, x, w, mean, rstd, rows, length):
        width = lanes if lanes == LANES else cuda.blockDim.x
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        row, lane = at // width, at % width
        if row < rows:
            hs, hats, begin = cuda.local.array(each, T), cuda.local.array(each, T), row * length
            centre, r, one, two = mean[row], rstd[row], T(0.0), T(0.0)
            for k in range(each):
                i = lane + k * width
                if i < length:
                    hs[k] = g[begin + i] * w[i] if weighted else g[begin + i]
                    hats[k] = (x[begin + i] - centre) * r
                    one += hs[k]
                    two += hs[k] * hats[k]
            one = total_of(one) / T(length)
            two = total_of(two) / T(length)
            for k in range(each):
                i = lane + k * width
                if i < length:
                    gx[begin + i] = (hs[k] - one - hats[k] * two) * r

    name = named("grad_", f"{lanes}x{each}", weighted)
    return kernel(name, dtype, function, BACKWARD, (BLOCK, 1, 1), index)


@cache
def streaming_grad(dtype: str, weighted: bool, index: str = "int32") -> Kernel:
    """gx by a block for a row of any length. Arguments: BACKWARD."""
    T, total_of = TYPES[dtype], folder(dtype, BLOCK)

    def function(gx, g, x, w, mean, rstd, rows, length):
        row, i = cuda.blockIdx.x, cuda.threadIdx.x
        begin, centre, r, one, two = row * length, mean[row], rstd[row], T(0.0), T(0.0)
        while i < length:
            h = g[begin + i] * w[i] if weighted else g[begin + i]
            one += h
            two += h * ((x[begin + i] - centre) * r)
            i += cuda.blockDim.x
        one = total_of(one) / T(length)
        two = total_of(two) / T(length)
        i = cuda.threadIdx.x
        while i < length:
            h = g[begin + i] * w[i] if weighted else g[begin + i]
            gx[begin + i] = (h - one - (x[begin + i] - centre) * r * two) * r
            i += cuda.blockDim.x

    name = named("grad_", "streaming", weighted)
    return kernel(name, dtype, function, BACKWARD, (BLOCK, 1, 1), index)


@cache
def lines_grad(dtype: str, weighted: bool, index: str = "int32") -> Kernel:
    """gx by a thread for a row. Arguments: BACKWARD."""
    T = TYPES[dtype]

    def function(gx, g, x, w, mean, rstd, rows, length):
        row = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if row < rows:
            begin, centre, r, one, two = row * length, mean[row], rstd[row], T(0.0), T(0.0)
            for i in range(length):
                h = g[begin + i] * w[i] if weighted else g[begin + i]
                one += h
                two += h * ((x[begin + i] - centre) * r)
            one, two = one / T(length), two / T(length)
            for i in range(length):
                h = g[begin + i] * w[i] if weighted else g[begin + i]
                gx[begin + i] = (h - one - (x[begin + i] - centre) * r * two) * r

    return kernel(
        named("grad_", "lines", weighted), dtype, function, BACKWARD, (BLOCK, 1, 1), index
    )


@cache
def weights(dtype: str, index: str = "int32") -> Kernel:
    """gw[p] and gb[p] over part p of the rows: a block for WIDTH columns of `each` rows.

    Arguments: gw, gb (parts, length), g, x, mean, rstd, each, across (strips of columns), rows,
    length.
    """
    T = TYPES[dtype]

    def function(gw, gb, g, x, mean, rstd, each, across, rows, length):
        ones, twos = cuda.shared.array(ROOM, T), cuda.shared.array(ROOM, T)
        tx, ty, wide, high = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x, cuda.blockDim.y
        part = cuda.blockIdx.x // across
        j = (cuda.blockIdx.x - part * across) * wide + tx
        row, stop = part * each + ty, min(rows, (part + 1) * each)
        one, two = T(0.0), T(0.0)
        while row < stop and j < length:
            v = g[row * length + j]
            one += v
            two += v * ((x[row * length + j] - mean[row]) * rstd[row])
            row += high
        ones[ty * wide + tx] = one
        twos[ty * wide + tx] = two
        cuda.syncthreads()
        if ty == 0 and j < length:
            for k in range(1, high):
                one += ones[k * wide + tx]
                two += twos[k * wide + tx]
            gb[part * length + j] = one
            gw[part * length + j] = two

    kinds = (*["*"] * 6, *["index"] * 4)
    return kernel("layer_norm_weights", dtype, function, kinds, (WIDTH, HEIGHT, 1), index)


def catalogue() -> Iterator[Kernel]:
    """Every form."""
    yield registers("float32", LANES, 32, True, True)
    yield registers("float32", BLOCK, 16, True, False)
    yield streaming("float32", True, True)
    yield lines("float32", True, True)
    yield lines("float32", True, True, "int64")
    yield registers_grad("float32", LANES, 16, True)
    yield registers_grad("float32", BLOCK, 16, True)
    yield streaming_grad("float32", True)
    yield lines_grad("float32", True)
    yield weights("float32")
