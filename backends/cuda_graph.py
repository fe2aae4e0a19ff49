"""A recorded program as one graph: the device is told once what to do, and then only to do it.

    eager    for each op: Python (check, allocate) -> launch
    graph    once:  run that Python, and write its launches down       (cuda_record.py)
             each step: copy in, set dials, launch the graph, copy out

The first run is plain: it compiles kernels, and errors come from where they belong. At the second
one the program is recorded. What Python does depends on shapes and dtypes alone, so the launches
stand for all later runs, over memory that stays where it is:

    bound    a buffer that was the same in both runs (a weight) is used where it lies
    moving   one that was another (a batch) is copied into the graph's own memory at each run
    results  lie side by side; one copy gives them to the caller, and the next run harms nothing

When a bound buffer is another one after all (weights were loaded), the program is recorded again.
Numbers that change, such as learning rates, are dials (cuda_dial.py). An instruction that needs
values while it is recorded is called between two graphs; `Graph.called` names those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from math import prod
from threading import Lock
from typing import Any

from . import cuda_runtime as runtime
from .base import Backend
from .cuda_dial import Dial, Register, dial
from .cuda_exec import executable
from .cuda_index import raise_if_bad
from .cuda_record import Check, Executable, Launch, Record, Recorder, recording
from .program import IN_PLACE, Instruction, Loadable, Plan, Runner, Value
from .replay import Call, Layout, replay
from .tier1 import Buffer, Shape

OFTEN = 2  # changes of a bound buffer, which then moves
MOST_CHANGES = 256  # of buffers that cannot move; the program then runs call by call
ALIGNMENT = 256  # bytes between results, as between buffers of the pool
ITEMSIZE = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1}


class CudaGraphs(Backend):
    """Memory for planned values, and programs as graphs."""

    def arena(self, size: int) -> Any:
        return self.empty((size,), "bool")

    def in_arena(self, arena: Any, offset: int, shape: Shape, dtype: str) -> Buffer:
        return runtime.view(arena, offset, shape, dtype)

    def load(self, program: Loadable) -> Runner:
        return Graph(self, program)


@dataclass
class Static:
    """A program of which the results, too, have places in the arena: behind the planned values."""

    program: Loadable
    plan: Plan
    begin: int  # of the results
    lanes: frozenset[Value] = frozenset()

    @property
    def reads(self) -> list[Value]:
        return self.program.reads

    @property
    def returns(self) -> list[Value]:
        return self.program.returns

    @property
    def constants(self) -> dict[Value, tuple[memoryview, Shape, str]]:
        return self.program.constants

    def steps(self) -> Any:
        """Each instruction with the values that nothing reads after it."""
        return self.program.steps()


def static(program: Loadable) -> Static:
    """Give every result that a program makes a place in the arena."""
    plan = program.plan or Plan()
    begin = end = _rounded(plan.size)
    offsets = dict(plan.offsets)
    outside = {*program.reads, *program.constants}
    for v in dict.fromkeys(program.returns):
        if v not in outside:
            shape, dtype = spec(v)
            offsets[v] = end
            end += _rounded(prod(shape) * ITEMSIZE[dtype])
    return Static(program, Plan(end, offsets), begin)


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def spec(v: Value) -> tuple[Shape, str]:
    """Shape and dtype of a value."""
    if v.shape is None or v.dtype is None:
        raise ValueError(f"{v} has no shape")
    return v.shape, v.dtype


def written(program: Loadable) -> set[Value]:
    """The values from outside that some instruction changes in place."""
    root: dict[Value, Value] = {}
    changed: set[Value] = set()
    for i, _ in program.steps():
        for place in IN_PLACE.get(i.method, ()):
            a = i.arguments[place]
            parts: Sequence[Value | None] = a if isinstance(a, (list, tuple)) else (a,)
            changed |= {root.get(v, v) for v in parts if v is not None}
        if (out := _out(i)) is not None:
            changed |= {root.get(v, v) for v in i.inputs if v is out}
            root[i.outputs[0]] = root.get(out, out)
        elif i.method == "reshape":
            root[i.outputs[0]] = root.get(i.arguments[0], i.arguments[0])
    return changed


def _out(i: Instruction) -> Any:
    """The value that an instruction was told to write its result into."""
    names = list(signature(getattr(Backend, i.method)).parameters)[1:]
    at = names.index("out") if "out" in names else len(names)
    return i.arguments[at] if at < len(i.arguments) else None


@dataclass
class Checked:
    """Indices whose check a graph has just made: the run stops here if one is bad."""

    engine: Any
    check: Check

    def run(self) -> None:
        """Look at the word. Raises IndexError."""
        c = self.check
        raise_if_bad(self.engine, c.word, c.indices, c.low, c.high)


@dataclass
class Called:
    """An instruction that is called at each run, and the memory that its results go to."""

    method: str
    function: Any
    arguments: list[Any]
    results: list[Buffer]

    def run(self) -> None:
        """Call it with what the dials show now."""
        made = listed(self.function(*map(shown, self.arguments)))
        for target, source in zip(self.results, made, strict=True):
            runtime.copy(target, source)


def shown(argument: Any) -> Any:
    """An argument with numbers for dials."""
    if type(argument) is list:
        return [shown(a) for a in argument]
    return argument.now() if type(argument) is Dial else argument


def listed(result: Any) -> list[Any]:
    """The buffers of a result, without those that were not asked for."""
    several = result if isinstance(result, (tuple, list)) else [result]
    return [buffer for buffer in several if buffer is not None]


def _within(made: Check, check: Check) -> bool:
    """Whether indices that passed one check pass another."""
    allowed = made.skip is None or made.skip == check.skip
    return allowed and made.low >= check.low and made.high <= check.high


def _only_for(check: Check, records: Sequence[Record]) -> bool:
    """Whether all of the records are about the word of a check."""
    word = check.word.address
    return all(
        isinstance(r, Launch) and any(getattr(a, "address", a) == word for a in r.arguments)
        for r in records
    )


class Recording:
    """A program over one set of addresses: those of `given`, but for the places in `moving`."""

    def __init__(
        self, engine: Any, program: Loadable, given: Sequence[Buffer], moving: set[int]
    ) -> None:
        self.engine, self.recorder = engine, Recorder()
        self.key, self.counter = Register(), Register()
        self.parts: list[Executable | Called | Checked] = []
        self.kept: list[Any] = []
        self.sure: set[Value] = set()
        self.looked: dict[int | None, Check] = {}  # the last check of each buffer from outside
        self.pool = runtime.private_pool()  # what is made in here stays the graph's
        with self.pool:
            self.slots = {i: engine.empty(*spec(program.reads[i])) for i in sorted(moving)}
            self.bound = [self.slots.get(i, buffer) for i, buffer in enumerate(given)]
            self._record(static(program))
        self.called = [part.method for part in self.parts if isinstance(part, Called)]

    # recording ----------------------------------------------------------------------------------
    def _record(self, program: Static) -> None:
        layout = Layout(self.engine, program)
        kept = {v: self.engine.from_host(*c) for v, c in program.constants.items()}
        arena = self.engine.arena(program.plan.size)
        env = self._environment(layout, layout.fresh(kept, arena))
        for v in kept.keys() & written(program):
            env[layout.of[v]] = work = self.engine.empty(*spec(v))
            self.recorder.copy(work, kept.pop(v))
        self.constants = list(kept.values())
        for call, (instruction, _) in zip(layout.calls, program.steps(), strict=True):
            self._step(instruction, call, env)
        self._keep_results(program, {v: env[layout.of[v]] for v in program.returns}, arena, kept)
        self._end_part()

    def _environment(self, layout: Layout, env: list[Any]) -> list[Any]:
        """What instructions are called with: memory, numbers, and dials for those that change."""
        offsets = dict(layout.numbers)
        env[layout.key] = dial(self.key)
        for at in layout.counters:
            env[at] = dial(self.counter) + offsets[at]
        for at, knob in layout.knobs:
            env[at] = dial(knob)
        for v, buffer in zip(layout.program.reads, self.bound, strict=True):
            env[layout.of[v]] = buffer
        return env

    def _step(self, instruction: Instruction, call: Call, env: list[Any]) -> None:
        """Record one instruction, or note that it is to be called."""
        function, places, results, ends = call
        arguments = [env[p] if type(p) is int else [env[q] for q in p] for p in places]
        own = Recorder()
        try:
            with recording(own):
                made = listed(function(*arguments))
            through = set(instruction.inputs[1:])
            self._take(own, bool(through) and through <= self.sure)
        except Exception:  # whatever it is, it is for the run to raise
            self._end_part()
            made = [self.engine.empty(*spec(v)) for v in instruction.outputs]
            self.parts.append(Called(instruction.method, function, arguments, made))
        if instruction.method == "max_pool":
            self.sure |= set(instruction.outputs)
        for at, buffer in zip(results, made):
            env[at] = buffer
        for at in ends:
            env[at] = None

    def _take(self, own: Recorder, sure: bool) -> None:
        """Add what an instruction did to the part, which ends where indices are to be looked at.

        sure: what it reads through are places that a pooling of this program has found.
        """
        done = 0
        for at, check in own.checks:
            mine, done = own.records[done:at], at
            read = self._read(check) if _only_for(check, mine) else None
            if read in self.looked and _within(self.looked[read], check):
                continue
            if sure and _only_for(check, mine):
                continue
            if read is not None:
                self.looked[read] = check
            if read is None or read in self.slots:
                self.recorder.records += mine
                self._end_part()
                self.parts.append(Checked(self.engine, check))
            else:  # these indices are the same at each run: one look is enough
                executable(mine).run()
                Checked(self.engine, check).run()
        self.recorder.records += own.records[done:]
        self.kept += own.kept

    def _read(self, check: Check) -> int | None:
        """Which buffer it is about: of those that a run is given, and the constants after them."""
        outside = (*self.bound, *self.constants)
        same = [i for i, b in enumerate(outside) if runtime.same_memory(check.indices, b)]
        return same[0] if same else None

    def _end_part(self) -> None:
        """Make ready to run what was recorded since an instruction was called."""
        if self.recorder.records:
            self.parts.append(executable(self.recorder.records))
        self.recorder = Recorder()

    def _keep_results(
        self, program: Static, made: dict[Value, Buffer], arena: Any, kept: dict[Value, Buffer]
    ) -> None:
        """Note where each result is after a run, and record a copy of what lies elsewhere."""
        begin, end = program.begin, program.plan.size
        self.size, self.results = end - begin, list[tuple[str, Any, Shape, str]]()
        self.block = self.engine.in_arena(arena, begin, (self.size,), "bool")
        for v in program.returns:
            shape, dtype = spec(v)
            same = [i for i, b in enumerate(self.bound) if runtime.same_memory(b, made[v])]
            own = [b for b in kept.values() if runtime.same_memory(b, made[v])]
            if same or own:
                how, what = ("given", same[0]) if same else ("kept", own[0])
                self.results.append((how, what, shape, dtype))
                continue
            offset = program.plan.offsets[v]
            place = self.engine.in_arena(arena, offset, shape, dtype)
            if not runtime.same_memory(place, made[v]):
                self.recorder.copy(place, made[v])
            self.results.append(("made", offset - begin, shape, dtype))

    # running ------------------------------------------------------------------------------------
    def fits(self, given: Sequence[Buffer]) -> bool:
        """Whether the buffers that do not move are those of the recording."""
        return all(a is b or i in self.slots for i, (a, b) in enumerate(zip(given, self.bound)))

    def run(self, given: Sequence[Buffer], key: int, counter: int) -> list[Buffer]:
        """Copy in, run all parts, copy out."""
        for i, slot in self.slots.items():
            runtime.copy(slot, given[i])
        self.key.value, self.counter.value = key, counter
        for part in self.parts:
            part.run()
        fresh = None
        if self.size:
            fresh = self.engine.arena(self.size)
            runtime.copy(fresh, self.block)
        return [self._result(given, fresh, *result) for result in self.results]

    def _result(
        self, given: Sequence[Buffer], fresh: Any, how: str, what: Any, shape: Shape, dtype: str
    ) -> Buffer:
        if how == "made":
            return runtime.view(fresh, what, shape, dtype)
        x = given[what] if how == "given" else what
        return x if x.shape == shape else self.engine.reshape(x, shape)


class Graph:
    """A program that is ready to run: graph(given, key, counter) -> results.

    called: methods that each run calls between two graphs; None while nothing is recorded.
    """

    def __init__(self, engine: Any, program: Loadable) -> None:
        self.engine, self.program, self.lock = engine, program, Lock()
        self.plain = replay(engine, program)
        self.before: list[Buffer] | None = None  # what the run before was given
        self.recording: Recording | None = None
        self.changes: Counter[int] = Counter()  # how often a bound buffer was another
        self.moving: set[int] = set()
        self.changed = written(program)

    @property
    def called(self) -> list[str] | None:
        """The methods that could not be recorded."""
        return None if self.recording is None else self.recording.called

    def __call__(self, given: list[Buffer], key: int, counter: int) -> list[Buffer]:
        """Run once. Raises what the instructions raise."""
        with self.lock:
            now = self.recording
            if now is None or not now.fits(given):
                now = self._recorded(given)
            if now is None:
                return self.plain(given, key, counter)
            return now.run(given, key, counter)

    def _recorded(self, given: list[Buffer]) -> Recording | None:
        """A recording for these buffers; None at the first run, and where they keep changing."""
        before, self.before = self.before, list(given)
        if before is None or sum(self.changes.values()) >= MOST_CHANGES:
            return None
        known = self.recording is not None
        fixed = [b for v, b in zip(self.program.reads, given) if v in self.changed]
        for i, (a, b) in enumerate(zip(before, given)):
            if a is not b:
                self.changes[i] += known
                seldom = known and self.changes[i] < OFTEN
                if not seldom and not any(runtime.same_memory(b, x) for x in fixed):
                    self.moving.add(i)
        self.recording = None  # its memory is free for the next one
        self.recording = Recording(self.engine, self.program, given, self.moving)
        self.before = self.recording.bound
        return self.recording
