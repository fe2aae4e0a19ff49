"""Several elementwise functions in one call, composed: one call for each after all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..expression import Expression, Register, Step
from ..tier1 import Buffer, Shape, Tier1
from .layout import LayoutDefaults


class FusedDefaults(LayoutDefaults):
    def generated(self, expression: Expression) -> Expression:
        """The expression as `fused` is to be given it for code made for it, if there can be any.

        Results are the same to the bit. Raises ImportError, with the reason, where this backend
        makes code and the machine lacks what it takes. As it is: the expression as it came.
        """
        return expression

    def fused(
        self,
        expression: Expression,
        inputs: Sequence[Buffer],
        shape: Shape,
        outs: Sequence[Buffer | None] | None = None,
    ) -> list[Buffer]:
        """The results of `expression`: of `shape`, to which all inputs together broadcast.

        With `expression.reduce` the last one is what the reduction leaves of it. outs: memory for
        the results, None where it is to be new; an entry may be one of the inputs that has the
        full shape and the result's dtype (not for what is reduced).
        Equal to the bit to calling the functions one by one; a reduction may add in another order.
        """
        given = list(outs or [None] * len(expression.results))
        reduced = given.pop() if expression.reduce else None
        room = dict(zip(expression.results, given, strict=False))
        read = max(expression.last_reads[: len(inputs)])  # from here on outs may hide inputs
        registers = list(inputs)
        for at, step in enumerate(expression.steps):
            out = room.get(len(registers)) if at >= read else None
            if out is not None and not _fills(step, registers, shape):
                out = None
            registers.append(call(self, step, registers, out))
            for r in {o.index for o in step.operands if isinstance(o, Register)}:
                if expression.last_reads[r] == at and r not in expression.results:
                    registers[r] = None  # its memory is free for the next step
        results = [_whole(self, registers[r], shape, room.get(r)) for r in expression.results]
        if expression.reduce:
            name, axes = expression.reduce
            results[-1] = self.reduce(name, results[-1], axes, reduced)
        return results

    def _results(
        self, e: Expression, shape: Shape, outs: Sequence[Buffer | None] | None
    ) -> tuple[list[Buffer], Buffer | None]:
        """Memory for all results before the reduction, and where the reduced one is wanted."""
        given = list(outs or [None] * len(e.results))
        reduced = None
        if e.reduce:
            reduced, given[-1] = given[-1], None
        results = [
            self.empty(shape, e.dtypes[r]) if out is None else out
            for out, r in zip(given, e.results, strict=True)
        ]
        return results, reduced


def call(backend: Tier1, step: Step, registers: Sequence[Buffer], out: Buffer = None) -> Buffer:
    """One step by the backend's own method."""
    operands: list[Any] = [
        registers[o.index] if isinstance(o, Register) else o.value for o in step.operands
    ]
    if step.kind == "where":
        condition, a, b = operands
        return backend.where(condition, a, b, out)
    if step.kind == "cast":
        return backend.cast(operands[0], step.name, out)
    return getattr(backend, step.kind)(step.name, *operands, out)


def _fills(step: Step, registers: Sequence[Buffer], shape: Shape) -> bool:
    """Whether a step's result has the full shape."""
    read = [registers[o.index].shape for o in step.operands if isinstance(o, Register)]
    padded = [(1,) * (len(shape) - len(own)) + tuple(own) for own in read]
    return all(n in sizes for n, *sizes in zip(shape, *padded, strict=True))


def _whole(backend: LayoutDefaults, x: Buffer, shape: Shape, out: Buffer) -> Buffer:
    """x in the full shape, in `out` if there is one."""
    if x is out or (out is None and tuple(x.shape) == tuple(shape)):
        return x
    return backend.expand(x, shape, out)
