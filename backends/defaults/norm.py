"""Normalisation, forward and gradient.

Batch norm in training mode (Ioffe & Szegedy 2015, algorithm 1), over all axes but 1 of (N, C, ...),
layer norm (Ba, Kiros & Hinton 2016), over each row of (M, D), and group norm (Wu & He 2018), over
each group of neighbouring channels of an example of (N, C, ...), with w and b by channel:

    mean = E[x],  var = E[(x - mean)^2],  xhat = (x - mean) / sqrt(var + eps),  y = w xhat + b

Local response norm (Krizhevsky et al. 2012, section 3.3), over `size` neighbouring channels:

    y = x / s^beta,  s = k + alpha / size (sum of x^2 over the window around each channel)
"""

from __future__ import annotations

from math import prod

from ..tier1 import Buffer, Pairs, Shape
from .pool import PoolDefaults


def channel_axes(x: Buffer) -> Shape:
    """All axes but the channel axis 1."""
    return (0, *range(2, len(x.shape)))


def _channel_window(size: int, scale: float) -> tuple[Shape, Shape, Pairs, float]:
    """Kernel, stride, padding and scale of a mean over channels, for planes (N, 1, C, rest)."""
    return (size, 1), (1, 1), ((size // 2, (size - 1) // 2), (0, 0)), scale / size


class NormDefaults(PoolDefaults):
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

    def batch_norm_relu(
        self,
        x: Buffer,
        w: Buffer | None,
        b: Buffer | None,
        eps: float,
        residual: Buffer | None = None,
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(y, mean, variance) of `batch_norm`, with y = relu(y + residual) where that is given."""
        y, mean, var = self.batch_norm(x, w, b, eps)
        if residual is not None:
            y = self.binary("add", y, residual, y)
        return self.unary("relu", y, y), mean, var

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
        """(gx, gw, gb) of `batch_norm_grad`, of g where the result y of a relu is above 0."""
        return self.batch_norm_grad(self.binary("relu_grad", g, y), x, w, mean, var, eps)

    def layer_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(y (M, D), mean (M,), 1 / sqrt(var + eps) (M,)) of x (M, D), w (D,) and b (D,)."""
        mean = self.mean(x, (1,))
        xhat = self.binary("sub", x, self.keep(mean, x, (1,)))
        rstd = self._rstd(self.mean(self.binary("mul", xhat, xhat), (1,)), eps)
        y = self.binary("mul", xhat, self.keep(rstd, x, (1,)), xhat)
        if w is not None:
            y = self.binary("mul", y, w, y)
        if b is not None:
            y = self.binary("add", y, b, y)
        return y, mean, rstd

    def layer_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, rstd: Buffer
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(gx, gw (D,), gb (D,)), with gx = rstd (h - E[h] - xhat E[h xhat]) and h = g w."""
        xhat = self.binary("sub", x, self.keep(mean, x, (1,)))
        xhat = self.binary("mul", xhat, self.keep(rstd, x, (1,)), xhat)
        gb = self.reduce("sum", g, (0,))
        gw = self.reduce("sum", self.binary("mul", g, xhat), (0,))
        h = g if w is None else self.binary("mul", g, w)
        inner = self.mean(self.binary("mul", h, xhat), (1,))
        gx = self.binary("mul", xhat, self.keep(inner, x, (1,)), xhat)
        gx = self.binary("sub", h, gx, gx)
        gx = self.binary("sub", gx, self.keep(self.mean(h, (1,)), x, (1,)), gx)
        return self.binary("mul", gx, self.keep(rstd, x, (1,)), gx), gw, gb

    def group_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, groups: int, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(y, mean (N, groups), 1 / sqrt(var + eps) (N, groups)) of x (N, C, ...)."""
        stats, axes = (x.shape[0], groups), channel_axes(x)
        rows = self.reshape(x, (prod(stats), prod(x.shape[1:]) // groups))
        y, mean, rstd = self.layer_norm(rows, None, None, eps)
        y = self.reshape(y, x.shape)
        if w is not None:
            y = self.binary("mul", y, self.keep(w, x, axes), y)
        if b is not None:
            y = self.binary("add", y, self.keep(b, x, axes), y)
        return y, self.reshape(mean, stats), self.reshape(rstd, stats)

    def group_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, rstd: Buffer
    ) -> tuple[Buffer, Buffer, Buffer]:
        """(gx, gw (C,), gb (C,)): gx as `layer_norm_grad`'s of g w."""
        (n, groups), c, axes = mean.shape, x.shape[1], channel_axes(x)
        m, r = (self.reshape(z, (n * groups,)) for z in (mean, rstd))
        shape = n * groups, prod(x.shape[1:]) // groups
        rows = self.reshape(x, shape)
        h = g if w is None else self.binary("mul", g, self.keep(w, x, axes))
        gx, _, _ = self.layer_norm_grad(self.reshape(h, shape), rows, None, m, r)
        inner = self.reshape(self.binary("sub", rows, self.keep(m, rows, (1,))), x.shape)
        inner = self.binary("mul", g, inner, inner)
        inner = self.reduce("sum", self.reshape(inner, (n * c, prod(x.shape[2:]))), (1,))
        scale = self.reshape(rstd, (n, groups, 1))
        inner = self.binary("mul", self.reshape(inner, (n, groups, c // groups)), scale)
        gw = self.reshape(self.reduce("sum", inner, (0,)), (c,))
        return self.reshape(gx, x.shape), gw, self.reduce("sum", g, axes)

    def local_response_norm(
        self, x: Buffer, size: int, alpha: float, beta: float, k: float
    ) -> tuple[Buffer, Buffer]:
        """(y, s), both of the shape of x (N, C, ...)."""
        square = self.binary("mul", x, x)
        planes = self.reshape(square, (x.shape[0], 1, x.shape[1], prod(x.shape[2:])))
        sums = self.sum_pool(planes, *_channel_window(size, alpha))
        s = self.reshape(self.binary("add", sums, k, sums), x.shape)
        return self.binary("mul", x, self.binary("pow", s, -beta)), s

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
        """gx = g s^-beta - 2 alpha beta / size x (sum of g x s^(-beta-1) over windows with x)."""
        shrink = self.binary("pow", s, -beta)
        pull = self.binary("mul", self.binary("mul", g, x), self.binary("div", shrink, s))
        planes = (x.shape[0], 1, x.shape[1], prod(x.shape[2:]))
        window = _channel_window(size, 2.0 * alpha * beta)
        sums = self.sum_pool_grad(self.reshape(pull, planes), planes, *window)
        back = self.binary("mul", self.reshape(sums, x.shape), x)
        gx = self.binary("mul", g, shrink, shrink)
        return self.binary("sub", gx, back, gx if out is None else out)

    def _rstd(self, var: Buffer, eps: float) -> Buffer:
        return self.unary("rsqrt", self.binary("add", var, eps))
