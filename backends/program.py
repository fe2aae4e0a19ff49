"""The form in which recorded work is handed to a backend.

`framework/graph` writes these and replay.py runs them, one call after another; a backend that can
do better (one C call, a captured graph) overrides `Backend.load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from .tier1 import Buffer, Shape

RANDOM = ("uniform", "normal", "exponential", "random_bits")
IN_PLACE = {  # methods that write into arguments, and the places of those
    "sgd_step": (0, 2),
    "sgd_steps": (0, 2),
    "adam_step": (0, 2, 3),
    "adam_steps": (0, 2, 3),
    "amsgrad_step": (0, 2, 3, 4),
    "rmsprop_step": (0, 2, 3, 4),
    "rmsprop_steps": (0, 2, 3, 4),
    "adagrad_step": (0, 2),
    "adagrad_steps": (0, 2),
    "linear_grad_sgd": (2, 4),
    "linear_grad_adam": (2, 4, 5),
    "put_strided": (0,),
    "assign": (0,),
}


class Value:
    """A buffer that exists only as a number, a shape and a dtype."""

    __slots__ = ("dtype", "number", "shape")

    def __init__(self, number: int, shape: Shape | None, dtype: str | None) -> None:
        self.number = number
        self.shape = shape  # None until the op that made it tells
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"%{self.number}"


@dataclass(eq=False)
class Knob:
    """A number read again at each run: a learning rate, or a count of steps plus `ahead`."""

    owner: Any
    key: Any
    ahead: int = 0

    def read(self) -> Any:
        """The number now."""
        return self.owner[self.key] + self.ahead

    def __repr__(self) -> str:
        return f"<{self.key}{self.ahead:+}>" if self.ahead else f"<{self.key}>"


class Part(Knob):
    """One number of several that stand together: key is (name, place)."""

    def read(self) -> Any:
        """The number now."""
        name, place = self.key
        return self.owner[name][place]

    def __repr__(self) -> str:
        return f"<{self.key[0]}[{self.key[1]}]>"


class Formula(Knob):
    """A number computed anew from others at each run: function(*parts)."""

    def __init__(self, function: Callable[..., Any], parts: tuple[Any, ...]) -> None:
        super().__init__(self, function.__name__)
        self.function, self.parts = function, parts

    def read(self) -> Any:
        """The number now."""
        return self.function(*[p.read() if isinstance(p, Knob) else p for p in self.parts])

    def __repr__(self) -> str:
        return f"<{self.key}({', '.join(map(repr, self.parts))})>"


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
    # In a backward pass, the instruction whose gradient this is part of.
    forward: Instruction | None = field(default=None, repr=False, compare=False)

    @property
    def inputs(self) -> list[Value]:
        """The values among the arguments."""
        found: list[Value] = []
        for a in self.arguments:
            if isinstance(a, Value):
                found.append(a)
            elif isinstance(a, (tuple, list)):
                found += [v for v in a if isinstance(v, Value)]
        return found

    @property
    def results(self) -> list[Value]:
        """The outputs, or what is changed in place."""
        return list(self.outputs) or _values(self.arguments[0])


def _values(argument: Any) -> list[Value]:
    parts = argument if isinstance(argument, (tuple, list)) else (argument,)
    return [v for v in parts if isinstance(v, Value)]


@dataclass
class Plan:
    """Memory for values that live only inside a run: one arena of `size` bytes for all.

    Offsets are bytes, multiples of 64. Values without one are allocated at each run. An elementwise
    result may have the offset of an input that ends there.
    """

    size: int = 0
    offsets: dict[Value, int] = field(default_factory=dict)


class Loadable(Protocol):
    """What a backend needs of a program.

    A run is given a buffer for each of `reads`, state first, and gives back one for each of
    `returns`: memory of its own, or that of a buffer that was read. State that an instruction
    changes in place is changed where it lies. `lanes` are values that may lie otherwise in memory,
    see lanes.py. What runs it may have a method `timed` besides, which
    gives results and [(instruction, begin, end), ...] in nanoseconds, for a profile.
    """

    @property
    def reads(self) -> list[Value]: ...

    @property
    def returns(self) -> list[Value]: ...

    @property
    def constants(self) -> dict[Value, tuple[memoryview, Shape, str]]: ...

    @property
    def plan(self) -> Plan | None: ...

    @property
    def lanes(self) -> frozenset[Value]: ...

    def steps(self) -> Iterator[tuple[Instruction, list[Value]]]:
        """Each instruction with the values that nothing reads after it."""


Runner = Callable[[list[Buffer], int, int], list[Buffer]]  # (given, key, counter) -> results
