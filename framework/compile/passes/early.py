"""A layer's weights step while their gradient is in the cache.

before    %5, %6 = linear_grad(%g, %x, %w)        after    %5, %6 = linear_grad_sgd(%g, %x, %w, %v,
          sgd_steps([%w, %b], [%5, %6],                                              lr=<lr>, ...)
                    [%v, %u], lr=<lr>, ...)                sgd_steps([%b], [%6], [%u], lr=<lr>, ...)

A large gradient would leave the cache before the optimizer comes to it, and what the optimizer
reads would push out other things. The same arithmetic happens earlier. So nobody may look at the
weights, or at what the optimizer keeps for them, between the two places; nothing may be raised
there, since what is raised leaves weights alone; and gradients that are clipped first wait.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from etude.backends.base import Instruction, Value

from ...graph.lives import READS_INDICES, Memory
from ...graph.program import Program, spec
from ...graph.rewrite import finished

# The method that does both, and how many arguments of the step are lists.
EARLY = {"sgd_steps": ("linear_grad_sgd", 3), "adam_steps": ("linear_grad_adam", 4)}
SMALLEST = 1 << 16  # numbers; those of smaller layers are still in the cache later


def early(program: Program) -> Program:
    """Move steps of a linear layer's weights to their gradient."""
    facts = Memory(program)
    made: list[Instruction | None] = list(program.instructions)
    for at, i in enumerate(program.instructions):
        method, count = EARLY.get(i.method, ("", 0))
        rows = []  # of the parameters that wait
        for row in zip(*i.arguments[:count], strict=True):
            source = facts.maker.get(row[1], at)
            back = program.instructions[source]
            if _is_gradient(back, *row[:2]) and _alone(facts, *row, first=source, last=at):
                arguments = (*back.arguments, *row[2:], *i.arguments[count:])
                made[source] = replace(back, method=method, arguments=arguments)
            else:
                rows.append(row)
        if count and len(rows) < len(i.arguments[0]):
            left = (*map(list, zip(*rows, strict=True)), *i.arguments[count:])
            made[at] = replace(i, arguments=left) if rows else None
    return finished(program, [i for i in made if i is not None], {})


def _is_gradient(i: Instruction, w: Value, g: Value) -> bool:
    """Whether an instruction makes g as the gradient of a large layer's weights."""
    if i.method != "linear_grad" or i.arguments[2] is not w or prod(spec(w)[0]) < SMALLEST:
        return False
    of_x, of_w, _ = i.arguments[3]
    return of_w and i.outputs[of_x] is g


def _alone(facts: Memory, w: Value, g: Value, *kept: Value | None, first: int, last: int) -> bool:
    """Whether nothing between raises, sees what a step changes, or changes the gradient."""
    changed = [v for v in (w, *kept) if v is not None]
    methods = {i.method for i in facts.instructions[first + 1 : last]}
    seen = facts.between(facts.reads, changed, first, last)
    return not (seen or methods & READS_INDICES or facts.between(facts.changes, [g], first, last))
