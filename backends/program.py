"""The form in which recorded work is handed to a backend, and the plain loop that runs it.

`framework/graph` writes these; a backend that can do better than one call after another (one C
call, a captured graph) overrides `Backend.load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from .tier1 import Shape

RANDOM = ("uniform", "normal", "exponential", "random_bits")


class Value:
    """A buffer that exists only as a number, a shape and a dtype."""

    __slots__ = ("dtype", "number", "shape")

    def __init__(self, number: int, shape: Shape | None, dtype: str | None) -> None:
        self.number = number
        self.shape = shape  # None until the op that made it tells
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"%{self.number}"


@dataclass
class Knob:
    """A number read again at each run: a learning rate, or a count of steps plus `ahead`."""

    owner: dict[str, Any]
    key: str
    ahead: int = 0

    def read(self) -> Any:
        """The number now."""
        return self.owner[self.key] + self.ahead

    def __repr__(self) -> str:
        return f"<{self.key}{self.ahead:+}>" if self.ahead else f"<{self.key}>"


@dataclass
class Instruction:
    """outputs = backend.method(*arguments); without outputs it changes its first argument.

    A result that was not asked for is None and has no value among the outputs. The counters of the
    random methods are relative to where the generator stands when a run begins.
    """

    method: str
    arguments: tuple[Any, ...]
    outputs: tuple[Value, ...]
    op: Any = None  # the op behind it, which knows the cost
    scope: str = ""  # the module that asked for it

    @property
    def inputs(self) -> list[Value]:
        """The values among the arguments."""
        return [v for a in self.arguments for v in _values(a)]

    @property
    def results(self) -> list[Value]:
        """The outputs, or what is changed in place."""
        return list(self.outputs) or _values(self.arguments[0])


def _values(argument: Any) -> list[Value]:
    parts = argument if isinstance(argument, (tuple, list)) else (argument,)
    return [v for v in parts if isinstance(v, Value)]


class Loadable(Protocol):
    """What a backend needs of a program: each instruction with the values that end there."""

    def steps(self) -> Iterator[tuple[Instruction, list[Value]]]: ...


Environment = dict[Value, Any]
Runner = Callable[[Environment, int, int], None]


def resolve(argument: Any, env: Environment) -> Any:
    """An instruction's argument with buffers for values and numbers for knobs."""
    if isinstance(argument, Value):
        return env[argument]
    if isinstance(argument, Knob):
        return argument.read()
    if isinstance(argument, (tuple, list)) and any(isinstance(a, Value) for a in argument):
        return [resolve(a, env) for a in argument]
    return argument


def replay(backend: Any, program: Loadable, env: Environment, key: int, counter: int) -> None:
    """Call the backend once for each instruction; drop what is not read again."""
    for instruction, finished in program.steps():
        arguments = [resolve(a, env) for a in instruction.arguments]
        if instruction.method in RANDOM:
            arguments[:2] = [key, counter + arguments[1]]
        result = getattr(backend, instruction.method)(*arguments)
        several = result if isinstance(result, (tuple, list)) else (result,)
        made = [buffer for buffer in several if buffer is not None]
        env.update(zip(instruction.outputs, made, strict=True))
        for v in finished:
            env.pop(v, None)
