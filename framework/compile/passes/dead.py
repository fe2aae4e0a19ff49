"""Dead code: instructions whose results nobody reads are dropped.

before    %2 = unary('exp', %0)                   after    %3 = unary('neg', %0)
          %3 = unary('neg', %0)                            return %3
          return %3

What writes into memory from outside (an optimizer's step) or checks a range stays. A gradient of a
linear layer that nobody reads is no longer asked for. Random numbers have fixed places in the
stream, so that those that stay are the same without those that go.
"""

from __future__ import annotations

from dataclasses import replace

from etude.backends.base import IN_PLACE, Instruction, Value

from ...graph.lives import Memory, writes
from ...graph.program import Program
from ...graph.rewrite import finished


def dead(program: Program) -> Program:
    """Walk backwards; an instruction lives if what it makes or changes is read later."""
    facts = Memory(program)
    root = facts.root
    live = set(facts.shown)
    seen = facts.kept | facts.given  # memory that is read later, or by others after the run
    made: list[Instruction] = []
    for i in reversed(program.instructions):
        if i.method in IN_PLACE:
            if not any(root[v] in seen for v in writes(i)):
                continue
        elif i.outputs and not any(v in live for v in i.outputs):
            continue
        if i.method == "linear_grad" and not all(v in live for v in i.outputs):
            i = _narrowed(i, live)
        inputs = i.inputs
        live.update(inputs)
        seen.update([root[v] for v in inputs])
        made.append(i)
    made.reverse()
    program = finished(program, made, {})
    kept = {v: c for v, c in program.constants.items() if v in live}
    return program if len(kept) == len(program.constants) else replace(program, constants=kept)


def _narrowed(i: Instruction, live: set[Value]) -> Instruction:
    """linear_grad without the gradients that nobody reads."""
    *given, wanted = i.arguments
    made = iter(i.outputs)
    needs = tuple([needed and next(made) in live for needed in wanted])
    return replace(i, arguments=(*given, needs), outputs=tuple(v for v in i.outputs if v in live))
