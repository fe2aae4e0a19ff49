"""Reductions, running sums and orders on Numba."""

from __future__ import annotations

from math import prod
from typing import Any

from ..kernels.numba_cpu import reduce, sort
from ..kernels.numba_cpu.launch import run
from ..kernels.numba_cpu.scan import scan
from .numba_elementwise import compiled
from .numba_memory import empty
from .numba_plans import reduction_steps
from .tier1 import Buffer, Shape

EMPTY = {"sum": 0, "any": 0, "prod": 1, "all": 1}  # over no elements
GRAIN = 1 << 14  # elements of one piece of parallel work


def lines(shape: Shape, axis: int) -> tuple[int, int]:
    """The length of an axis, and how far apart its elements are."""
    return shape[axis], prod(shape[axis + 1 :])


def in_bits(x: Any) -> Any:
    """x flat, as the integers that sort.py reads."""
    return x.reshape(-1).view(sort.READ_AS[x.dtype.name][0])


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
        task = compiled(reduce.rows if by_rows else reduce.columns, x, name)
        while True:
            cuts = -(-length // (reduce.SEGMENT if by_rows else reduce.ROWS))
            final = cuts <= 1
            y = out if final and out is not None else empty((outer * cuts * inner,), x.dtype)
            threads = x.size > self.few
            if by_rows:
                each = max(1, GRAIN // length)
                run(task, y, x, length, cuts, 0, outer * cuts, each, threads)
            else:
                blocks = -(-inner // reduce.COLUMNS)
                each = max(1, GRAIN // (min(length, reduce.ROWS) * min(inner, reduce.COLUMNS)))
                run(task, y, x, length, inner, 0, outer * cuts * blocks, each, threads)
            if final:
                return y
            x, length = y, cuts

    def _lines(self, task: int, y: Any, x: Any, shape: Shape, axis: int, option: int) -> None:
        """Run a task on the lines of x along an axis."""
        length, inner = lines(shape, axis)
        each = max(1, GRAIN // length)
        run(task, y, x, length, inner, option, x.size // length, each, x.size > self.few)

    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape[:axis] + x.shape[axis + 1 :], "int64") if out is None else out
        if x.size:
            task = compiled(sort.arg_extreme, x)
            self._lines(task, y.reshape(-1), in_bits(x), x.shape, axis, int(name == "argmin"))
        return y

    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape, x.dtype) if out is None else out
        if x.size:
            task = compiled(scan, x, name)
            self._lines(task, y.reshape(-1), x.reshape(-1), x.shape, axis, 0)
        return y

    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        y = empty(x.shape, "int64") if out is None else out
        if x.size:
            task = compiled(sort.argsort, x)
            self._lines(task, y.reshape(-1), in_bits(x), x.shape, axis, int(descending))
        return y
