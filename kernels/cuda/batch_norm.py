"""Batch norm of x (n, channels, length), forward and gradient.

    for each channel:                            channels, and parts of a channel, in parallel
        mean = sum(x) / m;   var = sum((x - mean)^2) / m          m = n * length
        y = (x - mean) (w / sqrt(var + eps)) + b,   max(y + residual, 0) where that is asked for

x is read twice and y written once, which is the bound where x is larger than the second cache: the
statistics must be known before the first y. So it is three launches: `parts` leaves mean and sum of
squared deviations of parts of PART numbers; `whole` has a warp merge a channel's parts; `apply` is
elementwise. relu and a residual are part of `apply`, for no further bytes.

The ladder of the statistics:
    a block for each channel, sum(x) and sum(x^2)   one pass, and it cancels: for a mean of 1000 and
                                                    a deviation of 1 float32 has no digit left
    two passes over the channel                     right, and x is read three times in all
    `parts`: numbers stay in registers between      read once; parts are merged by Chan's formula,
    a part's mean and its squared deviations        which is as exact as two passes. Channels of
                                                    few numbers and many alike fill the device
    n_ab = n_a + n_b,  mean_ab = mean_a + d n_b / n_ab,  S_ab = S_a + S_b + d^2 n_a n_b / n_ab

The gradient's two sums, of g and of g (x - mean), need no such care: `parts_grad`, `whole_grad`.
`columns` and `columns_grad` are the same for rows of channels (length 1), where a warp reads 32
channels side by side. A part belongs to one block, parts depend on the shape alone: every run
gives the same bits.

Source: Ioffe & Szegedy 2015; Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances", 1979.
"""

from __future__ import annotations

import math
from functools import cache

from .divide import quotient_of
from .folding import ALL, LANES, add, block_folder
from .four import load4, store4
from .indexed import kernel
from .spec import TYPES, Kernel, cuda

BLOCK, EACH = 256, 16
PART = BLOCK * EACH  # numbers of a part
WIDTH, HEIGHT = 32, 8
ROOM = WIDTH * HEIGHT
SHAPE = ("index", "index", "index", "divisor")  # channels, length, m, length's divisor


