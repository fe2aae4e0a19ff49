"""Softmax, log-softmax and cross-entropy along an axis, and their gradients.

    for each row:                                                   rows in parallel
        m = max_j x[j];   s = sum_j exp(x[j] - m)
        y[j] = exp(x[j] - m) / s         or x[j] - m - log(s);      loss = log(s) - (x[label] - m)

Composed from elementwise functions this reads and writes a matrix five times. The ladder:
    three passes over a row (max, sum, result)      a row is read three times, written once;
                                                    what is read again comes from the second cache
    `registers`: a warp for a row of up to 1024     read once, written once: the bound. A thread
    numbers, a block for one of up to 8192          keeps its numbers, and the warp folds maximum
                                                    and sum by shuffles (folding.py)
    `streaming`: longer rows                        three passes, a block for each row
    `lines`: rows of a few numbers, and axes that   a thread for each; neighbours side by side
    are not the last

The cross-entropy never takes a logarithm of p: -log p[label] = log(s) - (x[label] - m).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from math import inf
from typing import Any

from .divide import quotient_of
from .folding import LANES, add, block_folder, lanes_folder, larger
from .indexed import kernel
from .spec import TYPES, Kernel, cuda

BLOCK = 256
FORWARD = ("softmax", "log_softmax", "cross_entropy")
BACKWARD = ("softmax_grad", "log_softmax_grad")
MOST = {LANES: 32, BLOCK: 32}  # numbers that a thread keeps


def share(v, m, s):
    """softmax's result."""
    return math.exp(v - m) / s


def logarithm(v, m, s):
    """log-softmax's result."""
    return v - m - math.log(s)


def product(g, y):
    """What softmax's gradient sums."""
    return g * y


def gradient(g, y):
    """What log-softmax's gradient sums."""
    return g


def softmax_back(g, y, total):
    """softmax's gradient."""
    return y * (g - total)


def log_softmax_back(g, y, total):
    """log-softmax's gradient."""
    return g - math.exp(y) * total


BACK = {"softmax_grad": (product, softmax_back), "log_softmax_grad": (gradient, log_softmax_back)}


def made(kind: str, dtype: str, form: str, function: Any, index: str) -> Kernel:
    """Arguments of forward kernels: y, x, losses, labels, ignore; of gradients: gx, g, y. Then
    rows (or lines), length, inner."""
    own = ("*", "*", "*") if kind in BACK else ("*", "*", "*", "int64*", "int64")
    kinds = (*own, "index", "index", "index")
    return kernel(f"{kind}_{form}", dtype, function, kinds, (BLOCK, 1, 1), index)


def folders(dtype: str, lanes: int) -> tuple[Any, Any]:
    """Of sums and of maxima of a row's threads."""
    if lanes == LANES:
        return lanes_folder(add), lanes_folder(larger)
    return block_folder(add, 0.0, dtype), block_folder(larger, -inf, dtype)


def forms(kind: str, dtype: str) -> tuple[Any, bool, Any]:
    """What makes a result, whether there is a loss, and what makes that."""
    T = TYPES[dtype]

    def loss_of(x, begin, step, length, label, ignore, m, s):
        if label == ignore or label < 0 or label >= length:
            return T(0.0)
        return T(math.log(s) - (x[begin + label * step] - m))

    return logarithm if kind == "log_softmax" else share, kind == "cross_entropy", loss_of


@cache
def registers(kind: str, dtype: str, lanes: int, each: int, index: str = "int32") -> Kernel:
    """`lanes` threads (32 or BLOCK) for a row, `each` numbers a thread; inner is 1."""
    T = TYPES[dtype]
    total_of, most_of = folders(dtype, lanes)
    finish, entropy, loss_of = forms(kind, dtype)

    def forward(y, x, losses, labels, ignore, rows, length, inner):
        width = lanes if lanes == LANES else cuda.blockDim.x
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        row, lane = at // width, at % width
        if row < rows:
            values, begin = cuda.local.array(each, T), row * length
            m, s = T(-inf), T(0.0)
            for k in range(each):
                i = lane + k * width
                values[k] = x[begin + i] if i < length else T(-inf)
                m = larger(m, values[k])
            m = most_of(m)
            for k in range(each):
                if lane + k * width < length:
                    s += math.exp(values[k] - m)
            s = total_of(s)
            for k in range(each):
                if lane + k * width < length:
                    y[begin + lane + k * width] = finish(values[k], m, s)
            if entropy and lane == 0:
                losses[row] = loss_of(x, begin, 1, length, labels[row], ignore, m, s)

    if kind not in BACK:
        return made(kind, dtype, f"{lanes}x{each}", forward, index)
    term, back = BACK[kind]

    def backward(gx, g, y, rows, length, inner):
        width = lanes if lanes == LANES else cuda.blockDim.x
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        row, lane = at // width, at % width
        if row < rows:
            gs, ys, begin = cuda.local.array(each, T), cuda.local.array(each, T), row * length
            s = T(0.0)
            for k in range(each):
                i = lane + k * width
                if i < length:
                    gs[k], ys[k] = g[begin + i], y[begin + i]
                    s += term(gs[k], ys[k])
            s = total_of(s)
            for k in range(each):
                i = lane + k * width
                if i < length:
                    gx[begin + i] = back(gs[k], ys[k], s)

    return made(kind, dtype, f"{lanes}x{each}", backward, index)


