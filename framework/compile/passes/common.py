"""Common subexpressions: what was computed already is not computed again.

before    %2 = unary('exp', %0)                   after    %2 = unary('exp', %0)
          %3 = unary('exp', %0)                            %4 = binary('add', %2, %2)
          %4 = binary('add', %2, %3)                       return %4
          return %4

Two calls are the same if method and arguments are, and no argument was changed in place between
them: a product with a parameter after the optimizer's step is another one than before. Knobs are
the same if they read the same number of the same group; random numbers, if they have one place in
the stream. Two results that both leave the program keep memory of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from etude.backends.base import IN_PLACE, Instruction, Knob, Value

from ...graph.lives import Memory, out_of, writes
from ...graph.program import Program
from ...graph.rewrite import Names, rewritten


def common(program: Program) -> Program:
    """Remember each call by method and arguments; a second one takes the results of the first."""
    facts = Memory(program)
    version: dict[Value, int] = {}  # how often memory was changed so far
    seen: dict[Any, Any] = {}

    def key(a: Any) -> Any:
        if isinstance(a, Value):
            return a, version.get(facts.root[a], 0)
        if isinstance(a, (list, tuple)):
            return tuple(map(key, a))
        if isinstance(a, float):
            return repr(a)  # tells 0.0 from -0.0, and 1.0 from 1
        return same_number(a) if isinstance(a, Knob) else (type(a), a)

    def rule(i: Instruction, names: Names) -> Iterable[Instruction]:
        if i.method in IN_PLACE:
            for v in writes(i):
                version[facts.root[v]] = version.get(facts.root[v], 0) + 1
        if i.method == "check_range":
            checked = i.method, key(facts.root[i.arguments[0]]), *i.arguments[1:]
            return (i,) if seen.setdefault(checked, i) is i else ()
        if not i.outputs or i.method == "empty" or out_of(i) is not None:
            return (i,)
        first = seen.setdefault((i.method, *map(key, i.arguments)), i.outputs)
        if first is i.outputs or not all(map(facts.merge, i.outputs, first)):
            return (i,)
        names.update(zip(i.outputs, first, strict=True))
        return ()

    return rewritten(program, rule)


def same_number(knob: Knob) -> tuple[Any, ...]:
    """Equal for two knobs if they always read the same: groups are told apart by identity."""
    return id(knob.owner), knob.key, knob.ahead
