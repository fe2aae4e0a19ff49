"""`etude.compile`: a function that is recorded once for each kind of call, and then replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import update_wrapper
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from threading import RLock
from types import MethodType
from typing import Any, NamedTuple

from etude.backends.base import Backend

from ..anomaly import Watch
from ..capturing import capturing
from ..creation import as_backend
from ..errors import ArgumentError, BackendMismatch, CallError, fail
from ..graph.program import Program
from ..guard import came
from ..tensor import Tensor
from .discover import Found, discover
from .entry import Entry
from .generate import generate as generate_code
from .passes import PASSES, stages
from .recording import record_call
from .signature import opaque, signature

CAPACITY = 16  # recordings that a function keeps
_lock = RLock()  # one recording at a time: it changes optimizers and gradients for a while


class CacheInfo(NamedTuple):
    """How often a call was replayed, how often it was not, and how many recordings there are."""

    hits: int
    misses: int
    size: int
    capacity: int


class Compiled:
    """What `etude.compile` returns. Calling it does what calling `fn` would."""

    def __init__(
        self,
        fn: Callable[..., Any],
        state: list[Any],
        passes: list[str] | None,
        budget: int | None,
        generate: bool,
    ) -> None:
        self.fn, self.state, self.passes, self.budget = fn, state, passes, budget
        self.generate = generate
        self.entries: list[Entry] = []
        self.hits = self.misses = 0
        self.warm: list[Any] = []  # optimizers that had their first step
        update_wrapper(self, fn, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if capturing.get() is not None:
            return self.fn(*args, **kwargs)  # inside another recording: a part of that
        leaves: list[Tensor] = []
        key = signature(args, kwargs, leaves)
        for entry in self.entries:
            given = entry.ready(key, leaves)
            if given is not None:
                if entry.backend.observe is not None and anomalies_are_watched(entry.backend):
                    break
                self.hits += 1
                return entry.run(given, leaves, self.fn, args, kwargs)
        return self._first(key, leaves, args, kwargs)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else MethodType(self, owner)

    def _first(self, key: Any, leaves: list[Tensor], args: Any, kwargs: Any) -> Any:
        """A call for which there is no recording yet."""
        with _lock:
            self.misses += 1
            found = discover(("fn", self.fn), ("state", tuple(self.state)), *opaque(args, kwargs))
            backend = _backend(leaves, found)
            if anomalies_are_watched(backend) or self._warms_up(found):
                return self.fn(*args, **kwargs)
            entry = self._record(key, leaves, args, kwargs, found, backend)
            given = None if entry is None else entry.ready(key, leaves)
        if entry is None or given is None:
            return self.fn(*args, **kwargs)
        return entry.run(given, leaves, self.fn, args, kwargs)

    def _warms_up(self, found: Found) -> bool:
        """Whether an optimizer has yet to make its state, which its first step does."""
        fresh = [
            o
            for _, o in found.optimizers.values()
            if not any(o.state.values())
            and any(map(o.keeps, o.param_groups))
            and not any(o is w for w in self.warm)
        ]
        self.warm += fresh
        return bool(fresh)

    def _record(
        self, key: Any, leaves: list[Tensor], args: Any, kwargs: Any, found: Found, backend: Backend
    ) -> Entry | None:
        """A new entry; None if the call was one like which there will be no other."""
        recording = record_call(self.fn, args, kwargs, leaves, found, backend)
        if recording.first_step:
            return None
        programs = [("recorded", recording.program)]
        programs += stages(recording.program, backend, self.passes, self.budget)
        if self.generate:
            programs.append(("generate", generate_code(programs[-1][1], backend)))
        entry = Entry(key, found, backend, recording, programs)
        self.entries = [entry, *self.entries][:CAPACITY]
        return entry

    # what there is to see -----------------------------------------------------------------------
    def cache_info(self) -> CacheInfo:
        """Hits, misses, and how many recordings there are. A warm-up counts as a miss."""
        return CacheInfo(self.hits, self.misses, len(self.entries), CAPACITY)

    def cache_clear(self) -> None:
        """Forget all recordings."""
        self.entries = []

    @property
    def programs(self) -> list[tuple[str, Program]]:
        """(pass, program after it) of the newest recording, beginning with ("recorded", ...)."""
        return self._newest().programs

    def _newest(self) -> Entry:
        if not self.entries:
            raise fail(
                ArgumentError,
                "compile",
                "expected a recording, got none yet; call the function first: twice, if it makes "
                "the first step of an optimizer, which is not recorded",
            )
        return self.entries[0]

    def explain(self) -> str:
        """A report: the program as recorded and after each pass, with its cost."""
        from .explain import explain

        return explain(self.programs)

    def save(self, path: Any) -> Any:
        """Write the newest recording to a file, for `etude.load_program`. Returns the path.

        Raises ArgumentError if there is none yet, or if it does more than compute results from
        arguments and weights: if it trains, draws random numbers or changes what it reads.
        """
        from .archive import save_recording

        return save_recording(self._newest().recording, path)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.fn, '__qualname__', type(self.fn).__name__)}>"


def anomalies_are_watched(backend: Backend) -> bool:
    """Whether `detect_anomaly` is on: every op is then to be seen, so nothing is replayed."""
    return isinstance(backend.observe, Watch)


def _backend(leaves: list[Tensor], found: Found) -> Backend:
    """The backend of the arguments, or else of what was found."""
    engines = {id(t.backend): t.backend for t in leaves}
    if len(engines) > 1:
        names = " and ".join(sorted(repr(b.name) for b in engines.values()))
        raise fail(
            BackendMismatch,
            "compile",
            f"expected tensors on one backend, got {names}; move them with .to(...)",
        )
    for backend in engines.values():
        return backend
    for _, t in found.tensors.values():
        return t.backend
    return as_backend()


def compile(
    fn: Callable[..., Any] | None = None,
    *,
    state: Any = None,
    passes: Iterable[str] | None = None,
    budget: int | None = None,
    generate: bool = False,
) -> Any:
    """Record `fn` at its first call, and replay the recording at later ones.

    fn: any function of tensors (nests of them, and plain values), also with `backward()`, clipping,
        an optimizer's and a schedule's step inside. A first step of an optimizer is made as it is,
        and the next call is recorded.
    state: optimizers and tensors that fn reaches in a way that its closure and globals do not show.
    passes: names from `etude.framework.compile.passes.PASSES`; None for all. Those that reorder
        nothing (`EXACT`) give results equal to the bit to eager ones.
    budget: bytes of memory for which values are recomputed rather than kept.
    generate: whether chains of elementwise functions run as loops that the backend generates and
        compiles, C by the C compiler ($CC, cc, gcc or clang), Numba by LLVM; the code is kept on
        disk. Otherwise an interpreter walks over them, which needs no compiler, starts at once and
        gives the same bits (on C, those of the compiler that built it). Chains that call the C
        library (sin, pow) stay with it, and backends without such code do as they do without.

    Another shape, dtype, mode, backend, plain argument or captured number records again. Results
    keep no graph. Raises, with the line, for what a recording cannot hold: reading a value,
    branching on one, a bool mask as index; and ImportError if there is no C compiler to `generate`
    with. Also a decorator, `@compile` or `@compile(state=opt)`.

    >>> import etude
    >>> @etude.compile
    ... def f(x):
    ...     return (x * x).sum()
    >>> f(etude.tensor([1.0, 2.0])), f(etude.tensor([3.0, 4.0]))
    (tensor(5.), tensor(25.))
    >>> f.cache_info()
    CacheInfo(hits=1, misses=1, size=1, capacity=16)
    """
    if fn is None:
        return lambda f: compile(f, state=state, passes=passes, budget=budget, generate=generate)
    if isinstance(fn, Compiled):
        fn = fn.fn
    if not callable(fn):
        raise fail(CallError, "compile", f"expected a function, got {came(fn)}; pass one")
    call = getattr(fn, "__call__", fn)  # noqa: B004 - of an object with a method of that name
    if any(k(f) for f in (fn, call) for k in _LATER):
        raise fail(
            CallError,
            "compile",
            f"expected a function that returns when it is done, got the generator {came(fn)}; "
            "compile what it does in one turn",
        )
    chosen = None if passes is None else list(passes)
    for name in chosen or ():
        if name not in PASSES:
            raise fail(
                ArgumentError,
                "compile",
                f"expected names of passes, got {name!r}; choose from {', '.join(PASSES)}",
            )
    several = state if isinstance(state, (list, tuple)) else [] if state is None else [state]
    return Compiled(fn, list(several), chosen, budget, generate)


_LATER = (isgeneratorfunction, iscoroutinefunction, isasyncgenfunction)
