"""The gradient of batch norm of x (n, channels, length): see batch_norm.py.

    gb = sum(g);   gw = sum(g xhat),   xhat = (x - mean) rstd
    gx = w rstd (g - gb / m - xhat gw / m)

Two sums of a channel and then one sweep: g and x are read twice and gx written once. With a relu
behind the norm, g counts where the relu's result y is above 0; y is read too, and no masked g is
ever written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from . import batch_norm
from .batch_norm import BLOCK, EACH, HEIGHT, ROOM, SHAPE, WIDTH
from .divide import quotient_of
from .folding import LANES, add, block_folder, lanes_folder
from .four import load4, store4
from .indexed import kernel
from .spec import TYPES, Kernel, cuda


@cache
def parts(dtype: str, relu: bool, index: str = "int32") -> Kernel:
    """sums[c, p] of g, inner[c, p] of g (x - mean), of part p of channel c: a block for each.

    Arguments: sums, inner, g, y, x, mean, parts, then SHAPE.
    """
    T, total_of = TYPES[dtype], block_folder(add, 0.0, dtype)
    quotient = quotient_of(index)

    def function(sums, inner, g, y, x, mean, parts, channels, length, m, magic, shift):
        width = cuda.blockDim.x
        c = cuda.blockIdx.x // parts
        e = (cuda.blockIdx.x - c * parts) * width * EACH + cuda.threadIdx.x
        stop, centre = min(m, e - cuda.threadIdx.x + width * EACH), mean[c]
        one, two = T(0.0), T(0.0)
        while e < stop:
            row = quotient(e, magic, shift)
            i = (row * channels + c) * length + e - row * length
            if not relu or y[i] > T(0.0):
                one += g[i]
                two += g[i] * (x[i] - centre)
            e += width
        one = total_of(one)
        two = total_of(two)
        if cuda.threadIdx.x == 0:
            sums[cuda.blockIdx.x] = one
            inner[cuda.blockIdx.x] = two

    label = f"batch_norm_grad_parts{'_relu' if relu else ''}"
    kinds = (*["*"] * 6, "index", *SHAPE)
    return kernel(label, dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def columns(dtype: str, relu: bool, index: str = "int32") -> Kernel:
    """The same of x (rows, channels): a block for WIDTH channels of `each` rows.

    Arguments: sums, inner, g, y, x, mean, parts, each, across, channels, rows.
    """
    T = TYPES[dtype]

    def function(sums, inner, g, y, x, mean, parts, each, across, channels, rows):
        ones, twos = cuda.shared.array(ROOM, T), cuda.shared.array(ROOM, T)
        tx, ty, wide, high = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x, cuda.blockDim.y
        part = cuda.blockIdx.x // across
        c = (cuda.blockIdx.x - part * across) * wide + tx
        row, stop = part * each + ty, min(rows, (part + 1) * each)
        one, two = T(0.0), T(0.0)
        centre = mean[c] if c < channels else T(0.0)
        while row < stop and c < channels:
            i = row * channels + c
            if not relu or y[i] > T(0.0):
                one += g[i]
                two += g[i] * (x[i] - centre)
            row += high
        ones[ty * wide + tx] = one
        twos[ty * wide + tx] = two
        cuda.syncthreads()
        if ty == 0 and c < channels:
            for k in range(1, high):
                one += ones[k * wide + tx]
                two += twos[k * wide + tx]
            sums[c * parts + part] = one
            inner[c * parts + part] = two

    label = f"batch_norm_grad_columns{'_relu' if relu else ''}"
    kinds = (*["*"] * 6, *["index"] * 5)
    return kernel(label, dtype, function, kinds, (WIDTH, HEIGHT, 1), index)


@cache
def lines(dtype: str, relu: bool, index: str = "int32") -> Kernel:
    """One part for each channel, by one thread. Arguments as of `parts`."""
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(sums, inner, g, y, x, mean, parts, channels, length, m, magic, shift):
        c = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if c < channels:
            one, two, centre = T(0.0), T(0.0), mean[c]
            for e in range(m):
                row = quotient(e, magic, shift)
                i = (row * channels + c) * length + e - row * length
                if not relu or y[i] > T(0.0):
                    one += g[i]
                    two += g[i] * (x[i] - centre)
            sums[c] = one
            inner[c] = two

    label = f"batch_norm_grad_lines{'_relu' if relu else ''}"
    kinds = (*["*"] * 6, "index", *SHAPE)
    return kernel(label, dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def whole(dtype: str, weighted: bool, index: str = "int32") -> Kernel:
    """gw, gb, and scale, slope and shift for `apply`, of each channel, by a warp.

    Arguments: gw, gb, scale, slope, shift, sums, inner, w, var, eps, parts, channels, m.
    """
    T, total_of = TYPES[dtype], lanes_folder(add)

    def function(gw, gb, scale, slope, shift, sums, inner, w, var, eps, parts, channels, m):
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        c, lane = at // LANES, at % LANES
        one, two, p = T(0.0), T(0.0), lane
        while p < parts and c < channels:
            one += sums[c * parts + p]
            two += inner[c * parts + p]
            p += LANES
        one, two = total_of(one), total_of(two)
        if lane == 0 and c < channels:
            r = T(1.0) / math.sqrt(var[c] + eps)
            gb[c] = one
            gw[c] = two * r
            scale[c] = r * w[c] if weighted else r
            slope[c] = two * r * r / T(m)
            shift[c] = one / T(m)

    label = f"batch_norm_grad_whole{'_w' if weighted else ''}"
    kinds = (*["*"] * 9, "T", *["index"] * 3)
    return kernel(label, dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def apply(dtype: str, relu: bool, wide: bool, index: str = "int32") -> Kernel:
    """gx = scale (g - shift - (x - mean) slope). wide: length is a multiple of four.

    Arguments: gx, g, y, x, mean, scale, slope, shift, n, divisors of length and channels, channels.
    """
    T, quotient = TYPES[dtype], quotient_of(index)

    def one(g, y, x, mean, scale, slope, shift):
        if relu:
            g = g if y > T(0.0) else T(0.0)
        return scale * (g - shift - (x - mean) * slope)

    def function(gx, g, y, x, mean, scale, slope, shift, n, magic, bits, magic_c, bits_c, channels):
        step = 4 if wide else 1
        i = step * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        if i < n:
            plane = quotient(i, magic, bits)
            c = plane - quotient(plane, magic_c, bits_c) * channels
            m, s, k, t = mean[c], scale[c], slope[c], shift[c]
            if wide:
                g0, g1, g2, g3 = load4(g, i)
                x0, x1, x2, x3 = load4(x, i)
                y0, y1, y2, y3 = load4(y, i) if relu else (g0, g1, g2, g3)
                g0, g1 = one(g0, y0, x0, m, s, k, t), one(g1, y1, x1, m, s, k, t)
                g2, g3 = one(g2, y2, x2, m, s, k, t), one(g3, y3, x3, m, s, k, t)
                store4(gx, i, g0, g1, g2, g3)
            else:
                gx[i] = one(g[i], y[i] if relu else g[i], x[i], m, s, k, t)

    label = "batch_norm_grad_apply" + "_relu" * relu + "4" * wide
    kinds = (*["*"] * 8, "index", "divisor", "divisor", "index")
    return kernel(label, dtype, function, kinds, (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """Forward and gradient, every form."""
    own = batch_norm
    yield from (own.parts("float32"), own.columns("float32"), own.lines("float32"))
    yield from (own.whole("float32", True), own.parts("float64"))
    yield own.apply("float32", True, True, True, True)
    yield own.apply("float32", True, False, False, False)
    yield from (parts("float32", True), columns("float32", False), lines("float32", False))
    yield from (
        whole("float32", True),
        apply("float32", True, True),
        apply("float32", False, False),
        apply("float32", True, True, "int64"),
    )
