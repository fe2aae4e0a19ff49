"""Optimizer steps in place, and the sum of squares that clipping needs.

    for i in range(n):                                              chunks in parallel
        m[i] = beta1 m[i] + (1 - beta1) g[i]
        v[i] = beta2 v[i] + (1 - beta2) g[i]^2
        p[i] -= rate m[i] / (sqrt(v[i]) / root + eps)

One pass: four arrays are read and three written once, where the composed form makes ten passes.
Nothing is computed here that memory would wait for. All numbers are of the parameters' type. All
parameters of a network are one loop over pieces: a table has their addresses, so that threads wake
once, and small ones cost no call of their own.
"""

from __future__ import annotations

import math

from .launch import address, call, shared, take_turns, task
from .toolchain import REASSOCIATE, device, kernel, wide

CHUNK = 1 << 14
PIECE = 1 << 12  # numbers of a piece of a step
PLAIN, MOVING, NESTEROV, ADAM = 0, 1, 2, 3


# the patterns of tasks ----------------------------------------------------------------------------
def sgd_task(p, g, v, numbers, way, first, last):
    """numbers = (lr, momentum, 1 - dampening, decay); v is not used if `way` is PLAIN."""
    wide()
    lr, momentum, keep, decay = numbers[0], numbers[1], numbers[2], numbers[3]
    if way == PLAIN:
        for i in range(first, last):
            p[i] -= lr * (g[i] + decay * p[i])
    elif way == NESTEROV:
        for i in range(first, last):
            d = g[i] + decay * p[i]
            v[i] = momentum * v[i] + keep * d
            p[i] -= lr * (d + momentum * v[i])
    else:
        for i in range(first, last):
            v[i] = momentum * v[i] + keep * (g[i] + decay * p[i])
            p[i] -= lr * v[i]


def adam_task(p, g, m, v, numbers, first, last):
    """numbers = (beta1, 1 - beta1, beta2, 1 - beta2, eps, shrink, decay, root, rate).

    root = sqrt(1 - beta2^t); rate = lr / (1 - beta1^t); p is shrunk first.
    """
    wide()
    beta1, rest1, beta2, rest2, eps = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    shrink, decay, root, rate = numbers[5], numbers[6], numbers[7], numbers[8]
    for i in range(first, last):
        x = p[i] * shrink
        d = g[i] + decay * x
        a = beta1 * m[i] + rest1 * d
        b = beta2 * v[i] + rest2 * (d * d)
        m[i] = a
        v[i] = b
        p[i] = x - rate * (a / (math.sqrt(b) / root + eps))


def sgd(dtype: str) -> int:
    """Compile or load `sgd_task`."""
    return task(sgd_task, dtype, dtype, dtype, dtype, dtype)


def adam(dtype: str) -> int:
    """Compile or load `adam_task`."""
    return task(adam_task, dtype, dtype, dtype, dtype, dtype, dtype)


# all parameters -----------------------------------------------------------------------------------
@device
def _piece(piece, code, table, numbers, way):
    row = 0
    while piece >= table[row, 5]:
        row += 1
    a, b, c, d = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
    first = (piece - table[row, 5]) * PIECE + (table[row, 4] + PIECE - 1) // PIECE * PIECE
    last = min(table[row, 4], first + PIECE)
    if way == ADAM:
        call(code, a, b, c, d, address(numbers), first, last)
    else:
        call(code, a, b, c, address(numbers), way, first, last)


@kernel
def step(code, table, numbers, way, few):
    """A task on all parameters: each has a row of four addresses and its size; one more is room."""
    pieces = total = 0
    for row in range(table.shape[0]):
        total += table[row, 4]
        pieces += (table[row, 4] + PIECE - 1) // PIECE
        table[row, 5] = pieces
    take_turns(_piece, pieces, total > few, (code, table, numbers, way))


@device(fastmath=REASSOCIATE)
def square_sum(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@shared
def squares(chunk, parts, x):
    """parts (chunks,) float64 = the sum of x^2 of each chunk."""
    wide()
    parts[chunk] = square_sum(x[chunk * CHUNK : min(x.size, (chunk + 1) * CHUNK)])


@kernel
def total(parts):
    """The sum in order."""
    y = 0.0
    for i in range(parts.size):
        y += parts[i]
    return y
