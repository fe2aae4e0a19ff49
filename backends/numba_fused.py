"""Chains of elementwise functions on Numba, in one sweep over memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ..kernels.numba_cpu import elementwise
from ..kernels.numba_cpu import expression as interpreter
from ..kernels.numba_cpu.launch import place
from ..kernels.numba_cpu.where import where
from .defaults.fused import FusedDefaults
from .expression import Expression, Step
from .expression_plan import lower
from .numba_elementwise import BINARY, TASKS, UNARY, compiled, make, movable
from .numba_generate import able, generate
from .tier1 import Buffer, Shape

PLANS = 4096  # remembered plans
NEVER = 1 << 62  # Numba has no stores around the cache


@cache
def movers() -> Any:
    """The tasks that move numbers."""
    return interpreter.movers()


def row(step: Step, dtype: str) -> int:
    """The address of the task for a step on operands of `dtype`; that of `where` is negative."""
    kind = np.dtype(dtype)
    key = step.name, kind
    if step.kind == "unary":
        return (UNARY[key] if key in UNARY else make(UNARY, *key, elementwise.unary))[0]
    if step.kind == "binary":
        return (BINARY[key] if key in BINARY else make(BINARY, *key, elementwise.binary))[0]
    if step.kind == "where":
        return -compiled(where, movable(np.empty(0, kind)))
    cast = elementwise.cast, kind, step.name
    if cast not in TASKS:
        TASKS[cast] = elementwise.cast(dtype, step.name)
    return TASKS[cast]


@lru_cache(PLANS)
def plan_expression(
    e: Expression, shape: Shape, shapes: tuple[Shape, ...]
) -> tuple[Any, int, int, int] | None:
    """The plan, its blocks, how many are one thread's turn, and the work in single functions."""
    if e.generated:
        # LLVM is told that results are apart from inputs, so it may read a number after it is gone.
        words = lower(e, shape, shapes, lambda *_: 0, None, NEVER, generate, ordered=False)
    else:
        words = lower(e, shape, shapes, row, around=NEVER)
    if words is None:
        return None
    size, n, _, block, chunk = words[:5]
    line = n if block <= n else size
    units = size // line * ((line - 1) // block + 1)
    return np.array(words, np.int64), units, max(1, chunk // block), size * len(e.steps)


class NumbaFused(FusedDefaults):
    few: int  # the most elements that one thread computes faster than several

    def generated(self, expression: Expression) -> Expression:
        return replace(expression, generated=able(expression))

    def fused(
        self,
        expression: Expression,
        inputs: Sequence[Buffer],
        shape: Shape,
        outs: Sequence[Buffer | None] | None = None,
    ) -> list[Buffer]:
        e = expression
        made = plan_expression(e, shape, tuple([x.shape for x in inputs]))
        if made is None:
            return super().fused(e, inputs, shape, outs)
        results, reduced = self._results(e, shape, outs)
        plan, units, each, work = made
        places = [place(x.ravel()) for x in (*results, *inputs)]
        turn = units if work <= self.few else each
        interpreter.run(plan, movers(), np.array(places, np.int64), units, turn)
        if e.reduce:
            results[-1] = self.reduce(e.reduce[0], results[-1], e.reduce[1], reduced)
        return results
