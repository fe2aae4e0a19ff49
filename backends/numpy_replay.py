"""NumPy's runner of recorded programs: batches in lanes where a program lets them lie so."""

from __future__ import annotations

from time import perf_counter_ns
from types import MethodType
from typing import Any

from .lanes import batches, in_lanes, turned
from .numpy_functions import binary, enter_quiet, leave_quiet, unary
from .numpy_lanes import METHODS, from_lanes, to_lanes
from .program import Instruction, Loadable, Runner, Value
from .replay import Call, Layout, Replay, unrolled
from .tier1 import Buffer

Timing = tuple[Instruction, int, int]


def load(backend: Any, program: Loadable) -> Runner:
    """The runner of a program."""
    return NumpyReplay(backend, program, LanesLayout(backend, program))


class LanesLayout(Layout):
    """Places for values in either order of memory; one that is read in the other is copied."""

    def __init__(self, backend: Any, program: Loadable) -> None:
        self.copies: dict[Value, int] = {}  # where values lie in the other order
        self.behind: list[tuple[Instruction, bool]] = []  # of each call, and whether in lanes
        super().__init__(backend, program)

    def shape(self, v: Value) -> Any:
        """The shape of a value in memory."""
        return turned(v.shape) if v in self.program.lanes and v.shape else v.shape

    def call(self, instruction: Instruction, ends: list[Value]) -> Call:
        """An instruction as a function of operands in the order that it works in."""
        lanes = self.program.lanes
        inside = in_lanes(instruction, lanes)
        within = batches(instruction) if inside else []
        original = {}
        for v in instruction.inputs:
            if (v in lanes) is not any(v is x for x in within) and v not in original:
                original[v] = self.of[v]
                self.of[v] = self.copy(v, instruction)
        call = super().call(instruction, ends)
        self.of |= original
        _, arguments, results, _ = call
        function = bare(self.backend, instruction.method)
        if inside and instruction.method in METHODS:
            function, arguments = METHODS[instruction.method], self.planned(instruction, arguments)
        if inside and instruction.method == "fused":
            arguments[2] = self.number(turned(instruction.arguments[2]))
        gone = [self.of[v] for v in ends if v not in self.program.constants]
        gone += [self.copies.pop(v) for v in ends if v in self.copies]
        self.behind.append((instruction, inside))
        return function, arguments, results, gone

    def copy(self, v: Value, reader: Instruction) -> int:
        """The place of a value in the other order, with a call that makes it if none did."""
        if v not in self.copies:
            self.copies[v] = self.new()
            turn = from_lanes if v in self.program.lanes else to_lanes
            self.calls.append((turn, [self.of[v]], [self.copies[v]], []))
            self.behind.append((reader, True))
        return self.copies[v]

    def planned(self, instruction: Instruction, places: list[Any]) -> list[Any]:
        """(out, *arguments) of places (*arguments, *defaults, out), or without an out."""
        several = len(instruction.arguments)
        return [places[-1] if len(places) > several else self.none, *places[:several]]


def bare(backend: Any, method: str) -> Any:
    """A method that does not keep ufuncs quiet, as they are anyway in a run."""
    if method in ("unary", "binary"):
        return {"unary": unary, "binary": binary}[method]
    bound = getattr(backend, method)
    function = getattr(bound, "__wrapped__", None)
    return bound if function is None else MethodType(function, backend)


class NumpyReplay(Replay):
    """The loop, inside which ufuncs keep quiet; it times what no method of the backend is."""

    layout: LanesLayout

    def __call__(self, given: list[Buffer], key: int, counter: int) -> list[Buffer]:
        token = enter_quiet()
        try:
            return super().__call__(given, key, counter)
        finally:
            leave_quiet(token)

    def timed(
        self, given: list[Buffer], key: int, counter: int
    ) -> tuple[list[Buffer], list[Timing]]:
        """Run once; and when each instruction in lanes ran. The others are called by their name."""
        env, times = self.begin(given, key, counter), []
        start = 0
        for call, (instruction, inside) in zip(self.layout.calls, self.layout.behind, strict=True):
            if not inside:
                call = (getattr(self.backend, instruction.method), *call[1:])
            step = unrolled([call])
            start = start or perf_counter_ns()
            step(env)
            if call[0] not in (to_lanes, from_lanes):
                if inside:
                    times.append((instruction, start, perf_counter_ns()))
                start = 0
        return self.end(env), times
