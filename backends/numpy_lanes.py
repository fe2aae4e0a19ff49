"""Layers in NumPy on batches in lanes: x (N, F) as base (F, N); images in numpy_lanes_conv.py.

An affine layer is w base, which BLAS does in three quarters of the time that x w^T takes. Each
function is given memory for its result, or None, and then what the method of that name is given.
Ufuncs may warn: who calls keeps them quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .lanes import turned
from .numpy_functions import UNARY, keep_where
from .numpy_lanes_conv import conv, conv_input_grad, conv_weight_grad, max_pool, max_pool_grad
from .numpy_memory import room
from .numpy_optim import step_adam, step_sgd
from .numpy_products import ones, product
from .numpy_softmax import at_labels
from .tier1 import Buffer, Shape


def to_lanes(x: Buffer) -> Buffer:
    """A batch side by side; features only as a view, which is all that products need."""
    if x.ndim == 2:
        return x.T
    y = room(turned(x.shape), x.dtype)
    np.copyto(y, x.transpose(2, 1, 3, 0))
    return y


def from_lanes(base: Buffer) -> Buffer:
    """A batch as always: one example after the other."""
    return np.ascontiguousarray(base.T if base.ndim == 2 else base.transpose(3, 1, 0, 2))


def reshape(out: Buffer, x: Buffer, shape: Shape) -> Buffer:
    """`reshape` of images to features, which go by channel, line and column; or back."""
    if x.ndim == 4:
        return x.transpose(1, 0, 2, 3).reshape(-1, x.shape[3])
    return np.ascontiguousarray(x.reshape(*shape[1:], shape[0]).swapaxes(0, 1))


# affine layers ----------------------------------------------------------------------------------
def linear(
    out: Buffer, x: Buffer, w: Buffer, b: Buffer | None, activation: str | None = None
) -> Buffer:
    """`linear`: w x + b."""
    y = product(w, x, out)
    if b is not None:
        np.add(y, b.reshape(-1, 1), y)
    return y if activation is None else UNARY[activation](y, y)


def linear_grad(
    out: Buffer, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool]
) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
    """`linear_grad`: w^T g, g x^T, and the sum of g."""
    gx = product(w.T, g, out) if needs[0] else None
    gw = product(g, x.T) if needs[1] else None
    gb = np.dot(g, ones(g.shape[1], g.dtype)) if needs[2] else None
    return gx, gw, gb


def linear_grad_sgd(
    out: Buffer, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool], *step: Any
) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
    """`linear_grad`, then `sgd_step` of w."""
    found = linear_grad(out, g, x, w, needs)
    v, *numbers = step
    step_sgd([w], [found[1]], [v], *numbers)
    return found


def linear_grad_adam(
    out: Buffer, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool], *step: Any
) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
    """`linear_grad`, then `adam_step` of w."""
    found = linear_grad(out, g, x, w, needs)
    step_adam(w, found[1], *step)
    return found


# the loss ---------------------------------------------------------------------------------------
class Marks(NamedTuple):
    """Labels as the functions below read them."""

    at: Buffer  # where numbers (C, N) at them stand in memory
    counts: Buffer  # which are not ignored, None if all are
    count: Buffer  # how many, as a number of their dtype


def marks(labels: Buffer, classes: int, ignore: int, dtype: str) -> Marks:
    """The labels, checked."""
    at, counts = at_labels(labels, classes, ignore, True)
    count = len(at) if counts is None else np.count_nonzero(counts)
    return Marks(at, counts, np.array(count, dtype))


def cross_entropy_mean(out: Buffer, x: Buffer, labels: Marks) -> tuple[Buffer, Buffer, Buffer]:
    """`cross_entropy_mean`, the softmax in lanes."""
    at, counts, count = labels
    p = np.subtract(x, np.maximum.reduce(x, 0))
    picked = p.take(at)
    np.exp(p, p)
    total = np.add.reduce(p, 0)
    np.divide(p, total, p)
    losses = np.subtract(np.log(total, total), picked, picked)
    if counts is not None:
        losses = keep_where(counts, losses)
    return np.asarray(np.add.reduce(losses) / count), p, count


def cross_entropy_mean_grad(
    out: Buffer, g: Buffer, p: Buffer, labels: Marks, count: Buffer
) -> Buffer:
    """`cross_entropy_mean_grad`."""
    at, counts, _ = labels
    each = np.divide(g, count)
    if counts is not None:
        each = keep_where(counts, np.full(len(at), each))
    gx = np.multiply(p, each, out)
    gx.reshape(-1)[at] -= each
    return gx


METHODS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(
            reshape,
            cross_entropy_mean,
            cross_entropy_mean_grad,
            linear,
            linear_grad,
            linear_grad_sgd,
            linear_grad_adam,
        ),
        *(conv, conv_weight_grad, conv_input_grad, max_pool, max_pool_grad),
    )
}
