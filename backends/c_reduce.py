"""Reductions in C: sums, extremes and their places, running sums; see kernels/c/reduce.c."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from .c_base import CBase
from .c_memory import check
from .defaults.layout import LayoutDefaults
from .tier1 import Buffer, Shape

OP = {"sum": 0, "prod": 1, "max": 2, "min": 3, "any": 2, "all": 3}
OF_BOOLS = {**OP, "sum": 2, "prod": 3}
OF_NOTHING: dict[str, Any] = {"sum": 0, "prod": 1, "any": False, "all": True}
PLANS = 4096  # remembered reductions


@lru_cache(maxsize=PLANS)
def plan_reduce(shape: Shape, axes: Shape) -> tuple[Shape, list[tuple[int, int, int]], int]:
    """The result's shape; passes as (before, reduced, after), last axes first; numbers in each."""
    groups: list[list[int]] = []  # neighbours of one kind, as (is reduced, size)
    for axis, n in enumerate(shape):
        reduced = int(axis in axes)
        if n == 1:
            continue
        if groups and groups[-1][0] == reduced:
            groups[-1][1] *= n
        else:
            groups.append([reduced, n])
    passes = []
    for place in reversed(range(len(groups))):
        reduced, n = groups[place]
        if reduced:
            sizes = [m for _, m in groups]
            passes.append((prod(sizes[:place]), n, prod(sizes[place + 1 :])))
            groups[place] = [0, 1]
    kept = tuple(n for axis, n in enumerate(shape) if axis not in axes)
    return kept, passes, prod(shape[a] for a in axes)


class CReduce(CBase, LayoutDefaults):
    """Reductions by name, the mean in one pass, running sums."""

    def reduce(self, name: str, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        return self._reduce(name, x, axes, False, out)

    def mean(self, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        return self._reduce("sum", x, axes, True, out)

    def _reduce(self, name: str, x: Buffer, axes: Shape, mean: bool, out: Buffer) -> Buffer:
        """Pass after pass over `axes`; the last one divides by the count if a mean is asked for."""
        shape, passes, count = plan_reduce(x.shape, axes)
        if not x.size:  # max and min: of no lines at all
            return self.full(shape, float("nan") if mean else OF_NOTHING.get(name, 0), x.dtype, out)
        y = self.empty(shape, x.dtype) if out is None else out
        if not passes:
            self.assign(y, self.reshape(x, shape))
            return y
        op = (OP if x.dtype != "bool" else OF_BOOLS)[name]
        kernel, last = self.c.reduce[x.dtype], len(passes) - 1
        for number, (before, reduced, after) in enumerate(passes):
            to = y if number == last else self.empty((before * after,), x.dtype)
            divisor = float(count) if mean and number == last else 0.0
            check(kernel(op, to.data, x.data, before, reduced, after, divisor), name)
            x = to
        return y

    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        y = self.empty(before + after, "int64") if out is None else out
        if x.size:
            sizes = prod(before), x.shape[axis], prod(after)
            check(self.c.arg[x.dtype](OP[name[3:]], y.data, x.data, *sizes), name)
        return y

    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        y = self.empty(x.shape, x.dtype) if out is None else out
        if x.size:
            sizes = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
            op = (OP if x.dtype != "bool" else OF_BOOLS)[name[3:]]
            self.c.scan[x.dtype](op, y.data, x.data, *sizes)
        return y
