"""Softmax and cross-entropy in C: one pass over memory for each method (kernels/c/softmax.c)."""

from __future__ import annotations

from math import prod
from typing import Any

from .c_base import CBase
from .c_library import ffi
from .c_memory import Block, check
from .defaults.softmax import SoftmaxDefaults
from .tier1 import Buffer


def refuse(labels: Block, bad: int, classes: int) -> None:
    """Raise IndexError for label bad - 1, MemoryError where `bad` is -1."""
    check(min(bad, 0), "cross_entropy")
    value = ffi.cast("int64_t *", labels.data)[bad - 1]
    raise IndexError(f"index {value} is out of range 0 ... {classes - 1}")


class CSoftmax(CBase, SoftmaxDefaults):
    """Overrides of the whole family."""

    def softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return self._along(self.c.softmax, axis, out, x)

    def softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return self._along(self.c.softmax_grad, axis, out, g, y)

    def log_softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return self._along(self.c.log_softmax, axis, out, x)

    def log_softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return self._along(self.c.log_softmax_grad, axis, out, g, y)

    def cross_entropy(self, x: Buffer, labels: Buffer, ignore: int = -100) -> tuple[Buffer, Buffer]:
        n, classes = x.shape
        if not x.size:
            return super().cross_entropy(x, labels, ignore)
        losses, p = self.empty((n,), x.dtype), self.empty(x.shape, x.dtype)
        given = losses.data, p.data, x.data, labels.data, n, classes, ignore
        if bad := self.c.cross_entropy[x.dtype](*given):
            refuse(labels, bad, classes)
        return losses, p

    def cross_entropy_mean(
        self, x: Buffer, labels: Buffer, ignore: int = -100
    ) -> tuple[Buffer, Buffer, Buffer]:
        n, classes = x.shape
        if not x.size:
            return super().cross_entropy_mean(x, labels, ignore)
        mean, count, p = (
            self.empty((), x.dtype),
            self.empty((), x.dtype),
            self.empty(x.shape, x.dtype),
        )
        given = mean.data, count.data, p.data, x.data, labels.data, n, classes, ignore
        if bad := self.c.cross_entropy_mean[x.dtype](*given):
            refuse(labels, bad, classes)
        return mean, p, count

    def cross_entropy_grad(
        self, g: Buffer, p: Buffer, labels: Buffer, ignore: int = -100, out: Buffer = None
    ) -> Buffer:
        return self._entropy_grad(g, ffi.NULL, p, labels, ignore, out)

    def cross_entropy_mean_grad(
        self,
        g: Buffer,
        p: Buffer,
        labels: Buffer,
        count: Buffer,
        ignore: int = -100,
        out: Buffer = None,
    ) -> Buffer:
        return self._entropy_grad(g, count.data, p, labels, ignore, out)

    def _entropy_grad(
        self, g: Block, count: Any, p: Block, labels: Block, ignore: int, out: Block | None
    ) -> Block:
        """g (p - onehot): g for each row, or with a count g / count for all."""
        n, classes = p.shape
        gx: Block = self.empty(p.shape, p.dtype) if out is None else out
        given = gx.data, g.data, count, p.data, labels.data, n, classes, ignore
        if bad := self.c.cross_entropy_grad[p.dtype](*given):
            refuse(labels, bad, classes)
        return gx

    def _along(self, kernel: dict[str, Any], axis: int, out: Block | None, *inputs: Block) -> Block:
        """Call a function of lines along an axis."""
        shape, dtype = inputs[0].shape, inputs[0].dtype
        y: Block = self.empty(shape, dtype) if out is None else out
        if y.size:
            sizes = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
            kernel[dtype](y.data, *[x.data for x in inputs], *sizes)
        return y
