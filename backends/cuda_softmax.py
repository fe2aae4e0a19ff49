"""Softmax and cross-entropy on CUDA, along any axis: a warp, a block or a thread for each line."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from ..kernels.cuda import softmax as kernels
from ..kernels.cuda import toolchain
from ..kernels.cuda.divide import divisor
from ..kernels.cuda.folding import LANES
from ..kernels.cuda.softmax import BLOCK, MOST
from ..kernels.cuda.spec import Kernel
from .cuda_index import check
from .cuda_plans import PLANS, cut, cut_lanes, index_type
from .cuda_runtime import empty, launch
from .defaults.softmax import SoftmaxDefaults
from .tier1 import Buffer, Shape

SHORT = 8  # rows up to which a thread takes one
SIMULATED = 128  # the same in the simulator, where threads that meet are dear


@lru_cache(PLANS)
def plan(
    kind: str, dtype: str, shape: Shape, axis: int, simulated: bool
) -> tuple[Kernel, int, int, tuple[int, ...]]:
    """Kernel, blocks, threads of a block, and (lines, length, inner)."""
    index = index_type(prod(shape))
    length, inner = shape[axis], prod(shape[axis + 1 :])
    lines = prod(shape) // length
    numbers = lines, length, inner
    if inner > 1 or length <= (SIMULATED if simulated else SHORT):
        return kernels.lines(kind, dtype, index), *cut(lines), numbers
    for lanes in (LANES, BLOCK):
        if length <= lanes * MOST[lanes]:
            each = max(1, 1 << (-(-length // lanes) - 1).bit_length())
            kernel = kernels.registers(kind, dtype, lanes, each, index)
            blocks = cut_lanes(lines * LANES) if lanes == LANES else (lines, BLOCK)
            return kernel, *blocks, numbers
    kernel, block = kernels.streaming(kind, dtype, index), toolchain.warps(BLOCK)
    return kernel, lines, block, numbers


class CudaSoftmax(SoftmaxDefaults):
    """Overrides of softmax and cross-entropy."""

    def _forward(self, kind: str, y: Any, x: Any, axis: int, *entropy: Any) -> Any:
        kernel, blocks, block, numbers = plan(kind, x.dtype, x.shape, axis, toolchain.simulating())
        losses, labels, ignore = entropy or (None, None, 0)
        launch(kernel, blocks, y, x, losses, labels, ignore, *numbers, block=block)
        return y

    def _backward(self, kind: str, g: Any, y: Any, axis: int, out: Any) -> Any:
        gx = empty(y.shape, y.dtype) if out is None else out
        kernel, blocks, block, numbers = plan(kind, y.dtype, y.shape, axis, toolchain.simulating())
        launch(kernel, blocks, gx, g, y, *numbers, block=block)
        return gx

    def softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        if not x.size:
            return super().softmax(x, axis, out)
        return self._forward("softmax", empty(x.shape, x.dtype) if out is None else out, x, axis)

    def softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        if not y.size:
            return super().softmax_grad(g, y, axis, out)
        return self._backward("softmax_grad", g, y, axis, out)

    def log_softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        if not x.size:
            return super().log_softmax(x, axis, out)
        y = empty(x.shape, x.dtype) if out is None else out
        return self._forward("log_softmax", y, x, axis)

    def log_softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        if not y.size:
            return super().log_softmax_grad(g, y, axis, out)
        return self._backward("log_softmax_grad", g, y, axis, out)

    def cross_entropy(self, x: Buffer, labels: Buffer, ignore: int = -100) -> tuple[Buffer, Buffer]:
        if not x.size:
            return super().cross_entropy(x, labels, ignore)
        check(self, labels, 0, x.shape[1], ignore)
        losses, p = empty(labels.shape, x.dtype), empty(x.shape, x.dtype)
        self._forward("cross_entropy", p, x, 1, losses, labels, ignore)
        return losses, p

    def cross_entropy_grad(
        self, g: Buffer, p: Buffer, labels: Buffer, ignore: int = -100, out: Buffer = None
    ) -> Buffer:
        return self._entropy_grad(g, None, p, labels, ignore, out)

    def cross_entropy_mean(
        self, x: Buffer, labels: Buffer, ignore: int = -100
    ) -> tuple[Buffer, Buffer, Buffer]:
        losses, p = self.cross_entropy(x, labels, ignore)
        mean, count = empty((), x.dtype), empty((), x.dtype)
        block = toolchain.warps(BLOCK)
        given = mean, count, losses, labels, ignore, labels.size
        kernel = kernels.mean_loss(x.dtype, index_type(labels.size))
        launch(kernel, 1, *given, block=block)
        return mean, p, count

    def cross_entropy_mean_grad(
        self,
        g: Buffer,
        p: Buffer,
        labels: Buffer,
        count: Buffer,
        ignore: int = -100,
        out: Buffer = None,
    ) -> Buffer:
        return self._entropy_grad(g, count, p, labels, ignore, out)

    def _entropy_grad(
        self, g: Any, count: Any, p: Any, labels: Any, ignore: int, out: Buffer
    ) -> Buffer:
        gx = empty(p.shape, p.dtype) if out is None else out
        check(self, labels, 0, p.shape[1], ignore)
        if p.size:
            blocks, block = cut(p.size)
            index, length = index_type(p.size), p.shape[1]
            kernel = kernels.entropy_grad(p.dtype, count is not None, index)
            numbers = p.size, length, *divisor(length, index)
            launch(kernel, blocks, gx, g, count, p, labels, ignore, *numbers, block=block)
        return gx
