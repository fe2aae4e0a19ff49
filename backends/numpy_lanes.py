"""Layers in NumPy on batches in lanes: x (N, F) as base (F, N); images in numpy_lanes_conv.py.

An affine layer is w base, which BLAS does in three quarters of the time that x w^T takes. Each
function is given memory for its result, or None, and then what the method of that name is given.
Ufuncs may warn: who calls keeps them quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .lanes import turned
from .numpy_functions import UNARY, keep_where
from .numpy_lanes_conv import conv, conv_input_grad, conv_weight_grad, max_pool, max_pool_grad
from .numpy_memory import room
from .numpy_optim import step_adam, step_sgd
from .numpy_softmax import checked
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
    y = np.dot(w, x, room((len(w), x.shape[1]), x.dtype) if out is None else out)
    if b is not None:
        np.add(y, b.reshape(-1, 1), y)
    return y if activation is None else UNARY[activation](y, y)


def linear_grad(
    out: Buffer, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool]
) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
    """`linear_grad`: w^T g, g x^T, and the sum of g."""
    gx = np.dot(w.T, g, room(x.shape, x.dtype)) if needs[0] else None
    gw = np.dot(g, x.T, room(w.shape, w.dtype)) if needs[1] else None
    gb = np.dot(g, np.ones(g.shape[1], g.dtype)) if needs[2] else None
    return gx, gw, gb


def linear_grad_sgd(
    out: Buffer, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool], *step: Any
) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
    """`linear_grad`, then `sgd_step` of w."""
    found = linear_grad(out, g, x, w, needs)
    step_sgd(w, found[1], *step)
    return found


def linear_grad_adam(
    out: Buffer, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool], *step: Any
) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
    """`linear_grad`, then `adam_step` of w."""
    found = linear_grad(out, g, x, w, needs)
    step_adam(w, found[1], *step)
    return found


# the loss ---------------------------------------------------------------------------------------
def cross_entropy_mean(
    out: Buffer, x: Buffer, labels: Buffer, ignore: int = -100
) -> tuple[Buffer, Buffer, Buffer]:
    """`cross_entropy_mean`, the softmax in lanes."""
    safe, counts = checked(labels, len(x), ignore)
    p = np.subtract(x, np.maximum.reduce(x, axis=0))
    picked = p.reshape(-1)[at_labels(safe)]
    np.exp(p, p)
    total = np.add.reduce(p, axis=0)
    losses = np.subtract(np.log(total), picked, picked)
    np.divide(p, total, p)
    number = len(labels) if counts is None else np.count_nonzero(counts)
    if counts is not None:
        losses = keep_where(counts, losses)
    return np.asarray(np.add.reduce(losses) / x.dtype.type(number)), p, np.array(number, x.dtype)


def cross_entropy_mean_grad(
    out: Buffer, g: Buffer, p: Buffer, labels: Buffer, count: Buffer, ignore: int = -100
) -> Buffer:
    """`cross_entropy_mean_grad`."""
    safe, counts = checked(labels, len(p), ignore)
    each = np.divide(g, count)
    if counts is not None:
        each = keep_where(counts, np.full(len(labels), each))
    gx = np.multiply(p, each, out)
    gx.reshape(-1)[at_labels(safe)] -= each
    return gx


def at_labels(labels: Buffer) -> Buffer:
    """Where numbers (C, N) at labels (N,) stand if they are one line."""
    n = len(labels)
    return labels * n + np.arange(n)


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
