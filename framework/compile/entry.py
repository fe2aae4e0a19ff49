"""One recording, ready to stand for calls: whether it fits a call, and its replay.

This is the path of every step, so it is written for few instructions of Python: facts are compared
with what they were after the last replay, and looked at closely only where they differ.
"""

from __future__ import annotations

from sys import getrefcount
from types import CellType, SimpleNamespace
from typing import Any

from etude.backends.base import IN_PLACE, Backend, Buffer, Formula, Knob, Runner

from ..autograd import Node, Op, tick
from ..errors import GradError, IndexOutOfRange, fail
from ..graph.lives import READS_INDICES, writes
from ..graph.program import Program, spec
from ..hooks import changes
from ..ops.sampling import default_generator
from ..optim.optimizer import Optimizer
from ..profiling.state import profiling
from ..tensor import Tensor
from .discover import Found
from .gather import Owner, Recording
from .signature import modes


def renewed(owners: list[Any], left: list[Any], buffers: list[Buffer], mine: int) -> bool:
    """Give the gradients of the last run new buffers, unless somebody holds on to one.

    `mine` is how many references there are if nobody does: making tensors anew takes longer than
    all else that a replay does in Python, and nobody sees the difference.
    """
    for p, g, buffer in zip(owners, left, buffers, strict=True):
        if p.grad is not g or getrefcount(g) != mine:
            return False
        g.buffer = buffer
    return True


def _references() -> int:
    """What getrefcount says in `renewed` of a gradient that only its owner and the list have."""
    owner = SimpleNamespace(grad=SimpleNamespace(buffer=None))
    return next(n for n in range(20) if renewed([owner], [owner.grad], [None], n))


MINE = _references()


class Ended(Op):
    """The end of the graph of a result, of which only the recording knew how it was made."""

    name = "compiled"

    def infer(self, *inputs: Any) -> Any:
        raise NotImplementedError

    def forward(self, backend: Backend, *buffers: Any) -> Any:
        raise NotImplementedError

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Any:
        raise fail(
            GradError,
            "backward",
            "expected a graph, got the result of a compiled function, which keeps none; call "
            "backward() inside the function, or call the function under no_grad()",
        )


