"""Convolution of floats in C (kernels/c/conv.c). Volumes and whole numbers keep the defaults."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .c_base import CBase
from .c_library import ffi
from .c_matmul import ACTIVATIONS
from .c_memory import check
from .c_pool import on_plane
from .defaults.conv import ConvDefaults
from .tier1 import Buffer, Pairs, Shape, window_count

FLOATS = ("float32", "float64")


@lru_cache(maxsize=1024)
def conv_shape(
    x_shape: Shape, w_shape: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int
) -> tuple[Any, Shape]:
    """The kernels' ConvShape and the shape of the result."""
    size, kernel = x_shape[2:], w_shape[2:]
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    (top, _), (left, _) = on_plane(padding, (0, 0))
    planes = (on_plane(pair, 1) for pair in (size, kernel, counts, stride, dilation))
    (h, w), window, out, steps, gaps = planes
    numbers = (*x_shape[:2], h, w, w_shape[0], *window, *out, *steps, top, left, *gaps, groups)
    return ffi.new("ConvShape *", numbers), (x_shape[0], w_shape[0], *counts)


def in_c(dtype: str, *shapes: Shape) -> bool:
    """Whether the kernels are for these values: floats on lines or planes, none of them empty."""
    return dtype in FLOATS and len(shapes[0]) in (3, 4) and not any(0 in s for s in shapes)


class CConv(CBase, ConvDefaults):
    """Overrides of the convolutions."""

    def conv(
        self,
        x: Buffer,
        w: Buffer,
        b: Buffer | None,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        activation: str | None = None,
        out: Buffer = None,
    ) -> Buffer:
        if not in_c(x.dtype, x.shape, w.shape) or activation not in ACTIVATIONS:
            return super().conv(x, w, b, stride, padding, dilation, groups, activation, out)
        shape, result = conv_shape(x.shape, w.shape, stride, padding, dilation, groups)
        y = self.empty(result, x.dtype) if out is None else out
        bias = ffi.NULL if b is None else b.data
        f = ACTIVATIONS[activation]
        check(self.c.conv[x.dtype](y.data, x.data, w.data, bias, f, shape), "conv")
        return y

    def conv_input_grad(
        self,
        g: Buffer,
        w: Buffer,
        x_shape: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        out: Buffer = None,
    ) -> Buffer:
        if not in_c(g.dtype, g.shape, x_shape, w.shape):
            return super().conv_input_grad(g, w, x_shape, stride, padding, dilation, groups, out)
        shape, _ = conv_shape(x_shape, w.shape, stride, padding, dilation, groups)
        gx = self.empty(x_shape, g.dtype) if out is None else out
        kernel = self.c.conv_input_grad[g.dtype]
        check(kernel(gx.data, g.data, w.data, shape), "conv_input_grad")
        return gx

    def conv_weight_grad(
        self,
        x: Buffer,
        g: Buffer,
        w_shape: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        out: Buffer = None,
    ) -> Buffer:
        if not in_c(x.dtype, x.shape, g.shape, w_shape):
            return super().conv_weight_grad(x, g, w_shape, stride, padding, dilation, groups, out)
        shape, _ = conv_shape(x.shape, w_shape, stride, padding, dilation, groups)
        gw = self.empty(w_shape, x.dtype) if out is None else out
        kernel = self.c.conv_weight_grad[x.dtype]
        check(kernel(gw.data, x.data, g.data, shape), "conv_weight_grad")
        return gw
