"""Batch, layer and local response norm on the Numba backend."""

from __future__ import annotations

from math import prod

from ..kernels.numba_cpu import norm, response_norm
from .defaults.norm import NormDefaults
from .numba_memory import empty
from .tier1 import Buffer

PIECE = 1 << 13  # numbers of a piece of work, in whole rows
PIECES = 64  # of rows whose sums are kept apart, at most


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
        if length == 1:
            shape = n, c
            norm.batch_norm_columns(y.reshape(shape), mean, var, x.reshape(shape), *rest, small)
        else:
            planes = n, c, length
            norm.batch_norm(y.reshape(planes), mean, var, x.reshape(planes), *rest, small)
        return y, mean, var

    def batch_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, var: Buffer, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if x.size == 0:
            return super().batch_norm_grad(g, x, w, mean, var, eps)
        n, c, length = x.shape[0], x.shape[1], prod(x.shape[2:])
        gx, gw, gb = empty(x.shape, x.dtype), empty((c,), x.dtype), empty((c,), x.dtype)
        rest = (mean if w is None else w, w is not None, mean, var, x.dtype.type(eps))
        if length == 1:
            flat = (z.reshape(n, c) for z in (g, x))
            norm.batch_norm_columns_grad(gx.reshape(n, c), gw, gb, *flat, *rest)
        else:
            planes = (z.reshape(n, c, length) for z in (g, x))
            norm.batch_norm_grad(gx.reshape(n, c, length), gw, gb, *planes, *rest)
        return gx, gw, gb

    def layer_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if x.size == 0:
            return super().layer_norm(x, w, b, eps)
        m, d = x.shape
        y, mean, rstd = empty(x.shape, x.dtype), empty((m,), x.dtype), empty((m,), x.dtype)
        rest = (mean if w is None else w, mean if b is None else b, w is not None, b is not None)
        norm.layer_norm(y, mean, rstd, x, *rest, x.dtype.type(eps), max(1, PIECE // d))
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
        norm.layer_norm_grad(gx, parts, g, x, weights, w is not None, mean, rstd, lines)
        norm.add_pieces(gw, gb, parts)
        return gx, gw, gb

    def local_response_norm(
        self, x: Buffer, size: int, alpha: float, beta: float, k: float
    ) -> tuple[Buffer, Buffer]:
        if x.size == 0:
            return super().local_response_norm(x, size, alpha, beta, k)
        y, s = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
        numbers = (x.dtype.type(number) for number in (alpha, beta, k))
        response_norm.forward(*(z.reshape(*x.shape[:2], -1) for z in (y, s, x)), size, *numbers)
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
        response_norm.backward(*planes, size, x.dtype.type(alpha), x.dtype.type(beta))
        return gx