class Entry:
    """A recording and what it holds for."""

    def __init__(
        self,
        key: Any,
        found: Found,
        backend: Backend,
        recording: Recording,
        programs: list[tuple[str, Program]],
    ) -> None:
        self.key, self.found, self.backend = key, found, backend
        self.recording, self.programs = recording, programs
        self.program = program = programs[-1][1]
        self.runner: Runner = backend.load(program)
        self.modes, self.modules = modes(found), changes.modules
        self.names = [
            (f.place, f.key, f.value)
            for f in found.facts
            if isinstance(f.place, dict) and f.key is not len
        ]
        self.cells = [(f.place, f.value) for f in found.facts if isinstance(f.place, CellType)]
        common = {id(place) for place, *_ in (*self.names, *self.cells)}
        self.rare = [f for f in found.facts if id(f.place) not in common or f.key is len]
        self._remember_state(program, recording)
        self._remember_results(program, recording)
        self.optimizers = [Kept(o) for _, o in found.optimizers.values()]
        self.counts: dict[tuple[Any, int], list[Any]] = {}
        for k in program.counts:
            self.counts.setdefault((k.key, k.ahead), []).append(k.owner)
        bases = [b for knob, _ in recording.expected for b in _bases(knob)]
        counted = {(id(k.owner), k.key) for k in program.counts}
        once = {(id(b.owner), b.key): b for b in bases}
        self.tested = [(b, b.read()) for key, b in once.items() if key not in counted]

    def _remember_state(self, program: Program, recording: Recording) -> None:
        self.slots = program.state
        places = {id(t): i for i, t in enumerate(recording.inputs)}
        self.owners: list[Owner] = [places.get(id(s.tensor), s.tensor) for s in self.slots]
        self.kinds = [(s.tensor.shape, s.tensor.dtype, s.tensor.backend) for s in self.slots]
        self.plain = not any(s.grad for s in self.slots)
        self.state, self.given = -1, [s.first for s in self.slots]
        first = {id(v) for i in program.instructions for v in writes(i)}
        self.written = [i for i, s in enumerate(self.slots) if id(s.first) in first]
        self.moved = [s.tensor for s in self.slots if id(s.first) in first]
        self.moved = [t for t in self.moved if t.requires_grad]
        leaves = [t for t in self.found.trained() if t.node is None]
        self.flagged, self.flags = leaves, [t.requires_grad for t in leaves]
        self.own = {id(t) for t in leaves}
        self.memory: set[int] = set()  # of buffers that are written in place

    def _remember_results(self, program: Program, recording: Recording) -> None:
        self.specs = [(*spec(v), self.backend) for v in program.outputs]
        at = len(program.outputs)
        changed = [i for i, s in enumerate(self.slots) if s.last is not s.first]
        self.replaced = [(i, at + n) for n, i in enumerate(changed)]
        at += len(changed)
        self.grads, self.first_grad = [p for p, _ in program.grads], at
        self.nothing: list[Any] = [None] * len(self.grads)
        self.left = self.nothing  # the gradients of the last run
        self.blocks = program.random_blocks
        self.unusual = bool(recording.numbers or recording.before)
        self.unusual |= any(how == "number" for how, _ in recording.leaves)
        self.ended = Node(Ended(), (), tick(), None, None)
        recording.inputs = []  # the first batch need not be kept
        self.single = recording.leaves in ([("output", True)], [("output", False)])
        self.single = self.single and recording.build([self]) is self
        self.harmless = not recording.before and _checks_first(program)

    # whether it fits ----------------------------------------------------------------------------
    def ready(self, key: Any, leaves: list[Tensor]) -> list[Buffer] | None:
        """The buffers that a run is given, or None if the recording does not stand for the call."""
        if key != self.key or not self._facts_hold():
            return None
        if changes.modules != self.modules:
            count = changes.modules
            if modes(self.found) != self.modes:
                return None
            self.modules = count
        recording = self.recording
        for owner, there in recording.present:
            t = leaves[owner] if isinstance(owner, int) else owner
            if (t.grad is not None) is not there:
                return None
        if (changes.state != self.state or not self.plain) and not self._look(leaves):
            return None
        if [t.requires_grad for t in self.flagged] != self.flags:
            return None
        for kept in self.optimizers:
            if not kept.holds():
                return None
        for knob, value in self.tested:
            if knob.read() != value:
                if not self._expected():
                    return None
                self.tested = [(b, b.read()) for b, _ in self.tested]
                break
        if (recording.aliases or recording.identical) and not self._aliases_hold(leaves):
            return None
        given = self.given.copy()
        for i in recording.places:
            t = leaves[i]
            buffer = t.buffer
            if t.requires_grad and id(t) in self.own:
                return None
            if id(buffer) in self.memory and not recording.aliases:
                return None
            given.append(buffer)
        return given

    def _facts_hold(self) -> bool:
        for place, key, value in self.names:
            if place.get(key) is not value:
                return all(f.holds() for f in self.found.facts)
        for cell, value in self.cells:
            if cell.cell_contents is not value:
                return all(f.holds() for f in self.found.facts)
        return not self.rare or all(fact.holds() for fact in self.rare)

    def _look(self, leaves: list[Tensor]) -> bool:
        """Take the buffers of the state, if all of it is as it was recorded."""
        state, given, kinds = changes.state, [], []
        for owner, slot in zip(self.owners, self.slots, strict=True):
            t: Any = leaves[owner] if isinstance(owner, int) else owner
            t = t.grad if slot.grad else t
            given.append(t.buffer)
            kinds.append((t.shape, t.dtype, t.backend))
        if kinds != self.kinds or not self._expected():
            return False
        self.given, self.state = given, state
        self.memory = {id(given[i]) for i in self.written}
        return True

    def _expected(self) -> bool:
        return all(knob.read() == value for knob, value in self.recording.expected)

    def _aliases_hold(self, leaves: list[Tensor]) -> bool:
        for a, b in self.recording.aliases:
            x = leaves[a] if isinstance(a, int) else a
            y = leaves[b] if isinstance(b, int) else b
            if x.buffer is not y.buffer:
                return False
        return all(leaves[i] is t for i, t in self.recording.identical)

    # running ------------------------------------------------------------------------------------
    def run(self, given: list[Buffer], leaves: list[Tensor], fn: Any, args: Any, named: Any) -> Any:
        """Replay, leave behind what the function would, and return what it would.

        Where the program fails at an index before it has changed anything, the function itself is
        called, which raises the better error.
        """
        recording = self.recording
        numbers: list[Any] = []
        read: list[Any] = []
        if self.unusual:
            numbers, read = self._begin()
        try:
            # What goes away anyway makes room for what comes.
            emptied = self.plain and renewed(self.grads, self.left, self.nothing, MINE)
            runner = self.runner
            if (profile := profiling.get()) is not None:
                runner = profile.runner(self.program, self.backend, runner)
            made = runner(given, default_generator.seed, default_generator.counter)
            default_generator.counter += self.blocks
            self._leave(given, made, leaves, emptied)
        except BaseException as error:
            self._forget()
            if not isinstance(error, IndexError):
                raise
            if self.harmless:
                return fn(*args, **named)
            raise _outside(error) from None
        for owner, key, value in numbers:
            owner[key] = value
        for act in recording.after:
            act()
        if self.single:
            return self._tensor(0, made[0], recording.leaves[0][1])
        return self._result(made, leaves, read)

    def _forget(self) -> None:
        """Drop gradients that lost their buffers to a run that failed."""
        for p in self.grads:
            if p.grad is not None and p.grad.buffer is None:
                p.grad = None

    def _begin(self) -> tuple[list[Any], list[Any]]:
        """What is read, and what schedules do, before the program runs."""
        recording = self.recording
        numbers = [(o, k, v.read() if isinstance(v, Knob) else v) for o, k, v in recording.numbers]
        for act in recording.before:
            act()
        return numbers, [x.read() if how == "number" else None for how, x in recording.leaves]

    def _leave(
        self, given: list[Buffer], made: list[Buffer], leaves: list[Tensor], emptied: bool
    ) -> None:
        """State, gradients and counts as the function leaves them."""
        now = tick()
        if self.replaced:
            self._replace(given, made, leaves, now)
        for t in self.moved:
            t.version = now
        if self.grads:
            fresh = made[self.first_grad :]
            if emptied:
                for g, buffer in zip(self.left, fresh, strict=True):
                    g.buffer = buffer
            elif not renewed(self.grads, self.left, fresh, MINE):
                backend = self.backend
                for p, buffer in zip(self.grads, fresh, strict=True):
                    p.grad = Tensor(buffer, p.shape, p.dtype, backend)
                self.left = [p.grad for p in self.grads]
        for owner in self.recording.cleared:
            (leaves[owner] if isinstance(owner, int) else owner).grad = None
        for (key, ahead), owners in self.counts.items():
            for owner in owners:
                owner[key] += ahead
        if self.recording.extras:
            self._leave_inputs(made, leaves, now)

    def _replace(
        self, given: list[Buffer], made: list[Buffer], leaves: list[Tensor], now: int
    ) -> None:
        """Give changed state its new buffers; other recordings of it have to look again."""
        mine = changes.state == self.state
        for i, at in self.replaced:
            owner = self.owners[i]
            t: Any = leaves[owner] if isinstance(owner, int) else owner
            t = t.grad if self.slots[i].grad else t
            t.buffer, t.version, given[i] = made[at], now, made[at]
        changes.state += 1
        if mine:
            self.given, self.state = given[: len(self.slots)], changes.state

    def _leave_inputs(self, made: list[Buffer], leaves: list[Tensor], now: int) -> None:
        at = len(self.specs) - len(self.recording.extras)
        for what, i in self.recording.extras:
            if what == "grad":
                leaves[i].grad = Tensor(made[at], *self.specs[at])
            else:
                leaves[i].buffer, leaves[i].version = made[at], now
            at += 1

    def _tensor(self, at: int, buffer: Buffer, wants: bool) -> Tensor:
        t = Tensor(buffer, *self.specs[at])
        if wants:
            t.requires_grad, t.node = True, self.ended
        return t

    def _result(self, made: list[Buffer], leaves: list[Tensor], read: list[Any]) -> Any:
        values: list[Any] = []
        at = 0
        for i, (how, what) in enumerate(self.recording.leaves):
            if how in ("number", "late"):
                values.append(read[i] if how == "number" else what.read())
                continue
            if how == "output":
                values.append(self._tensor(at, made[at], what))
            else:
                values.append(leaves[what] if how == "input" else what)
            at += 1
        return self.recording.build(values)