@cache
def streaming(kind: str, dtype: str, index: str = "int32") -> Kernel:
    """A block for each row of any length; inner is 1."""
    T = TYPES[dtype]
    total_of, most_of = folders(dtype, BLOCK)
    finish, entropy, loss_of = forms(kind, dtype)

    def forward(y, x, losses, labels, ignore, rows, length, inner):
        row, t = cuda.blockIdx.x, cuda.threadIdx.x
        begin, stop = row * length, (row + 1) * length
        m, s, i = T(-inf), T(0.0), begin + t
        while i < stop:
            m = larger(m, x[i])
            i += cuda.blockDim.x
        m = most_of(m)
        i = begin + t
        while i < stop:
            s += math.exp(x[i] - m)
            i += cuda.blockDim.x
        s = total_of(s)
        i = begin + t
        while i < stop:
            y[i] = finish(x[i], m, s)
            i += cuda.blockDim.x
        if entropy and t == 0:
            losses[row] = loss_of(x, begin, 1, length, labels[row], ignore, m, s)

    if kind not in BACK:
        return made(kind, dtype, "streaming", forward, index)
    term, back = BACK[kind]

    def backward(gx, g, y, rows, length, inner):
        begin, stop = cuda.blockIdx.x * length, (cuda.blockIdx.x + 1) * length
        s, i = T(0.0), begin + cuda.threadIdx.x
        while i < stop:
            s += term(g[i], y[i])
            i += cuda.blockDim.x
        s = total_of(s)
        i = begin + cuda.threadIdx.x
        while i < stop:
            gx[i] = back(g[i], y[i], s)
            i += cuda.blockDim.x

    return made(kind, dtype, "streaming", backward, index)


@cache
def lines(kind: str, dtype: str, index: str = "int32") -> Kernel:
    """A thread for each line, numbers `inner` apart; `rows` is the number of lines."""
    T = TYPES[dtype]
    finish, entropy, loss_of = forms(kind, dtype)

    def forward(y, x, losses, labels, ignore, rows, length, inner):
        row = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if row < rows:
            begin = row // inner * length * inner + row % inner
            m, s = T(-inf), T(0.0)
            for k in range(length):
                m = larger(m, x[begin + k * inner])
            for k in range(length):
                s += math.exp(x[begin + k * inner] - m)
            for k in range(length):
                y[begin + k * inner] = finish(x[begin + k * inner], m, s)
            if entropy:
                losses[row] = loss_of(x, begin, inner, length, labels[row], ignore, m, s)

    if kind not in BACK:
        return made(kind, dtype, "lines", forward, index)
    term, back = BACK[kind]

    def backward(gx, g, y, rows, length, inner):
        row = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if row < rows:
            begin, s = row // inner * length * inner + row % inner, T(0.0)
            for k in range(length):
                s += term(g[begin + k * inner], y[begin + k * inner])
            for k in range(length):
                i = begin + k * inner
                gx[i] = back(g[i], y[i], s)

    return made(kind, dtype, "lines", backward, index)


@cache
def mean_loss(dtype: str, index: str = "int32") -> Kernel:
    """mean[0] = the mean of the losses that count, count[0] = how many do. One block.

    Arguments: mean, count, losses, labels, ignore, n.
    """
    T = TYPES[dtype]
    total_of = block_folder(add, 0.0, dtype)

    def function(mean, count, losses, labels, ignore, n):
        s, many, i = T(0.0), T(0.0), cuda.threadIdx.x
        while i < n:
            if labels[i] != ignore:
                s += losses[i]
                many += T(1.0)
            i += cuda.blockDim.x
        s = total_of(s)
        many = total_of(many)
        if cuda.threadIdx.x == 0:
            mean[0] = s / many
            count[0] = many

    kinds = ("*", "*", "*", "int64*", "int64", "index")
    return kernel("mean_loss", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def entropy_grad(dtype: str, mean: bool, index: str = "int32") -> Kernel:
    """gx = g (p - onehot(label)), 0 where the label is `ignore`; g[row], or with `mean` g / count.

    Arguments: gx, g, count, p, labels, ignore, n (numbers of gx), length, its magic and shift.
    """
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(gx, g, count, p, labels, ignore, n, length, magic, shift):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            row = quotient(i, magic, shift)
            label, y = labels[row], T(0.0)
            if label != ignore:
                y = p[i] - (T(1.0) if i - row * length == label else T(0.0))
                y *= g[0] / count[0] if mean else g[row]
            gx[i] = y

    kinds = ("*", "*", "*", "*", "int64*", "int64", "index", "index", "divisor")
    label = f"cross_entropy_{'mean_' if mean else ''}grad"
    return kernel(label, dtype, function, kinds, (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """Every kind once, every form, few and many numbers a thread."""
    for kind in (*FORWARD, *BACKWARD):
        yield registers(kind, "float32", LANES, 8)
    yield registers("softmax", "float32", LANES, 32)
    yield registers("softmax", "float32", BLOCK, 32)
    yield registers("softmax_grad", "float32", BLOCK, 16)
    yield registers("softmax", "float64", LANES, 8)
    yield streaming("cross_entropy", "float32")
    yield streaming("softmax_grad", "float32")
    yield lines("softmax", "float32")
    yield lines("log_softmax_grad", "float32")
    yield mean_loss("float32")
    yield entropy_grad("float32", False)
    yield entropy_grad("float32", True)
    yield entropy_grad("float32", True, "int64")
