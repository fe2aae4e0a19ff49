"""Softmax and cross-entropy in C: one pass over memory for each method (kernels/c/softmax.c)."""

from __future__ import annotations

from math import prod
from typing import Any

from .c_library import ffi, lib
from .c_memory import Block, check, new_block
from .defaults.softmax import SoftmaxDefaults
from .tier1 import Buffer

SUFFIX = {"float32": "_f32", "float64": "_f64"}


def functions(name: str) -> dict[str, Any]:
    """The C function of that name for each dtype."""
    return {dtype: getattr(lib, name + suffix) for dtype, suffix in SUFFIX.items()}


SOFTMAX, SOFTMAX_GRAD = functions("softmax"), functions("softmax_grad")
LOG_SOFTMAX, LOG_SOFTMAX_GRAD = functions("log_softmax"), functions("log_softmax_grad")
CROSS_ENTROPY, CROSS_ENTROPY_MEAN = functions("cross_entropy"), functions("cross_entropy_mean")
CROSS_ENTROPY_GRAD = functions("cross_entropy_grad")


def along(table: dict[str, Any], axis: int, out: Block | None, *inputs: Block) -> Block:
    """Call a function of lines along an axis."""
    shape, dtype = inputs[0].shape, inputs[0].dtype
    y = new_block(shape, dtype) if out is None else out
    if y.size:
        sizes = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
        table[dtype](y.data, *(x.data for x in inputs), *sizes)
    return y


def refuse(labels: Block, good: int, classes: int) -> None:
    """Raise IndexError for the label after `good` good ones, MemoryError where that is -1."""
    check(min(good, 0), "cross_entropy")
    value = ffi.cast("int64_t *", labels.data)[good]
    raise IndexError(f"index {value} is out of range 0 ... {classes - 1}")


class CSoftmax(SoftmaxDefaults):
    """Overrides of the whole family."""

    def softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return along(SOFTMAX, axis, out, x)

    def softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return along(SOFTMAX_GRAD, axis, out, g, y)

    def log_softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return along(LOG_SOFTMAX, axis, out, x)

    def log_softmax_grad(self, g: Buffer, y: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return along(LOG_SOFTMAX_GRAD, axis, out, g, y)

    def cross_entropy(self, x: Buffer, labels: Buffer, ignore: int = -100) -> tuple[Buffer, Buffer]:
        n, classes = x.shape
        if not x.size:
            return super().cross_entropy(x, labels, ignore)
        losses, p = new_block((n,), x.dtype), new_block(x.shape, x.dtype)
        given = losses.data, p.data, x.data, labels.data, n, classes, ignore
        if (good := CROSS_ENTROPY[x.dtype](*given)) < n:
            refuse(labels, good, classes)
        return losses, p

    def cross_entropy_mean(
        self, x: Buffer, labels: Buffer, ignore: int = -100
    ) -> tuple[Buffer, Buffer, Buffer]:
        n, classes = x.shape
        if not x.size:
            return super().cross_entropy_mean(x, labels, ignore)
        mean, count, p = new_block((), x.dtype), new_block((), x.dtype), new_block(x.shape, x.dtype)
        given = mean.data, count.data, p.data, x.data, labels.data, n, classes, ignore
        if (good := CROSS_ENTROPY_MEAN[x.dtype](*given)) < n:
            refuse(labels, good, classes)
        return mean, p, count

    def cross_entropy_grad(
        self, g: Buffer, p: Buffer, labels: Buffer, ignore: int = -100, out: Buffer = None
    ) -> Buffer:
        return entropy_grad(g, ffi.NULL, p, labels, ignore, out)

    def cross_entropy_mean_grad(
        self,
        g: Buffer,
        p: Buffer,
        labels: Buffer,
        count: Buffer,
        ignore: int = -100,
        out: Buffer = None,
    ) -> Buffer:
        return entropy_grad(g, count.data, p, labels, ignore, out)


def entropy_grad(
    g: Block, count: Any, p: Block, labels: Block, ignore: int, out: Block | None
) -> Block:
    """g (p - onehot): g for each row, or with a count g / count for all."""
    n, classes = p.shape
    gx = new_block(p.shape, p.dtype) if out is None else out
    given = gx.data, g.data, count, p.data, labels.data, n, classes, ignore
    if (good := CROSS_ENTROPY_GRAD[p.dtype](*given)) < n:
        refuse(labels, good, classes)
    return gx
