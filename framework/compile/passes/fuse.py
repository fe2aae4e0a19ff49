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

from dataclasses import dataclass, field
from math import prod
from typing import Any

from etude.backends.base import (
    IN_PLACE,
    Constant,
    Expression,
    Instruction,
    Knob,
    Register,
    Shape,
    Step,
    Value,
)

from ...graph.lives import Memory, out_of, writes
from ...graph.program import Program
from .rewrite import ELEMENTWISE, finished, merged, readers

MOST_STEPS, MOST_INPUTS = 48, 16
SMALL = 2048  # elements, up to which functions without a common value share a call


@dataclass(eq=False)
class Group:
    """Functions that will be one instruction, at place `at` of the old program."""

    shape: Shape | None
    at: int
    members: list[Instruction] = field(default_factory=list)
    inputs: dict[Value, None] = field(default_factory=dict)  # in the order of first reads
    made: set[Value] = field(default_factory=set)
    waits: bool = True  # nobody outside has read a result

    def add(self, i: Instruction) -> None:
        """Take a function in."""
        self.members.append(i)
        self.inputs.update(dict.fromkeys(v for v in i.inputs if v not in self.made))
        self.made.update(i.outputs)

    def take(self, other: Group) -> None:
        """Take the functions of another group in."""
        self.members += other.members
        self.inputs.update(other.inputs)
        self.made |= other.made

    def has_room(self, other: Group | None = None) -> bool:
        """Whether another function, or group, fits into what backends hold at once."""
        steps = len(self.members) + (len(other.members) if other else 0)
        return steps < MOST_STEPS and len({*self.inputs, *(other.inputs if other else ())}) < (
            MOST_INPUTS - 1
        )


def fuse(program: Program) -> Program:
    """Make chains of elementwise functions one instruction each."""
    walk = _Walk(program)
    for at, i in enumerate(program.instructions):
        walk.visit(at, i)
    uses = readers(program)
    made: list[Instruction] = []
    for at, i in enumerate(program.instructions):
        group = walk.home.get(i.outputs[0]) if i.outputs else None
        if group is None or len(group.members) == 1:
            made.append(i)
        elif group.at == at:
            made.append(_fused(group, uses))
    return finished(program, made, {})


class _Walk:
    """What is known on the way through a program that is sorted into groups."""

    def __init__(self, program: Program) -> None:
        self.facts = Memory(program)
        self.home: dict[Value, Group] = {}  # who makes a value
        self.made: dict[Value, int] = {}  # where values that no group makes are made
        self.changed: dict[Value, int] = {}  # where memory was changed last
        self.waiting: dict[Group, None] = {}
        self.small: dict[Any, Group] = {}

    def visit(self, at: int, i: Instruction) -> None:
        """Put an instruction into a group if it is elementwise; it may end the wait of others."""
        group = self.choose(at, i) if self.may_join(i) else None
        for v in i.inputs:
            other = self.home.get(v)
            if other is not None and other is not group:
                self.settle(other)
        if group is not None:
            group.add(i)
            self.home[i.outputs[0]] = group
            return
        self.made.update(dict.fromkeys(i.outputs, at))
        if i.method in IN_PLACE:
            roots = {self.facts.root[v] for v in writes(i)}
            self.changed.update(dict.fromkeys(roots, at))
            for g in list(self.waiting):
                if any(self.facts.root[v] in roots for v in g.inputs):
                    self.settle(g)

    def may_join(self, i: Instruction) -> bool:
        """Whether an instruction is a function of elements with plain numbers, for fresh memory."""
        if i.method not in ELEMENTWISE or out_of(i) is not None:
            return False
        changes = self.facts.root[i.outputs[0]] in self.facts.changed
        return not changes and not any(isinstance(a, Knob) for a in i.arguments)

    def choose(self, at: int, i: Instruction) -> Group:
        """A group that an instruction can join, or a new one."""
        shape = i.outputs[0].shape
        homes = dict.fromkeys(self.home[v] for v in i.inputs if v in self.home)
        near = [g for g in homes if g.shape == shape and g.has_room()]
        waiting = [g for g in near if g.waits]
        if waiting:
            return self.merged(waiting, at)
        for g in near:
            if self.ready(i, g):
                return g
        few = prod(shape or ()) <= SMALL
        friend = self.small.get(shape) if few else None
        if friend is not None and friend.has_room() and (friend.waits or self.ready(i, friend)):
            friend.at = at if friend.waits else friend.at
            return friend
        group = Group(shape, at)
        self.waiting[group] = None
        if few:
            self.small[shape] = group
        return group

    def merged(self, groups: list[Group], at: int) -> Group:
        """One of several waiting groups, with the others in it as far as there is room."""
        first, *others = groups
        for g in others:
            if first.has_room(g):
                first.take(g)
                self.home.update(dict.fromkeys(g.made, first))
                del self.waiting[g]
        if self.small.get(first.shape) in others:
            self.small[first.shape] = first
        first.at = at
        return first

    def ready(self, i: Instruction, group: Group) -> bool:
        """Whether all that an instruction reads is there, as it is now, when the group runs."""
        return all(
            (self.place(v) < group.at or v in group.made)
            and self.changed.get(self.facts.root[v], -1) < group.at
            for v in i.inputs
        )

    def place(self, v: Value) -> int:
        """Where a value is made; -1 for what is there from the beginning."""
        return self.home[v].at if v in self.home else self.made.get(v, -1)

    def settle(self, group: Group) -> None:
        """Let a group stay where it is."""
        group.waits = False
        self.waiting.pop(group, None)


