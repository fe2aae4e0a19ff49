"""Numbers of a recorded program that are read anew at each run, and what is computed from them.

    recording    lr = Dial(knob)         1 - 0.9 ** t  ->  Dial      launch(kernel, grid, p, g, lr)
    each run     dial.now() for every dial that a launch was given, then one launch of the graph

A learning rate, a count of steps and the random generator's counter are arguments of kernels, so
they are the only part of a captured graph that changes. Host code may compute with a dial, which
gives a dial again; whatever needs its value (a branch, float(), a key of a dictionary) raises
`Unrecordable`, and the instruction is called at each run instead (cuda_graph.py).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from .program import Knob


class Unrecordable(Exception):
    """An instruction needs to know while it is recorded what is known only at a run."""


class Dial:
    """A number computed when it is asked for: function(*parts), of which some may be dials."""

    __slots__ = ("function", "parts")

    def __init__(self, function: Callable[..., Any], *parts: Any) -> None:
        self.function, self.parts = function, parts

    def now(self) -> Any:
        """The number at this moment."""
        return self.function(*[p.now() if type(p) is Dial else p for p in self.parts])

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", "read")
        return f"<dial {name}({', '.join(map(repr, self.parts))})>"


class Register:
    """A place for a number that whoever runs the program writes: the key or the counter."""

    def __init__(self) -> None:
        self.value = 0

    def read(self) -> int:
        """The number now."""
        return self.value


def dial(knob: Knob | Register) -> Dial:
    """The dial that shows a knob."""
    return Dial(knob.read)


def _two(f: Callable[[Any, Any], Any]) -> tuple[Callable[..., Dial], Callable[..., Dial]]:
    return lambda a, b: Dial(f, a, b), lambda a, b: Dial(f, b, a)


def _refused(what: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise Unrecordable(f"{what} of a number that may change from run to run")

    return refuse


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "rshift", "lshift"):
    _plain, _turned = _two(getattr(operator, _name))
    setattr(Dial, f"__{_name.rstrip('_')}__", _plain)
    setattr(Dial, f"__r{_name.rstrip('_')}__", _turned)
setattr(Dial, "__neg__", lambda x: Dial(operator.neg, x))  # noqa: B010 - as the others are
for _name in ("bool", "int", "float", "index", "eq", "ne", "lt", "le", "gt", "ge", "hash", "round"):
    setattr(Dial, f"__{_name}__", _refused(_name))
