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

from .launch import shared
from .toolchain import REASSOCIATE, device, kernel, wide

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


@shared
def sgd(chunk, p, g, v, moving, nesterov, lr, momentum, keep, decay):
    """p, g, v (n,); v is not used unless `moving`."""
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


@shared
def adam(chunk, p, g, m, v, beta1, rest1, beta2, rest2, eps, shrink, decay, root, rate):
    """p, g, m, v (n,)."""
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
