"""The blocked matrix product of one thread: packing, and the order in which tiles are computed.

    for p in range(0, k, kc):                        sums of kc products
        for j in range(0, n, NC):
            right = B[p : p+kc, j : j+NC] in panels  packed: stays in the second-level cache
            for i in range(0, m, MC):
                left = A[i : i+MC, p : p+kc] in strips        packed
                for each panel, for each strip:      gemm_micro.tile: C += strip x panel

A *panel* is as many columns of B as a tile has, row after row; a *strip* as many rows of A, column
after column: the tile then reads both from one end to the other, as the processor's prefetcher
likes it, and no two of its lines fall into one slot of the cache, as they do in matrices whose rows
are 4096 bytes apart. Packing costs one pass and is paid back by every tile that reads the result;
where few do (small or skinny matrices) the operand is read where it lies.

Each element of C is summed up in the same order however the work is cut up, so the result does not
depend on the number of threads. Addresses are integers, strides count elements, `size` is in bytes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types
from numba.extending import intrinsic

from .gemm_micro import MR, NV, called, copy_rows, copy_transposed, make_routine, tile
from .gemm_micro import prepare as prepare_tile
from .gemm_vector import VECTOR
from .toolchain import device

KC = 384  # products in one sum: a panel of 32 columns fills the first-level cache
MC, NC = 32 * MR, 16 * NV * VECTOR // 4  # rows and columns packed at a time
LINE = 64  # bytes, to which packed memory is aligned
ROOM = (8 * KC * (MC + MC // 4 + NC)) + (1 << 16)  # bytes of memory for one thread
FEW_STRIPS = 4  # that use B: it is not packed for so few
FEW_PANELS = 4  # that use A
SMALL_A, SMALL_B = 1 << 16, 1 << 14  # bytes, up to which an operand is not packed


@device
def panel_width(size):
    return NV * VECTOR // size


@device
def strip_width(size):
    """Rows in a packed strip: a tile's, rounded up to whole vectors."""
    lanes = VECTOR // size
    return (MR + lanes - 1) // lanes * lanes


@device
def strip_height(m):
    """Rows in each strip of m: as few strips as there must be, all nearly equal."""
    strips = (m + MR - 1) // MR
    return (m + strips - 1) // strips


@device
def pack_strips(dtype, size, a, a_row, a_col, m, k, target):
    """A (m, k) as strips, each (k, strip_width)."""
    lanes, width, step = VECTOR // size, strip_width(size), strip_height(m)
    for i in range(0, m, step):
        rows = min(step, m - i)
        source = a + i * a_row * size
        if a_col == 1:
            for r in range(0, rows, lanes):
                here, count = source + r * a_row * size, min(lanes, rows - r)
                copy_transposed(dtype, here, a_row, target + r * size, width, count, k)
        else:
            copy_rows(dtype, source, a_col, target, width, k, rows)
        target += width * k * size


@device
def pack_panels(dtype, size, b, b_row, b_col, k, n, target):
    """B (k, n) as panels, each (k, panel_width)."""
    lanes, width = VECTOR // size, panel_width(size)
    for j in range(0, n, width):
        columns = min(width, n - j)
        source = b + j * b_col * size
        if b_col == 1:
            copy_rows(dtype, source, b_row, target, width, k, columns)
        else:
            for q in range(0, columns, lanes):
                here, count = source + q * b_col * size, min(lanes, columns - q)
                copy_transposed(dtype, here, b_col, target + q * size, width, count, k)
        target += width * k * size


@device
def tiles(dtype, size, left, right, c, c_row, m, n, k, fresh, room):
    """C (m, n) = or += A B. left = (address, row stride, column stride, stride of strips),

    right = (address, row stride, stride of panels, packed); the last columns of a B that is not
    packed, if they are not a panel, are copied to `room`.
    """
    width, step = panel_width(size), strip_height(m)
    a, a_row, a_col, strip = left
    b, b_row, panel, packed = right
    for j in range(0, n, width):
        columns = min(width, n - j)
        if columns < width and not packed:
            copy_rows(dtype, b, b_row, room, width, k, columns)
            b, b_row = room, width
        a = left[0]
        for i in range(0, m, step):
            here, rows = c + (i * c_row + j) * size, min(step, m - i)
            tile(dtype, a, a_row, a_col, b, b_row, here, c_row, rows, columns, k, fresh)
            a += strip * size
        b += panel * size


@device
def blocks(dtype, size, a, a_row, a_col, b, b_row, b_col, c, c_row, m, n, k, kc, room):
    """The loops at the top of this file."""
    room = (room + LINE - 1) // LINE * LINE
    width = panel_width(size)
    pack_b = b_col != 1 or (m > FEW_STRIPS * MR and k * n * size > SMALL_B)
    pack_a = n > FEW_PANELS * width and m * k * size > SMALL_A
    columns = NC * 4 // size if pack_b else n
    second_room = room + (KC + VECTOR) * (NC * 4 + LINE)
    for p in range(0, k, kc):
        depth = min(kc, k - p)
        for j in range(0, n, columns):
            across = min(columns, n - j)
            right = (b + (p * b_row + j * b_col) * size, b_row, width, False)
            if pack_b:
                pack_panels(dtype, size, right[0], b_row, b_col, depth, across, room)
                right = (room, width, width * depth, True)
            for i in range(0, m, MC):
                down = min(MC, m - i)
                here = a + (i * a_row + p * a_col) * size
                left = (here, a_row, a_col, strip_height(down) * a_row)
                if pack_a:
                    pack_strips(dtype, size, here, a_row, a_col, down, depth, second_room)
                    left = (second_room, 1, strip_width(size), strip_width(size) * depth)
                place = c + (i * c_row + j) * size
                tiles(dtype, size, left, right, place, c_row, down, across, depth, p == 0, room)


def block_routine(dtype):
    size = dtype().itemsize

    def block(a, a_row, a_col, b, b_row, b_col, c, c_row, m, n, k, kc, room):
        blocks(dtype, size, a, a_row, a_col, b, b_row, b_col, c, c_row, m, n, k, kc, room)

    return block


@cache
def prepare(dtype: Any) -> None:
    """Make `block` and what it calls ready for np.float32 or np.float64."""
    prepare_tile(dtype)
    make_routine("block", dtype, block_routine(dtype), 13)


@intrinsic
def block(typingctx, dtype, a, a_row, a_col, b, b_row, b_col, c, c_row, m, n, k, kc, room):
    """C (m, n) = A (m, k) B (k, n) by one thread, with ROOM bytes of memory at `room`."""
    return called("block", dtype, *[types.intp] * 13)
