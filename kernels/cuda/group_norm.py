"""Group norm of x (n, channels, area): layer norm's rows are groups, w and b belong to channels.

    for each group of `each` neighbouring channels of an example:             groups in parallel
        mean, var over each * area numbers;   r = 1 / sqrt(var + eps)
        y = (x - mean) r w[channel] + b[channel]

As a layer norm and a product and a sum by channel, x is read and written three times. `registers`
keeps a group of up to 8192 numbers from the first load on, a warp or a block for each: read once,
written once, the bound. Larger groups are merged from parts as batch norm's channels are
(batch_norm.py), then `apply` reads x again: twice and once, as there.

The gradient, with h = g w, and sums over a plane, which is one channel of one example:

    A = sum(g), B = sum(g (x - mean))                     `planes`: a warp for each
    gx = r w g - shift - (x - mean) slope                 `apply_grad`
         shift = r sum(w A) / m,   slope = r^3 sum(w B) / m         `whole_grad`: a warp for a group
    gw = sum over examples of r B,   gb = sum over examples of A

g and x are read twice, gx is written once, and the sums of channels cost nothing more; the last
ones, of few numbers, are left to reduce.py. Planes too large for a warp are cut as batch norm's
(batch_norm_grad.parts).

Source: Wu & He 2018.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from .divide import quotient_of
from .folding import LANES, add, lanes_folder
from .four import load4, store4
from .indexed import kernel
from .layer_norm import folder
from .spec import TYPES, Kernel, cuda

BLOCK = 256
SWEEP = ("index", "divisor", "divisor", "divisor", "index")  # n; of area, channels, each; channels


def named(what: str, weighted: bool, shifted: bool = False, wide: bool = False) -> str:
    return f"group_norm_{what}" + "_w" * weighted + "_b" * shifted + "4" * wide


@cache
def registers(
    dtype: str, lanes: int, each: int, weighted: bool, shifted: bool, index: str = "int32"
) -> Kernel:
    """`lanes` threads (32 or the block) for a group, `each` numbers a thread.

    Arguments: y, mean, rstd, x, w, b, eps, rows (groups of all examples), length (of one), groups
    (of one example), channels of a group, the area's divisor.
    """
    T, total_of, quotient = TYPES[dtype], folder(dtype, lanes), quotient_of(index)

    def function(y, mean, rstd, x, w, b, eps, rows, length, groups, per, magic, shift):
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
            first = row % groups * per
            for k in range(each):
                i = lane + k * width
                if i < length:
                    c = first + quotient(i, magic, shift)
                    v = (values[k] - centre) * r
                    v = v * w[c] if weighted else v
                    y[begin + i] = v + b[c] if shifted else v
            if lane == 0:
                mean[row] = centre
                rstd[row] = r

    kinds = (*["*"] * 6, "T", *["index"] * 4, "divisor")
    name = named(f"{lanes}x{each}", weighted, shifted)
    return kernel(name, dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def apply(dtype: str, weighted: bool, shifted: bool, wide: bool, index: str = "int32") -> Kernel:
    """y = (x - mean) rstd w + b. wide: the area is a multiple of four.

    Arguments: y, x, mean, rstd, w, b, SWEEP.
    """
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(y, x, mean, rstd, w, b, n, m, s, mc, sc, me, se, channels):
        step = 4 if wide else 1
        i = step * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        if i < n:
            plane = quotient(i, m, s)
            c, row = plane - quotient(plane, mc, sc) * channels, quotient(plane, me, se)
            centre, scale = mean[row], rstd[row] * w[c] if weighted else rstd[row]
            t = b[c] if shifted else T(0.0)
            if wide:
                p, q, u, v = load4(x, i)
                p, q = (p - centre) * scale + t, (q - centre) * scale + t
                u, v = (u - centre) * scale + t, (v - centre) * scale + t
                store4(y, i, p, q, u, v)
            else:
                y[i] = (x[i] - centre) * scale + t

    name = named("apply", weighted, shifted, wide)
    return kernel(name, dtype, function, (*["*"] * 6, *SWEEP), (BLOCK, 1, 1), index)


@cache
def planes(dtype: str, index: str = "int32") -> Kernel:
    """sums = sum(g), inner = sum(g (x - mean)) of each plane, by a warp.

    Arguments: sums, inner, g, x, mean, count (of planes), area, channels of a group.
    """
    T, total_of = TYPES[dtype], lanes_folder(add)

    def function(sums, inner, g, x, mean, count, area, per):
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        plane, lane = at // LANES, at % LANES
        one, two = T(0.0), T(0.0)
        if plane < count:
            i, stop, centre = plane * area + lane, (plane + 1) * area, mean[plane // per]
            while i < stop:
                v = g[i]
                one += v
                two += v * (x[i] - centre)
                i += LANES
        one, two = total_of(one), total_of(two)
        if lane == 0 and plane < count:
            sums[plane] = one
            inner[plane] = two

    kinds = (*["*"] * 5, *["index"] * 3)
    return kernel("group_norm_planes", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def whole_grad(dtype: str, weighted: bool, index: str = "int32") -> Kernel:
    """shift and slope of each group, by a warp, and gws = r B of each plane.

    Arguments: shift, slope, gws, sums, inner, w, rstd, rows, groups, channels of a group, numbers
    of a group.
    """
    T, total_of = TYPES[dtype], lanes_folder(add)

    def function(shift, slope, gws, sums, inner, w, rstd, rows, groups, per, length):
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        row, k = at // LANES, at % LANES
        one, two, r = T(0.0), T(0.0), rstd[row] if row < rows else T(0.0)
        first = row % groups * per
        while k < per and row < rows:
            plane = row * per + k
            a, b = sums[plane], inner[plane]
            gws[plane] = b * r
            one += a * w[first + k] if weighted else a
            two += b * w[first + k] if weighted else b
            k += LANES
        one, two = total_of(one), total_of(two)
        if at % LANES == 0 and row < rows:
            shift[row] = r * one / T(length)
            slope[row] = r * r * r * two / T(length)

    kinds = (*["*"] * 7, *["index"] * 4)
    return kernel(named("grad_whole", weighted), dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def apply_grad(dtype: str, weighted: bool, wide: bool, index: str = "int32") -> Kernel:
    """gx = rstd w g - shift - (x - mean) slope. wide: the area is a multiple of four.

    Arguments: gx, g, x, w, mean, rstd, shift, slope, SWEEP.
    """
    quotient = quotient_of(index)

    def function(gx, g, x, w, mean, rstd, shift, slope, n, m, s, mc, sc, me, se, channels):
        step = 4 if wide else 1
        i = step * (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        if i < n:
            plane = quotient(i, m, s)
            c, row = plane - quotient(plane, mc, sc) * channels, quotient(plane, me, se)
            scale = rstd[row] * w[c] if weighted else rstd[row]
            centre, t, k = mean[row], shift[row], slope[row]
            if wide:
                g0, g1, g2, g3 = load4(g, i)
                x0, x1, x2, x3 = load4(x, i)
                g0, g1 = g0 * scale - t - (x0 - centre) * k, g1 * scale - t - (x1 - centre) * k
                g2, g3 = g2 * scale - t - (x2 - centre) * k, g3 * scale - t - (x3 - centre) * k
                store4(gx, i, g0, g1, g2, g3)
            else:
                gx[i] = g[i] * scale - t - (x[i] - centre) * k

    name = named("grad_apply", weighted, wide=wide)
    return kernel(name, dtype, function, (*["*"] * 8, *SWEEP), (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """Every kernel, and the widest of 64 bits."""
    yield registers("float32", LANES, 32, True, True)
    yield registers("float32", BLOCK, 32, True, True)
    yield apply("float32", True, True, True)
    yield planes("float32")
    yield whole_grad("float32", True)
    yield apply_grad("float32", True, True)
    yield apply_grad("float32", True, False, "int64")
