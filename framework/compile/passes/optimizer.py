"""One optimizer step for all parameters.

before    sgd_step(%p, %g, %v, lr=<lr>, ...)      after    sgd_steps([%p, %q], [%g, %h], [%v, %w],
          sgd_step(%q, %h, %w, lr=<lr>, ...)                         lr=<lr>, ...)

A network has many small parameters, and a call costs more than the arithmetic on most of them.
Steps are of one kind if method and numbers are the same and knobs read the same numbers of one
group. The first waits for the last, unless an instruction between them reads what it changes.
"""

from __future__ import annotations

from typing import Any

from etude.backends.base import IN_PLACE, Instruction, Knob, Value

from ...graph.program import Program
from .common import same_number
from .rewrite import Merged, finished, memory, writes

# How many arguments, at the front, are lists.
LISTS = {"sgd_steps": 3, "adam_steps": 4, "rmsprop_steps": 5, "adagrad_steps": 3}
SEVERAL = {name.removesuffix("s"): name for name in LISTS}


def optimizer(program: Program) -> Program:
    """Join steps of one kind into the last of them."""
    root = memory(program).root
    waiting: dict[Any, Instruction] = {}
    made: list[Instruction] = []
    gone: set[int] = set()
    for i in program.instructions:
        touched = {root[v] for v in i.inputs}
        changed = {root[v] for v in writes(i)} if i.method in IN_PLACE else set()
        for key, first in list(waiting.items()):
            reads, steps = {root[v] for v in first.inputs}, {root[v] for v in writes(first)}
            if touched & steps or changed & reads:
                del waiting[key]
        if i.method in SEVERAL or i.method in LISTS:
            key = _kind(i)
            if key in waiting:
                gone.add(id(waiting[key]))
                i = _both(waiting[key], i)
            waiting[key] = i
        made.append(i)
    return finished(program, [i for i in made if id(i) not in gone], {})


def _kind(i: Instruction) -> Any:
    """Equal for steps that one call can make."""
    method = SEVERAL.get(i.method, i.method)
    lists, numbers = i.arguments[: LISTS[method]], i.arguments[LISTS[method] :]
    first = [a[0] if isinstance(a, (list, tuple)) else a for a in lists]
    dtype = next(v.dtype for v in first if isinstance(v, Value))
    same = [same_number(n) if isinstance(n, Knob) else (type(n), repr(n)) for n in numbers]
    return method, dtype, *same


def _both(first: Instruction, last: Instruction) -> Instruction:
    method = SEVERAL.get(last.method, last.method)
    count = LISTS[method]
    lists = [
        [*_listed(a), *_listed(b)]
        for a, b in zip(first.arguments[:count], last.arguments[:count], strict=True)
    ]
    arguments = (*lists, *last.arguments[count:])
    return Instruction(method, arguments, (), Merged(method, first, last), last.scope)


def _listed(a: Any) -> list[Any]:
    return list(a) if isinstance(a, (list, tuple)) else [a]
