"""Elementwise functions on Numba: which kernel, compiled when first asked for, on what elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.numba_cpu import elementwise, launch
from ..kernels.numba_cpu.where import PIECE, where
from ..kernels.scalar import BOOL_RESULT
from .numba_memory import LARGE, empty
from .numba_plans import BOTH, NUMBER_LEFT, NUMBER_RIGHT, binary_plan, where_plan
from .tier1 import Buffer

BOOL = np.dtype(np.bool_)
Task = tuple[int, Any]  # the address of the machine code, and the dtype of its result
UNARY: dict[tuple[str, Any], Task] = {}
BINARY: dict[tuple[str, Any], Task] = {}
TASKS: dict[tuple[Any, ...], int] = {}


def make(table: dict[Any, Task], name: str, dtype: Any, compiler: Any) -> Task:
    """Compile (or load) a function for a dtype, and remember where it is."""
    result = BOOL if name in BOOL_RESULT else dtype
    task = table[name, dtype] = compiler(name, str(dtype), str(result)), result
    return task


def compiled(compiler: Any, x: Any, *names: str) -> int:
    """The address of a task for arrays like x; `compiler` makes it when it is first asked for."""
    key = compiler, x.dtype, *names
    if key not in TASKS:
        TASKS[key] = compiler(*names, str(x.dtype))
    return TASKS[key]


def fresh(x: Any, dtype: Any) -> Any:
    """An array in the shape of x."""
    return np.empty(x.shape, dtype) if x.nbytes < LARGE else empty(x.shape, dtype)


def movable(x: Any) -> Any:
    """x, flat, as one of three types: a copy needs only the size of its elements."""
    if x.dtype.kind == "i":
        return x.ravel().view(np.float32 if x.itemsize == 4 else np.float64)
    return x.ravel()


class NumbaElementwise:
    """Arrays are handed to kernels flat; `ravel`, of contiguous ones a view, takes 50 ns."""

    few: int  # the most elements that one thread computes faster than several

    def unary(self, name: str, x: Buffer, out: Buffer = None) -> Buffer:
        key = name, x.dtype
        task, dtype = UNARY[key] if key in UNARY else make(UNARY, *key, elementwise.unary)
        y = fresh(x, dtype) if out is None else out
        launch.unary(task, y.ravel(), x.ravel(), self.few)
        return y

    def binary(self, name: str, a: Any, b: Any, out: Buffer = None) -> Buffer:
        if not isinstance(b, np.ndarray):
            return self._with_number(name, a, b, NUMBER_RIGHT, out)
        if not isinstance(a, np.ndarray):
            return self._with_number(name, b, a, NUMBER_LEFT, out)
        key = name, a.dtype
        task, dtype = BINARY[key] if key in BINARY else make(BINARY, *key, elementwise.binary)
        if a.shape == b.shape:
            y = fresh(a, dtype) if out is None else out
            launch.binary(task, y.ravel(), a.ravel(), b.ravel(), BOTH, self.few)
            return y
        shape, plan, mode = binary_plan(a.shape, b.shape)
        y = empty(shape, dtype) if out is None else out
        if plan is None:
            launch.binary(task, y.ravel(), a.ravel(), b.ravel(), mode, self.few)
        elif y.size:
            launch.binary_runs(task, y.ravel(), a.ravel(), b.ravel(), plan, mode, self.few)
        return y

    def _with_number(self, name: str, x: Buffer, number: Any, mode: int, out: Buffer) -> Buffer:
        key = name, x.dtype
        task, dtype = BINARY[key] if key in BINARY else make(BINARY, *key, elementwise.binary)
        y = fresh(x, dtype) if out is None else out
        value = float(number) if x.dtype.kind == "f" else int(number)
        launch.binary_number(task, y.ravel(), x.ravel(), value, mode, self.few)
        return y

    def where(self, condition: Buffer, a: Any, b: Any, out: Buffer = None) -> Buffer:
        dtype = (a if isinstance(a, np.ndarray) else b).dtype
        left, right = np.asarray(a, dtype), np.asarray(b, dtype)
        shape, plan, length = where_plan(condition.shape, left.shape, right.shape)
        y = empty(shape, dtype) if out is None else out
        if y.size:
            flat = movable(y)
            arrays = flat, condition.ravel(), movable(left), movable(right)
            count = y.size // length * -(-length // PIECE)
            each, threads = max(1, PIECE // length), y.size > self.few
            launch.run(compiled(where, flat), *arrays, plan, count, each, threads)
        return y

    def cast(self, x: Buffer, dtype: str, out: Buffer = None) -> Buffer:
        y = empty(x.shape, dtype) if out is None else out
        key = elementwise.cast, x.dtype, dtype
        if key not in TASKS:
            TASKS[key] = elementwise.cast(str(x.dtype), dtype)
        launch.unary(TASKS[key], y.ravel(), x.ravel(), self.few)
        return y
