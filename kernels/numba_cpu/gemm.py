"""Matrix products: from three loops to the speed of a library, a rung at a time.

    for i in range(m):
        for j in range(n):
            for l in range(k):
                c[i, j] += a[i, l] * b[l, j]

Every rung below does these m n k multiply-adds; they differ in what they wait for. Measured on one
core at n = 512, in GFLOP/s (the core can do about 190):

    naive    1.2    each step adds to the sum of the last one (4 cycles), and b is read down a
                    column, a new cache line for each number
    rows     4.8    the loops over j and l exchanged: c and b are read along rows, so that LLVM
                    could make vectors; but c goes to the cache and back for each multiply-add
    serial   148    gemm_block.py: blocks that stay in the caches, packed; in them
                    gemm_micro.py: tiles of c that stay in the registers
    threads         bands of c, one for each thread, each with packed copies of its own

How c is cut depends on the number of threads, but no element's sum does: its products are added in
order, `depth_of` at a time, and that depends on the shape alone. So the result is the same to the
bit for any number of threads.
"""

from __future__ import annotations

import numpy as np

from .gemm_block import KC, ROOM, block, panel_width
from .gemm_micro import MR, threads_now
from .launch import shared, take_turns
from .stream import LARGE, stream
from .toolchain import device, kernel, wide
from .vmath_typed import gelu, sigmoid, tanh

SMALL = 1 << 19  # multiply-adds that one thread does as fast as two
SKINNY = 2 * MR  # rows for which a large b is read once, a few rows at a time
SKINNY_DEPTH = 16
ACTIVATIONS = {None: 0, "relu": 1, "sigmoid": 2, "tanh": 3, "gelu": 4}


@kernel
def naive(c, a, b):
    """Rung 1: the definition."""
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            c[i, j] = 0
            for l in range(a.shape[1]):  # noqa: E741
                c[i, j] += a[i, l] * b[l, j]


@shared
def rows(line, c, a, b, starts, m, n, k, a_row, a_col, b_row, b_col):
    """Rung 2, for numbers of any type: c[p] += a[p][i, l] * a whole row of b[p].

    Flat arrays and strides as in `batch`. For bool, + and * are `or` and `and`.
    """
    p, i = line // m, line % m
    at = starts[0, p] + i * a_row
    out = c[line * n : line * n + n]
    for j in range(n):
        out[j] = 0
    for l in range(k):  # noqa: E741
        x = a[at + l * a_col]
        start = starts[1, p] + l * b_row
        for j in range(n):
            out[j] += x * b[start + j * b_col]


