"""Rows at given places and sorting orders in C; see kernels/c/index.c and sort.c."""

from __future__ import annotations

from .c_library import ffi, lib
from .c_memory import ITEMSIZE, check
from .c_reduce import SUFFIX
from .defaults.layout import LayoutDefaults
from .tier1 import Buffer

SCATTER_ADD = {dtype: getattr(lib, f"scatter_add_{suffix}") for dtype, suffix in SUFFIX.items()}
ARGSORT = {dtype: getattr(lib, f"argsort_{suffix}") for dtype, suffix in SUFFIX.items()}


class CIndex(LayoutDefaults):
    """gather, scatter_add and argsort."""

    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        rows, length = x.shape
        _check_rows(indices, rows)
        y = self.empty((*indices.shape, length), x.dtype) if out is None else out
        if y.size:
            bytes_ = length * ITEMSIZE[x.dtype]
            lib.gather(y.data, x.data, indices.data, indices.size, rows, bytes_)
        return y

    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        _check_rows(indices, rows)
        length = x.shape[1]
        y = self.empty((rows, length), x.dtype) if out is None else out
        if y.size:
            SCATTER_ADD[x.dtype](y.data, x.data, indices.data, indices.size, rows, length)
        return y

    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        """Along the last axis; others are moved there and back."""
        last = len(x.shape) - 1
        if axis != last:
            order = (*(a for a in range(last + 1) if a != axis), axis)
            back = (*range(axis), last, *range(axis, last))
            moved = self.argsort(self.transpose(x, order), last, descending)
            return self.transpose(moved, back, out)
        y = self.empty(x.shape, "int64") if out is None else out
        if x.size:
            rows, length = x.size // x.shape[-1], x.shape[-1]
            check(ARGSORT[x.dtype](descending, y.data, x.data, rows, length), "argsort")
        return y


def _check_rows(indices: Buffer, rows: int) -> None:
    """Raise IndexError for the first index outside -rows ... rows-1."""
    at = lib.index_first_bad(indices.data, indices.size, rows)
    if at >= 0:
        bad = ffi.cast("int64_t *", indices.data)[at]
        raise IndexError(f"index {bad} is out of range {-rows} ... {rows - 1}")
