"""Fusion: elementwise functions that follow one another become one instruction.

before    %2 = binary('mul', %0, 2.0)             after    %4 = fused('r1 = mul(r0, 2.0);
          %3 = binary('add', %2, 1.0)                                  r2 = add(r1, 1.0);
          %4 = unary('tanh', %3)                                       r3 = tanh(r2)', [%0])

Each function alone reads its operands from memory and writes its result back, which takes longer
than the arithmetic. A fused instruction works on blocks that stay in the cache and writes only what
others read. The functions and their rounding are the same.

A group has one shape, to which its inputs broadcast. It grows in two ways. While nobody outside has
read its results, it can wait: the next function joins it, and the group runs where that one stood.
After that it stays where it is, and a function joins it if all its operands are there already.
Small groups that have nothing to do with one another join too: there the call is what costs.

`reductions` goes on with sum, max and the like of a fused result that nobody else reads, so that it
is never written; that may add in another order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import Any

from etude.backends.base import Constant, Expression, Instruction, Knob, Register, Step, Value

from ...graph.lives import Memory, out_of
from ...graph.patterns import Search
from ...graph.program import Program
from ...graph.rewrite import ELEMENTWISE, finished, merged

MOST_STEPS, MOST_INPUTS = 47, 14  # one more is joined; backends hold 48 and 16 at once
SMALL = 2048  # elements, up to which functions without a common value share a call


@dataclass(eq=False)
class Group:
    """Functions that will be one instruction, at place `at` of the old program."""

    shape: Any
    at: int
    members: list[Instruction] = field(default_factory=list)
    inputs: dict[Value, None] = field(default_factory=dict)  # in the order of first reads
    made: set[Value] = field(default_factory=set)
    waits: bool = True  # nobody outside has read a result

    def take(self, *members: Instruction) -> None:
        """Take functions in."""
        for i in members:
            self.members.append(i)
            self.inputs.update(dict.fromkeys(v for v in i.inputs if v not in self.made))
            self.made.update(i.outputs)

    def has_room(self, *others: Group) -> bool:
        """Whether another function, besides other groups, fits into what backends hold at once."""
        steps = sum(len(g.members) for g in (self, *others))
        return (
            steps <= MOST_STEPS
            and len({v for g in (self, *others) for v in g.inputs}) <= MOST_INPUTS
        )


def fuse(program: Program) -> Program:
    """Make chains of elementwise functions one instruction each."""
    groups = _Groups(program)
    for at, i in enumerate(program.instructions):
        groups.visit(at, i)
    uses = groups.facts.uses
    made: list[Instruction] = []
    for at, i in enumerate(program.instructions):
        group = groups.home.get(i.outputs[0]) if i.outputs else None
        if group is None or len(group.members) == 1:
            made.append(i)
        elif group.at == at:
            inside = Counter(v for m in group.members for v in m.inputs)
            read = [v for m in group.members for v in m.outputs if uses.get(v, 0) > inside[v]]
            made.append(_call(group.members, read or list(group.members[-1].outputs)))
    return finished(program, made, {})


class _Groups:
    """The groups on the way through a program."""

    def __init__(self, program: Program) -> None:
        self.facts = Memory(program)
        self.home: dict[Value, Group] = {}  # who makes a value
        self.small: dict[Any, Group] = {}

    def visit(self, at: int, i: Instruction) -> None:
        """Put an instruction into a group if it is elementwise; it ends the wait of others."""
        fits = _is_plain(i) and self.facts.root[i.outputs[0]] not in self.facts.changed
        group = self.choose(at, i) if fits else None
        for v in i.inputs:
            if v in self.home and self.home[v] is not group:
                self.home[v].waits = False
        if group is not None:
            group.take(i)
            self.home[i.outputs[0]] = group

    def choose(self, at: int, i: Instruction) -> Group:
        """A group that an instruction can join, or a new one."""
        shape = i.outputs[0].shape
        homes = dict.fromkeys(self.home[v] for v in i.inputs if v in self.home)
        near = [g for g in homes if g.shape == shape and g.has_room()]
        waiting = [g for g in near if self.can_wait(g, at)]
        if waiting:
            return self.one_of(waiting, at)
        friend = self.small.get(shape)
        for g in (*near, friend) if friend is not None and friend.has_room() else near:
            if self.can_wait(g, at):
                return self.one_of([g], at)
            if self.is_ready(i, g, at):
                return g
        group = Group(shape, at)
        if prod(shape or ()) <= SMALL:
            self.small[shape] = group
        return group

    def can_wait(self, group: Group, at: int) -> bool:
        """Whether a group may run at a later place: what it reads is still the same there."""
        changes = self.facts.changes
        group.waits = group.waits and not self.facts.between(changes, group.inputs, group.at, at)
        return group.waits

    def is_ready(self, i: Instruction, group: Group, at: int) -> bool:
        """Whether all that an instruction reads is there, as it is now, when the group runs."""
        home, made = self.home, self.facts.maker
        times = [
            home[v].at if v in home else made.get(v, -1) for v in i.inputs if v not in group.made
        ]
        changed = self.facts.between(self.facts.changes, i.inputs, group.at, at)
        return not changed and max(times, default=-1) < group.at

    def one_of(self, groups: list[Group], at: int) -> Group:
        """One of several waiting groups, with the others in it as far as there is room."""
        first, *others = groups
        for g in others:
            if first.has_room(g):
                first.take(*g.members)
                self.home.update(dict.fromkeys(g.made, first))
        if self.small.get(first.shape) in others:
            self.small[first.shape] = first
        first.at = at
        return first


def _is_plain(i: Instruction) -> bool:
    """Whether an instruction is a function of elements with plain numbers, for fresh memory."""
    numbers = not any(isinstance(a, Knob) for a in i.arguments)
    return i.method in ELEMENTWISE and out_of(i) is None and numbers


def _call(members: list[Instruction], outputs: list[Value]) -> Instruction:
    """The instruction for several functions that gives some of their results."""
    made = {i.outputs[0] for i in members}
    inputs = list(dict.fromkeys(v for i in members for v in i.inputs if v not in made))
    register = {v: Register(at) for at, v in enumerate(inputs)}
    steps = []
    for i in members:
        steps.append(_step(i, register))
        register[i.outputs[0]] = Register(len(register))
    results = tuple(register[v].index for v in outputs)
    expression = Expression(tuple(str(v.dtype) for v in inputs), tuple(steps), results)
    shape = members[0].outputs[0].shape
    return merged("fused", (expression, inputs, shape), outputs, *members)


def _step(i: Instruction, register: dict[Value, Register]) -> Step:
    """An elementwise instruction as a step."""
    dtype = str(i.outputs[0].dtype)
    given = {"cast": i.arguments[:1], "where": i.arguments[:3]}.get(i.method, i.arguments[1:])
    operands = tuple(register[a] if isinstance(a, Value) else Constant(a) for a in given[:3])
    name = {"cast": dtype, "where": "where"}.get(i.method, i.arguments[0])
    return Step(i.method, name, operands, dtype)


def reductions(program: Program) -> Program:
    """Take the reduction of an elementwise result that nobody else reads into its instruction."""
    search = Search(program)
    for i in program.instructions:
        if i.method != "reduce" or out_of(i) is not None:
            continue
        x = i.arguments[1]
        maker = search.maker.get(x)
        if maker is None or search.facts.uses[x] != 1:
            continue
        if _is_plain(maker) or (maker.method == "fused" and maker.arguments[0].reduce is None):
            search.exchange((maker, i), x, _reduced(maker, i, x))
    return search.done()


def _reduced(maker: Instruction, i: Instruction, x: Value) -> Instruction:
    """A fused instruction whose last result is only seen through its reduction."""
    if maker.method != "fused":
        maker = _call([maker], [x])
    e, inputs, shape = maker.arguments
    place = dict(zip(maker.outputs, e.results, strict=True))
    others = [v for v in maker.outputs if v is not x]
    results = tuple(place[v] for v in (*others, x))
    expression = Expression(e.inputs, e.steps, results, (i.arguments[0], tuple(i.arguments[2])))
    return merged("fused", (expression, inputs, shape), (*others, *i.outputs), maker, i)