def _fused(group: Group, uses: dict[Value, int]) -> Instruction:
    """The instruction for a group: it returns what others read."""
    left = {v: uses.get(v, 0) for v in group.made}
    for i in group.members:
        for v in i.inputs:
            if v in left:
                left[v] -= 1
    outputs = [v for i in group.members for v in i.outputs if left[v]]
    return _call(group.members, list(group.inputs), outputs or [group.members[-1].outputs[0]])


def _call(members: list[Instruction], inputs: list[Value], outputs: list[Value]) -> Instruction:
    register = {v: Register(at) for at, v in enumerate(inputs)}
    steps = []
    for i in members:
        register[i.outputs[0]] = Register(len(register))
        steps.append(_step(i, register))
    results = tuple(register[v].index for v in outputs)
    expression = Expression(tuple(str(v.dtype) for v in inputs), tuple(steps), results)
    arguments = (expression, inputs, members[0].outputs[0].shape)
    return merged("fused", arguments, outputs, *members)


def _step(i: Instruction, register: dict[Value, Register]) -> Step:
    """An elementwise instruction as a step."""
    dtype = str(i.outputs[0].dtype)
    given = {"cast": i.arguments[:1], "where": i.arguments[:3]}.get(i.method, i.arguments[1:])
    operands = tuple(register[a] if isinstance(a, Value) else Constant(a) for a in given[:3])
    name = {"cast": dtype, "where": "where"}.get(i.method, i.arguments[0])
    return Step(i.method, name, operands, dtype)


def reductions(program: Program) -> Program:
    """Take the reduction of an elementwise result that nobody else reads into its instruction."""
    uses = readers(program)
    makers: dict[Value, int] = {}
    made: list[Instruction] = []
    for i in program.instructions:
        x = i.arguments[1] if i.method == "reduce" and out_of(i) is None else None
        if x in makers:
            at = makers[x]
            made[at] = _reduced(made[at], i, x)
            for v in made[at].outputs:
                makers.pop(v, None)
            continue
        single = i.method in ELEMENTWISE and out_of(i) is None
        if (single and not any(isinstance(a, Knob) for a in i.arguments)) or i.method == "fused":
            makers.update({v: len(made) for v in i.outputs if uses.get(v) == 1})
        made.append(i)
    return finished(program, made, {})


def _reduced(maker: Instruction, i: Instruction, x: Value) -> Instruction:
    """A fused instruction whose last result is only seen through its reduction."""
    if maker.method != "fused":
        maker = _call([maker], list(dict.fromkeys(maker.inputs)), [x])
    e, inputs, shape = maker.arguments
    others = [v for v in maker.outputs if v is not x]
    place = dict(zip(maker.outputs, e.results, strict=True))
    results = (*(place[v] for v in others), place[x])
    expression = Expression(e.inputs, e.steps, results, (i.arguments[0], tuple(i.arguments[2])))
    return merged("fused", (expression, inputs, shape), (*others, *i.outputs), maker, i)
