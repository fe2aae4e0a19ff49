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

from bisect import bisect_right

from etude.backends.base import IN_PLACE, Instruction, Value

from ...graph.program import Program, flops, nbytes
from .memory import busiest
from .rewrite import Names, current, finished, memory, namer, out_of, renamed, writes

LONGEST = 6  # instructions that make one value again


def recompute(program: Program, budget: int) -> Program:
    """Make values again until the peak is within `budget` bytes, or nothing helps."""
    refused: set[Value] = set()
    now, at = busiest(program)
    while now > budget:
        found = _Choice(program, at, refused).best()
        if found is None:
            break
        v, recipe, use = found
        refused.add(v)
        changed = _again(program, v, recipe, use)
        then, place = busiest(changed)
        if then <= now:
            program, now, at = changed, then, place
    return program


class _Choice:
    """Which value to drop over the instruction `at`, and how it is made again."""

    def __init__(self, program: Program, at: int, refused: set[Value]) -> None:
        self.program, self.at, self.refused = program, at, refused
        self.facts = memory(program)
        self.maker: dict[Value, int] = {}
        self.reads: dict[Value, list[int]] = {}  # of memory
        self.changes: dict[Value, list[int]] = {}
        root = self.facts.root
        for n, i in enumerate(program.instructions):
            self.maker.update(dict.fromkeys(i.outputs, n))
            for v in i.inputs:
                self.reads.setdefault(root[v], []).append(n)
            for v in writes(i):
                self.changes.setdefault(root[v], []).append(n)

    def best(self) -> tuple[Value, list[Instruction], int] | None:
        """The value with the most bytes for the arithmetic, its recipe, and who reads it next."""
        found, most = None, 0.0
        fixed = self.facts.given | self.facts.kept | self.facts.changed | self.refused
        for v, reads in self.reads.items():
            if v in fixed or self.maker[v] >= self.at or reads[-1] <= self.at:
                continue
            use = reads[bisect_right(reads, self.at)]
            needed = self.recipe(v, use)
            if needed is None or self.at in reads:
                continue
            recipe = [self.program.instructions[n] for n in sorted(needed)]
            worth = nbytes(v) / (1 + sum(map(flops, recipe)))
            if worth > most:
                found, most = (v, recipe, use), worth
        return found

    def recipe(self, v: Value, use: int) -> set[int] | None:
        """The instructions that make v from what is there at instruction `use`, or None."""
        needed: set[int] = set()
        wanted = [v]
        while wanted:
            n = self.maker[wanted.pop()]
            i = self.program.instructions[n]
            if i.method in IN_PLACE or out_of(i) is not None or len(needed) >= LONGEST:
                return None
            needed.add(n)
            for u in i.inputs:
                root = self.facts.root[u]
                if any(n < at < use for at in self.changes.get(root, ())):
                    return None
                outside = root in self.facts.given or root in self.facts.kept
                alive = outside or self.reads[root][-1] >= use
                if not alive and u is not v and self.maker[u] not in needed:
                    wanted.append(u)
        return needed


def _again(program: Program, v: Value, recipe: list[Instruction], use: int) -> Program:
    """The program that makes v by its recipe a second time before instruction `use`."""
    root = memory(program).root
    value = namer(program)
    names: Names = {}
    made = program.instructions[:use]
    for i in recipe:
        old = renamed(i, names)
        outputs = tuple(value(u.shape, u.dtype) for u in i.outputs)
        names.update(zip(i.outputs, outputs, strict=True))
        made.append(Instruction(i.method, old.arguments, outputs, i.op, i.scope))
    names = {v: current(v, names)}
    for i in program.instructions[use:]:
        for u in i.inputs:
            if root[u] is v and u not in names:  # a reshape from before
                names[u] = value(u.shape, u.dtype)
                made.append(Instruction("reshape", (names[v], u.shape), (names[u],)))
        made.append(renamed(i, names))
    return finished(program, made, {})
