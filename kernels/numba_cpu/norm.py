"""Batch norm and layer norm, forward and gradient.

    for each channel:                            channels in parallel
        mean = sum(x) / n;   var = sum((x - mean)^2) / n
        y = (x - mean) (w / sqrt(var + eps)) + b

Three passes over a channel, and only the first one reads memory: a channel of 32 images of 56 x 56
has 400 KB and stays in the second-level cache. The composed form makes six passes over everything.
A large result goes past the cache, line by line (stream.py: 1.2 times as fast).
The variance is that of the deviations (not E[x^2] - mean^2, which cancels), and planes are added up
in double precision; within a plane a sum has as many partial sums as vectors have lanes. A channel
belongs to one thread, so the result does not depend on how many there are.

Where a channel is one number per row (N, C), runs of channels side by side take the place of
planes. In layer norm a row is what a channel is here; the gradients for w and b, sums over rows,
are taken over chunks of rows and added in order.
"""

from __future__ import annotations

import math

import numpy as np

from .launch import shared
from .softmax import line_sum
from .stream import LARGE, stream
from .toolchain import REASSOCIATE, device, kernel, wide

RUN = 64  # channels side by side that one piece of work covers


# sums over lines ----------------------------------------------------------------------------------
@device(fastmath=REASSOCIATE)
def squares(line, mean):
    total = line.dtype.type(0)
    for j in range(line.size):
        d = line[j] - mean
        total += d * d
    return total


@device(fastmath=REASSOCIATE)
def products(g, x, mean):
    """sum(g) and sum(g (x - mean))."""
    total = inner = g.dtype.type(0)
    for j in range(g.size):
        total += g[j]
        inner += g[j] * (x[j] - mean)
    return total, inner


@device
def normalised(y, x, mean, scale, shift):
    for j in range(x.size):
        y[j] = (x[j] - mean) * scale + shift


@device
def corrected(gx, g, x, mean, rstd, slope, shift, scale):
    """gx = scale (g - xhat slope - shift)."""
    for j in range(x.size):
        gx[j] = (g[j] - (x[j] - mean) * rstd * slope - shift) * scale


# batch norm ---------------------------------------------------------------------------------------
@shared
def batch_norm(c, y, mean, var, x, w, b, weighted, shifted, eps):
    """Channel c of y, x (n, channels, length); mean, var, w, b (channels,)."""
    wide()
    T, (n, _, length) = x.dtype.type, x.shape
    count, total = n * length, 0.0
    for i in range(n):
        total += line_sum(x[i, c])
    centre = T(total / count)
    total = 0.0
    for i in range(n):
        total += squares(x[i, c], centre)
    spread = T(total / count)
    mean[c], var[c] = centre, spread
    scale, shift = T(1) / math.sqrt(spread + eps), T(0)
    if weighted:
        scale *= w[c]
    if shifted:
        shift = b[c]
    line = np.empty(length, x.dtype)
    for i in range(n):
        if y.nbytes < LARGE:
            normalised(y[i, c], x[i, c], centre, scale, shift)
        else:
            normalised(line, x[i, c], centre, scale, shift)
            stream(x.dtype, y[i, c].ctypes.data, line.ctypes.data, length)


@shared
def batch_norm_grad(c, gx, gw, gb, g, x, w, weighted, mean, var, eps):
    """gx = w rstd (g - gb / n - xhat gw / n), with gw = sum(g xhat) and gb = sum(g)."""
    wide()
    T, (n, _, length) = x.dtype.type, x.shape
    count, centre, rstd = n * length, mean[c], T(1) / math.sqrt(var[c] + eps)
    total = inner = 0.0
    for i in range(n):
        some, more = products(g[i, c], x[i, c], centre)
        total += some
        inner += more
    gb[c], gw[c] = total, inner * rstd
    slope, shift = T(inner * rstd / count), T(total / count)
    scale = rstd
    if weighted:
        scale *= w[c]
    line = np.empty(length, x.dtype)
    for i in range(n):
        if gx.nbytes < LARGE:
            corrected(gx[i, c], g[i, c], x[i, c], centre, rstd, slope, shift, scale)
        else:
            corrected(line, g[i, c], x[i, c], centre, rstd, slope, shift, scale)
            stream(x.dtype, gx[i, c].ctypes.data, line.ctypes.data, length)


# batch norm of (n, channels) ----------------------------------------------------------------------
@device
def run_of(piece, channels):
    """The first channel of a piece, and how many it has."""
    return piece * RUN, min(RUN, channels - piece * RUN)


