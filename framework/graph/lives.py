"""The memory behind a program's values: who shares it, who changes it, how long it is needed.

The passes of `etude.compile` ask before they move or drop anything, `explain` for the bytes at
once, and the replay for what a program changes outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from inspect import signature
from itertools import accumulate

from etude.backends.base import IN_PLACE, Backend, Instruction, Value

from .program import Program, nbytes
from .recorder import CONTRACT

READS_INDICES = {"gather", "scatter_add", "check_range", "cross_entropy", "cross_entropy_grad"}
READS_INDICES |= {"cross_entropy_mean", "cross_entropy_mean_grad"}  # all that may raise IndexError
SIGNATURES = {name: list(signature(getattr(Backend, name)).parameters)[1:] for name in CONTRACT}
OUT = {name: names.index("out") for name, names in SIGNATURES.items() if "out" in names}


def out_of(i: Instruction) -> Value | None:
    """The value whose memory an instruction was told to fill with its result."""
    at = OUT.get(i.method)
    return i.arguments[at] if at is not None and at < len(i.arguments) else None


def writes(i: Instruction) -> list[Value]:
    """The values that an instruction changes in place."""
    found: list[Value] = []
    for place in IN_PLACE.get(i.method, ()):
        a = i.arguments[place]
        found += [v for v in (a if isinstance(a, (list, tuple)) else (a,)) if v is not None]
    return found


class Memory:
    """Facts about the memory behind values; a value's root is the one that its memory was made for.

    A reshape has the root of its source, a result that of its `out`. given: roots that come from
    outside; changed: those written in place; shown: the values that a run returns; kept: their
    roots. Times are places in the list of instructions.
    """

    def __init__(self, program: Program) -> None:
        self.instructions = program.instructions
        self.given = {*program.reads, *program.constants}
        self.root = root = {v: v for v in self.given}
        self.changed: set[Value] = set()
        blank: set[Value] = set()  # made by `empty`, and not filled yet
        for i in program.instructions:
            if i.method in OUT and (out := out_of(i)) is not None:
                root[i.outputs[0]] = source = root[out]
                if source not in blank:
                    self.changed.add(source)
                blank.discard(source)
            elif i.method == "reshape":
                root[i.outputs[0]] = root[i.arguments[0]]
            else:
                for v in i.outputs:
                    root[v] = v
                if i.method == "empty":
                    blank.add(i.outputs[0])
            if i.method in IN_PLACE:
                self.changed |= {root[v] for v in writes(i)}
        self.returns = program.returns
        self.shown = set(self.returns)
        self.kept = {root[v] for v in self.shown}

    def merge(self, y: Value, x: Value) -> bool:
        """Whether y, which equals x, may be x itself; from then on it counts as that.

        Not if either changes in place; and what is returned has memory that nobody else sees.
        """
        a, b = self.root[y], self.root[x]
        if a is b:
            return True
        if a in self.changed or b in self.changed:
            return False
        if a in self.kept:
            if b in self.kept or b in self.given:
                return False
            self.kept.add(b)
        self.root[y] = b
        return True

    @cached_property
    def maker(self) -> dict[Value, int]:
        """When each value is made that is not there from the beginning."""
        return {v: at for at, i in enumerate(self.instructions) for v in i.outputs}

    @cached_property
    def uses(self) -> dict[Value, int]:
        """How often each value is read; being returned counts."""
        found: dict[Value, int] = {}
        for i in self.instructions:
            for v in i.inputs:
                found[v] = found.get(v, 0) + 1
        for v in self.returns:
            found[v] = found.get(v, 0) + 1
        return found

    @cached_property
    def reads(self) -> dict[Value, list[int]]:
        """When memory is read, by its root; to change it is to read it."""
        found: dict[Value, list[int]] = {}
        for at, i in enumerate(self.instructions):
            for v in i.inputs:
                found.setdefault(self.root[v], []).append(at)
        return found

    @cached_property
    def changes(self) -> dict[Value, list[int]]:
        """When memory is changed in place, by its root."""
        found: dict[Value, list[int]] = {}
        for at, i in enumerate(self.instructions):
            if i.method in IN_PLACE:
                for v in writes(i):
                    found.setdefault(self.root[v], []).append(at)
        return found

    @cached_property
    def last(self) -> dict[Value, int]:
        """When memory is made or read last, by its root; after all others for what is kept."""
        found: dict[Value, int] = {}
        for at, i in enumerate(self.instructions):
            for v in (*i.inputs, *i.outputs):
                found[self.root[v]] = at
        found.update(dict.fromkeys(self.kept, len(self.instructions)))
        return found

    def between(
        self, times: Mapping[Value, list[int]], values: Iterable[Value], first: int, last: int
    ) -> bool:
        """Whether values are read (or changed, by `times`) after `first` and before `last`."""
        roots = {self.root.get(v, v) for v in values}
        return any(first < at < last for r in roots for at in times.get(r, ()))


def busiest(program: Program, held: Mapping[Value, int] | None = None) -> tuple[int, int]:
    """The most bytes that inputs, constants and results take at once, and at which instruction.

    Planned values count together, from beginning to end; others from when they are made to when
    they are read last, or to the instruction that `held` names if that is later. State, which is
    there before and after, does not count.
    """
    held = held or {}
    facts = Memory(program)
    places = program.plan.offsets if program.plan else {}
    steps = [0] * (len(program.instructions) + 2)
    for v, at in facts.maker.items():
        if facts.root[v] is v and v not in places:
            steps[at] += nbytes(v)
            steps[max(facts.last[v], held.get(v, 0)) + 1] -= nbytes(v)
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
    root = Memory(program).root
    last: dict[Value, int] = {}
    for at, i in enumerate(program.instructions):
        if i.forward is not None:
            own = i.forward.outputs if i.forward.op.keeps_output else ()
            last.update({root[v]: at for v in (*i.forward.inputs, *own)})
    return busiest(replace(program, plan=None), last)[0]
