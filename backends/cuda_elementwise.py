"""Elementwise functions on CUDA: which kernel, on what elements; and chains of them in one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from ..kernels.cuda.elementwise import Step
from ..kernels.scalar import BOOL_RESULT
from .cuda_plans import Walk, broadcast_shape, chain_plan, cut
from .cuda_runtime import empty, launch
from .defaults.fused import FusedDefaults
from .expression import Constant, Expression, Register
from .tier1 import Buffer, Number, Shape, Tier1

Steps = tuple[Step, ...]


def is_buffer(x: Any) -> bool:
    return hasattr(x, "shape")


@lru_cache(1024)
def one_step(kind: str, name: str, operands: tuple[int, ...], dtype: str) -> Steps:
    """A chain of one function."""
    result = "bool" if name in BOOL_RESULT else dtype
    return (Step(kind, name, operands, dtype, name if kind == "cast" else result),)


def run(walk: Walk, outs: Sequence[Any], inputs: Sequence[Any], numbers: Sequence[Any]) -> None:
    """Launch a chain."""
    if walk.size:
        blocks, block = cut(walk.pieces)
        launch(walk.kernel, blocks, walk.size, *outs, *inputs, *numbers, *walk.rest, block=block)


def apply(steps: Steps, inputs: Sequence[Any], numbers: Sequence[Number], out: Any) -> Any:
    """The one result of a chain on inputs that broadcast, in `out` if there is one."""
    shapes = tuple([x.shape for x in inputs])
    first = shapes[0]
    same = all(shape == first for shape in shapes)
    shape = first if same else broadcast_shape(*shapes)
    kinds = (steps[0].dtype,) * len(numbers)
    results = (len(inputs),)
    dtypes = tuple([x.dtype for x in inputs])
    y = empty(shape, steps[0].result) if out is None else out
    run(chain_plan(dtypes, steps, results, kinds, shape, shapes), (y,), inputs, numbers)
    return y


class CudaElementwise(Tier1):
    """Tier 1's elementwise methods, each a chain of one step."""

    def unary(self, name: str, x: Buffer, out: Buffer = None) -> Buffer:
        return apply(one_step("unary", name, (0,), x.dtype), (x,), (), out)

    def binary(self, name: str, a: Any, b: Any, out: Buffer = None) -> Buffer:
        if not is_buffer(b):
            return apply(one_step("binary", name, (0, -1), a.dtype), (a,), (b,), out)
        if not is_buffer(a):
            return apply(one_step("binary", name, (-1, 0), b.dtype), (b,), (a,), out)
        return apply(one_step("binary", name, (0, 1), a.dtype), (a, b), (), out)

    def where(self, condition: Buffer, a: Any, b: Any, out: Buffer = None) -> Buffer:
        if not is_buffer(b):
            return apply(one_step("where", "where", (0, 1, -1), a.dtype), (condition, a), (b,), out)
        if not is_buffer(a):
            return apply(one_step("where", "where", (0, -1, 1), b.dtype), (condition, b), (a,), out)
        return apply(one_step("where", "where", (0, 1, 2), a.dtype), (condition, a, b), (), out)

    def cast(self, x: Buffer, dtype: str, out: Buffer = None) -> Buffer:
        return apply(one_step("cast", dtype, (0,), x.dtype), (x,), (), out)


# fused --------------------------------------------------------------------------------------------
@lru_cache(1024)
def lowered(e: Expression) -> tuple[Steps, tuple[Any, ...], tuple[str, ...]]:
    """The steps of an expression, its plain numbers in order, and their dtypes."""
    steps, values, kinds = [], [], []
    for step in e.steps:
        registers = [o.index for o in step.operands if isinstance(o, Register)]
        dtype = e.dtypes[registers[-1]]
        operands = []
        for operand in step.operands:
            if isinstance(operand, Constant):
                values.append(operand.value)
                kinds.append(dtype)
                operands.append(-len(values))
            else:
                operands.append(operand.index)
        steps.append(Step(step.kind, step.name, tuple(operands), dtype, step.dtype))
    return tuple(steps), tuple(values), tuple(kinds)


class CudaFused(FusedDefaults):
    """A chain is one kernel, written and compiled when it is first met."""

    def fused(
        self,
        expression: Expression,
        inputs: Sequence[Buffer],
        shape: Shape,
        outs: Sequence[Buffer | None] | None = None,
    ) -> list[Buffer]:
        e = expression
        steps, values, kinds = lowered(e)
        shape, shapes = tuple(shape), tuple([x.shape for x in inputs])
        walk = chain_plan(e.inputs, steps, e.results, kinds, shape, shapes)
        results, reduced = self._results(e, shape, outs)
        run(walk, results, inputs, values)
        if e.reduce:
            results[-1] = self.reduce(e.reduce[0], results[-1], e.reduce[1], reduced)
        return results

    def bias_activation(self, x: Buffer, b: Buffer, name: str, out: Buffer = None) -> Buffer:
        y = empty(x.shape, x.dtype) if out is None else out
        shapes, dtypes = (x.shape, b.shape), (x.dtype, b.dtype)
        walk = chain_plan(dtypes, biased(name, x.dtype), (3,), (), x.shape, shapes)
        run(walk, (y,), (x, b), ())
        return y

    def binary_cross_entropy(self, x: Buffer, t: Buffer, out: Buffer = None) -> Buffer:
        y = empty(x.shape, x.dtype) if out is None else out
        steps, numbers = crossed(x.dtype)
        kinds, shapes = (x.dtype,) * len(numbers), (x.shape, t.shape)
        results = (len(steps) + 1,)
        walk = chain_plan((x.dtype, t.dtype), steps, results, kinds, x.shape, shapes)
        run(walk, (y,), (x, t), numbers)
        return y


@cache
def biased(name: str, dtype: str) -> Steps:
    """name(x + b)."""
    return (
        Step("binary", "add", (0, 1), dtype, dtype),
        Step("unary", name, (2,), dtype, dtype),
    )


@cache
def crossed(dtype: str) -> tuple[Steps, tuple[float, ...]]:
    """-(t max(ln x, -100) + (1 - t) max(ln(1 - x), -100)) of x and t, and its numbers."""
    chain = (  # a number k is -1 - k
        *(("unary", "log", (0,)), ("binary", "maximum", (2, -1)), ("binary", "mul", (1, 3))),
        *(("binary", "sub", (-2, 0)), ("unary", "log", (5,)), ("binary", "maximum", (6, -3))),
        *(("binary", "sub", (-4, 1)), ("binary", "mul", (8, 7)), ("binary", "add", (4, 9))),
        ("unary", "neg", (10,)),
    )
    steps = tuple(Step(kind, name, operands, dtype, dtype) for kind, name, operands in chain)
    return steps, (-100.0, 1.0, -100.0, 1.0)
