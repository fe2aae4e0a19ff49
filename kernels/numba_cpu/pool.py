"""Pooling: a row of windows at a time, one element of all its windows after the other.

    for each plane, for each row i of windows:                          planes in parallel
        for each element (k, l) of the window:
            for j in range(across):
                v = x[i s - pad + k, j s - pad + l]
                y[j], at[j] = (v, place of v) if v > y[j] else (y[j], at[j])

The definition has the loop over j outside: it finishes one window before the next, and a window of
4 or 9 elements is nothing for a vector. Inside, 16 neighbouring windows make a step, without a
branch: the larger value and its place are *selected* (pool_vector.py). Windows that reach into the
padding, and those of whole numbers or of a stride above 2, are done one by one.

Places are 32-bit while they are selected, so that as many fit into a vector as values. The first of
equal values wins, and nan wins over everything, as in `argmax`.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import types

from .launch import shared
from .pool_vector import max_windows, max_windows_2, sum_windows, sum_windows_2
from .toolchain import REASSOCIATE, device, kernel, wide


class Pool(NamedTuple):
    """The sizes of a pooling: `planes` images of height x width, down x across windows in each."""

    planes: int
    height: int
    width: int
    down: int
    across: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    dilation_h: int
    dilation_w: int


PIECE = 1 << 15  # numbers of a piece of work, in whole planes


@device
def planes_per_piece(w):
    return max(1, PIECE // (w.height * w.width))


@device
def inside(w, l):  # noqa: E741
    """The first j and the last + 1 for which column j stride - pad + l dilation is in the image."""
    shift = l * w.dilation_w - w.pad_w
    first = max(0, (w.stride_w - 1 - shift) // w.stride_w)
    last = min(w.across, (w.width - 1 - shift) // w.stride_w + 1)
    return first, max(first, last)


# the largest --------------------------------------------------------------------------------------
@device
def whole_windows(w):
    """The first j and the last + 1 whose windows have all their columns in the image."""
    first, _ = inside(w, 0)
    _, last = inside(w, w.kernel_w - 1)
    return first, max(first, last)


@device
def whole_row(i, w):
    """Whether the windows of row i have all their rows in the image."""
    top = i * w.stride_h - w.pad_h
    return top >= 0 and top + (w.kernel_h - 1) * w.dilation_h < w.height


@device
def place_of(i, j, w):
    return (i * w.stride_h - w.pad_h) * w.width + j * w.stride_w - w.pad_w


@device
def max_some(y, at, plane, i, first, last, lowest, w):
    """Windows first ... last of a row, one after the other: at the border."""
    for j in range(first, last):
        found, top = types.int64(-1), lowest
        for k in range(w.kernel_h):
            row = i * w.stride_h - w.pad_h + k * w.dilation_h
            for l in range(w.kernel_w):  # noqa: E741
                column = j * w.stride_w - w.pad_w + l * w.dilation_w
                if 0 <= row < w.height and 0 <= column < w.width:
                    v = plane[row * w.width + column]
                    if found < 0 or (not v <= top and top == top):
                        found, top = row * w.width + column, v
        y[j] = top
        at[j] = max(found, 0)


@device
def max_border(y, positions, x, plane, i, first, last, lowest, w):
    """Windows first ... last of row i of a plane. Slices cost more than a short row of vectors."""
    if first < last:
        to, size = (plane * w.down + i) * w.across, w.height * w.width
        line, at = y[to : to + w.across], positions[to : to + w.across]
        max_some(line, at, x[plane * size : plane * size + size], i, first, last, lowest, w)


@shared
def max_pool_vector(piece, y, positions, x, lowest, w):
    """As `max_pool`, for floats and a stride of 1 or 2: whole windows in vectors."""
    each, size, item = planes_per_piece(w), w.height * w.width, x.itemsize
    first, last = whole_windows(w)
    shape = (w.kernel_h, w.kernel_w, w.dilation_h * w.width, w.dilation_w)
    for plane in range(piece * each, min(w.planes, (piece + 1) * each)):
        image = x.ctypes.data + plane * size * item
        for i in range(w.down):
            if not whole_row(i, w):
                max_border(y, positions, x, plane, i, 0, w.across, lowest, w)
                continue
            if last - first < w.across:
                max_border(y, positions, x, plane, i, 0, first, lowest, w)
                max_border(y, positions, x, plane, i, last, w.across, lowest, w)
            to = (plane * w.down + i) * w.across + first
            places = (
                y.ctypes.data + to * item, positions.ctypes.data + to * 8,
                image, place_of(i, first, w), last - first,
            )  # fmt: skip
            if w.stride_w == 1:
                max_windows(y.dtype, *places, *shape, y.dtype.type(1))
            elif shape == (2, 2, w.width, 1):  # numbers that LLVM knows: no loop is left
                max_windows_2(y.dtype, *places, 2, 2, w.width, 1, y.dtype.type(1))
            elif shape == (3, 3, w.width, 1):
                max_windows_2(y.dtype, *places, 3, 3, w.width, 1, y.dtype.type(1))
            else:
                max_windows_2(y.dtype, *places, *shape, y.dtype.type(1))


@shared
def max_pool(piece, y, positions, x, lowest, w):
    """y and the places of the largest in their planes (int64), all flat."""
    each, size = planes_per_piece(w), w.height * w.width
    for plane in range(piece * each, min(w.planes, (piece + 1) * each)):
        image = x[plane * size : plane * size + size]
        for i in range(w.down):
            to = (plane * w.down + i) * w.across
            line, at = y[to : to + w.across], positions[to : to + w.across]
            max_some(line, at, image, i, 0, w.across, lowest, w)


@kernel
def within(positions, size):
    """Whether all positions are places in a plane of `size` numbers."""
    low = high = positions.dtype.type(0)
    for j in range(positions.size):
        low, high = min(low, positions[j]), max(high, positions[j])
    return low >= 0 and high < size


@shared
def scatter(piece, gx, g, positions, count, size):
    """gx = 0; gx[plane, positions[plane, j]] += g[plane, j]: `count` windows, `size` numbers."""
    each = max(1, PIECE // size)
    planes = gx.size // size
    for plane in range(piece * each, min(planes, (piece + 1) * each)):
        image = gx[plane * size : plane * size + size]
        for j in range(size):
            image[j] = 0
        for j in range(plane * count, plane * count + count):
            image[positions[j]] += g[j]


@shared
def pick(piece, y, x, positions, count, size):
    """y[plane, j] = x[plane, positions[plane, j]]."""
    each = max(1, PIECE // size)
    planes = x.size // size
    for plane in range(piece * each, min(planes, (piece + 1) * each)):
        image = x[plane * size : plane * size + size]
        for j in range(plane * count, plane * count + count):
            y[j] = image[positions[j]]


# the sum ------------------------------------------------------------------------------------------
@device
def is_plane(w):
    """Whether there is one window, which is the plane."""
    same = w.kernel_h == w.height and w.kernel_w == w.width
    return same and w.down * w.across == 1 and w.pad_h + w.pad_w == 0


@device
def add_element(out, source, step):
    for j in range(out.size):
        out[j] += source[j * step]


@device
def sum_row(out, plane, i, w):
    for j in range(out.size):
        out[j] = 0
    for k in range(w.kernel_h):
        row = i * w.stride_h - w.pad_h + k
        if row < 0 or row >= w.height:
            continue
        for l in range(w.kernel_w):  # noqa: E741
            first, last = inside(w, l)
            if first < last:
                source = plane[row * w.width + first * w.stride_w + l - w.pad_w :]
                if w.stride_w == 1:
                    add_element(out[first:last], source, 1)
                elif w.stride_w == 2:
                    add_element(out[first:last], source, 2)
                else:
                    add_element(out[first:last], source, w.stride_w)


@device(fastmath=REASSOCIATE)
def sum_of(line):
    total = line.dtype.type(0)
    for j in range(line.size):
        total += line[j]
    return total


@shared
def sum_pool(piece, y, x, scale, w):
    """y = scale times the sum of each window, flat; a window that is the plane in one pass."""
    wide()
    each, size = planes_per_piece(w), w.height * w.width
    whole = is_plane(w)
    quick = w.stride_w <= 2 and whole_windows(w) == (0, w.across)
    for plane in range(piece * each, min(w.planes, (piece + 1) * each)):
        image = x[plane * size : plane * size + size]
        if whole:
            y[plane] = sum_of(image) * scale
            continue
        for i in range(w.down):
            to = (plane * w.down + i) * w.across
            line = y[to : to + w.across]
            if quick and whole_row(i, w):
                places = (
                    line.ctypes.data, line.ctypes.data, image.ctypes.data,
                    place_of(i, 0, w), w.across, w.kernel_h, w.kernel_w, w.width, 1,
                )  # fmt: skip
                if w.stride_w == 1:
                    sum_windows(y.dtype, *places, scale)
                elif w.kernel_h == w.kernel_w == 2:
                    sum_windows_2(y.dtype, *places[:5], 2, 2, w.width, 1, scale)
                else:
                    sum_windows_2(y.dtype, *places, scale)
                continue
            sum_row(line, image, i, w)
            for j in range(w.across):
                line[j] *= scale


@device
def spread_pairs(line, g, scale):
    """Windows of two columns side by side: both get the same."""
    for j in range(g.size):
        v = g[j] * scale
        line[2 * j] = v
        line[2 * j + 1] = v


@device
def spread_element(line, g, step, scale):
    for j in range(g.size):
        line[j * step] += g[j] * scale


@device
def spread_row(image, g, i, scale, w):
    """Add scale g to the windows of row i."""
    for k in range(w.kernel_h):
        row = i * w.stride_h - w.pad_h + k
        if row < 0 or row >= w.height:
            continue
        for l in range(w.kernel_w):  # noqa: E741
            first, last = inside(w, l)
            if first < last:
                line = image[row * w.width + first * w.stride_w + l - w.pad_w :]
                if w.stride_w == 1:
                    spread_element(line, g[first:last], 1, scale)
                else:
                    spread_element(line, g[first:last], w.stride_w, scale)


@shared
def sum_pool_grad(piece, gx, g, scale, w):
    """gx = scale g added to all elements of the windows, flat."""
    wide()
    each, size = planes_per_piece(w), w.height * w.width
    pairs = w.kernel_w == 2 and w.stride_w == 2 and w.pad_w + w.pad_h == 0
    pairs = pairs and w.kernel_h == w.stride_h
    for plane in range(piece * each, min(w.planes, (piece + 1) * each)):
        image = gx[plane * size : plane * size + size]
        start = g[plane] * scale if is_plane(w) else g.dtype.type(0)
        for j in range(size):
            image[j] = start
        for i in range(0 if is_plane(w) else w.down):
            at = (plane * w.down + i) * w.across
            line = g[at : at + w.across]
            if pairs:
                for k in range(w.kernel_h):
                    spread_pairs(image[(i * w.stride_h + k) * w.width :], line, scale)
            else:
                spread_row(image, line, i, scale, w)
