"""Reductions, running sums and orders on Numba."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..kernels.numba_cpu import reduce, sort
from ..kernels.numba_cpu.scan import scan
from .numba_memory import empty
from .numba_plans import reduction_steps
from .tier1 import Buffer, Shape

EMPTY = {"sum": 0, "any": 0, "prod": 1, "all": 1}  # over no elements
BITS = {1: np.int8, 4: np.int32, 8: np.int64}
INFINITY = {"float32": 0x7F800000, "float64": 0x7FF0000000000000}  # its bits
ROWS: dict[tuple[str, Any], int] = {}
COLUMNS: dict[tuple[str, Any], int] = {}


def address(table: dict[tuple[str, Any], int], name: str, dtype: Any, compiler: Any) -> int:
    """Where the machine code of a reduction is, compiled or loaded when first asked for."""
    if (name, dtype) not in table:
        table[name, dtype] = compiler(name, str(dtype))
    return table[name, dtype]


def lines(shape: Shape, axis: int) -> tuple[int, int]:
    """The length of an axis, and how far apart its elements are."""
    return shape[axis], prod(shape[axis + 1 :])


def in_bits(x: Any) -> tuple[Any, int]:
    """x flat as integers, and the bits of infinity, 0 for integers: what sort.py wants."""
    return x.reshape(-1).view(BITS[x.itemsize]), INFINITY.get(str(x.dtype), 0)


class NumbaReduce:
    few: int

    def reduce(self, name: str, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        kept = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
        y = empty(kept, x.dtype) if out is None else out
        if not x.size:
            y.fill(EMPTY.get(name, 0))
            return y
        *steps, last = reduction_steps(x.shape, axes)
        source = x.reshape(-1)
        for step in steps:
            source = self._fold(name, source, *step, None)
        self._fold(name, source, *last, y.reshape(-1))
        return y

    def _fold(self, name: str, x: Any, outer: int, length: int, inner: int, out: Any) -> Any:
        """Fold the middle axis of x (outer, length, inner): segments, then what they gave."""
        by_rows = inner == 1
        if by_rows:
            task = address(ROWS, name, x.dtype, reduce.rows)
        else:
            task = address(COLUMNS, name, x.dtype, reduce.columns)
        while True:
            cuts = -(-length // (reduce.SEGMENT if by_rows else reduce.ROWS))
            final = cuts <= 1
            y = out if final and out is not None else empty((outer * cuts * inner,), x.dtype)
            if by_rows:
                reduce.fold_rows(task, y, x, length, self.few)
            else:
                reduce.fold_columns(task, y, x, outer, length, inner, self.few)
            if final:
                return y
            x, length = y, cuts

    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape[:axis] + x.shape[axis + 1 :], "int64") if out is None else out
        bits, infinity = in_bits(x)
        sort.arg_extreme(y.reshape(-1), bits, *lines(x.shape, axis), infinity, name == "argmin")
        return y

    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape, x.dtype) if out is None else out
        if x.size:
            start = 1 if name == "cumprod" else 0
            total = float(start) if x.dtype.kind == "f" else start
            places = y.reshape(-1), x.reshape(-1), *lines(x.shape, axis)
            scan(*places, total, name == "cumprod", self.few)
        return y

    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        y = empty(x.shape, "int64") if out is None else out
        if x.size:
            bits, infinity = in_bits(x)
            sort.argsort(y.reshape(-1), bits, *lines(x.shape, axis), infinity, descending)
        return y
