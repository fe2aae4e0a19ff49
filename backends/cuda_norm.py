"""Batch and layer norm on CUDA."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from ..kernels.cuda import batch_norm, batch_norm_grad, layer_norm, response_norm, toolchain
from ..kernels.cuda.divide import divisor
from ..kernels.cuda.folding import LANES
from .cuda_plans import PLANS, cut, cut_lanes, index_type
from .cuda_runtime import empty, launch
from .defaults.norm import NormDefaults
from .tier1 import Buffer, Shape

ROWS = 64  # of a column, at least, that a block sums
BLOCKS = 1 << 10  # that keep every multiprocessor busy
FEW = 32  # numbers of a channel up to which a thread takes one
SHORT = 8  # rows up to which a thread takes one
SIMULATED = 512  # the same in the simulator, where threads that meet are dear


def sums(kernels: Any, given: tuple[Any, ...], x: Any, *forms: bool) -> tuple[Any, Any, int, int]:
    """Launch the kernels that leave two numbers for each part of each channel.

    Returns both buffers (channels, parts), how many parts there are, and their size.
    """
    n, c, length = x.shape[0], x.shape[1], prod(x.shape[2:])
    m, dtype, index = n * length, x.dtype, index_type(x.size)
    block: Any
    if m <= (SIMULATED if toolchain.simulating() else FEW):
        kernel, parts, each = kernels.lines(dtype, *forms, index), 1, m
        blocks, block = cut(c)
        numbers: tuple[int, ...] = (1, c, length, m, *divisor(length, index))
    elif length == 1:
        across = -(-c // batch_norm.WIDTH)
        parts = min(-(-n // ROWS), max(1, BLOCKS // across))
        each = -(-n // parts)
        parts = -(-n // each)
        kernel, blocks = kernels.columns(dtype, *forms, index), parts * across
        rows = toolchain.warps(batch_norm.ROOM) // batch_norm.WIDTH
        block = (batch_norm.WIDTH, rows, 1)
        numbers = parts, each, across, c, n
    else:
        block = toolchain.warps(batch_norm.BLOCK)
        each = block * batch_norm.EACH
        parts = -(-m // each)
        kernel, blocks = kernels.parts(dtype, *forms, index), c * parts
        numbers = parts, c, length, m, *divisor(length, index)
    one, two = empty((c, parts), dtype), empty((c, parts), dtype)
    launch(kernel, blocks, one, two, *given, *numbers, block=block)
    return one, two, parts, each


def sweep(x: Any) -> tuple[tuple[bool, str], int, int, tuple[int, ...]]:
    """Whether four numbers at a time, and the type of indices; blocks, threads, and the numbers at
    the end."""
    length, c, index = prod(x.shape[2:]), x.shape[1], index_type(x.size)
    wide = length % 4 == 0
    blocks, block = cut(x.size // 4 if wide else x.size)
    numbers = x.size, *divisor(length, index), *divisor(c, index), c
    return (wide, index), blocks, block, numbers


@lru_cache(PLANS)
def rows_form(shape: Shape, simulated: bool) -> tuple[tuple[Any, ...], int, int]:
    """Layer norm's form and what it is made for; blocks, threads of a block."""
    rows, length = shape
    if length <= (SIMULATED // 4 if simulated else SHORT):
        return ("lines",), *cut(rows)
    for lanes in (LANES, layer_norm.BLOCK):
        if length <= lanes * layer_norm.MOST:
            each = 1 << (-(-length // lanes) - 1).bit_length()
            blocks = cut_lanes(rows * LANES) if lanes == LANES else (rows, layer_norm.BLOCK)
            return ("registers", lanes, each), *blocks
    return ("streaming",), rows, toolchain.warps(layer_norm.BLOCK)


def planes(x: Any) -> tuple[str, int, int, tuple[int, ...]]:
    """The type of indices, blocks, threads, and response_norm.SHAPE, for a thread each."""
    channels, rest, index = x.shape[1], prod(x.shape[2:]), index_type(x.size)
    numbers = x.size, channels, rest, *divisor(channels, index), *divisor(rest, index)
    return index, *cut(x.size), numbers


class CudaNorm(NormDefaults):
    """Overrides of the normalisations."""

    def batch_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().batch_norm(x, w, b, eps)
        return self._batch_norm(x, w, b, eps, None, False)

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
        return self._batch_norm(x, w, b, eps, residual, True)

    def _batch_norm(
        self, x: Any, w: Any, b: Any, eps: float, residual: Any, relu: bool
    ) -> tuple[Buffer, Buffer, Buffer]:
        c, dtype = x.shape[1], x.dtype
        means, squares, parts, each = sums(batch_norm, (x,), x)
        mean, var, scale = (empty((c,), dtype) for _ in range(3))
        blocks, block = cut_lanes(32 * c)
        given = mean, var, scale, means, squares, w, eps, parts, each, c, x.size // c
        kernel = batch_norm.whole(dtype, w is not None, index_type(x.size))
        launch(kernel, blocks, *given, block=block)
        walk, blocks, block, numbers = sweep(x)
        kernel = batch_norm.apply(dtype, b is not None, residual is not None, relu, *walk)
        y = empty(x.shape, dtype)
        launch(kernel, blocks, y, x, mean, scale, b, residual, *numbers, block=block)
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
        self, g: Any, y: Any, x: Any, w: Any, mean: Any, var: Any, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        c, dtype, relu = x.shape[1], x.dtype, y is not None
        one, two, parts, _ = sums(batch_norm_grad, (g, y, x, mean), x, relu)
        gw, gb, scale, slope, shift = (empty((c,), dtype) for _ in range(5))
        blocks, block = cut_lanes(32 * c)
        given = gw, gb, scale, slope, shift, one, two, w, var, eps, parts, c, x.size // c
        kernel = batch_norm_grad.whole(dtype, w is not None, index_type(x.size))
        launch(kernel, blocks, *given, block=block)
        walk, blocks, block, numbers = sweep(x)
        gx = empty(x.shape, dtype)
        kernel = batch_norm_grad.apply(dtype, relu, *walk)
        launch(kernel, blocks, gx, g, y, x, mean, scale, slope, shift, *numbers, block=block)
        return gx, gw, gb

    def layer_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().layer_norm(x, w, b, eps)
        m, dtype = x.shape[0], x.dtype
        y, mean, rstd = empty(x.shape, dtype), empty((m,), dtype), empty((m,), dtype)
        form, blocks, block = rows_form(x.shape, toolchain.simulating())
        flags = w is not None, b is not None, index_type(x.size)
        kernel = getattr(layer_norm, form[0])(dtype, *form[1:], *flags)
        launch(kernel, blocks, y, mean, rstd, x, w, b, eps, *x.shape, block=block)
        return y, mean, rstd

    def layer_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, rstd: Buffer
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().layer_norm_grad(g, x, w, mean, rstd)
        (rows, length), dtype = x.shape, x.dtype
        gx = empty(x.shape, dtype)
        form, blocks, block = rows_form(x.shape, toolchain.simulating())
        index = index_type(x.size)
        kernel = getattr(layer_norm, form[0] + "_grad")(dtype, *form[1:], w is not None, index)
        launch(kernel, blocks, gx, g, x, w, mean, rstd, *x.shape, block=block)
        across = -(-length // layer_norm.WIDTH)
        parts = min(-(-rows // ROWS), max(1, BLOCKS // across))
        each = -(-rows // parts)
        parts = -(-rows // each)
        gw, gb = empty((parts, length), dtype), empty((parts, length), dtype)
        high = toolchain.warps(layer_norm.ROOM) // layer_norm.WIDTH
        given = gw, gb, g, x, mean, rstd, each, across, rows, length
        kernel = layer_norm.weights(dtype, index)
        launch(kernel, parts * across, *given, block=(layer_norm.WIDTH, high, 1))
        if parts == 1:
            return gx, self.reshape(gw, (length,)), self.reshape(gb, (length,))
        return gx, self.reduce("sum", gw, (0,)), self.reduce("sum", gb, (0,))

    def local_response_norm(
        self, x: Buffer, size: int, alpha: float, beta: float, k: float
    ) -> tuple[Buffer, Buffer]:
        if not x.size or x.dtype not in ("float32", "float64"):
            return super().local_response_norm(x, size, alpha, beta, k)
        y, s = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
        reach = size // 2, (size - 1) // 2
        index, blocks, block, shape = planes(x)
        kernel = response_norm.forward(x.dtype, index)
        launch(kernel, blocks, y, s, x, alpha / size, beta, k, *reach, *shape, block=block)
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
        if not x.size or x.dtype not in ("float32", "float64"):
            return super().local_response_norm_grad(g, x, s, size, alpha, beta, out)
        gx = empty(x.shape, x.dtype) if out is None else out
        numbers = 2.0 * alpha * beta / size, beta, 0.0, (size - 1) // 2, size // 2
        index, blocks, block, shape = planes(x)
        kernel = response_norm.backward(x.dtype, index)
        launch(kernel, blocks, gx, g, x, s, *numbers, *shape, block=block)
        return gx
