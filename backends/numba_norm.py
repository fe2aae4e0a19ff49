"""Batch, layer and local response norm on the Numba backend."""

from __future__ import annotations

from math import prod
from typing import Any

from ..kernels.numba_cpu import norm, response_norm
from ..kernels.numba_cpu.stream import prepare
from .defaults.norm import NormDefaults
from .numba_memory import empty
from .tier1 import Buffer

PIECE = 1 << 13  # numbers of a piece of work, in whole rows
PIECES = 64  # of rows whose sums are kept apart, at most


def columns_room(dtype: Any, channels: int) -> tuple[int, Any, Any]:
    """How many runs of channels there are, and scratch memory for each."""
    pieces = -(-channels // norm.RUN)
    return pieces, empty((pieces, 2, norm.RUN), "float64"), empty((pieces, 4, norm.RUN), dtype)


def response_room(x: Any, rows: int) -> tuple[int, Any]:
    """How many strips of columns x has, and scratch memory for each: `rows` of its numbers."""
    tasks = x.shape[0] * -(-prod(x.shape[2:]) // response_norm.COLUMNS)
    return tasks, empty((tasks, rows, response_norm.COLUMNS), x.dtype)


class NumbaNorm(NormDefaults):
    """Overrides of the normalisations."""

    def batch_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if x.size == 0:
            return super().batch_norm(x, w, b, eps)
        n, c, length = x.shape[0], x.shape[1], prod(x.shape[2:])
        y, mean, var = empty(x.shape, x.dtype), empty((c,), x.dtype), empty((c,), x.dtype)
        rest = (mean if w is None else w, mean if b is None else b, w is not None, b is not None)
        small = x.dtype.type(eps)
        prepare(x.dtype.type)
        if length == 1:
            pieces, *room = columns_room(x.dtype, c)
            flat = y.reshape(n, c), mean, var, x.reshape(n, c)
            norm.batch_norm_columns(pieces, True, *flat, *rest, small, *room)
        else:
            planes = n, c, length
            norm.batch_norm(c, True, y.reshape(planes), mean, var, x.reshape(planes), *rest, small)
        return y, mean, var

    def batch_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, var: Buffer, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if x.size == 0:
            return super().batch_norm_grad(g, x, w, mean, var, eps)
        n, c, length = x.shape[0], x.shape[1], prod(x.shape[2:])
        gx, gw, gb = empty(x.shape, x.dtype), empty((c,), x.dtype), empty((c,), x.dtype)
        rest = (mean if w is None else w, w is not None, mean, var, x.dtype.type(eps))
        prepare(x.dtype.type)
        if length == 1:
            pieces, *room = columns_room(x.dtype, c)
            flat = gx.reshape(n, c), gw, gb, g.reshape(n, c), x.reshape(n, c)
            norm.batch_norm_columns_grad(pieces, True, *flat, *rest, *room)
        else:
            planes = (z.reshape(n, c, length) for z in (g, x))
            norm.batch_norm_grad(c, True, gx.reshape(n, c, length), gw, gb, *planes, *rest)
        return gx, gw, gb

    def layer_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if x.size == 0:
            return super().layer_norm(x, w, b, eps)
        m, d = x.shape
        y, mean, rstd = empty(x.shape, x.dtype), empty((m,), x.dtype), empty((m,), x.dtype)
        rest = (mean if w is None else w, mean if b is None else b, w is not None, b is not None)
        lines = max(1, PIECE // d)
        norm.layer_norm(-(-m // lines), True, y, mean, rstd, x, *rest, x.dtype.type(eps), lines)
        return y, mean, rstd

    def layer_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, rstd: Buffer
    ) -> tuple[Buffer, Buffer, Buffer]:
        if x.size == 0:
            return super().layer_norm_grad(g, x, w, mean, rstd)
        m, d = x.shape
        gx, gw, gb = empty(x.shape, x.dtype), empty((d,), x.dtype), empty((d,), x.dtype)
        lines = max(1, PIECE // d, -(-m // PIECES))
        parts = empty((-(-m // lines), 2, d), x.dtype)
        weights = mean if w is None else w
        given = gx, parts, g, x, weights, w is not None, mean, rstd, lines
        norm.layer_norm_grad(len(parts), True, *given)
        norm.add_pieces(gw, gb, parts)
        return gx, gw, gb

    def local_response_norm(
        self, x: Buffer, size: int, alpha: float, beta: float, k: float
    ) -> tuple[Buffer, Buffer]:
        if x.size == 0:
            return super().local_response_norm(x, size, alpha, beta, k)
        y, s = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
        numbers = (x.dtype.type(number) for number in (alpha, beta, k))
        tasks, room = response_room(x, 1)
        planes = (z.reshape(*x.shape[:2], -1) for z in (y, s, x))
        response_norm.forward(tasks, True, *planes, room, size, *numbers)
        return y, s

    def local_response_norm_grad(
        self,
        g: Buffer,
        x: Buffer,
        s: Buffer,
        size: int,
        alpha: float,
        beta: float,
        out: Buffer = None,
    ) -> Buffer:
        if x.size == 0:
            return super().local_response_norm_grad(g, x, s, size, alpha, beta, out)
        gx = empty(x.shape, x.dtype) if out is None else out
        planes = (z.reshape(*x.shape[:2], -1) for z in (gx, g, x, s))
        tasks, room = response_room(x, x.shape[1] + 1)
        numbers = x.dtype.type(alpha), x.dtype.type(beta)
        response_norm.backward(tasks, True, *planes, room, size, *numbers)
        return gx
