"""One optimizer step for all parameters.

before    sgd_step(%p, %g, %v, lr=<lr>, ...)      after    sgd_steps([%p, %q], [%g, %h], [%v, %w],
          sgd_step(%q, %h, %w, lr=<lr>, ...)                         lr=<lr>, ...)

A network has many small parameters, and a call costs more than the arithmetic on most of them.
Steps are of one kind if method and numbers are the same and knobs read the same numbers of one
group. The first waits for the last, unless an instruction between them reads what it changes.
"""

from __future__ import annotations

from typing import Any

from etude.backends.base import Instruction, Knob, Value

from ...graph.lives import Memory, writes
from ...graph.program import Program
from ...graph.rewrite import finished, merged
from .common import same_number

# How many arguments, at the front, are lists.
LISTS = {"sgd_steps": 3, "adam_steps": 4, "rmsprop_steps": 5, "adagrad_steps": 3}
SEVERAL = {name.removesuffix("s"): name for name in LISTS} | {name: name for name in LISTS}


def optimizer(program: Program) -> Program:
    """Join steps of one kind into the last of them."""
    facts = Memory(program)
    waiting: dict[Any, tuple[int, Instruction]] = {}
    made: list[Instruction | None] = list(program.instructions)
    for at, i in enumerate(program.instructions):
        if i.method not in SEVERAL:
            continue
        then, first = waiting.get(key := _kind(i), (at, i))
        seen = facts.between(facts.reads, writes(first), then, at + 1)
        if then < at and not seen and not facts.between(facts.changes, first.inputs, then, at + 1):
            made[then], made[at] = None, _both(first, i)
        waiting[key] = at, made[at] or i
    return finished(program, [i for i in made if i is not None], {})


def _several(i: Instruction) -> tuple[str, list[list[Any]], tuple[Any, ...]]:
    """A step as one for several parameters: the method, lists of what each has, and numbers."""
    method = SEVERAL[i.method]
    lists, numbers = i.arguments[: LISTS[method]], i.arguments[LISTS[method] :]
    return method, [list(a) if isinstance(a, (list, tuple)) else [a] for a in lists], numbers


def _kind(i: Instruction) -> Any:
    """Equal for steps that one call can make."""
    method, lists, numbers = _several(i)
    dtype = next(a.dtype for a, *_ in lists if isinstance(a, Value))
    same = [same_number(n) if isinstance(n, Knob) else (type(n), repr(n)) for n in numbers]
    return method, dtype, *same


def _both(first: Instruction, last: Instruction) -> Instruction:
    (method, some, numbers), (_, others, _) = _several(first), _several(last)
    lists = [a + b for a, b in zip(some, others, strict=True)]
    return merged(method, (*lists, *numbers), (), first, last)
