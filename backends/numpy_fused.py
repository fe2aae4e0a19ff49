"""Chains of elementwise functions on NumPy, a block at a time, so that it stays in the cache.

    for each block of positions:
        for each step:  function(blocks of the operands, out=scratch)

NumPy has no other way to sweep memory once: ten functions of 8M numbers take 17 ms so, 44 ms one by
one. On few numbers, what is saved is the way through the backend for each step: 11 us of 23 for ten
functions. Functions are those of single calls, so results are equal to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import count, product
from math import prod
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from .axes import merged_axes
from .defaults.fused import FusedDefaults
from .expression import Constant, Expression, Register, Step
from .numpy_functions import BINARY, UNARY, quietly, select
from .tier1 import Buffer, Shape

BLOCK = 1 << 19  # bytes of a block: the second cache holds several
PLANS = 4096  # remembered plans
Views = list[Any]


class Plan(NamedTuple):
    """How a block is computed, over a list of arrays: inputs, outs, numbers and scratch memory.

    steps: (function, what gets its operands and `out` from the list); scratch: shapes and dtypes;
    late: results that are copied from scratch memory when all is done.
    """

    steps: list[tuple[Callable[..., Any], Callable[[Views], Any]]]
    numbers: list[Any]
    scratch: list[tuple[Shape, str]]
    late: list[tuple[int, int]]

    def run(self, inputs: Views, outs: Views, scratch: Views) -> None:
        """Compute one block, of views of inputs and outs."""
        arrays = [*inputs, *outs, *self.numbers, *scratch]
        for function, operands in self.steps:
            function(*operands(arrays))
        for out, result in self.late:
            np.copyto(arrays[out], arrays[result])

    def memory(self) -> Views:
        """Scratch memory for a block."""
        return [np.empty(shape, dtype) for shape, dtype in self.scratch]


def function_of(step: Step) -> Callable[..., Any]:
    """A step as f(*operands, out)."""
    if step.kind == "cast":
        return partial(np.copyto, casting="unsafe")
    if step.kind == "where":
        return select
    return (UNARY if step.kind == "unary" else BINARY)[step.name]


@lru_cache(PLANS)
def plan_block(e: Expression, shape: Shape, shapes: tuple[Shape, ...]) -> Plan:
    """The plan for blocks of inputs of these shapes, which broadcast to `shape`.

    A step writes into memory that is read no more: its operand's, or an out once no input, which an
    out may hide, is to be read.
    """
    numbers = [o.value for s in e.steps for o in s.operands if isinstance(o, Constant)]
    first = len(shapes) + len(e.results)
    made = Plan([], numbers, [], [])
    own, place = list(shapes), list(range(len(shapes)))  # by register
    free: dict[tuple[Shape, str], list[int]] = {}
    read, number = max(e.last_reads[: len(shapes)]), count(first)
    for at, step in enumerate(e.steps):
        inside = [o.index for o in step.operands if isinstance(o, Register)]
        operands = [
            place[o.index] if isinstance(o, Register) else next(number) for o in step.operands
        ]
        for r in {*inside}:
            if r >= len(shapes) and e.last_reads[r] == at and r not in e.results:
                free.setdefault((own[r], e.dtypes[r]), []).append(place[r])
        own.append(np.broadcast_shapes(*(own[r] for r in inside)))
        register, kind = len(place), (own[-1], step.dtype)
        out = len(shapes) + e.results.index(register) if register in e.results else -1
        if out >= 0 and at >= read and own[-1] == shape:
            place.append(out)
        else:
            if not free.get(kind):
                made.scratch.append(kind)
                free[kind] = [first + len(numbers) + len(made.scratch) - 1]
            place.append(free[kind].pop())
            if out >= 0:
                made.late.append((out, place[-1]))
        order = [place[-1], *operands] if step.kind == "cast" else [*operands, place[-1]]
        made.steps.append((function_of(step), itemgetter(*order)))
    return made


def cut(shape: Shape, arrays: Sequence[Any]) -> Iterator[list[Any]]:
    """Views of the arrays, which broadcast to `shape`, for one block after the other."""
    axes = merged_axes(shape, [x.shape for x in arrays])
    sizes = [size for size, _ in axes]
    views = [
        x.reshape([size if strides[k] else 1 for size, strides in axes])
        for k, x in enumerate(arrays)
    ]
    most = BLOCK // max(x.itemsize for x in arrays)
    at = next(axis for axis in range(len(sizes)) if prod(sizes[axis + 1 :]) <= most)
    rows = max(1, most // prod(sizes[at + 1 :]))
    for outer in product(*map(range, sizes[:at])):
        planes = [
            x[tuple(i if n > 1 else 0 for i, n in zip(outer, x.shape, strict=False))] for x in views
        ]
        for start in range(0, sizes[at], rows):
            yield [x[start : start + rows] if len(x) > 1 else x for x in planes]


class NumpyFused(FusedDefaults):
    @quietly
    def fused(
        self,
        expression: Expression,
        inputs: Sequence[Buffer],
        shape: Shape,
        outs: Sequence[Buffer | None] | None = None,
    ) -> list[Buffer]:
        e = expression
        if not shape or not all(shape):  # NumPy makes plain numbers of arrays without axes
            return super().fused(e, inputs, shape, outs)
        results, reduced = self._results(e, shape, outs)
        if max(x.nbytes for x in (*inputs, *results)) <= BLOCK:
            plan = plan_block(e, shape, tuple([x.shape for x in inputs]))
            plan.run([*inputs], results, plan.memory())
        else:
            self._blocks(e, inputs, results, shape)
        if e.reduce:
            results[-1] = self.reduce(e.reduce[0], results[-1], e.reduce[1], reduced)
        return results

    def _blocks(self, e: Expression, inputs: Sequence[Any], results: Views, shape: Shape) -> None:
        """Compute block after block; all but the last of a row are alike and share memory."""
        several, known = len(inputs), None
        for views in cut(shape, [*inputs, *results]):
            shapes = tuple([x.shape for x in views[:several]])
            if shapes != known:
                known, plan = shapes, plan_block(e, views[-1].shape, shapes)
                scratch = plan.memory()
            plan.run(views[:several], views[several:], scratch)
