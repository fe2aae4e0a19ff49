"""Rows at given places and sorting orders in C; see kernels/c/index.c and sort.c."""

from __future__ import annotations

from .c_base import CBase
from .c_library import ffi
from .c_memory import ITEMSIZE, check
from .defaults.layout import LayoutDefaults
from .tier1 import Buffer


class CIndex(CBase, LayoutDefaults):
    """gather, scatter_add and argsort."""

    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        rows, length = x.shape
        self._check_rows(indices, rows)
        y = self.empty((*indices.shape, length), x.dtype) if out is None else out
        if y.size:
            bytes_ = length * ITEMSIZE[x.dtype]
            self.c.gather(y.data, x.data, indices.data, indices.size, rows, bytes_)
        return y

    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        self._check_rows(indices, rows)
        length = x.shape[1]
        y = self.empty((rows, length), x.dtype) if out is None else out
        if y.size:
            self.c.scatter_add[x.dtype](y.data, x.data, indices.data, indices.size, rows, length)
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
            check(self.c.argsort[x.dtype](descending, y.data, x.data, rows, length), "argsort")
        return y

    def check_range(self, indices: Buffer, low: float, high: float) -> None:
        if self.c.range_first_bad[indices.dtype](indices.data, indices.size, low, high):
            super().check_range(indices, low, high)  # it knows how to say so

    def _check_rows(self, indices: Buffer, rows: int) -> None:
        """Raise IndexError for the first index outside -rows ... rows-1."""
        bad = self.c.index_first_bad(indices.data, indices.size, rows)
        if bad:
            value = ffi.cast("int64_t *", indices.data)[bad - 1]
            raise IndexError(f"index {value} is out of range {-rows} ... {rows - 1}")
