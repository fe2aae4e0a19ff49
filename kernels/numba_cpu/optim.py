"""Optimizer steps in place, and the sum of squares that clipping needs.

    for i in range(n):                                              chunks in parallel
        m[i] = beta1 m[i] + (1 - beta1) g[i]
        v[i] = beta2 v[i] + (1 - beta2) g[i]^2
        p[i] -= rate m[i] / (sqrt(v[i]) / root + eps)

One pass: four arrays are read and three written once, where the composed form makes ten passes.
Nothing is computed here that memory would wait for. All numbers are of the parameters' type.
"""

from __future__ import annotations

import math

from numba import prange

from .toolchain import REASSOCIATE, device, kernel, parallel, wide

CHUNK = 1 << 14


@device
def sgd_chunk(p, g, v, moving, nesterov, lr, momentum, keep, decay):
    """`keep` is 1 - dampening."""
    if not moving:
        for i in range(p.size):
            p[i] -= lr * (g[i] + decay * p[i])
    elif nesterov:
        for i in range(p.size):
            d = g[i] + decay * p[i]
            v[i] = momentum * v[i] + keep * d
            p[i] -= lr * (d + momentum * v[i])
    else:
        for i in range(p.size):
            v[i] = momentum * v[i] + keep * (g[i] + decay * p[i])
            p[i] -= lr * v[i]


@kernel
def sgd_few(p, g, v, moving, nesterov, lr, momentum, keep, decay):
    wide()
    sgd_chunk(p, g, v, moving, nesterov, lr, momentum, keep, decay)


@parallel
def sgd(p, g, v, moving, nesterov, lr, momentum, keep, decay):
    """p, g, v (n,); v is not used unless `moving`."""
    for chunk in prange((p.size + CHUNK - 1) // CHUNK):
        wide()
        a, b = chunk * CHUNK, min(p.size, (chunk + 1) * CHUNK)
        sgd_chunk(p[a:b], g[a:b], v[a:b], moving, nesterov, lr, momentum, keep, decay)


@device
def adam_chunk(p, g, m, v, beta1, rest1, beta2, rest2, eps, shrink, decay, root, rate):
    """rest = 1 - beta; root = sqrt(1 - beta2^t); rate = lr / (1 - beta1^t); p is shrunk first."""
    for i in range(p.size):
        x = p[i] * shrink
        d = g[i] + decay * x
        a = beta1 * m[i] + rest1 * d
        b = beta2 * v[i] + rest2 * (d * d)
        m[i] = a
        v[i] = b
        p[i] = x - rate * (a / (math.sqrt(b) / root + eps))


@kernel
def adam_few(p, g, m, v, beta1, rest1, beta2, rest2, eps, shrink, decay, root, rate):
    wide()
    adam_chunk(p, g, m, v, beta1, rest1, beta2, rest2, eps, shrink, decay, root, rate)


@parallel
def adam(p, g, m, v, beta1, rest1, beta2, rest2, eps, shrink, decay, root, rate):
    """p, g, m, v (n,)."""
    for chunk in prange((p.size + CHUNK - 1) // CHUNK):
        wide()
        a, b = chunk * CHUNK, min(p.size, (chunk + 1) * CHUNK)
        adam_chunk(
            p[a:b], g[a:b], m[a:b], v[a:b],
            beta1, rest1, beta2, rest2, eps, shrink, decay, root, rate,
        )  # fmt: skip


@device(fastmath=REASSOCIATE)
def square_sum(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@kernel
def squares_few(x):
    """The sum of x^2, in double precision but within chunks."""
    wide()
    total = 0.0
    for a in range(0, x.size, CHUNK):
        total += square_sum(x[a : a + CHUNK])
    return total


@parallel
def squares(parts, x):
    """The same for each chunk: parts (chunks,) float64."""
    for chunk in prange(parts.size):
        wide()
        parts[chunk] = square_sum(x[chunk * CHUNK : min(x.size, (chunk + 1) * CHUNK)])


@kernel
def total(parts):
    """The sum in order."""
    y = 0.0
    for i in range(parts.size):
        y += parts[i]
    return y