@cache
def parts(dtype: str, index: str = "int32") -> Kernel:
    """means[c, p], squares[c, p] of part p of channel c: a block for each.

    Arguments: means, squares, x, parts, then SHAPE.
    """
    T, total_of = TYPES[dtype], block_folder(add, 0.0, dtype)
    quotient = quotient_of(index)

    def function(means, squares, x, parts, channels, length, m, magic, shift):
        values, width = cuda.local.array(EACH, T), cuda.blockDim.x
        c = cuda.blockIdx.x // parts
        first = (cuda.blockIdx.x - c * parts) * width * EACH
        n, total = min(width * EACH, m - first), T(0.0)
        for k in range(EACH):
            e = k * width + cuda.threadIdx.x
            if e < n:
                row = quotient(first + e, magic, shift)
                values[k] = x[(row * channels + c) * length + first + e - row * length]
                total += values[k]
        mean = total_of(total) / T(n)
        total = T(0.0)
        for k in range(EACH):
            if k * width + cuda.threadIdx.x < n:
                d = values[k] - mean
                total += d * d
        total = total_of(total)
        if cuda.threadIdx.x == 0:
            means[cuda.blockIdx.x] = mean
            squares[cuda.blockIdx.x] = total

    kinds = ("*", "*", "*", "index", *SHAPE)
    return kernel("batch_norm_parts", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def columns(dtype: str, index: str = "int32") -> Kernel:
    """The same of x (rows, channels): a block for WIDTH channels of `each` rows.

    Arguments: means, squares, x, parts, each, across (strips of channels), channels, rows.
    """
    T = TYPES[dtype]

    def function(means, squares, x, parts, each, across, channels, rows):
        room = cuda.shared.array(ROOM, T)
        tx, ty, wide, high = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.x, cuda.blockDim.y
        part = cuda.blockIdx.x // across
        c = (cuda.blockIdx.x - part * across) * wide + tx
        first, stop = part * each, min(rows, (part + 1) * each)
        mean = T(0.0)
        for turn in range(2):
            total, row = T(0.0), first + ty
            while row < stop and c < channels:
                d = x[row * channels + c]
                total += d if turn == 0 else (d - mean) * (d - mean)
                row += high
            cuda.syncthreads()
            room[ty * wide + tx] = total
            cuda.syncthreads()
            total = room[tx]
            for k in range(1, high):
                total += room[k * wide + tx]
            if turn == 0:
                mean = total / T(stop - first)
        if ty == 0 and c < channels:
            means[c * parts + part] = mean
            squares[c * parts + part] = total

    kinds = ("*", "*", "*", *["index"] * 5)
    return kernel("batch_norm_columns", dtype, function, kinds, (WIDTH, HEIGHT, 1), index)


@cache
def lines(dtype: str, index: str = "int32") -> Kernel:
    """One part for each channel, by one thread: for channels of a few numbers.

    Arguments as of `parts`.
    """
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(means, squares, x, parts, channels, length, m, magic, shift):
        c = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if c < channels:
            mean, total = T(0.0), T(0.0)
            for e in range(m):
                row = quotient(e, magic, shift)
                mean += x[(row * channels + c) * length + e - row * length]
            mean = mean / T(m)
            for e in range(m):
                row = quotient(e, magic, shift)
                d = x[(row * channels + c) * length + e - row * length] - mean
                total += d * d
            means[c] = mean
            squares[c] = total

    kinds = ("*", "*", "*", "index", *SHAPE)
    return kernel("batch_norm_lines", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def whole(dtype: str, weighted: bool, index: str = "int32") -> Kernel:
    """mean, var and scale = w / sqrt(var + eps) of each channel, merged from its parts by a warp.

    Arguments: mean, var, scale, means, squares, w, eps, parts, numbers of a part, channels, m.
    """
    T = TYPES[dtype]

    def function(mean, var, scale, means, squares, w, eps, parts, each, channels, m):
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        c, lane = at // LANES, at % LANES
        n, centre, total, p = T(0.0), T(0.0), T(0.0), lane
        while p < parts and c < channels:
            other = T(min(each, m - p * each))
            d, both = means[c * parts + p] - centre, n + other
            centre += d * (other / both)
            total += squares[c * parts + p] + d * d * (n * (other / both))
            n, p = both, p + LANES
        delta = LANES // 2
        while delta > 0:
            other = cuda.shfl_down_sync(ALL, n, delta)
            d = cuda.shfl_down_sync(ALL, centre, delta) - centre
            more = cuda.shfl_down_sync(ALL, total, delta)
            both = n + other
            if other > T(0.0):
                centre += d * (other / both)
                total += more + d * d * (n * (other / both))
            n, delta = both, delta // 2
        if lane == 0 and c < channels:
            v = total / T(m)
            mean[c] = centre
            var[c] = v
            r = T(1.0) / math.sqrt(v + eps)
            scale[c] = r * w[c] if weighted else r

    kinds = (*["*"] * 6, "T", *["index"] * 4)
    label = f"batch_norm_whole{'_w' if weighted else ''}"
    return kernel(label, dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def apply(
    dtype: str, shifted: bool, residual: bool, relu: bool, wide: bool, index: str = "int32"
) -> Kernel:
    """y = (x - mean) scale + b, plus a residual, with relu. wide: length is a multiple of four.

    Arguments: y, x, mean, scale, b, r, n (numbers of y), divisors of length and of channels,
    channels.
    """
    T, quotient = TYPES[dtype], quotient_of(index)

    def one(x, r, mean, scale, shift):
        y = (x - mean) * scale + shift
        if residual:
            y += r
        if relu:
            y = T(0.0) if y <= T(0.0) else y
        return y

    def function(y, x, mean, scale, b, r, n, magic, shift, magic_c, shift_c, channels):
        step = 4 if wide else 1
        i = step * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        if i < n:
            plane = quotient(i, magic, shift)
            c = plane - quotient(plane, magic_c, shift_c) * channels
            m, s, t, zero = mean[c], scale[c], b[c] if shifted else T(0.0), T(0.0)
            if wide:
                p, q, u, v = load4(x, i)
                d, e, f, g = load4(r, i) if residual else (zero, zero, zero, zero)
                p, q, u, v = (
                    one(p, d, m, s, t),
                    one(q, e, m, s, t),
                    one(u, f, m, s, t),
                    one(v, g, m, s, t),
                )
                store4(y, i, p, q, u, v)
            else:
                y[i] = one(x[i], r[i] if residual else zero, m, s, t)

    label = "batch_norm_apply" + "_b" * shifted + "_r" * residual + "_relu" * relu + "4" * wide
    kinds = (*["*"] * 6, "index", "divisor", "divisor", "index")
    return kernel(label, dtype, function, kinds, (BLOCK, 1, 1), index)
