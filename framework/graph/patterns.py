"""A small language of patterns, and how they are found in a program and replaced.

A pattern is a call as a program prints it, with names for what may be anything, and calls within
calls for what an operand was made by:

    unary(f, linear(x, w, b))           f, x, w and b are what is found there; here nobody else
                                        may read what the linear layer made
    (y := unary('relu', x))             y has a name, and so others may read it too
    conv(x, w, b, *window)              *window: all arguments that are left
    reshaped(x)                         x itself, or x after any number of reshapes

A name that stands twice is one and the same value. A sum or a product matches both ways round, and
an argument that is missing counts as None.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from itertools import zip_longest
from typing import Any, NamedTuple

from etude.backends.base import Instruction, Value

from .lives import Memory
from .program import Program
from .rewrite import finished, merged, namer

Condition = Callable[..., Any]  # of the names in a pattern
Exchange = tuple[str, str, Condition]


class Call(NamedTuple):
    """A pattern of a call: method, patterns of arguments or what they are equal to, result's name.

    needs: the methods that make operands, to tell quickly where the pattern does not fit.
    """

    method: str
    arguments: tuple[Any, ...]
    needs: frozenset[str]
    name: str = ""


class Name(str):
    """A pattern that anything fits."""


class Rest(Name):
    """A pattern that all arguments that are left fit."""


class Found(NamedTuple):
    """What the names of a pattern are, and the instructions that it is made of."""

    names: dict[str, Any]
    parts: tuple[Instruction, ...]

    def named(self, name: str, a: Any) -> Found:
        """The same with one name more, or with none."""
        return Found({**self.names, name: a}, self.parts) if name else self


@cache
def pattern(text: str) -> Call:
    """The pattern that is written in `text`."""

    def read(node: ast.expr) -> Any:
        match node:
            case ast.Call(ast.Name(method), arguments):
                given = tuple(map(read, arguments))
                needs = {a.method for a in given if isinstance(a, Call)} - {"reshaped"}
                return Call(method, given, frozenset(needs))
            case ast.NamedExpr(ast.Name(name), call):
                return read(call)._replace(name=name)
            case ast.Starred(ast.Name(name)):
                return Rest(name)
            case ast.Name(name):
                return Name(name)
        return ast.literal_eval(node)

    return read(ast.parse(text, mode="eval").body)  # type: ignore[no-any-return]


class Search:
    """A program in which patterns are found and replaced; what replaces them can be found too."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.slots = [[i] for i in program.instructions]
        self.maker = {v: i for i in program.instructions for v in i.outputs}

    facts = cached_property(lambda self: Memory(self.program))
    value = cached_property(lambda self: namer(self.program))
    time = cached_property(lambda self: dict(self.facts.maker))  # of values: the slot they are made

    def all(self, text: str) -> list[Found]:
        """All places that a pattern fits."""
        p = pattern(text)
        near = [i for i in self.program.instructions if i.method == p.method]
        return [f for i in near if p.needs <= self.operands(i) for f in self.fits(p, i)]

    def operands(self, i: Instruction) -> set[str]:
        """The methods that make what an instruction reads."""
        return {self.maker[v].method for v in i.inputs if v in self.maker}

    def fits(self, p: Call, i: Instruction, before: Found | None = None) -> list[Found]:
        """The ways in which the pattern of a call fits an instruction."""
        if i.method != p.method:
            return []
        ways = [i.arguments]
        if i.method == "binary" and i.arguments[0] in ("add", "mul"):
            name, a, b, *out = i.arguments
            ways.append((name, b, a, *out))
        names, parts = before or ({}, ())
        start = Found(names, (i, *parts)).named(p.name, i.outputs[0])
        made = []
        for arguments in ways:
            found = [start]
            for at, (q, a) in enumerate(zip_longest(p.arguments, arguments)):
                if isinstance(q, Rest):
                    found = [f.named(q, arguments[at:]) for f in found]
                    break
                found = [g for f in found for g in self._argument(q, a, f)]
            made += found
        return made

    def _argument(self, q: Any, a: Any, found: Found) -> list[Found]:
        """The ways in which the pattern of an argument fits one."""
        if isinstance(q, Name):
            return [found.named(q, a)] if found.names.get(q, a) is a else []
        if not isinstance(q, Call):
            return [found] if type(q) is type(a) and q == a else []
        i = self.maker.get(a) if isinstance(a, Value) else None
        if q.method == "reshaped":
            found, (inner,) = found.named(q.name, a), q.arguments
            while i is not None and i.method == "reshape" and self.is_free(inner, a):
                a = i.arguments[0]
                i = self.maker.get(a)
            return self._argument(inner, a, found)
        if i is None or i.outputs[0] is not a or not self.is_free(q, a):
            return []
        return self.fits(q, i, found)

    def is_free(self, q: Any, v: Value) -> bool:
        """Whether nobody but the pattern reads a value, if it is a call without name."""
        return not isinstance(q, Call) or q.name != "" or self.facts.uses.get(v) == 1

    def exchange(self, gone: Iterable[Instruction], of: Value, *made: Instruction) -> None:
        """Drop instructions, and put others where a value was made."""
        at = self.time[of]
        for p in gone:
            slot = self.slots[self.time[p.outputs[0]]]
            slot[:] = [i for i in slot if i is not p]
        self.slots[at] += made
        self.maker |= {v: i for i in made for v in i.outputs}
        self.time |= {v: at for i in made for v in i.outputs}

    def join(self, found: Found, call: Call, more: Any, soon: bool) -> bool:
        """Replace the parts of what was found by one call, if its operands are the same there."""
        names = found.names | (more if isinstance(more, dict) else {})
        parts = sorted(found.parts, key=lambda p: self.time[p.outputs[0]])
        places = [p.outputs[0] for p in parts]
        first, last = self.time[places[0]], self.time[places[-1]]
        values = Instruction("", tuple(found.names.values()), ()).inputs
        late = soon and any(self.time.get(v, -1) >= first for v in values)
        if late or self.facts.between(self.facts.changes, values, first, last):
            return False
        made: list[Instruction] = []
        arguments = self._arguments(call, names, made, parts[-1].scope)
        results = *parts[-1].outputs, *(v for p in parts[:-1] for v in p.outputs[1:])
        made.append(merged(call.method, arguments, results, *parts))
        made[-1].forward = parts[-1].forward
        self.exchange(parts, places[0 if soon else -1], *made)
        return True

    def _arguments(
        self, call: Call, names: dict[str, Any], made: list[Instruction], scope: str
    ) -> tuple[Any, ...]:
        """What a call is given; the calls within it are appended to what is made before."""
        given: list[Any] = []
        for t in call.arguments:
            if isinstance(t, Name):
                given += names[t] if isinstance(t, Rest) else [names[t]]
            elif isinstance(t, Call):
                arguments = self._arguments(t, names, made, scope)
                like = next(v for v in arguments if isinstance(v, Value))
                shape = arguments[1] if t.method == "reshape" else like.shape
                given.append(self.value(shape, like.dtype))
                made.append(Instruction(t.method, arguments, (given[-1],), None, scope))
            else:
                given.append(t)
        return tuple(given)

    def done(self) -> Program:
        """The program as it is now."""
        return finished(self.program, [i for slot in self.slots for i in slot], {})


def joined(program: Program, rules: Iterable[Exchange], soon: bool = False) -> Program:
    """Replace what fits one pattern by the call that another one makes of the same names.

    rules: (before, after, condition); a condition is given the names, and says yes, no, or yes with
    further names for `after`. Calls within `after` become instructions of their own. The call
    stands where the last of its parts stood, or with `soon` the first.
    """
    search = Search(program)
    table = [(pattern(before), pattern(after), condition) for before, after, condition in rules]
    methods = {before.method for before, *_ in table}
    for i in program.instructions:
        operands = search.operands(i) if i.method in methods else set()
        for before, after, condition in table if operands else ():
            found = search.fits(before, i) if before.needs <= operands else []
            ways = ((f, condition(**f.names)) for f in found)
            if any(yes and search.join(f, after, yes, soon) for f, yes in ways):
                break
    return search.done()
