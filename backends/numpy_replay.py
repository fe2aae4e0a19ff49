"""NumPy's runner of recorded programs: batches in lanes where a program lets them lie so."""

from __future__ import annotations

from time import perf_counter_ns
from types import MethodType
from typing import Any

from .lanes import LINEAR_GRADS, able, batches, in_lanes, made, turned
from .numpy_functions import BINARY, UNARY, binary, enter_quiet, leave_quiet, quietly, unary
from .numpy_lanes import METHODS, from_lanes, marks, to_lanes
from .numpy_memory import room
from .program import Instruction, Loadable, Runner, Value
from .replay import Call, Layout, Replay
from .tier1 import Buffer

Timing = tuple[Instruction, int, int]
FUNCTIONS = {"unary": UNARY, "binary": BINARY}
IGNORE = -100  # the label that does not count, if nothing else is said
# Of losses in lanes, the places of the numbers, of the labels, and of the label that is ignored.
LABELS = {"cross_entropy_mean": (0, 1, 2), "cross_entropy_mean_grad": (1, 2, 4)}


def load(backend: Any, program: Loadable) -> Runner:
    """The runner of a program."""
    return NumpyReplay(backend, program, LanesLayout(backend, program))


class LanesLayout(Layout):
    """Places for values in either order of memory; one that is read in the other is copied."""

    def __init__(self, backend: Any, program: Loadable) -> None:
        self.copies: dict[Value, int] = {}  # where values lie in the other order
        self.marks: dict[Any, int] = {}  # where labels lie as losses read them
        self.behind: list[tuple[Instruction, bool]] = []  # of each call; whether no method makes it
        self.kept: list[tuple[int, Value]] = []
        self.home: dict[Value, int] = {}  # which of them values lie in
        several = [i for i, _ in program.steps() if i.method == "reshape" or not able(i)]
        self.seen = {*program.returns, *(v for i in several for v in i.inputs)}
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
        direct = instruction.method in FUNCTIONS and self.has_memory(instruction, arguments)
        if direct:
            function = FUNCTIONS[instruction.method][instruction.arguments[0]]
            arguments = [*arguments[1:-1], self.over(instruction, ends, arguments[-1])]
        if inside and instruction.method in METHODS:
            function, arguments = METHODS[instruction.method], self.planned(instruction, arguments)
        if inside and instruction.method == "fused":
            arguments[2] = self.number(turned(instruction.arguments[2]))
        gone = [self.of[v] for v in ends if v not in self.program.constants]
        gone += [self.copies.pop(v) for v in ends if v in self.copies]
        gone += [self.marks.pop(key) for key in [*self.marks] if key[0] in ends]
        self.behind.append((instruction, inside or direct))
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
        out = places[-1] if self.has_memory(instruction, places) else self.none
        if instruction.method in LINEAR_GRADS:
            out = self.keep(made(instruction))
        if instruction.method in LABELS:
            return [out, *self.marked(instruction, places[:several])]
        return [out, *places[:several]]

    def has_memory(self, instruction: Instruction, places: list[Any]) -> bool:
        """Whether there is a place for `out` behind those of the arguments."""
        return len(places) > len(instruction.arguments)

    def keep(self, y: Value | None) -> int:
        """Memory kept between runs for a result without a place in the plan that nobody else sees.

        What is returned lies in memory of its own, and reshapes may share it.
        """
        if y is None or y in self.seen:
            return self.none
        self.kept.append((self.new(), y))
        self.home[y] = self.stays()
        return self.home[y]

    def over(self, instruction: Instruction, ends: list[Value], out: int) -> int:
        """Memory for an elementwise result: that of an operand in kept memory, if it ends there.

        A reshape of the operand may share its memory, and end later.
        """
        y, lanes = instruction.outputs[0], self.program.lanes
        for x in ends:
            if x in self.seen or x not in self.home:
                continue
            if (x.shape, x.dtype, x in lanes) == (y.shape, y.dtype, y in lanes):
                self.home[y] = self.home[x]
                return self.home[y]
        return out

    def fresh(self, constants: dict[Value, Buffer], arena: Any = None) -> list[Any]:
        """The list for a run, with the memory that is kept."""
        stay = super().fresh(constants, arena)
        for at, v in self.kept:
            stay[at] = room(self.shape(v), v.dtype)
        return stay

    def marked(self, instruction: Instruction, places: list[Any]) -> list[Any]:
        """Places with `marks` for labels and without their ignored one; a call makes the first."""
        x, labels, ignore = LABELS[instruction.method]
        a = instruction.arguments
        ignored = a[ignore] if ignore < len(a) else IGNORE
        key = a[labels], a[x].shape[1], ignored, a[x].dtype
        if key not in self.marks:
            self.marks[key] = self.new()
            given = [places[labels], *map(self.number, key[1:])]
            self.calls.append((marks, given, [self.marks[key]], []))
            self.behind.append((instruction, True))
        return [*places[:labels], self.marks[key], *places[labels + 1 : ignore]]


def bare(backend: Any, method: str) -> Any:
    """A method that does not keep ufuncs quiet, as they are anyway in a run."""
    if method in ("unary", "binary"):
        return {"unary": unary, "binary": binary}[method]
    bound = getattr(backend, method)
    function = getattr(bound, "__wrapped__", None)
    return bound if function is None else MethodType(function, backend)


class NumpyReplay(Replay):
    """The runner, inside which ufuncs keep quiet; it times what no method of the backend is."""

    layout: LanesLayout

    def __call__(self, given: list[Buffer], key: int, counter: int) -> list[Buffer]:
        token = enter_quiet()
        try:
            stay = self.idle.pop() if self.idle else self.layout.fresh(self.kept)
            results: list[Buffer] = self.run(stay, given, key, counter)
            self.idle.append(stay)
            return results
        finally:
            leave_quiet(token)

    @quietly
    def timed(
        self, given: list[Buffer], key: int, counter: int
    ) -> tuple[list[Buffer], list[Timing]]:
        """Run once; and when each instruction in lanes ran. The others are called by their name."""
        calls, behind = self.layout.calls, self.layout.behind
        named = [
            call if inside else (getattr(self.backend, i.method), *call[1:])
            for call, (i, inside) in zip(calls, behind, strict=True)
        ]
        stay = self.idle.pop() if self.idle else self.layout.fresh(self.kept)
        results, times = self.unrolled(named, perf_counter_ns)(stay, given, key, counter)
        self.idle.append(stay)
        found, start = [], times[0]
        for (function, *_), (i, inside), end in zip(calls, behind, times[1:], strict=True):
            if function in (to_lanes, from_lanes, marks):  # part of the call that comes next
                continue
            if inside:
                found.append((i, start, end))
            start = end
        return results, found
