"""Normalisation in C; see kernels/c/batch_norm.c, layer_norm.c and response_norm.c."""

from __future__ import annotations

from typing import Any

from .c_base import CBase
from .c_library import ffi
from .c_memory import Block, check
from .defaults.norm import NormDefaults
from .tier1 import Buffer


def data(x: Buffer | None) -> Any:
    """The pointer of a buffer that may be missing."""
    return ffi.NULL if x is None else x.data


class CNorm(CBase, NormDefaults):
    """Overrides of batch, layer and local response norm."""

    def batch_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().batch_norm(x, w, b, eps)
        return self._batch_norm(x, w, b, None, False, eps)

    def batch_norm_relu(
        self,
        x: Buffer,
        w: Buffer | None,
        b: Buffer | None,
        eps: float,
        residual: Buffer | None = None,
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().batch_norm_relu(x, w, b, eps, residual)
        return self._batch_norm(x, w, b, residual, True, eps)

    def _batch_norm(
        self, x: Block, w: Any, b: Any, residual: Any, relu: bool, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        y = self.empty(x.shape, x.dtype)
        mean, var = self.empty(x.shape[1:2], x.dtype), self.empty(x.shape[1:2], x.dtype)
        inputs = x.data, data(w), data(b), data(residual), relu, eps, *_planes(x)
        kernel = self.c.batch_norm[x.dtype]
        check(kernel(y.data, mean.data, var.data, *inputs), "batch_norm")
        return y, mean, var

    def batch_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, var: Buffer, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().batch_norm_grad(g, x, w, mean, var, eps)
        return self._batch_norm_grad(g, None, x, w, mean, var, eps)

    def batch_norm_relu_grad(
        self,
        g: Buffer,
        y: Buffer,
        x: Buffer,
        w: Buffer | None,
        mean: Buffer,
        var: Buffer,
        eps: float,
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().batch_norm_relu_grad(g, y, x, w, mean, var, eps)
        return self._batch_norm_grad(g, y, x, w, mean, var, eps)

    def _batch_norm_grad(
        self, g: Block, y: Any, x: Block, w: Any, mean: Block, var: Block, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        gx = self.empty(x.shape, x.dtype)
        gw, gb = self.empty(x.shape[1:2], x.dtype), self.empty(x.shape[1:2], x.dtype)
        inputs = g.data, data(y), x.data, data(w), mean.data, var.data, eps, *_planes(x)
        kernel = self.c.batch_norm_grad[x.dtype]
        check(kernel(gx.data, gw.data, gb.data, *inputs), "batch_norm_grad")
        return gx, gw, gb

    def layer_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().layer_norm(x, w, b, eps)
        rows, length = x.shape
        y = self.empty(x.shape, x.dtype)
        mean, rstd = self.empty((rows,), x.dtype), self.empty((rows,), x.dtype)
        inputs = x.data, data(w), data(b), eps, rows, length
        self.c.layer_norm[x.dtype](y.data, mean.data, rstd.data, *inputs)
        return y, mean, rstd

    def layer_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, rstd: Buffer
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().layer_norm_grad(g, x, w, mean, rstd)
        rows, length = x.shape
        gx = self.empty(x.shape, x.dtype)
        gw, gb = self.empty((length,), x.dtype), self.empty((length,), x.dtype)
        inputs = g.data, x.data, data(w), mean.data, rstd.data, rows, length
        kernel = self.c.layer_norm_grad[x.dtype]
        check(kernel(gx.data, gw.data, gb.data, *inputs), "layer_norm_grad")
        return gx, gw, gb

    def local_response_norm(
        self, x: Buffer, size: int, alpha: float, beta: float, k: float
    ) -> tuple[Buffer, Buffer]:
        if not x.size:
            return super().local_response_norm(x, size, alpha, beta, k)
        y, s = self.empty(x.shape, x.dtype), self.empty(x.shape, x.dtype)
        given = *_planes(x), size, alpha, beta, k
        check(self.c.response_norm[x.dtype](y.data, s.data, x.data, *given), "local_response_norm")
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
        if not x.size:
            return super().local_response_norm_grad(g, x, s, size, alpha, beta, out)
        gx = self.empty(x.shape, x.dtype) if out is None else out
        given = gx.data, g.data, x.data, s.data, *_planes(x), size, alpha, beta
        check(self.c.response_norm_grad[x.dtype](*given), "local_response_norm_grad")
        return gx


def _planes(x: Block) -> tuple[int, int, int]:
    """Images, channels, and numbers of a plane."""
    n, c = x.shape[:2]
    return n, c, x.size // (n * c)
