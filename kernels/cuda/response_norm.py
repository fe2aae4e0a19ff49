"""Local response norm of x (n, channels, rest), forward and gradient.

    for each number:                                    a thread each
        s = k + alpha / size * (sum of x^2 over the channels around its own)
        y = x s^-beta

Neighbouring threads are neighbouring pixels, so each channel of the window is read by whole lines;
the windows of neighbouring channels overlap, and what they share comes from the second cache. The
composition squares, pads, unfolds and sums: `size` times x is written and read again; here memory
sees x read once, y and s written once.

The gradient sums over the windows that hold the channel, which reach as far the other way.

Source: Krizhevsky, Sutskever & Hinton 2012, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from .divide import quotient_of
from .indexed import kernel
from .spec import TYPES, Kernel, cuda

BLOCK = 256
SHAPE = ("index", "index", "index", "divisor", "divisor")  # n, channels, rest; their divisors
NUMBERS = ("T", "T", "T", "index", "index")


@cache
def forward(dtype: str, index: str = "int32") -> Kernel:
    """Arguments: y, s, x; scale (alpha / size), beta, k, channels before and after; SHAPE."""
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(y, s, x, scale, beta, k, before, after, n, channels, rest, mc, sc, mr, sr):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            plane = quotient(i, mr, sr)
            c = plane - quotient(plane, mc, sc) * channels
            total = T(0.0)
            for other in range(max(0, c - before), min(channels, c + after + 1)):
                v = x[i + (other - c) * rest]
                total += v * v
            total = k + scale * total
            s[i] = total
            y[i] = x[i] * math.pow(total, -beta)

    kinds = ("*", "*", "*", *NUMBERS, *SHAPE)
    return kernel("response_norm", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def backward(dtype: str, index: str = "int32") -> Kernel:
    """Arguments: gx, g, x, s; scale (2 alpha beta / size), beta, nothing, channels before and
    after; SHAPE."""
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(gx, g, x, s, scale, beta, k, before, after, n, channels, rest, mc, sc, mr, sr):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            plane = quotient(i, mr, sr)
            c = plane - quotient(plane, mc, sc) * channels
            total = T(0.0)
            for other in range(max(0, c - before), min(channels, c + after + 1)):
                j = i + (other - c) * rest
                total += g[j] * x[j] * math.pow(s[j], -beta) / s[j]
            gx[i] = g[i] * math.pow(s[i], -beta) - scale * x[i] * total

    kinds = ("*", "*", "*", "*", *NUMBERS, *SHAPE)
    return kernel("response_norm_grad", dtype, function, kinds, (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """Both."""
    yield forward("float32")
    yield backward("float32")
