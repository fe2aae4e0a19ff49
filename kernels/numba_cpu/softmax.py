"""Softmax and cross-entropy along rows, and their gradients.

    for each row:                                                   rows in parallel
        m = max_j x[j];   y[j] = exp(x[j] - m);   y[j] /= sum_j y[j]

Composed from elementwise functions this reads and writes a matrix five times. Here a row stays in
the first-level cache through all its loops, and each loop is made of vectors: the maximum is one of
integers (ordered.py), exp has no branch (vmath.py), and the sum may be taken in any order, which is
the same in each run and for any number of threads.

Rows of ten numbers fill no vector: for them the exp of the cross-entropy goes over all rows of a
piece at once, which takes 64 of them from 3.6 us to 2.5.

The cross-entropy never takes a logarithm of p: -log p[label] = log(sum) - (x[label] - m).
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from .launch import shared
from .ordered import keys
from .toolchain import REASSOCIATE, device, kernel, wide
from .vmath_typed import exp, log

PIECE = 1 << 13  # numbers of a piece of work, in whole rows
SHORT = 24  # numbers of a row, below which vectors go over several rows


def largest(line):
    """The maximum of a line of floats; any nan makes it nan."""
    raise NotImplementedError


@overload(largest)
def choose_largest(line):
    T = np.float32 if line.dtype == types.float32 else np.float64
    key, value, low, high = keys(T)

    def search(line):
        top = low
        for j in range(line.size):
            top = max(top, key(line[j], high))
        return value(top)

    return search


@device
def span(piece, rows, length):
    """First and last + 1 row of a piece."""
    each = max(1, PIECE // length)
    return piece * each, min(rows, (piece + 1) * each)


@device(fastmath=REASSOCIATE)
def exponentials(y, x, top):
    """y = exp(x - top); their sum.

    In two loops: one that writes and adds would add in another order where y lies right behind x.
    """
    for j in range(x.size):
        y[j] = exp(x[j] - top)
    total = x.dtype.type(0)
    for j in range(x.size):
        total += y[j]
    return total


@device(fastmath=REASSOCIATE)
def exponential_sum(x, top):
    total = x.dtype.type(0)
    for j in range(x.size):
        total += exp(x[j] - top)
    return total


@device(fastmath=REASSOCIATE)
def dot(a, b):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@device(fastmath=REASSOCIATE)
def line_sum(a):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j]
    return total


@device
def softmax_line(y, x):
    """A row of probabilities; its maximum and sum."""
    top = largest(x)
    total = exponentials(y, x, top)
    part = x.dtype.type(1) / total  # at most 1: one of the exponentials is
    for j in range(x.size):
        y[j] *= part
    return top, total


@shared
def softmax(piece, y, x):
    """y, x (rows, length)."""
    rows, length = x.shape
    wide()
    first, last = span(piece, rows, length)
    for i in range(first, last):
        softmax_line(y[i], x[i])


@shared
def log_softmax(piece, y, x):
    rows, length = x.shape
    wide()
    first, last = span(piece, rows, length)
    for i in range(first, last):
        source, target = x[i], y[i]
        top = largest(source)
        shift = log(exponential_sum(source, top))
        for j in range(length):
            target[j] = (source[j] - top) - shift


@shared
def softmax_grad(piece, gx, g, y):
    """gx = y (g - sum(g y))."""
    rows, length = y.shape
    wide()
    first, last = span(piece, rows, length)
    for i in range(first, last):
        target, a, b = gx[i], g[i], y[i]
        inner = dot(a, b)
        for j in range(length):
            target[j] = b[j] * (a[j] - inner)


@shared
def log_softmax_grad(piece, gx, g, y):
    """gx = g - exp(y) sum(g)."""
    rows, length = y.shape
    wide()
    first, last = span(piece, rows, length)
    for i in range(first, last):
        target, a, b = gx[i], g[i], y[i]
        total = line_sum(a)
        for j in range(length):
            target[j] = a[j] - exp(b[j]) * total


@kernel
def wrong_label(labels, classes, ignore):
    """The place of the first label that is no class and is not `ignore`; -1 if there is none."""
    for i in range(labels.size):
        if (labels[i] < 0 or labels[i] >= classes) and labels[i] != ignore:
            return i
    return -1


@device
def short_rows(losses, p, x, labels, ignore, first, last):
    """As `entropy_rows`, of rows that no vector fits into: exp takes all their numbers in one."""
    length, none = x.shape[1], x.dtype.type(0)
    for i in range(first, last):
        top = x[i, 0]
        for j in range(1, length):
            v = x[i, j]
            if not v <= top and top == top:
                top = v
        for j in range(length):
            p[i, j] = x[i, j] - top
        losses[i] = p[i, labels[i]] if labels[i] != ignore else none
    flat = p[first:last].reshape((last - first) * length)
    for j in range(flat.size):
        flat[j] = exp(flat[j])
    for i in range(first, last):
        total = none
        for j in range(length):
            total += p[i, j]
        losses[i] = log(total) - losses[i] if labels[i] != ignore else none
        part = x.dtype.type(1) / total
        for j in range(length):
            p[i, j] *= part


@device
def entropy_rows(losses, p, x, labels, ignore, first, last):
    for i in range(first, last):
        top, total = softmax_line(p[i], x[i])
        loss = losses.dtype.type(0)
        if labels[i] != ignore:
            loss = log(total) - (x[i, labels[i]] - top)
        losses[i] = loss


@shared
def cross_entropy(piece, losses, p, x, labels, ignore):
    """losses (rows,) and the softmax p (rows, classes); the labels were checked."""
    rows, classes = x.shape
    wide()
    first, last = span(piece, rows, classes)
    if classes < SHORT:
        short_rows(losses, p, x, labels, ignore, first, last)
    else:
        entropy_rows(losses, p, x, labels, ignore, first, last)


@kernel
def mean_loss(mean, count, losses, labels, ignore):
    """mean = the sum of the losses over how many labels count; both of shape (1,)."""
    total, counted = 0.0, 0
    for i in range(losses.size):
        total += losses[i]
        counted += labels[i] != ignore
    mean[0] = total / counted
    count[0] = counted


@device
def entropy_grad_rows(gx, g, step, count, p, labels, ignore, first, last):
    for i in range(first, last):
        each = g[i * step] / count
        if labels[i] == ignore:
            each = g.dtype.type(0)
        for j in range(p.shape[1]):
            gx[i, j] = p[i, j] * each
        if labels[i] != ignore:
            gx[i, labels[i]] -= each


@shared
def cross_entropy_grad(piece, gx, g, step, count, p, labels, ignore):
    """gx = g / count (p - onehot(labels)); g has one number for each row, or with step 0 one."""
    rows, classes = p.shape
    wide()
    first, last = span(piece, rows, classes)
    entropy_grad_rows(gx, g, step, count, p, labels, ignore, first, last)