@shared
def batch_norm_columns(piece, y, mean, var, x, w, b, weighted, shifted, eps, sums, room):
    """As `batch_norm`, of y, x (n, channels); sums (pieces, 2, RUN) and room are scratch memory."""
    wide()
    n, channels = x.shape
    first, size = run_of(piece, channels)
    total, scale, shift = sums[piece, 0], room[piece, 0], room[piece, 1]
    for j in range(size):
        total[j] = 0
    for i in range(n):
        for j in range(size):
            total[j] += x[i, first + j]
    for j in range(size):
        mean[first + j] = total[j] / n
        total[j] = 0
    for i in range(n):
        for j in range(size):
            d = x[i, first + j] - mean[first + j]
            total[j] += d * d
    for j in range(size):
        var[first + j] = total[j] / n
        scale[j] = x.dtype.type(1) / math.sqrt(var[first + j] + eps)
        shift[j] = 0
        if weighted:
            scale[j] *= w[first + j]
        if shifted:
            shift[j] = b[first + j]
    for i in range(n):
        for j in range(size):
            y[i, first + j] = (x[i, first + j] - mean[first + j]) * scale[j] + shift[j]


@shared
def batch_norm_columns_grad(piece, gx, gw, gb, g, x, w, weighted, mean, var, eps, sums, room):
    """As `batch_norm_grad`, of gx, g, x (n, channels)."""
    wide()
    T, (n, channels) = x.dtype.type, x.shape
    first, size = run_of(piece, channels)
    total, inner = sums[piece, 0], sums[piece, 1]
    scale, slope, shift, rstd = room[piece, 0], room[piece, 1], room[piece, 2], room[piece, 3]
    for j in range(size):
        total[j] = inner[j] = 0
    for i in range(n):
        for j in range(size):
            total[j] += g[i, first + j]
            inner[j] += g[i, first + j] * (x[i, first + j] - mean[first + j])
    for j in range(size):
        rstd[j] = T(1) / math.sqrt(var[first + j] + eps)
        gb[first + j], gw[first + j] = total[j], inner[j] * rstd[j]
        slope[j], shift[j] = inner[j] * rstd[j] / n, total[j] / n
        scale[j] = rstd[j]
        if weighted:
            scale[j] *= w[first + j]
    for i in range(n):
        for j in range(size):
            xhat = (x[i, first + j] - mean[first + j]) * rstd[j]
            gx[i, first + j] = (g[i, first + j] - xhat * slope[j] - shift[j]) * scale[j]


# layer norm ---------------------------------------------------------------------------------------
@device
def layer_line(y, x, w, b, weighted, shifted, eps):
    """One row; its mean and 1 / sqrt(var + eps)."""
    T = x.dtype.type
    centre = T(line_sum(x) / x.size)
    rstd = T(1) / math.sqrt(T(squares(x, centre) / x.size) + eps)
    if weighted and shifted:
        for j in range(x.size):
            y[j] = (x[j] - centre) * rstd * w[j] + b[j]
        return centre, rstd
    for j in range(x.size):
        y[j] = (x[j] - centre) * rstd
    if weighted:
        for j in range(x.size):
            y[j] *= w[j]
    if shifted:
        for j in range(x.size):
            y[j] += b[j]
    return centre, rstd


@shared
def layer_norm(piece, y, mean, rstd, x, w, b, weighted, shifted, eps, lines):
    """y, x (m, d); mean, rstd (m,); w, b (d,); `lines` rows to a piece of work."""
    wide()
    for i in range(piece * lines, min(x.shape[0], (piece + 1) * lines)):
        mean[i], rstd[i] = layer_line(y[i], x[i], w, b, weighted, shifted, eps)


@device
def add_line(gw, gb, g, x, centre, rstd):
    for j in range(x.size):
        gw[j] += g[j] * ((x[j] - centre) * rstd)
        gb[j] += g[j]


@device(fastmath=REASSOCIATE)
def weighted_products(g, w, x, centre):
    """sum(h) and sum(h (x - mean)) of h = g w."""
    total = inner = g.dtype.type(0)
    for j in range(g.size):
        h = g[j] * w[j]
        total += h
        inner += h * (x[j] - centre)
    return total, inner


@shared
def layer_norm_grad(piece, gx, parts, g, x, w, weighted, mean, rstd, lines):
    """gx (m, d), and parts (pieces, 2, d): the sums for w and b over `lines` rows each."""
    wide()
    m, d = x.shape
    gw, gb = parts[piece, 0], parts[piece, 1]
    for j in range(d):
        gw[j] = gb[j] = 0
    for i in range(piece * lines, min(m, (piece + 1) * lines)):
        target, a, b, centre, r = gx[i], g[i], x[i], mean[i], rstd[i]
        add_line(gw, gb, a, b, centre, r)
        if weighted:
            total, inner = weighted_products(a, w, b, centre)
            slope, shift = inner * r / d, total / d
            for j in range(d):
                target[j] = (a[j] * w[j] - (b[j] - centre) * r * slope - shift) * r
        else:
            total, inner = products(a, b, centre)
            corrected(target, a, b, centre, r, inner * r / d, total / d, r)


@kernel
def add_pieces(gw, gb, parts):
    """gw, gb (d,) = the sums of the pieces, in order."""
    for j in range(gw.size):
        gw[j] = gb[j] = 0
    for piece in range(parts.shape[0]):
        for j in range(gw.size):
            gw[j] += parts[piece, 0, j]
            gb[j] += parts[piece, 1, j]
