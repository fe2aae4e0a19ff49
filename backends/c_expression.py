"""Plans of expressions for kernels/c/expression.c; see expression_plan.py."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from . import c_generate
from .c_elementwise import BINARY, TYPES, UNARY
from .c_library import ffi, lib
from .c_reduce import OF_BOOLS, OP, plan_reduce
from .expression import Expression, Step
from .expression_plan import ITEMSIZE, lower
from .tier1 import Shape

PLANS = 4096  # remembered plans
Passes = list[tuple[int, int, int]]


def row(step: Step, dtype: str) -> int:
    """The address of the C function for a step on operands of `dtype`."""
    if step.kind == "unary":
        return int(lib.expression_row(1, UNARY[dtype][step.name][0]))
    if step.kind == "binary":
        return int(lib.expression_row(2, BINARY[dtype][step.name][0]))
    if step.kind == "where":
        return int(lib.expression_row(3, ITEMSIZE[step.dtype]))
    return int(lib.expression_row(4, TYPES[dtype] * len(TYPES) + TYPES[step.dtype]))


def generate(e: Expression, alone: list[bool], slots: list[int]) -> int:
    """The address of the C function for an expression."""
    return c_generate.address(c_generate.source(e, alone, slots))


@lru_cache(PLANS)
def plan_expression(
    e: Expression, shape: Shape, shapes: tuple[Shape, ...]
) -> tuple[Any, Shape, Passes] | None:
    """The plan, the last result's shape, and the passes of its reduction (c_reduce.py).

    The first pass goes with the chain. None where the expression must go step by step.
    """
    kept, fold = shape, None
    passes: Passes = []
    if e.reduce:
        kept, passes, _ = plan_reduce(shape, e.reduce[1])
    if passes and e.reduce:
        dtype = e.dtypes[e.results[-1]]
        fold = [(OF_BOOLS if dtype == "bool" else OP)[e.reduce[0]], TYPES[dtype], *passes[0]]
    if e.generated:
        words = lower(e, shape, shapes, lambda *_: 0, fold, generate=generate)
    else:
        words = lower(e, shape, shapes, row, fold)
    return None if words is None else (ffi.new("int64_t[]", words), kept, passes)
