"""Recomputation: a value that waits long for its second reader may be made a second time.

before    %1 = relu(%0)                           after    %1 = relu(%0)
          ... much memory in use ...                       ... much memory in use, %1 not ...
          %9 = matmul(%8, %1)                              %10 = relu(%0)
                                                           %9 = matmul(%8, %10)

Training keeps what the forward pass computed until the backward pass comes to it. Under a budget
of bytes, values that are cheap to make again from what is kept anyway are dropped in between, those
with the most bytes for their arithmetic first. Chen, Xu, Zhang & Guestrin, "Training deep nets with
sublinear memory cost", 2016. The same instruction on the same values gives the same bits.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from etude.backends.base import IN_PLACE, Instruction, Value

from ...graph.lives import Memory, busiest, out_of
from ...graph.program import Program, flops, nbytes
from ...graph.rewrite import Names, current, finished, namer, renamed

LONGEST = 6  # instructions that make one value again
Choice = tuple[float, Value, list[Instruction], int]


def recompute(program: Program, budget: int) -> Program:
    """Make values again until the peak is within `budget` bytes, or nothing helps."""
    refused: set[Value] = set()
    now, at = busiest(program)
    while now > budget:
        choices = _choices(Memory(program), at, refused)
        if not choices:
            break
        _, v, recipe, use = max(choices, key=lambda choice: choice[0])
        refused.add(v)
        changed = _again(program, v, recipe, use)
        then, place = busiest(changed)
        if then <= now:
            program, now, at = changed, then, place
    return program


def _choices(facts: Memory, at: int, refused: Set[Value]) -> list[Choice]:
    """The values that can be dropped over instruction `at`: bytes for their arithmetic, and how."""
    found = []
    fixed = facts.given | facts.kept | facts.changed | refused
    for v, reads in facts.reads.items():
        if v in fixed or facts.maker[v] >= at or at in reads or reads[-1] < at:
            continue
        use = next(n for n in reads if n > at)
        recipe = _recipe(facts, v, use)
        if recipe:
            found.append((nbytes(v) / (1 + sum(map(flops, recipe))), v, recipe, use))
    return found


def _recipe(facts: Memory, v: Value, use: int) -> list[Instruction]:
    """The instructions that make v from what is there at instruction `use`; none if it is long."""
    needed: set[int] = set()
    wanted = [v]
    while wanted:
        n = facts.maker[wanted.pop()]
        i = facts.instructions[n]
        if i.method in IN_PLACE or out_of(i) is not None or len(needed) >= LONGEST:
            return []
        if facts.between(facts.changes, i.inputs, n, use):
            return []
        needed.add(n)
        for u in i.inputs:
            root = facts.root[u]
            alive = root in facts.given | facts.kept or facts.reads[root][-1] >= use
            if not alive and u is not v and facts.maker[u] not in needed:
                wanted.append(u)
    return [facts.instructions[n] for n in sorted(needed)]


def _again(program: Program, v: Value, recipe: list[Instruction], use: int) -> Program:
    """The program that makes v by its recipe a second time before instruction `use`."""
    root = Memory(program).root
    value = namer(program)
    names: Names = {}
    made = program.instructions[:use]
    for i in recipe:
        old = renamed(i, names)
        outputs = tuple(value(u.shape, u.dtype) for u in i.outputs)
        names.update(zip(i.outputs, outputs, strict=True))
        made.append(replace(old, outputs=outputs, forward=None))
    names = {v: current(v, names)}
    for i in program.instructions[use:]:
        for u in i.inputs:
            if root[u] is v and u not in names:  # a reshape from before
                names[u] = value(u.shape, u.dtype)
                made.append(Instruction("reshape", (names[v], u.shape), (names[u],)))
        made.append(renamed(i, names))
    return finished(program, made, {})
