"""The plain loop that runs a recorded program: one call of the backend for each instruction.

Everything an instruction is called with is looked up in one list, by places that are settled when
the program is loaded: buffers that were given or made, plain numbers, what knobs read now, and
memory in an arena, where the program has a plan for it.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from .program import RANDOM, Instruction, Knob, Loadable, Runner, Value
from .tier1 import Buffer

Places = list[int]
Call = tuple[Callable[..., Any], list[Any], Places, Places]


class Layout:
    """Which place of the list holds what."""

    def __init__(self, backend: Any, program: Loadable) -> None:
        self.backend, self.program = backend, program
        self.size = 0
        self.numbers: list[tuple[int, Any]] = []
        self.knobs: list[tuple[int, Knob]] = []
        self.counters: Places = []
        self.memory: list[tuple[int, Value]] = []
        self.none, self.key = self.number(None), self.number(None)
        self.of = {v: self.new() for v in (*program.reads, *program.constants)}
        self.calls: list[Call] = []
        for instruction, ends in program.steps():
            self.calls.append(self.call(instruction, ends))

    def new(self) -> int:
        """The next place."""
        self.size += 1
        return self.size - 1

    def number(self, value: Any) -> int:
        """A place for what is the same at each run."""
        self.numbers.append((self.new(), value))
        return self.size - 1

    def shape(self, v: Value) -> Any:
        """The shape in which memory for a value is laid out."""
        return v.shape

    def place(self, argument: Any) -> Any:
        """The place, or list of places, where an argument will be found."""
        if isinstance(argument, Value):
            return self.of[argument]
        if isinstance(argument, Knob):
            self.knobs.append((self.new(), argument))
            return self.size - 1
        if isinstance(argument, (tuple, list)) and any(isinstance(a, Value) for a in argument):
            return [self.none if a is None else self.place(a) for a in argument]
        return self.number(argument)

    def call(self, instruction: Instruction, ends: list[Value]) -> Call:
        """An instruction as a function, and the places of arguments, results and what ends."""
        function = getattr(self.backend, instruction.method)
        places = [self.place(a) for a in instruction.arguments]
        if instruction.method in RANDOM:
            places[0] = self.key
            self.counters.append(places[1])
        places += self.room(function, instruction)
        for v in instruction.outputs:
            self.of[v] = self.new()
        results = [self.of[v] for v in instruction.outputs]
        gone = [self.of[v] for v in ends if v not in self.program.constants]
        return function, places, results, gone

    def room(self, function: Any, instruction: Instruction) -> list[Any]:
        """Places for the arguments up to `out` or `outs`, if the results have memory planned."""
        plan = self.program.plan
        planned = [plan is not None and v in plan.offsets for v in instruction.outputs]
        if not any(planned):
            return []
        names = list(signature(function).parameters.values())
        if names[-1].name not in ("out", "outs"):
            return []
        places: list[Any] = [self.number(p.default) for p in names[len(instruction.arguments) : -1]]
        memory = [
            self.reserve(v) if known else self.none
            for v, known in zip(instruction.outputs, planned, strict=True)
        ]
        return [*places, memory if names[-1].name == "outs" else memory[0]]

    def reserve(self, v: Value) -> int:
        """A place for the memory of a planned value."""
        self.memory.append((self.new(), v))
        return self.size - 1

    def fresh(self, constants: dict[Value, Buffer], arena: Any = None) -> list[Any]:
        """A list for one run at a time, with an arena of its own or the one that is given."""
        env: list[Any] = [None] * self.size
        for at, value in self.numbers:
            env[at] = value
        for v, buffer in constants.items():
            env[self.of[v]] = buffer
        plan = self.program.plan
        if plan is not None:
            arena = self.backend.arena(plan.size) if arena is None else arena
            for at, v in self.memory:
                env[at] = self.backend.in_arena(arena, plan.offsets[v], self.shape(v), v.dtype)
        return env


class Replay:
    """The loop for a program. Runs of it in several threads have memory of their own."""

    def __init__(self, backend: Any, program: Loadable, layout: Layout) -> None:
        self.backend, self.layout = backend, layout
        changed = {v for i, _ in program.steps() if not i.outputs for v in i.inputs}
        constants = program.constants.items()
        self.kept = {v: backend.from_host(*c) for v, c in constants if v not in changed}
        self.renewed = [(layout.of[v], c) for v, c in constants if v in changed]
        offsets = dict(layout.numbers)
        self.counters = [(at, offsets[at]) for at in layout.counters]
        self.reads = [layout.of[v] for v in program.reads]
        self.returns = [layout.of[v] for v in program.returns]
        self.transient = {*self.reads, *self.returns} - {layout.of[v] for v in self.kept}
        self.idle: list[list[Any]] = []
        self.run = unrolled(layout.calls)

    def __call__(self, given: list[Buffer], key: int, counter: int) -> list[Buffer]:
        env = self.begin(given, key, counter)
        self.run(env)
        return self.end(env)

    def begin(self, given: list[Buffer], key: int, counter: int) -> list[Any]:
        """A list for a run, with what is given in its places."""
        layout = self.layout
        env = self.idle.pop() if self.idle else layout.fresh(self.kept)
        env[layout.key] = key
        for at, offset in self.counters:
            env[at] = counter + offset
        for at, knob in layout.knobs:
            env[at] = knob.read()
        for at, constant in self.renewed:
            env[at] = self.backend.from_host(*constant)
        for at, buffer in zip(self.reads, given, strict=True):
            env[at] = buffer
        return env

    def end(self, env: list[Any]) -> list[Buffer]:
        """What a run returns; its list is for the next."""
        results = [env[at] for at in self.returns]
        for at in self.transient:
            env[at] = None
        self.idle.append(env)
        return results


def replay(backend: Any, program: Loadable) -> Runner:
    """Prepare the loop for a program."""
    return Replay(backend, program, Layout(backend, program))


def unrolled(calls: list[Call]) -> Callable[[list[Any]], None]:
    """A function of the list that makes the calls, and drops what is not read again.

    Its text has a few lines for each call, such as

        x = f3(e[4], e[9], [e[1], e[2]])
        e[12] = x
        e[4] = e[9] = None

    which takes Python a third of the time that a loop over the calls takes.
    """
    lines = ["def run(e):", "    pass"]
    names: dict[str, Any] = {"several": _several}
    for k, (function, places, results, ends) in enumerate(calls):
        names[f"f{k}"] = function
        lines.append(f"    x = f{k}({', '.join(map(_written, places))})")
        if results:
            lines.append("    if x.__class__ is tuple or x.__class__ is list:")
            lines.append(f"        several(e, {results}, x)")
            lines.append(f"    else: e[{results[0]}] = x")
        if ends:
            lines.append(f"    {''.join(f'e[{at}] = ' for at in ends)}None")
    exec(compile("\n".join(lines), "<replay>", "exec"), names)
    run: Callable[[list[Any]], None] = names["run"]
    return run


def _written(place: Any) -> str:
    """An argument as text."""
    return f"e[{place}]" if type(place) is int else f"[{', '.join(map(_written, place))}]"


def _several(env: list[Any], places: Places, found: Any) -> None:
    """Put the results of a call into their places; None is one that was not asked for."""
    made = [buffer for buffer in found if buffer is not None]
    for at, buffer in zip(places, made, strict=True):
        env[at] = buffer