# how the work is cut ------------------------------------------------------------------------------
@device
def depth_of(m, n, k, b_col):
    """How many products are summed in registers before the sum is added to c.

    If few rows use b, it is not packed, and its rows are far apart: then 16 rows at a time, from
    one end to the other, which the processor fetches ahead.
    """
    if m <= SKINNY and b_col == 1 and k * n > (1 << 20):
        return SKINNY_DEPTH
    parts = max((k + KC - 1) // KC, 1)
    return (k + parts - 1) // parts


@device
def cuts(m, n, width, threads):
    """Into how many bands of rows and of columns c is cut: so that least is packed twice."""
    best, rows_, columns = 0, 1, 1
    for count in range(1, threads + 1):
        other = threads // count
        if count * other == threads and m >= count * MR and n >= other * width:
            packed = count * n + other * m
            if not best or packed <= best:
                best, rows_, columns = packed, count, other
    return rows_, columns


@device
def band(size, count, index, unit):
    """The first and the last + 1 of band `index` of `count`, in whole units but for the end."""
    units = (size + unit - 1) // unit
    return min(size, units * index // count * unit), min(size, units * (index + 1) // count * unit)


@device
def strides(x, transposed):
    """Rows, columns, and the strides of both, of a matrix that may be stored transposed."""
    if transposed:
        return x.shape[1], x.shape[0], 1, x.shape[1]
    return x.shape[0], x.shape[1], x.shape[1], 1


@device
def part(c, a, b, transpose_a, transpose_b, i, i_end, j, j_end, room):
    """Rows i ... i_end and columns j ... j_end of c = a b, by one thread."""
    m, k, a_row, a_col = strides(a, transpose_a)
    _, n, b_row, b_col = strides(b, transpose_b)
    size = c.itemsize
    block(
        c.dtype,
        a.ctypes.data + i * a_row * size, a_row, a_col,
        b.ctypes.data + j * b_col * size, b_row, b_col,
        c.ctypes.data + (i * n + j) * size, n,
        i_end - i, j_end - j, k, depth_of(m, n, k, b_col), room,
    )  # fmt: skip


# the kernels: one matrix --------------------------------------------------------------------------
@device
def band_part(task, c, a, b, transpose_a, transpose_b, room, down, across):
    m, n = c.shape
    i, i_end = band(m, down, task // across, 1)
    j, j_end = band(n, across, task % across, panel_width(c.itemsize))
    memory = room.ctypes.data + task * ROOM
    part(c, a, b, transpose_a, transpose_b, i, i_end, j, j_end, memory)


@kernel
def product(c, a, b, transpose_a, transpose_b, room):
    """c (m, n) = a b, a band to each thread; a flag says that an operand is stored transposed."""
    m, n = c.shape
    _, k, _, _ = strides(a, transpose_a)
    down, across = 1, 1
    if m * n * k > SMALL:
        down, across = cuts(m, n, panel_width(c.itemsize), threads_now())
    given = c, a, b, transpose_a, transpose_b, room, down, across
    take_turns(band_part, down * across, down * across > 1, given)


# with bias and activation -------------------------------------------------------------------------
@device
def activate(y, b, biased, activation):
    """y = f(y + b) for one row."""
    if biased:
        for j in range(y.size):
            y[j] += b[j]
    if activation == 1:
        zero = y.dtype.type(0)
        for j in range(y.size):
            y[j] = zero if y[j] <= zero else y[j]
    elif activation == 2:
        for j in range(y.size):
            y[j] = sigmoid(y[j])
    elif activation == 3:
        for j in range(y.size):
            y[j] = tanh(y[j])
    elif activation == 4:
        for j in range(y.size):
            y[j] = gelu(y[j])


@device
def linear_part(task, y, x, w, b, biased, activation, room, down, across):
    m, n = y.shape
    i, i_end = band(m, down, task // across, 1)
    j, j_end = band(n, across, task % across, panel_width(y.itemsize))
    part(y, x, w, False, True, i, i_end, j, j_end, room.ctypes.data + task * ROOM)
    for row in range(i, i_end):
        activate(y[row, j:j_end], b[j:j_end], biased, activation)


@kernel
def linear(y, x, w, b, biased, activation, room):
    """y (m, n) = f(x w^T + b), w (n, k), in one region: each thread finishes what it computed."""
    m, n = y.shape
    down, across = 1, 1
    if m * n * x.shape[1] > SMALL:
        down, across = cuts(m, n, panel_width(y.itemsize), threads_now())
    given = y, x, w, b, biased, activation, room, down, across
    take_turns(linear_part, down * across, down * across > 1, given)


@device
def add_bias(line, x, b, activation):
    """line = x + b, or for relu (1) already that of it."""
    zero = x.dtype.type(0)
    if activation == 1:
        for j in range(x.size):
            v = x[j] + b[j]
            line[j] = zero if v <= zero else v
    else:
        for j in range(x.size):
            line[j] = x[j] + b[j]


@device
def copy_line(y, line):
    for j in range(line.size):
        y[j] = line[j]


@shared
def bias_activation(piece, y, x, b, activation, lines):
    """y = f(x + b), x (m, n), `lines` rows to a piece of work; a row is finished in the cache."""
    wide()
    m, n = x.shape
    line, rest = np.empty(n, x.dtype), 0 if activation == 1 else activation
    for i in range(piece * lines, min(m, (piece + 1) * lines)):
        add_bias(line, x[i], b, activation)
        activate(line, b, False, rest)
        if y.nbytes >= LARGE:
            stream(x.dtype, y[i].ctypes.data, line.ctypes.data, n)
        else:
            copy_line(y[i], line)


# many matrices ------------------------------------------------------------------------------------
@device
def batch_part(task, c, a, b, starts, sizes, room, groups, down, across):
    m, n, k, a_row, a_col, b_row, b_col = sizes
    size = c.itemsize
    group, at = task // (down * across), task % (down * across)
    first, last = band(starts.shape[1], groups, group, 1)
    i, i_end = band(m, down, at // across, 1)
    j, j_end = band(n, across, at % across, panel_width(size))
    for p in range(first, last):
        block(
            c.dtype,
            a.ctypes.data + (starts[0, p] + i * a_row) * size, a_row, a_col,
            b.ctypes.data + (starts[1, p] + j * b_col) * size, b_row, b_col,
            c.ctypes.data + ((p * m + i) * n + j) * size, n,
            i_end - i, j_end - j, k, depth_of(m, n, k, b_col), room.ctypes.data + task * ROOM,
        )  # fmt: skip


@kernel
def batch(c, a, b, starts, sizes, room):
    """c[p] = a[p] b[p], all flat; the operands of p begin at starts[:, p].

    sizes = (m, n, k) and the strides of rows and columns of a and of b. Whole matrices to each
    thread, or bands of each to all threads if there are few.
    """
    count, now = starts.shape[1], threads_now()
    down, across = 1, 1
    if count < now:
        down, across = cuts(sizes[0], sizes[1], panel_width(c.itemsize), now)
    groups = min(count, now // (down * across))
    given = c, a, b, starts, sizes, room, groups, down, across
    tasks = groups * down * across
    take_turns(batch_part, tasks, tasks > 1, given)
