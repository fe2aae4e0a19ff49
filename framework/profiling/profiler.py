"""Collecting what a profile shows: each call of a backend, and each call of a module around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import getmembers, isfunction
from math import prod
from pathlib import Path
from threading import get_ident, local
from time import perf_counter_ns
from typing import Any
from weakref import WeakKeyDictionary

from etude.backends import registry
from etude.backends.base import Backend, Instruction, Runner

from ..autograd import Node, visiting
from ..dtypes import DTYPES
from ..graph.check import parameters
from ..graph.cost import label, operations, traffic
from ..graph.program import Program, flops, nbytes
from ..nn.module import Module
from .state import profiling

# Bookkeeping, and what runs other methods: not timed by themselves.
UNTIMED = {"dtype", "synchronize", "observe", "load", "set_threads", "release_memory", "keep"}
UNTIMED |= {"arena", "in_arena", "lend", "borrow", "interface"}
METHODS = [n for n, _ in getmembers(Backend, isfunction) if n[0] != "_" and n not in UNTIMED]
FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"
UPDATES = {n for n in METHODS if n.endswith(("_step", "_steps"))}


@dataclass(slots=True)
class Call:
    """One call of a method of a backend. Times are in nanoseconds, sizes in bytes."""

    name: str  # as graph/cost.py labels it
    method: str
    backend: str
    scope: str  # the module that asked for it, or whose gradient it is
    stage: str  # forward, backward or update
    start: int
    end: int
    flops: int
    moved: int  # bytes that have to be read and written
    made: int  # bytes of new results
    shapes: str
    thread: int


@dataclass(slots=True)
class Span:
    """One call of a module."""

    path: str
    kind: str
    start: int
    end: int
    thread: int


class _Thread(local):
    """What a thread is in the middle of."""

    busy = False
    modules: tuple[tuple[Module, str], ...] = ()


class Profile:
    """A profile of what runs inside the `with`; see `etude.profile`."""

    def __init__(self, ceilings: registry.Ceilings | None = None) -> None:
        self.calls: list[Call] = []
        self.spans: list[Span] = []
        self.start = self.end = 0
        self._ceilings = ceilings
        self._thread = _Thread()
        self._scopes: WeakKeyDictionary[Node, str] = WeakKeyDictionary()
        self._names: dict[int, tuple[Module, dict[int, str]]] = {}
        self._runners: dict[int, tuple[Program, Runner]] = {}
        self._undo: list[Callable[[], None]] = []
        self._outer: Profile | None = None

    def __enter__(self) -> Profile:
        for backend in registry.loaded():
            self._watch(backend)
        registry.arrivals.append(self._watch)
        self._undo.append(lambda: registry.arrivals.remove(self._watch))
        self._watch_modules()
        self._outer = profiling.get()
        token = profiling.set(self)
        self._undo.append(lambda: profiling.reset(token))
        self.start = perf_counter_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self.end = perf_counter_ns()
        while self._undo:
            self._undo.pop()()
        self._runners.clear()
        self._names.clear()

    # eager calls --------------------------------------------------------------------------------
    def _watch(self, backend: Backend) -> None:
        """Put timing methods over those of a backend, for this one of its class alone.

        In the class, because Python calls the methods of an object whose own dictionary was touched
        a twentieth slower ever after.
        """
        kind, earlier = type(backend), backend.observe
        before = {name: vars(kind)[name] for name in METHODS if name in vars(kind)}
        for name in METHODS:
            setattr(kind, name, self._timed(backend, name, getattr(kind, name)))
        backend.observe = self._observer(earlier)

        def undo() -> None:
            backend.observe = earlier
            for name in METHODS:
                delattr(kind, name)
            for name, method in before.items():
                setattr(kind, name, method)

        self._undo.append(undo)

    def _timed(self, backend: Backend, method: str, original: Any) -> Callable[..., Any]:
        thread, note, synchronize = self._thread, self._note, backend.synchronize

        def call(this: Backend, *given: Any, **named: Any) -> Any:
            if thread.busy or this is not backend:
                return original(this, *given, **named)
            thread.busy = True
            try:
                start = perf_counter_ns()
                result = original(this, *given, **named)
                synchronize()
                end = perf_counter_ns()
                note(backend, method, given, result, start, end)
            finally:
                thread.busy = False
            return result

        return wraps(original)(call)

    def _note(
        self, backend: Backend, method: str, given: Any, result: Any, start: int, end: int
    ) -> None:
        """Write a call down. Nothing of it is kept alive."""
        node = visiting.get()
        if node is not None:
            stage, scope = BACKWARD, self._scopes.get(node, "")
        else:
            stage = UPDATE if method in UPDATES else FORWARD
            scope = self._scope()
        count = len(parameters(method))  # memory for results may follow
        read, made = list(_buffers(given[:count])), list(_buffers(result))
        written = made or list(_buffers(given[:1]))
        sizes = [[_bytes(backend, x) for x in part] for part in (read, written)]
        memory = {id(x) for x in _buffers(given[count:])}
        fresh = [size for x, size in zip(made, sizes[1], strict=False) if id(x) not in memory]
        self.calls.append(
            Call(
                name=label(method, given),
                method=method,
                backend=backend.name,
                scope=scope,
                stage=stage,
                start=start,
                end=end,
                flops=operations(method, given, [x.shape for x in written]),
                moved=traffic(method, *sizes),
                made=0 if method == "reshape" else sum(fresh),
                shapes=" ".join(str(tuple(x.shape)) for x in read),
                thread=get_ident(),
            )
        )

    def _observer(self, earlier: Any) -> Callable[[Any, Any, Any], None]:
        """Remember which module made a node: its gradient belongs there too."""

        def observe(op: Any, inputs: Any, outputs: Sequence[Any]) -> None:
            if visiting.get() is None:
                scope = self._scope()
                for t in outputs:
                    if t.node is not None:
                        self._scopes[t.node] = scope
            if earlier is not None:
                earlier(op, inputs, outputs)

        return observe

    # modules ------------------------------------------------------------------------------------
    def _scope(self) -> str:
        modules = self._thread.modules
        return modules[-1][1] if modules else ""

    def _watch_modules(self) -> None:
        """Put a wrapper around every call of a module."""
        original, profile = Module.__call__, self

        def call(module: Module, *args: Any, **kwargs: Any) -> Any:
            thread = profile._thread
            around = thread.modules
            path = profile._path(around, module)
            thread.modules = (*around, (module, path))
            start = perf_counter_ns()
            try:
                return original(module, *args, **kwargs)
            finally:
                thread.modules = around
                kind = type(module).__name__
                span = Span(path, kind, start, perf_counter_ns(), get_ident())
                profile.spans.append(span)

        setattr(Module, "__call__", call)  # noqa: B010 - type checkers want no other method there
        self._undo.append(lambda: setattr(Module, "__call__", original))

    def _path(self, around: tuple[tuple[Module, str], ...], module: Module) -> str:
        """The module's path: "LeNet5.conv1"."""
        kind = type(module).__name__
        if not around:
            return kind
        parent, above = around[-1]
        if id(parent) not in self._names:
            names = {id(m): name for name, m in parent.named_modules() if name}
            self._names[id(parent)] = parent, names  # held, so that no other has its id
        return f"{above}.{self._names[id(parent)][1].get(id(module), kind)}"

    # recorded programs --------------------------------------------------------------------------
    def runner(self, program: Program, backend: Backend, run: Runner) -> Runner:
        """A runner that times each instruction: `run` by itself where it can, else the plain loop.

        What times itself has a method `timed`, which gives results and (instruction, begin, end)
        for those that no method of the backend was called for.
        """
        timed: Any = getattr(run, "timed", None)
        if timed is None:
            if id(program) not in self._runners:
                self._runners[id(program)] = program, Backend.load(backend, program)
            loop = self._runners[id(program)][1]

        def noted(given: list[Any], key: int, counter: int) -> list[Any]:
            first = len(self.calls)
            made: list[Any]
            if timed is None:
                made = loop(given, key, counter)
                self._place(self.calls[first:], program.instructions)
                return made
            made, times = timed(given, key, counter)
            by_itself = {id(i) for i, _, _ in times}
            called = [i for i in program.instructions if id(i) not in by_itself]
            self._place(self.calls[first:], called)
            self._note_times(program, backend, times)
            return made

        return noted

    def _note_times(
        self, program: Program, backend: Backend, times: Sequence[tuple[Instruction, int, int]]
    ) -> None:
        """Write down what instructions took that a runner timed, here and in profiles around."""
        fresh = set(program.returns)
        rows = []
        for i, start, end in times:
            sizes = [[nbytes(v) for v in part] for part in (i.inputs, i.results)]
            rows.append(
                Call(
                    name=label(i.method, i.arguments),
                    method=i.method,
                    backend=backend.name,
                    scope="",
                    stage=UPDATE if i.method in UPDATES else FORWARD,
                    start=start,
                    end=end,
                    flops=flops(i),
                    moved=traffic(i.method, *sizes),
                    made=sum(nbytes(v) for v in i.outputs if v in fresh),
                    shapes=" ".join(str(v.shape) for v in i.inputs),
                    thread=get_ident(),
                )
            )
        self._place(rows, [i for i, _, _ in times])
        profile: Profile | None = self
        while profile is not None:
            profile.calls += rows
            profile = profile._outer

    def _place(self, calls: Sequence[Call], instructions: Sequence[Instruction]) -> None:
        """Say of calls what their instructions know: the module, and forward or backward."""
        around, at = self._scope(), 0
        for call in calls:
            i = instructions[at] if at < len(instructions) else None
            if i is None or i.method != call.method:  # memory for the run, or renewed constants
                continue
            at += 1
            forward = i.forward
            call.scope = (i if forward is None else forward).scope or around
            if call.stage == FORWARD and forward is not None:
                call.stage = BACKWARD

    # what there is to see -----------------------------------------------------------------------
    @property
    def seconds(self) -> float:
        """From the beginning to the end of the `with`, or until now."""
        return ((self.end or perf_counter_ns()) - self.start) / 1e9

    @property
    def ceilings(self) -> registry.Ceilings:
        """What the machine can do at most; measured when first asked for."""
        if self._ceilings is None:
            self._ceilings = registry.ceilings()
        return self._ceilings

    def table(self, by: str = "op", sort_by: str = "time", rows: int | None = 30) -> str:
        """A table, one line for each op, module, stage, shape or backend (`by`); see report.py."""
        from .report import table

        return table(self, by, sort_by, rows)

    def records(self, by: str = "op") -> list[dict[str, Any]]:
        """The lines of the table as plain data, for JSON or a plot; times in seconds."""
        from .report import records

        return records(self, by)

    def save(self, path: str | Path) -> Path:
        """Write a trace as JSON, which chrome://tracing and ui.perfetto.dev open."""
        from .timeline import save

        return save(self, path)

    def __str__(self) -> str:
        return self.table()


def _buffers(x: Any) -> Iterator[Any]:
    """The buffers among arguments or results."""
    if isinstance(x, (list, tuple)):
        for part in x:
            yield from _buffers(part)
    elif hasattr(x, "shape"):
        yield x


def _bytes(backend: Backend, x: Any) -> int:
    if isinstance(x, memoryview):  # values on the host
        return x.nbytes
    size: int = prod(x.shape) * DTYPES[backend.dtype(x)].itemsize
    return size
