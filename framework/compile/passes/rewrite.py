"""What the passes share: who shares memory with whom, and how a program is written anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from inspect import signature
from itertools import count
from typing import Any

from etude.backends.base import IN_PLACE, Backend, Instruction, Value

from ...graph.program import Program, flops

READS_INDICES = {"gather", "scatter_add", "check_range", "cross_entropy", "cross_entropy_grad"}
READS_INDICES |= {"cross_entropy_mean", "cross_entropy_mean_grad"}  # all that may raise IndexError
METHODS = {
    n: f for n in dir(Backend) if not n.startswith("_") and callable(f := getattr(Backend, n))
}
SIGNATURES = {name: list(signature(f).parameters)[1:] for name, f in METHODS.items()}
OUT = {name: names.index("out") for name, names in SIGNATURES.items() if "out" in names}
ELEMENTWISE = ("unary", "binary", "where", "cast")

Names = dict[Value, Value]
Rule = Callable[[Instruction, Names], Iterable[Instruction]]


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


@dataclass
class Memory:
    """Facts about the memory behind values; a value's root is the one that its memory was made for.

    given: roots that come from outside; changed: those written in place; kept: those that a run
    returns; shown: the values that it returns.
    """

    root: dict[Value, Value]
    given: set[Value]
    changed: set[Value]
    kept: set[Value]
    shown: set[Value]

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


def memory(program: Program) -> Memory:
    """Find out who shares memory: a reshape with its source, a result with its `out`."""
    given = {*program.reads, *program.constants}
    root = {v: v for v in given}
    changed: set[Value] = set()
    blank: set[Value] = set()  # made by `empty`; the first to fill it makes it, others change it
    for i in program.instructions:
        if i.method in OUT and (out := out_of(i)) is not None:
            root[i.outputs[0]] = source = root[out]
            if source not in blank:
                changed.add(source)
            blank.discard(source)
        elif i.method == "reshape":
            root[i.outputs[0]] = root[i.arguments[0]]
        else:
            for v in i.outputs:
                root[v] = v
            if i.method == "empty":
                blank.add(i.outputs[0])
        if i.method in IN_PLACE:
            changed |= {root[v] for v in writes(i)}
    shown = set(program.returns)
    return Memory(root, given, changed, {root[v] for v in shown}, shown)


def current(v: Value, names: Names) -> Value:
    """What a value is called now."""
    while v in names:
        v = names[v]
    return v


def renamed(i: Instruction, names: Names) -> Instruction:
    """An instruction whose arguments go by their present names."""
    if not any(v in names for v in i.inputs):
        return i

    def now(a: Any) -> Any:
        if isinstance(a, Value):
            return current(a, names)
        return type(a)(map(now, a)) if isinstance(a, (list, tuple)) else a

    return with_arguments(i, i.method, tuple(map(now, i.arguments)))


def with_arguments(i: Instruction, method: str, arguments: tuple[Any, ...]) -> Instruction:
    """Another call for the same results."""
    return Instruction(method, arguments, i.outputs, i.op, i.scope, i.forward)


def rewritten(program: Program, rule: Rule) -> Program:
    """Each instruction in turn, under present names, replaced by the instructions a rule gives.

    The rule may enter (old, new) names, which hold from then on. Without any change the program
    itself is returned.
    """
    names: Names = {}
    made: list[Instruction] = []
    for i in program.instructions:
        made += rule(renamed(i, names) if names else i, names)
    return finished(program, made, names)


def finished(program: Program, made: list[Instruction], names: Names) -> Program:
    """The program with other instructions, what it returns by its present names."""
    old = program.instructions
    if not names and len(made) == len(old) and all(map(lambda a, b: a is b, made, old)):
        return program
    return replace(
        program,
        instructions=made,
        outputs=[current(v, names) for v in program.outputs],
        state=[replace(s, last=current(s.last, names)) for s in program.state],
        grads=[(t, current(v, names)) for t, v in program.grads],
    )


def readers(program: Program) -> dict[Value, int]:
    """How often each value is read; being returned counts."""
    found: dict[Value, int] = {}
    for i in program.instructions:
        for v in i.inputs:
            found[v] = found.get(v, 0) + 1
    for v in program.returns:
        found[v] = found.get(v, 0) + 1
    return found


def namer(program: Program) -> Callable[[Any, Any], Value]:
    """A function (shape, dtype) that makes values with numbers that are not in use."""
    taken = [v.number for i in program.instructions for v in i.outputs]
    taken += [v.number for v in (*program.reads, *program.constants)]
    fresh = count(max(taken, default=-1) + 1)
    return lambda shape, dtype: Value(next(fresh), shape, dtype)


class Merged:
    """The cost of an instruction that does the work of several: the sum of theirs, and `more`."""

    def __init__(self, name: str, *parts: Instruction, more: int = 0) -> None:
        self.name, self.parts, self.more = name, parts, more

    def flops(self, inputs: Any, outputs: Any) -> int:
        """Floating-point operations."""
        return sum(map(flops, self.parts)) + self.more
