"""Convolution whose groups have one channel of x each: no product of matrices, a few sums a number.

    for n, o, u, v:                                       y (N, O, U, V), channel c = o // multiple
        for r, s in the kernel:
            y[n, o, u, v] += w[o, r, s] * x[n, c, u*stride + r*dilation - pad, ...]

A number of y is r*s products of as many numbers of x, which its neighbours use as well; what limits
it is memory, and the best there is reads x and writes y once. So: a thread for each number of y,
neighbours in a row; the windows of a block overlap in the first cache, which serves all reads but
one; the weights of a channel are the same for the whole block.

`input_grad` turns it round: a thread for each number of x asks which windows it lies in.
`weight_grad` has few results, each a sum over a plane of all images: a block for each number and
part of the images, whose threads add every 256th, then halve the number of sums until one is left;
a second pass adds the parts in their order (gemm_split.py). No atomics: a run gives what the run
before gave."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .divide import quotient
from .gemm_sides import over
from .gemm_way import finish
from .spec import Kernel, cuda, float32, int64

BLOCK = 256
# h, w: an image of x; down, across: one of y; then kernel, stride, padding before, dilation
SIZES = ("int32",) * 12


@cache
def forward(bias: bool = False, activation: str = "none") -> Kernel:
    """Grid: (a plane of y / 256, N * O up to 65535). `outs` is O, `multiple` O / C."""
    end = finish("row" if bias else "none", activation)

    def kernel(
        y, x, w, b, planes, outs, multiple,
        h, wide, down, across, kh, kw, sh, sw, ph, pw, dh, dw, magic, shift,
    ):  # fmt: skip
        p = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
        if p < down * across:
            u = quotient(p, magic, shift)
            i0, j0 = u * sh - ph, (p - u * across) * sw - pw
            for plane in range(cuda.blockIdx.y, planes, cuda.gridDim.y):
                n = over(plane, outs)
                o = plane - n * outs
                at = (n * over(outs, multiple) + over(o, multiple)) * int64(h) * wide
                total = float32(0)
                for r in range(kh):
                    i = i0 + r * dh
                    if i >= 0 and i < h:
                        for s in range(kw):
                            j = j0 + s * dw
                            if j >= 0 and j < wide:
                                total += w[(o * kh + r) * kw + s] * x[at + i * wide + j]
                y[plane * int64(down) * across + p] = end(total, b, o, 0)

    extra = ("_bias" if bias else "") + (f"_{activation}" if activation != "none" else "")
    signature = ("float32*",) * 4 + ("int32",) * 3 + SIZES + ("uint32",) * 2
    return Kernel(f"depthwise{extra}", kernel, signature, (BLOCK, 1, 1), narrow=True)


@cache
def input_grad() -> Kernel:
    """Grid: (a plane of x / 256, N * C up to 65535)."""

    def kernel(
        gx, g, w, planes, channels, multiple,
        h, wide, down, across, kh, kw, sh, sw, ph, pw, dh, dw, magic, shift,
        down_magic, down_shift, across_magic, across_shift,
    ):  # fmt: skip
        p = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
        if p < h * wide:
            q = quotient(p, magic, shift)
            i0, j0 = q + ph, p - q * wide + pw
            for plane in range(cuda.blockIdx.y, planes, cuda.gridDim.y):
                total = float32(0)
                for e in range(multiple):
                    o = (plane - over(plane, channels) * channels) * multiple + e
                    at = (plane * int64(multiple) + e) * down * across
                    for r in range(kh):
                        i = i0 - r * dh
                        u = quotient(max(i, 0), down_magic, down_shift)
                        if i == u * sh and u < down:
                            for s in range(kw):
                                j = j0 - s * dw
                                v = quotient(max(j, 0), across_magic, across_shift)
                                if j == v * sw and v < across:
                                    at_w = (o * kh + r) * kw + s
                                    total += w[at_w] * g[at + u * across + v]
                gx[plane * int64(h) * wide + p] = total

    signature = ("float32*",) * 3 + ("int32",) * 3 + SIZES + ("uint32",) * 6
    return Kernel("depthwise_input_grad", kernel, signature, (BLOCK, 1, 1))


@cache
def weight_grad(block: int = BLOCK) -> Kernel:
    """gw (parts, O, kh, kw). Grid: (O * kh * kw, parts); a part is `each` of the images.

    block: threads, a power of two.
    """

    def kernel(
        gw, x, g, images, each, outs, multiple,
        h, wide, down, across, kh, kw, sh, sw, ph, pw, dh, dw, magic, shift,
    ):  # fmt: skip
        sums = cuda.shared.array(block, float32)
        t, number = cuda.threadIdx.x, cuda.blockIdx.x
        line, o = over(number, kw), over(number, kw * kh)
        s, r = number - line * kw, line - o * kh
        area, total = down * across, float32(0)
        n = cuda.blockIdx.y * each
        while n < min(images, (cuda.blockIdx.y + 1) * each):
            at = (n * over(outs, multiple) + over(o, multiple)) * int64(h) * wide
            at_g = (n * int64(outs) + o) * area
            for p in range(t, area, block):
                u = quotient(p, magic, shift)
                i, j = u * sh - ph + r * dh, (p - u * across) * sw - pw + s * dw
                if i >= 0 and i < h and j >= 0 and j < wide:
                    total += g[at_g + p] * x[at + i * wide + j]
            n += 1
        sums[t] = total
        cuda.syncthreads()
        half = block // 2
        while half > 0:
            if t < half:
                sums[t] += sums[t + half]
            cuda.syncthreads()
            half = half >> 1
        if t == 0:
            gw[cuda.blockIdx.y * cuda.gridDim.x + number] = sums[0]

    signature = ("float32*",) * 3 + ("int32",) * 4 + SIZES + ("uint32",) * 2
    name = "depthwise_weight_grad" + ("" if block == BLOCK else f"_{block}")
    return Kernel(name, kernel, signature, (block, 1, 1))


def catalogue() -> Iterator[Kernel]:
    """All three, and an end."""
    yield forward()
    yield forward(True, "relu")
    yield input_grad()
    yield weight_grad()
