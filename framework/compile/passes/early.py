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

from etude.backends.base import IN_PLACE, Instruction, Value

from ...graph.program import Program, spec
from .rewrite import READS_INDICES, finished, memory, writes

# The method that does both, and how many arguments of the step are lists.
EARLY = {"sgd_steps": ("linear_grad_sgd", 3), "adam_steps": ("linear_grad_adam", 4)}
SMALLEST = 1 << 16  # numbers; those of smaller layers are still in the cache later


def early(program: Program) -> Program:
    """Move steps of a linear layer's weights to their gradient."""
    root = memory(program).root
    made: list[Instruction | None] = list(program.instructions)
    makers = {  # of gradients of weights
        i.outputs[i.arguments[3][0]]: at
        for at, i in enumerate(program.instructions)
        if i.method == "linear_grad" and i.arguments[3][1]
    }
    for at, i in enumerate(program.instructions):
        lists = i.arguments[: EARLY[i.method][1]] if i.method in EARLY else ()
        rows = list(zip(*lists, strict=True))  # of each parameter
        for row in rows.copy():
            w, g, *kept = row
            source = makers.get(g, at)
            back, *between = program.instructions[source:at] or (i,)
            fits = back.arguments[2] is w and prod(spec(w)[0]) >= SMALLEST
            if fits and _alone({w, *kept} - {None}, g, between, root):
                arguments = (*back.arguments, *kept, *i.arguments[len(lists) :])
                made[source] = replace(back, method=EARLY[i.method][0], arguments=arguments)
                rows.remove(row)
        if lists and len(rows) < len(lists[0]):
            left = (*map(list, zip(*rows, strict=True)), *i.arguments[len(lists) :])
            made[at] = replace(i, arguments=left) if rows else None
    return finished(program, [i for i in made if i is not None], {})


def _alone(
    changed: set[Value], g: Value, between: list[Instruction], root: dict[Value, Value]
) -> bool:
    """Whether instructions raise nothing, see nothing that a step changes, and leave g alone."""
    roots = {root[v] for v in changed}
    for i in between:
        if i.method in READS_INDICES or any(root[v] in roots for v in i.inputs):
            return False
        if i.method in IN_PLACE and any(root[v] is root[g] for v in writes(i)):
            return False
    return True
