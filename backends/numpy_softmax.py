"""Softmax and cross-entropy in NumPy: the formulas of defaults/softmax.py with fewer calls."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .defaults.softmax import SoftmaxDefaults
from .numpy_functions import keep_where, quietly
from .tier1 import Buffer


def shifted(x: Any, axis: int, out: Any = None) -> Any:
    """x minus its maximum along an axis, which has elements."""
    return np.subtract(x, np.maximum.reduce(x, axis=axis, keepdims=True), out=out)


@lru_cache(16)
def count_to(n: int) -> Any:
    """0 ... n-1, to be read only."""
    return np.arange(n)


def at_labels(labels: Any, classes: int, ignore: int, lanes: bool = False) -> tuple[Any, Any]:
    """Where numbers (N, C) at labels (N,) stand in memory, and which labels count: None if all do.

    Ignored ones stand where label 0 would. In lanes the numbers are (C, N).
    """
    n = len(labels)
    places, shape = (count_to(n), labels), (n, classes)
    if lanes:
        places, shape = places[::-1], shape[::-1]
    if not 0 <= ignore < classes:
        try:
            return np.ravel_multi_index(places, shape), None
        except ValueError:  # there are others than 0 ... C-1
            pass
    counts = np.not_equal(labels, ignore)
    safe = labels * counts
    for value in (safe.min(), safe.max()) if n else ():
        if not 0 <= value < classes:
            raise IndexError(f"index {value} is out of range 0 ... {classes - 1}")
    return safe * n + count_to(n) if lanes else count_to(n) * classes + safe, counts


def entropies(x: Any, labels: Any, ignore: int) -> tuple[Any, Any, Any]:
    """Losses (N,), softmax (N, C), and which labels count: None if all do."""
    at, counts = at_labels(labels, x.shape[1], ignore)
    p = shifted(x, 1)
    picked = p.take(at)
    np.exp(p, out=p)
    total = np.add.reduce(p, axis=1)
    losses = np.subtract(np.log(total), picked, out=picked)
    np.divide(p, total[:, None], out=p)
    return (losses if counts is None else keep_where(counts, losses)), p, counts


def entropies_grad(g: Any, p: Any, labels: Any, ignore: int, out: Any) -> Any:
    """g (p - onehot(labels)), g (N,)."""
    at, counts = at_labels(labels, p.shape[1], ignore)
    if counts is not None:
        g = keep_where(counts, g)
    gx = np.multiply(p, g[:, None], out=out)
    gx.reshape(-1)[at] -= g
    return gx


class NumpySoftmax(SoftmaxDefaults):
    """Overrides of softmax and cross-entropy."""

    @quietly
    def softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        if 0 in x.shape:
            return super().softmax(x, axis, out)
        y = shifted(x, axis, out)
        np.exp(y, out=y)
        return np.divide(y, np.add.reduce(y, axis=axis, keepdims=True), out=y)

    @quietly
    def log_softmax(self, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        if 0 in x.shape:
            return super().log_softmax(x, axis, out)
        y = shifted(x, axis, out)
        total = np.add.reduce(np.exp(y), axis=axis, keepdims=True)
        return np.subtract(y, np.log(total, out=total), out=y)

    @quietly
    def cross_entropy(self, x: Buffer, labels: Buffer, ignore: int = -100) -> tuple[Buffer, Buffer]:
        if 0 in x.shape:
            return super().cross_entropy(x, labels, ignore)
        losses, p, _ = entropies(x, labels, ignore)
        return losses, p

    @quietly
    def cross_entropy_mean(
        self, x: Buffer, labels: Buffer, ignore: int = -100
    ) -> tuple[Buffer, Buffer, Buffer]:
        if 0 in x.shape:
            return super().cross_entropy_mean(x, labels, ignore)
        losses, p, counts = entropies(x, labels, ignore)
        count = np.array(len(p) if counts is None else np.count_nonzero(counts), x.dtype)
        return np.asarray(np.add.reduce(losses) / count), p, count

    @quietly
    def cross_entropy_grad(
        self, g: Buffer, p: Buffer, labels: Buffer, ignore: int = -100, out: Buffer = None
    ) -> Buffer:
        return entropies_grad(g, p, labels, ignore, out)

    @quietly
    def cross_entropy_mean_grad(
        self,
        g: Buffer,
        p: Buffer,
        labels: Buffer,
        count: Buffer,
        ignore: int = -100,
        out: Buffer = None,
    ) -> Buffer:
        each = np.empty(len(p), p.dtype)
        each.fill(g / count)
        return entropies_grad(each, p, labels, ignore, out)
