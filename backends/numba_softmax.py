"""Softmax and cross-entropy on the Numba backend: along the last axis; else the defaults."""

from __future__ import annotations

from math import prod
from typing import Any

from ..kernels.numba_cpu import softmax as rows
from .defaults.softmax import SoftmaxDefaults
from .numba_elementwise import fresh
from .numba_memory import empty
from .tier1 import Buffer, Shape

FEW = 1 << 12  # numbers that one thread has done before a second one would be awake


def share(x: Any, length: int) -> tuple[int, bool]:
    """How many pieces of work rows of a length are, and whether it is worth several threads."""
    each = max(1, rows.PIECE // length)
    return -(-x.size // (each * length)), x.size > FEW


def lines(shape: Shape, axis: int) -> Shape | None:
    """(rows, length) of an axis that is the last but for ones; None if it is not, or is empty."""
    if prod(shape) == 0 or prod(shape[axis + 1 :]) != 1:
        return None
    return prod(shape[:axis]), shape[axis]


class NumbaSoftmax(SoftmaxDefaults):
    """Overrides of softmax and cross-entropy."""

    def softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        shape = lines(x.shape, axis)
        if shape is None:
            return super().softmax(x, axis, out)
        y = empty(x.shape, x.dtype) if out is None else out
        rows.softmax(*share(x, shape[1]), y.reshape(shape), x.reshape(shape))
        return y

    def softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        shape = lines(y.shape, axis)
        if shape is None:
            return super().softmax_grad(g, y, axis, out)
        gx = empty(y.shape, y.dtype) if out is None else out
        rows.softmax_grad(
            *share(g, shape[1]), gx.reshape(shape), g.reshape(shape), y.reshape(shape)
        )
        return gx

    def log_softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        shape = lines(x.shape, axis)
        if shape is None:
            return super().log_softmax(x, axis, out)
        y = empty(x.shape, x.dtype) if out is None else out
        rows.log_softmax(*share(x, shape[1]), y.reshape(shape), x.reshape(shape))
        return y

    def log_softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        shape = lines(y.shape, axis)
        if shape is None:
            return super().log_softmax_grad(g, y, axis, out)
        gx = empty(y.shape, y.dtype) if out is None else out
        rows.log_softmax_grad(
            *share(g, shape[1]), gx.reshape(shape), g.reshape(shape), y.reshape(shape)
        )
        return gx

    def cross_entropy(self, x: Buffer, labels: Buffer, ignore: int = -100) -> tuple[Buffer, Buffer]:
        if x.size == 0:
            return super().cross_entropy(x, labels, ignore)
        check_labels(labels, x.shape[1], ignore)
        losses, p = fresh(labels, x.dtype), fresh(x, x.dtype)
        rows.cross_entropy(*share(x, x.shape[1]), losses, p, x, labels, ignore)
        return losses, p

    def cross_entropy_grad(
        self, g: Buffer, p: Buffer, labels: Buffer, ignore: int = -100, out: Buffer = None
    ) -> Buffer:
        return self._entropy_grad(g, 1, 1, p, labels, ignore, out)

    def cross_entropy_mean(
        self, x: Buffer, labels: Buffer, ignore: int = -100
    ) -> tuple[Buffer, Buffer, Buffer]:
        losses, p = self.cross_entropy(x, labels, ignore)
        mean, count = empty((), x.dtype), empty((), x.dtype)
        rows.mean_loss(mean.reshape(1), count.reshape(1), losses, labels, ignore)
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
        return self._entropy_grad(g.reshape(1), 0, count[()], p, labels, ignore, out)

    def _entropy_grad(
        self, g: Buffer, step: int, count: Any, p: Buffer, labels: Buffer, ignore: int, out: Buffer
    ) -> Buffer:
        gx = fresh(p, p.dtype) if out is None else out
        check_labels(labels, p.shape[1], ignore)
        if p.size:
            given = gx, g, step, p.dtype.type(count), p, labels, ignore
            rows.cross_entropy_grad(*share(p, p.shape[1]), *given)
        return gx


def check_labels(labels: Any, classes: int, ignore: int) -> None:
    """Raises IndexError for a label that would read another row."""
    wrong = rows.wrong_label(labels, classes, ignore)
    if wrong >= 0:
        raise IndexError(f"index {labels[wrong]} is out of range 0 ... {classes - 1}")
