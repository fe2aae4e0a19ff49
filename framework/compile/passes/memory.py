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

from etude.backends.base import Instruction, Plan, Value, place

from ...graph.lives import OUT, Memory, peak
from ...graph.program import Program, nbytes
from ...graph.rewrite import ELEMENTWISE


@dataclass(eq=False)
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
    facts, freed = Memory(program), peak(program)
    limit = float("inf")
    while True:
        lives = _lives(facts, limit)
        once = list(dict.fromkeys(lives.values()))
        offsets, size = place([(x.bytes, x.first, x.last) for x in once])
        where = dict(zip(once, offsets, strict=True))
        planned = replace(program, plan=Plan(size, {v: where[x] for v, x in lives.items()}))
        if not once or 8 * peak(planned) <= 9 * freed:
            return planned
        limit = max(x.bytes for x in once)


def _lives(facts: Memory, limit: float) -> dict[Value, Life]:
    """The life of each value of less than `limit` bytes that can have a place."""
    found: dict[Value, Life] = {}
    for at, i in enumerate(facts.instructions):
        taken: set[Value] = set()
        for v in i.outputs if i.method == "fused" or i.method in OUT else ():
            if facts.root[v] is not v or v in facts.kept or nbytes(v) >= limit:
                continue
            old = _ending(i, v, at, facts, taken)
            if old in found:
                taken.add(old)
                found[v] = found[old]
                found[v].last = facts.last[v]
            else:
                found[v] = Life(nbytes(v), at, facts.last[v])
    return found


def _ending(i: Instruction, y: Value, at: int, facts: Memory, taken: set[Value]) -> Value | None:
    """The memory of an input as large as the elementwise result y that nobody reads later."""
    reduced = i.method == "fused" and i.arguments[0].reduce and y is i.outputs[-1]
    if i.method not in (*ELEMENTWISE, "fused") or reduced:
        return None
    for x in i.inputs:
        r = facts.root[x]
        fits = x.shape == y.shape and x.dtype == y.dtype
        if fits and facts.last[r] == at and r not in taken and r not in facts.changed:
            return r
    return None
