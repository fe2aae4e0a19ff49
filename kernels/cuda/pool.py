"""Pooling over windows of planes (height, width): largest elements, sums, and their gradients.

    for each plane, each window:                        a thread for each window
        y = max or sum of x over the window             positions = where the maximum stood

Neighbouring threads are neighbouring windows, so what windows share is read from the first cache
and memory sees each number of x once: the bound.

Gradients add to pixels that several windows share. The ladder for the maximum's:
    a thread for each window, an atomic addition        each run rounds in another order
    windows sorted by position                          the same bits always; but sorting is dear
    `spread`: a thread for each pixel looks at the      reads only what is near, in order, and needs
    windows that may have chosen it                     no memory but g and positions

Which windows may have chosen a pixel follows from positions themselves: `reach` takes the extremes
of how far a position lies from where its window would be if windows divided the plane evenly, a few
rows and columns. So nothing is asked of the windows' sizes, and any positions give the right sums,
if slowly where they are far from their windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import inf

from .divide import quotient_of
from .fault import note_least
from .folding import lanes_folder, smaller
from .indexed import kernel
from .spec import TYPES, Kernel, cuda, int64

BLOCK = 256
LOWEST = {"int32": -(2**31), "int64": -(2**63), "bool": 0}
# height, width, the window's rows and columns, strides, padding before, counts; divisors of counts.
WINDOWS = (*["index"] * 10, "divisor", "divisor")
# height, width, counts of windows down and across, magic and shift of width and height (or counts).
PLANES = (*["index"] * 4, "divisor", "divisor")


@cache
def max_pool(dtype: str, index: str = "int32") -> Kernel:
    """The first largest element of each window, nan being it, and its place in its plane.

    A window that lies in the padding alone has the lowest number there is, at 0. Arguments: y,
    positions, x, n (windows), dilations down and across, WINDOWS.
    """
    T, lowest = TYPES[dtype], LOWEST.get(dtype, -inf)
    quotient = quotient_of(index)

    def function(
        y,
        positions,
        x,
        n,
        dy,
        dx,
        h,
        w,
        rows,
        columns,
        sy,
        sx,
        top,
        left,
        down,
        across,
        m,
        s,
        mx,
        ms,
    ):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            line = quotient(i, mx, ms)
            plane = quotient(line, m, s)
            y0 = (line - plane * down) * sy - top
            x0 = (i - line * across) * sx - left
            begin, at, best = plane * h * w, int64(-1), T(lowest)
            for r in range(rows):
                yy = y0 + r * dy
                if yy >= 0 and yy < h:
                    for c in range(columns):
                        xx = x0 + c * dx
                        if xx >= 0 and xx < w:
                            v = T(x[begin + yy * w + xx])
                            if at < 0 or v > best or (v != v and best == best):
                                best, at = v, int64(yy * w + xx)
            y[i] = best
            positions[i] = max(at, int64(0))

    kinds = ("*", "int64*", "*", "index", "index", "index", *WINDOWS)
    return kernel("max_pool", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def sum_pool(dtype: str, index: str = "int32") -> Kernel:
    """scale * the sum of each window. Arguments: y, x, n (windows), scale, WINDOWS."""
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(
        y, x, n, scale, h, w, rows, columns, sy, sx, top, left, down, across, m, s, mx, ms
    ):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            line = quotient(i, mx, ms)
            plane = quotient(line, m, s)
            y0 = (line - plane * down) * sy - top
            x0 = (i - line * across) * sx - left
            total = T(0.0)
            for yy in range(max(0, y0), min(h, y0 + rows)):
                for xx in range(max(0, x0), min(w, x0 + columns)):
                    total += x[(plane * h + yy) * w + xx]
            y[i] = total * scale

    kinds = ("*", "*", "index", "T", *WINDOWS)
    return kernel("sum_pool", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def sum_pool_grad(dtype: str, index: str = "int32") -> Kernel:
    """gx = scale * the sum of g over the windows that hold the pixel.

    Arguments: gx, g, n (pixels), scale, WINDOWS with the divisors of height and width, and magic
    and shift of both strides.
    """
    T, quotient = TYPES[dtype], quotient_of(index)

    def spread(
        gx,
        g,
        n,
        scale,
        qy,
        ry,
        qx,
        rx,
        h,
        w,
        rows,
        columns,
        sy,
        sx,
        top,
        left,
        down,
        across,
        m,
        s,
        mx,
        ms,
    ):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            line = quotient(i, mx, ms)
            plane = quotient(line, m, s)
            yy, xx = line - plane * h + top, i - line * w + left
            first = quotient(yy - rows + sy, qy, ry) if yy >= rows else 0
            left_most = quotient(xx - columns + sx, qx, rx) if xx >= columns else 0
            total = T(0.0)
            for p in range(first, min(down, quotient(yy, qy, ry) + 1)):
                for q in range(left_most, min(across, quotient(xx, qx, rx) + 1)):
                    total += g[(plane * down + p) * across + q]
            gx[i] = total * scale

    kinds = ("*", "*", "index", "T", "divisor", "divisor", *WINDOWS)
    return kernel("sum_pool_grad", dtype, spread, kinds, (BLOCK, 1, 1), index)


@cache
def reach(index: str = "int32") -> Kernel:
    """The least of row, -row, column, -column of positions, seen from their windows' even places.

    Arguments: words (4 int64, all large), positions, n, PLANES with the divisors of the width and
    of the counts across, then magic and shift of the counts down.
    """
    least_of, quotient = lanes_folder(smaller), quotient_of(index)

    def function(words, positions, n, h, w, down, across, mw, sw, mx, sx, my, sy):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        large = int64(1) << int64(40)
        up, low, back, on = large, large, large, large
        if i < n:
            at = positions[i]
            if at >= 0 and at < h * w:
                line = quotient(i, mx, sx)
                p, q = line - quotient(line, my, sy) * down, i - line * across
                row = quotient(at, mw, sw)
                dy = int64(row - quotient(p * h, my, sy))
                dx = int64(at - row * w - quotient(q * w, mx, sx))
                up, low, back, on = dy, -dy, dx, -dx
        up, low, back, on = least_of(up), least_of(low), least_of(back), least_of(on)
        if cuda.threadIdx.x % 32 == 0:
            note_least(words, 0, up)
            note_least(words, 1, low)
            note_least(words, 2, back)
            note_least(words, 3, on)

    kinds = ("*", "*", "index", *PLANES, "divisor")
    return kernel("max_pool_reach", "int64", function, kinds, (BLOCK, 1, 1), index)


@cache
def spread(dtype: str, index: str = "int32") -> Kernel:
    """gx = the sum of g over the windows whose position is the pixel, in their order.

    Arguments: gx, g, positions, words (`reach`'s), n (pixels), height, width, counts down and
    across, divisors of width and height.
    """
    T, quotient = TYPES[dtype], quotient_of(index)

    def function(gx, g, positions, words, n, h, w, down, across, mw, sw, mh, sh):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            line = quotient(i, mw, sw)
            plane = quotient(line, mh, sh)
            row, column = line - plane * h, i - line * w
            at, begin, total = row * w + column, plane * down * across, T(0.0)
            # Windows p with words[0] <= row - floor(p h / down) <= -words[1].
            low, high = row + words[1], row - words[0] + 1
            first = quotient(low * down + h - 1, mh, sh) if low > 0 else 0
            last = min(down, quotient(high * down + h - 1, mh, sh)) if high > 0 else 0
            low, high = column + words[3], column - words[2] + 1
            left = quotient(low * across + w - 1, mw, sw) if low > 0 else 0
            right = min(across, quotient(high * across + w - 1, mw, sw)) if high > 0 else 0
            for p in range(first, last):
                for q in range(left, right):
                    if positions[begin + p * across + q] == at:
                        total += g[begin + p * across + q]
            gx[i] = total

    kinds = ("*", "*", "int64*", "int64*", "index", *PLANES)
    return kernel("max_pool_grad", dtype, function, kinds, (BLOCK, 1, 1), index)


@cache
def pick(dtype: str, index: str = "int32") -> Kernel:
    """y = x at positions. Arguments: y, x, positions, n, size (of a plane), windows of a plane's
    divisor."""

    quotient = quotient_of(index)

    def function(y, x, positions, n, size, magic, shift):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < n:
            at = positions[i]
            if at >= 0 and at < size:
                y[i] = x[quotient(i, magic, shift) * size + at]

    kinds = ("*", "*", "int64*", "index", "index", "divisor")
    return kernel("max_pool_pick", dtype, function, kinds, (BLOCK, 1, 1), index)


def catalogue() -> Iterator[Kernel]:
    """All, in float32, and the one that divides most by 64 bits."""
    yield max_pool("float32")
    yield sum_pool("float32")
    yield sum_pool_grad("float32")
    yield reach()
    yield spread("float32")
    yield pick("float32")
    yield spread("float32", "int64")
