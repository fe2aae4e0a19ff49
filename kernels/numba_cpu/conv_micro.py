"""The tile and the packing of gemm_micro.py, for rows that begin anywhere.

In a convolution the row of B that belongs to channel c and window element k is the image itself,
shifted by a number. A table of these shifts, in bytes, takes the place of the distance from row to
row; nothing else changes.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .gemm_micro import I, called, choose_tile, make_routine, slot, turn_blocks, written
from .gemm_micro import prepare as prepare_tile
from .gemm_vector import VECTOR, Lanes, constant, first_lanes, load, store


@intrinsic
def write_tile_at(typingctx, dtype, integers):
    return written(partial(choose_tile, table=True), types.void(dtype, integers))


@intrinsic
def write_turned_at(typingctx, dtype, integers):
    return written(partial(turn_blocks, table=True), types.void(dtype, integers))


def paste_lines(v: Lanes, builder: Any, *arguments: Any) -> None:
    """Rows of n numbers to where the next row may begin at once: the last vector is by a mask."""
    source, source_row, target, target_row, rows, n = arguments
    steps = [builder.mul(x, constant(v.size)) for x in (source_row, target_row)]
    whole = builder.mul(builder.sdiv(n, constant(v.count)), constant(VECTOR))
    rest = builder.srem(n, constant(v.count))
    mask, at = first_lanes(builder, v, rest), (slot(builder, source), slot(builder, target))
    with cgutils.for_range(builder, rows):
        begin, end = (builder.load(x) for x in at)
        with cgutils.for_range_slice(builder, constant(0), whole, constant(VECTOR)) as (far, _):
            store(builder, v, load(builder, v, builder.add(begin, far)), builder.add(end, far))
        with builder.if_then(builder.icmp_signed(">", rest, constant(0))):
            last = load(builder, v, builder.add(begin, whole), mask)
            store(builder, v, last, builder.add(end, whole), mask)
        for x, address, step in zip(at, (begin, end), steps):
            builder.store(builder.add(address, step), x)


@intrinsic
def write_paste_rows(typingctx, dtype, integers):
    return written(paste_lines, types.void(dtype, integers))


def paste_routine(dtype):
    def paste_rows(source, source_row, target, target_row, rows, n):
        write_paste_rows(dtype, (source, source_row, target, target_row, rows, n))

    return paste_rows


def tile_routine(dtype):
    def tile_at(a, a_row, a_col, b, table, c, c_row, m, n, k, fresh):
        write_tile_at(dtype, (a, a_row, a_col, b, table, c, c_row, m, n, k, fresh))

    return tile_at


def turned_routine(dtype):
    def turned_at(source, table, target, target_row, rows, columns):
        write_turned_at(dtype, (source, table, target, target_row, rows, columns))

    return turned_at


@cache
def prepare(dtype: Any) -> None:
    """Make the routines ready for np.float32 or np.float64."""
    prepare_tile(dtype)
    make_routine("tile_at", dtype, tile_routine(dtype), 11)
    make_routine("turned_at", dtype, turned_routine(dtype), 6)
    make_routine("paste_rows", dtype, paste_routine(dtype), 6)


@intrinsic
def tile_at(typingctx, dtype, a, a_row, a_col, b, table, c, c_row, m, n, k, fresh):
    """C (m, n) = or += A B, row l of B at b + table[l]; otherwise as `tile`."""
    return called("tile_at", dtype, I, I, I, I, I, I, I, I, I, I, types.boolean)


@intrinsic
def paste_rows(typingctx, dtype, source, source_row, target, target_row, rows, n):
    """target[i, :n] = source[i, :n]; addresses, strides in elements."""
    return called("paste_rows", dtype, I, I, I, I, I, I)


@intrinsic
def turned_at(typingctx, dtype, source, table, target, target_row, rows, columns):
    """target[j, i] = (row at source + table[i])[j]; otherwise as `copy_transposed`."""
    return called("turned_at", dtype, I, I, I, I, I, I)