class Kept:
    """What of an optimizer must stay for its recording: groups, their flags, who has state."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.state, self.size = optimizer, optimizer.state, len(optimizer.state)
        groups = optimizer.param_groups
        flags = [(g, k) for g in groups for k, v in g.items() if v is None or type(v) is bool]
        self.groups, self.count = groups, len(groups)
        self.flags, self.values = flags, [g[k] for g, k in flags]

    def holds(self) -> bool:
        """Whether it stayed."""
        o = self.optimizer
        return (
            o.state is self.state
            and len(o.state) == self.size
            and o.param_groups is self.groups
            and len(self.groups) == self.count
            and [g[k] for g, k in self.flags] == self.values
        )


def _bases(knob: Knob) -> list[Knob]:
    if isinstance(knob, Formula):
        return [b for p in knob.parts if isinstance(p, Knob) for b in _bases(p)]
    return [type(knob)(knob.owner, knob.key)]


def _checks_first(program: Program) -> bool:
    """Whether every index is read before anything is changed in place."""
    methods = [i.method for i in program.instructions]
    last = max((i for i, m in enumerate(methods) if m in READS_INDICES), default=-1)
    return not any(m in IN_PLACE for m in methods[: last + 1])


def _outside(error: IndexError) -> IndexOutOfRange:
    return IndexOutOfRange(
        f"[compile] {error}, expected every index inside; check where the indices come from"
    )
