"""Elementwise functions on Numba: which kernel, compiled when first asked for, on what elements."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..kernels.numba_cpu import elementwise, launch
from ..kernels.numba_cpu.where import PIECE, where
from ..kernels.scalar import BOOL_RESULT
from .numba_memory import empty
from .numba_plans import BOTH, NUMBER_LEFT, NUMBER_RIGHT, binary_plan, where_plan
from .tier1 import Buffer

BOOL = np.dtype(np.bool_)
Task = tuple[int, Any]  # the address of the machine code, and the dtype of its result
UNARY: dict[tuple[str, Any], Task] = {}
BINARY: dict[tuple[str, Any], Task] = {}
CASTS: dict[tuple[Any, str], int] = {}


@cache
def _compiled(compiler: Any, *names: str) -> int:
    address: int = compiler(*names)
    return address


def compiled(compiler: Any, x: Any, *names: str) -> int:
    """The address of a task for arrays like x; `compiler` makes it when it is first asked for."""
    return _compiled(compiler, *names, x.dtype.name)


def make(table: dict[Any, Task], name: str, dtype: Any, compiler: Any) -> Task:
    """Compile (or load) a function for a dtype, and remember where it is."""
    result = BOOL if name in BOOL_RESULT else dtype
    task = table[name, dtype] = compiler(name, str(dtype), str(result)), result
    return task


def movable(x: Any) -> Any:
    """x, flat, as one of three types: a copy needs only the size of its elements."""
    flat = x.reshape(-1)
    if x.dtype.kind == "i":
        return flat.view(np.float32 if x.itemsize == 4 else np.float64)
    return flat


class NumbaElementwise:
    few: int  # the most elements that one thread computes faster than several

    def unary(self, name: str, x: Buffer, out: Buffer = None) -> Buffer:
        key = name, x.dtype
        task, dtype = UNARY[key] if key in UNARY else make(UNARY, *key, elementwise.unary)
        y = empty(x.shape, dtype) if out is None else out
        launch.unary(task, y.reshape(-1), x.reshape(-1), self.few)
        return y

    def binary(self, name: str, a: Any, b: Any, out: Buffer = None) -> Buffer:
        key = name, (a if isinstance(a, np.ndarray) else b).dtype
        task, dtype = BINARY[key] if key in BINARY else make(BINARY, *key, elementwise.binary)
        if not isinstance(b, np.ndarray):
            return self._with_number(task, dtype, a, b, NUMBER_RIGHT, out)
        if not isinstance(a, np.ndarray):
            return self._with_number(task, dtype, b, a, NUMBER_LEFT, out)
        same = a.shape == b.shape
        shape, plan, mode = (a.shape, None, BOTH) if same else binary_plan(a.shape, b.shape)
        y = empty(shape, dtype) if out is None else out
        arrays = y.reshape(-1), a.reshape(-1), b.reshape(-1)
        if plan is None:
            launch.binary(task, *arrays, mode, self.few)
        elif y.size:
            launch.binary_runs(task, *arrays, plan, mode, self.few)
        return y

    def _with_number(
        self, task: int, dtype: Any, x: Any, number: Any, mode: int, out: Buffer
    ) -> Buffer:
        y = empty(x.shape, dtype) if out is None else out
        value = float(number) if x.dtype.kind == "f" else int(number)
        launch.binary_number(task, y.reshape(-1), x.reshape(-1), value, mode, self.few)
        return y

    def where(self, condition: Buffer, a: Any, b: Any, out: Buffer = None) -> Buffer:
        dtype = (a if isinstance(a, np.ndarray) else b).dtype
        left, right = np.asarray(a, dtype), np.asarray(b, dtype)
        shape, plan, length = where_plan(condition.shape, left.shape, right.shape)
        y = empty(shape, dtype) if out is None else out
        if y.size:
            arrays = movable(y), condition.reshape(-1), movable(left), movable(right)
            count = y.size // length * -(-length // PIECE)
            each, threads = max(1, PIECE // length), y.size > self.few
            launch.run(compiled(where, movable(y)), *arrays, plan, count, each, threads)
        return y

    def cast(self, x: Buffer, dtype: str, out: Buffer = None) -> Buffer:
        y = empty(x.shape, dtype) if out is None else out
        key = x.dtype, dtype
        if key not in CASTS:
            CASTS[key] = elementwise.cast(str(x.dtype), dtype)
        launch.unary(CASTS[key], y.reshape(-1), x.reshape(-1), self.few)
        return y
