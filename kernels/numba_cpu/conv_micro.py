"""The tile and the packing of gemm_micro.py, for rows that begin anywhere.

In a convolution the row of B that belongs to channel c and window element k is the image itself,
shifted by a number. A table of these shifts, in bytes, takes the place of the distance from row to
row; nothing else changes.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from numba import types
from numba.extending import intrinsic

from .gemm_micro import I, called, choose_tile, make_routine, turn_blocks, written
from .gemm_micro import prepare as prepare_tile


@intrinsic
def write_tile_at(typingctx, dtype, integers):
    return written(partial(choose_tile, table=True), types.void(dtype, integers))


@intrinsic
def write_turned_at(typingctx, dtype, integers):
    return written(partial(turn_blocks, table=True), types.void(dtype, integers))


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


@intrinsic
def tile_at(typingctx, dtype, a, a_row, a_col, b, table, c, c_row, m, n, k, fresh):
    """C (m, n) = or += A B, row l of B at b + table[l]; otherwise as `tile`."""
    return called("tile_at", dtype, I, I, I, I, I, I, I, I, I, I, types.boolean)


@intrinsic
def turned_at(typingctx, dtype, source, table, target, target_row, rows, columns):
    """target[j, i] = (row at source + table[i])[j]; otherwise as `copy_transposed`."""
    return called("turned_at", dtype, I, I, I, I, I, I)
