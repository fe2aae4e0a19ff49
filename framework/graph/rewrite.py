"""How a program is written anew: what passes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from etude.backends.base import Instruction, Value

from .program import Program

ELEMENTWISE = ("unary", "binary", "where", "cast")

Names = dict[Value, Value]
Rule = Callable[[Instruction, Names], Iterable[Instruction]]


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

    return replace(i, arguments=tuple(map(now, i.arguments)))


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


def namer(program: Program) -> Callable[[Any, Any], Value]:
    """A function (shape, dtype) that makes values with numbers that are not in use."""
    taken = [v.number for i in program.instructions for v in i.outputs]
    taken += [v.number for v in (*program.reads, *program.constants)]
    fresh = count(max(taken, default=-1) + 1)
    return lambda shape, dtype: Value(next(fresh), shape, dtype)


class Merged(NamedTuple):
    """The op of an instruction that does the work of several."""

    name: str
    parts: tuple[Instruction, ...]


def merged(
    method: str, arguments: tuple[Any, ...], outputs: Iterable[Value], *parts: Instruction
) -> Instruction:
    """An instruction that does the work of several."""
    scope = next((p.scope for p in parts if p.scope), "")
    return Instruction(method, arguments, tuple(outputs), Merged(method, parts), scope)
