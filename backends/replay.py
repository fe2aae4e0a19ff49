"""The plain runner of a recorded program: one call of the backend for each instruction.

Everything an instruction is called with has a place, a number that is settled when the program is
loaded. Plain numbers and memory, in an arena where the program has a plan for it, stay in a list
from run to run; buffers that are given or made, and what knobs read now, are variables of one run.
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
        self.fixed: set[int] = set()  # the places of what stays
        self.numbers: list[tuple[int, Any]] = []
        self.knobs: list[tuple[int, Knob]] = []
        self.read: dict[Any, int] = {}  # places of knobs by what they read
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
        return self.stays()

    def stays(self) -> int:
        """The newest place, as one of what stays."""
        self.fixed.add(self.size - 1)
        return self.size - 1

    def shape(self, v: Value) -> Any:
        """The shape in which memory for a value is laid out."""
        return v.shape

    def place(self, argument: Any) -> Any:
        """The place, or list of places, where an argument will be found."""
        if isinstance(argument, Value):
            return self.of[argument]
        if isinstance(argument, Knob):
            same = type(argument), id(argument.owner), argument.key, argument.ahead
            if same not in self.read:
                self.read[same] = self.new()
                self.knobs.append((self.read[same], argument))
            return self.read[same]
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
        return self.stays()

    def fresh(self, constants: dict[Value, Buffer], arena: Any = None) -> list[Any]:
        """What stays, for one run at a time, with an arena of its own or the one that is given."""
        stay: list[Any] = [None] * self.size
        for at, value in self.numbers:
            stay[at] = value
        for v, buffer in constants.items():
            stay[self.of[v]] = buffer
        plan = self.program.plan
        if plan is not None:
            arena = self.backend.arena(plan.size) if arena is None else arena
            for at, v in self.memory:
                stay[at] = self.backend.in_arena(arena, plan.offsets[v], self.shape(v), v.dtype)
        return stay


class Replay:
    """The runner of a program. Runs of it in several threads have memory of their own."""

    def __init__(self, backend: Any, program: Loadable, layout: Layout) -> None:
        self.backend, self.layout = backend, layout
        changed = {v for i, _ in program.steps() if not i.outputs for v in i.inputs}
        constants = program.constants.items()
        self.kept = {v: backend.from_host(*c) for v, c in constants if v not in changed}
        self.renewed = {layout.of[v]: c for v, c in constants if v in changed}
        layout.fixed |= {layout.of[v] for v in self.kept}
        self.idle: list[list[Any]] = []
        self.run = self.unrolled(layout.calls)

    def __call__(self, given: list[Buffer], key: int, counter: int) -> list[Buffer]:
        stay = self.idle.pop() if self.idle else self.layout.fresh(self.kept)
        results: list[Buffer] = self.run(stay, given, key, counter)
        self.idle.append(stay)
        return results

    def unrolled(self, calls: list[Call], clock: Any = None) -> Callable[..., Any]:
        """A function that makes the calls, drops what is not read again, and returns results.

        Its text has a few lines for each call, such as

            x12 = f3(x4, s[9], [x1, x2])
            x4 = x1 = None

        which takes Python a third of the time that a loop over the calls takes. With a clock it
        returns the times before, between and after the calls too.
        """
        layout, program = self.layout, self.layout.program
        names: dict[str, Any] = {"made": _made, "clock": clock, "renew": self.backend.from_host}
        lines = [f"x{layout.key} = key"]
        lines += [f"x{layout.of[v]} = given[{k}]" for k, v in enumerate(program.reads)]
        offsets = dict(layout.numbers)
        lines += [f"x{at} = counter + {offsets[at]}" for at in layout.counters]
        for at, knob in layout.knobs:
            names[f"k{at}"] = knob
            lines.append(f"x{at} = k{at}.read()")
        for at, constant in self.renewed.items():
            names[f"c{at}"] = constant
            lines.append(f"x{at} = renew(*c{at})")
        lines += ["times = [clock()]"] if clock else []
        written = _Text(layout.fixed - {layout.key, *layout.counters})
        for k, call in enumerate(calls):
            names[f"f{k}"] = call[0]
            lines += written.call(k, *call[1:])
            lines += ["times.append(clock())"] if clock else []
        returns = ", ".join(written.place(layout.of[v]) for v in program.returns)
        lines.append(f"return [{returns}]" + (", times" if clock else ""))
        text = "\n    ".join(["def run(s, given, key, counter):", *lines])
        exec(compile(text, "<replay>", "exec"), names)
        run: Callable[..., Any] = names["run"]
        return run


def replay(backend: Any, program: Loadable) -> Runner:
    """Prepare the runner of a program."""
    return Replay(backend, program, Layout(backend, program))


class _Text:
    """Calls as lines, given the places of what stays."""

    def __init__(self, fixed: set[int]) -> None:
        self.fixed = fixed

    def place(self, place: Any) -> str:
        """An argument."""
        if type(place) is int:
            return f"s[{place}]" if place in self.fixed else f"x{place}"
        return f"[{', '.join(map(self.place, place))}]"

    def call(self, k: int, places: list[Any], results: Places, ends: Places) -> list[str]:
        """Call `k`. None among several results is one that was not asked for."""
        call = f"f{k}({', '.join(map(self.place, places))})"
        if len(results) == 1:
            x = f"x{results[0]}"
            check = f"if {x}.__class__ is tuple or {x}.__class__ is list: {x}, = made({x})"
            lines = [f"{x} = {call}", check]
        elif results:
            lines = [f"{', '.join(f'x{at}' for at in results)} = made({call})"]
        else:
            lines = [call]
        gone = [f"x{at} = " for at in ends if at not in self.fixed]
        return [*lines, f"{''.join(gone)}None"] if gone else lines


def _made(found: Any) -> list[Any]:
    """The results that were asked for."""
    return [buffer for buffer in found if buffer is not None]
