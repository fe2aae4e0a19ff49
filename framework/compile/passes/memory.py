"""The memory plan: where each value lies is settled before the first run.

before    %1, %2 and %3 are allocated at each run     after    one arena of 128 bytes:
          %1 = relu(%0)           64 bytes                     %1 at 0
          %2 = exp(%1)            64 bytes                     %2 at 0, over %1, which ends there
          %3 = matmul(%2, %w)     64 bytes                     %3 at 64

A value that lives only inside a run has a first and a last instruction; two that never live at once
may lie in one place. An elementwise result takes the place of an input that ends there. What a run
returns has memory of its own each time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

from etude.backends.base import Instruction, Plan, Value, place

from ...graph.program import Program, nbytes
from .rewrite import ELEMENTWISE, OUT, Memory, memory, out_of


@dataclass
class Life:
    """Memory for a value, and for those that take its place, from instruction to instruction."""

    bytes: int
    first: int
    last: int


def plan(program: Program) -> Program:
    """The program with a place for each value that lives only inside a run.

    A method without `out` makes memory for its results itself: those have no place. As an arena is
    there from beginning to end, the largest values are left out, and freed after their last use, if
    it would take more than an eighth beyond what freeing all of them takes.
    """
    freed, limit = peak(program), None
    while True:
        of, lives = lifetimes(program, True, limit)
        offsets, size = place([(x.bytes, x.first, x.last) for x in lives])
        where = dict(zip(map(id, lives), offsets, strict=True))
        planned = replace(program, plan=Plan(size, {v: where[id(x)] for v, x in of.items()}))
        if not lives or 8 * peak(planned) <= 9 * freed:
            return planned
        limit = max(x.bytes for x in lives)


def lifetimes(
    program: Program, planned: bool = True, limit: int | None = None
) -> tuple[dict[Value, Life], list[Life]]:
    """The life of each value that is made: of those below `limit` that have a place, or of all."""
    facts = memory(program)
    last = _last_uses(program, facts)
    of: dict[Value, Life] = {}
    lives: list[Life] = []
    for at, i in enumerate(program.instructions):
        if planned and i.method != "fused" and i.method not in OUT:
            continue
        taken: set[Value] = set()
        for v in i.outputs:
            large = limit is not None and nbytes(v) >= limit
            if facts.root[v] is not v or (planned and (v in facts.kept or large)):
                continue
            old = _ending(i, v, at, facts, last, taken) if planned else None
            if old in of:
                taken.add(old)
                of[v] = of[old]
                of[v].last = last[v]
            else:
                of[v] = Life(nbytes(v), at, last[v])
                lives.append(of[v])
    return of, lives


def _last_uses(program: Program, facts: Memory) -> dict[Value, int]:
    """The last instruction that makes or reads each piece of memory; after all for what is kept."""
    last: dict[Value, int] = {}
    for at, i in enumerate(program.instructions):
        for v in (*i.inputs, *i.outputs):
            last[facts.root[v]] = at
    last.update(dict.fromkeys(facts.kept, len(program.instructions)))
    return last


def _ending(
    i: Instruction, y: Value, at: int, facts: Memory, last: dict[Value, int], taken: set[Value]
) -> Value | None:
    """The memory of an input as large as the elementwise result y that nobody reads later."""
    if i.method not in (*ELEMENTWISE, "fused") or out_of(i) is not None:
        return None
    if i.method == "fused" and i.arguments[0].reduce and y is i.outputs[-1]:
        return None
    for x in i.inputs:
        r = facts.root[x]
        fits = x.shape == y.shape and x.dtype == y.dtype
        if fits and last[r] == at and r not in taken and r not in facts.changed:
            return r
    return None


def busiest(program: Program, held: dict[Value, int] | None = None) -> tuple[int, int]:
    """The most bytes that inputs, constants and results take at once, and at which instruction.

    Planned values count together, from beginning to end; others from when they are made to when
    they are read last, or to the instruction that `held` names if that is later. State, which is
    there before and after, does not count.
    """
    held = held or {}
    places = program.plan.offsets if program.plan else {}
    steps = [0] * (len(program.instructions) + 2)
    for v, life in lifetimes(program, planned=False)[0].items():
        if v not in places:
            steps[life.first] += life.bytes
            steps[max(life.last, held.get(v, 0)) + 1] -= life.bytes
    total = list(accumulate(steps))
    always = sum(map(nbytes, (*program.inputs, *program.constants)))
    return max(total) + always + (program.plan.size if program.plan else 0), total.index(max(total))


def peak(program: Program) -> int:
    """The most bytes that inputs, constants and results take at once."""
    return busiest(program)[0]


def eager_peak(program: Program) -> int:
    """What eager execution of a recorded program takes at once.

    A node of the graph holds the inputs of its op, and its results if the gradient needs them,
    until the backward pass has been there; other values are freed after their last use.
    """
    root = memory(program).root
    last: dict[Value, int] = {}
    for at, i in enumerate(program.instructions):
        if i.forward is not None:
            own = i.forward.outputs if i.forward.op.keeps_output else ()
            last.update({root[v]: at for v in (*i.forward.inputs, *own)})
    return busiest(replace(program, plan=None), last)[0]
