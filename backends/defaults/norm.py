"""Batch normalisation in training mode, forward and gradient (Ioffe & Szegedy 2015, algorithm 1).

mean_c = E[x_c],  var_c = E[(x_c - mean_c)^2],  xhat = (x - mean) / sqrt(var + eps),
y = w xhat + b          over all axes but 1 of x (N, C, ...)
"""

from __future__ import annotations

from math import prod

from ..tier1 import Buffer, Shape
from .layout import LayoutDefaults


def channel_axes(x: Buffer) -> Shape:
    """All axes but the channel axis 1."""
    return (0, *range(2, len(x.shape)))


class NormDefaults(LayoutDefaults):
    def batch_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(y, mean (C,), biased variance (C,))."""
        axes = channel_axes(x)
        mean = self.mean(x, axes)
        centred = self.binary("sub", x, self.keep(mean, x, axes))
        var = self.mean(self.binary("mul", centred, centred), axes)
        scale = self.keep(self._rstd(var, eps), x, axes)
        if w is not None:
            scale = self.binary("mul", scale, self.keep(w, x, axes))
        y = self.binary("mul", centred, scale, centred)
        if b is not None:
            y = self.binary("add", y, self.keep(b, x, axes), y)
        return y, mean, var

    def batch_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, var: Buffer, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(gx, gw (C,), gb (C,)), with gx = w rstd (g - E[g] - xhat E[g xhat])."""
        axes = channel_axes(x)
        count = prod(x.shape[a] for a in axes)
        rstd = self._rstd(var, eps)
        xhat = self.binary("sub", x, self.keep(mean, x, axes))
        xhat = self.binary("mul", xhat, self.keep(rstd, x, axes), xhat)
        gb = self.reduce("sum", g, axes)
        gw = self.reduce("sum", self.binary("mul", g, xhat), axes)
        gx = self.binary("mul", xhat, self.keep(self.binary("div", gw, count), x, axes), xhat)
        gx = self.binary("sub", g, gx, gx)
        gx = self.binary("sub", gx, self.keep(self.binary("div", gb, count), x, axes), gx)
        scale = rstd if w is None else self.binary("mul", rstd, w)
        return self.binary("mul", gx, self.keep(scale, x, axes), gx), gw, gb

    def _rstd(self, var: Buffer, eps: float) -> Buffer:
        return self.unary("rsqrt", self.binary("add", var, eps))
