"""Batch normalisation in NumPy, a few channels at a time: only the first pass leaves the cache.

t    = x of these channels, copied together           (channels, N * L)
mean = t 1 / n,   t -= mean,   var = t . t / n         two BLAS calls
y    = t (w rstd) + b
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from .defaults.norm import NormDefaults
from .numpy_functions import quietly
from .tier1 import Buffer

BLOCK_BYTES = 1 << 19
SHORTEST_LINE = 64  # numbers that are worth a call of BLAS
SHORTEST_RUN = 16  # numbers in a plane, below which gathering channels costs more than it saves


def channel_blocks(x: Any) -> Iterator[tuple[slice, Any]]:
    """Slices of channels of x (N, C, L), and room (channels, N, L) for one of them."""
    n, c, length = x.shape
    step = max(1, min(c, BLOCK_BYTES // (n * length * x.itemsize)))
    room = np.empty((step, n, length), x.dtype)
    for at in range(0, c, step):
        part = slice(at, min(at + step, c))
        yield part, room[: part.stop - at]


def gathered(x: Any, part: slice) -> Any:
    """Channels of x (N, C, L) as a view (channels, N, L)."""
    return x[:, part].swapaxes(0, 1)


def column(x: Any) -> Any:
    return x[:, None]


def sums(x: Any) -> Any:
    """sum(x[i]) for each i of (channels, N, L): BLAS adds up lines, NumPy those sums, in pairs."""
    return np.matmul(lines(x), np.ones(lines(x).shape[2], x.dtype)).sum(1)


def dots(x: Any, y: Any) -> Any:
    """sum(x[i] * y[i]) in the same way."""
    return np.vecdot(lines(x), lines(y)).sum(1)


def lines(x: Any) -> Any:
    """x (channels, N, L) as it is, or with its short planes joined."""
    return x if x.shape[2] >= SHORTEST_LINE else x.reshape(len(x), 1, -1)


class NumpyNorm(NormDefaults):
    """Overrides of batch norm."""

    @quietly
    def batch_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        n, c, length = x.shape[0], x.shape[1], prod(x.shape[2:])
        if n * c == 0 or length < SHORTEST_RUN:
            return super().batch_norm(x, w, b, eps)
        x3, y = x.reshape(n, c, length), np.empty_like(x)
        y3, count = y.reshape(x3.shape), n * length
        mean, var = np.empty(c, x.dtype), np.empty(c, x.dtype)
        for part, room in channel_blocks(x3):
            np.copyto(room, gathered(x3, part))
            t = room.reshape(len(room), count)
            np.divide(sums(room), count, out=mean[part])
            np.subtract(t, column(mean[part]), out=t)
            np.divide(dots(room, room), count, out=var[part])
            scale = 1 / np.sqrt(var[part] + x.dtype.type(eps))
            np.multiply(t, column(scale if w is None else scale * w[part]), out=t)
            if b is not None:
                np.add(t, column(b[part]), out=t)
            np.copyto(gathered(y3, part), room)
        return y, mean, var

    @quietly
    def batch_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, var: Buffer, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        n, c, length = x.shape[0], x.shape[1], prod(x.shape[2:])
        if n * c == 0 or length < SHORTEST_RUN:
            return super().batch_norm_grad(g, x, w, mean, var, eps)
        x3, g3, gx = x.reshape(n, c, length), g.reshape(n, c, length), np.empty_like(x)
        gx3, count = gx.reshape(x3.shape), n * length
        gw, gb = np.empty(c, x.dtype), np.empty(c, x.dtype)
        rstd = 1 / np.sqrt(var + x.dtype.type(eps))
        for (part, room), (_, g_room) in zip(channel_blocks(x3), channel_blocks(x3)):
            np.subtract(gathered(x3, part), mean[part, None, None], out=room)
            np.copyto(g_room, gathered(g3, part))
            t, h = room.reshape(len(room), count), g_room.reshape(len(room), count)
            gb[part] = sums(g_room)
            np.multiply(dots(g_room, room), rstd[part], out=gw[part])
            np.multiply(t, column(rstd[part] * gw[part] / -count), out=t)
            np.add(t, h, out=t)
            np.subtract(t, column(gb[part] / count), out=t)
            scale = rstd[part] if w is None else rstd[part] * w[part]
            np.multiply(room, scale[:, None, None], out=gathered(gx3, part))
        return gx, gw, gb
