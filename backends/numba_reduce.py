"""Reductions, running sums and orders on Numba."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..kernels.numba_cpu import reduce, sort
from ..kernels.numba_cpu.launch import run
from ..kernels.numba_cpu.scan import scan
from .numba_elementwise import compiled
from .numba_memory import empty
from .numba_plans import Fold, reduction_plan
from .tier1 import Buffer, Shape

EMPTY = {"sum": 0, "any": 0, "prod": 1, "all": 1}  # over no elements
INTEGER = {1: np.int8, 4: np.int32, 8: np.int64}
GRAIN = 1 << 14  # elements of one piece of parallel work


def lines(shape: Shape, axis: int) -> tuple[int, int]:
    """The length of an axis, and how far apart its elements are."""
    return shape[axis], prod(shape[axis + 1 :])


def in_bits(x: Any) -> Any:
    """x flat, as the integers that sort.py reads (READ_AS)."""
    return x.ravel().view(INTEGER[x.itemsize])


class NumbaReduce:
    few: int

    def reduce(self, name: str, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        kept, (*steps, last) = reduction_plan(x.shape, axes)
        y = empty(kept, x.dtype) if out is None else out
        if not x.size:
            y.fill(EMPTY.get(name, 0))
            return y
        source = x.ravel()
        for step in steps:
            source = self._fold(name, source, step, empty((step.size,), x.dtype))
        self._fold(name, source, last, y.ravel())
        return y

    def _fold(self, name: str, x: Any, step: Fold, y: Any) -> Any:
        task = compiled(reduce.rows if step.by_rows else reduce.columns, x, name)
        threads = x.size > self.few
        run(task, y, x, step.length, step.inner, 0, step.pieces, step.each, threads)
        return y

    def _lines(self, task: int, y: Any, x: Any, shape: Shape, axis: int, option: int) -> None:
        """Run a task on the lines of x along an axis."""
        length, inner = lines(shape, axis)
        each = max(1, GRAIN // length)
        run(task, y, x, length, inner, option, x.size // length, each, x.size > self.few)

    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape[:axis] + x.shape[axis + 1 :], "int64") if out is None else out
        if x.size:
            task = compiled(sort.arg_extreme, x)
            self._lines(task, y.ravel(), in_bits(x), x.shape, axis, int(name == "argmin"))
        return y

    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = empty(x.shape, x.dtype) if out is None else out
        if x.size:
            task = compiled(scan, x, name)
            self._lines(task, y.ravel(), x.ravel(), x.shape, axis, 0)
        return y

    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        y = empty(x.shape, "int64") if out is None else out
        if x.size:
            task = compiled(sort.argsort, x)
            self._lines(task, y.ravel(), in_bits(x), x.shape, axis, int(descending))
        return y
