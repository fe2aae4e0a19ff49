"""Chains of elementwise functions in C, in one sweep over memory; see kernels/c/expression.c."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import c_generate
from .c_base import CBase
from .c_expression import plan_expression
from .c_memory import check
from .c_reduce import OF_BOOLS, OP
from .defaults.fused import FusedDefaults
from .expression import Expression
from .tier1 import Buffer, Shape


class CFused(CBase, FusedDefaults):
    """A chain is one call; a reduction over axes that are not neighbours takes more."""

    @property
    def compile_seconds(self) -> float:
        return c_generate.Compilations.seconds

    def generated(self, expression: Expression) -> Expression:
        c_generate.compiler()
        return replace(expression, generated=c_generate.able(expression))

    def fused(
        self,
        expression: Expression,
        inputs: Sequence[Buffer],
        shape: Shape,
        outs: Sequence[Buffer | None] | None = None,
    ) -> list[Buffer]:
        made = plan_expression(expression, shape, tuple([x.shape for x in inputs]))
        if made is None:
            return super().fused(expression, inputs, shape, outs)
        plan, kept, passes = made
        given = outs or [None] * len(expression.results)
        dtypes = [expression.dtypes[r] for r in expression.results]
        shapes = [shape] * (len(dtypes) - 1) + [kept]
        results = [
            self.empty(own, dtype) if out is None else out
            for out, own, dtype in zip(given, shapes, dtypes, strict=True)
        ]
        first = results[-1]
        if len(passes) > 1:
            first = self.empty((passes[0][0] * passes[0][2],), dtypes[-1])
        table = self.pointers([*results[:-1], first], inputs)[0]
        check(self.c.expression_run(plan, table), "fused")
        if expression.reduce:
            self._more_passes(expression.reduce[0], first, passes[1:], results[-1])
        return results

    def _more_passes(
        self, name: str, x: Buffer, passes: list[tuple[int, int, int]], y: Buffer
    ) -> None:
        """The rest of a reduction that began with the chain: from x to y."""
        op = (OP if x.dtype != "bool" else OF_BOOLS)[name]
        for number, (before, reduced, after) in enumerate(passes, 1):
            to = y if number == len(passes) else self.empty((before * after,), x.dtype)
            kernel = self.c.reduce[x.dtype]
            check(kernel(op, to.data, x.data, before, reduced, after, 0.0), name)
            x = to
