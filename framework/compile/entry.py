"""One recording, ready to stand for calls: whether it fits a call, and its replay.

This is the path of every step, so it is written for few instructions of Python: facts are compared
with what they were after the last replay, and looked at closely only where they differ.
"""

from __future__ import annotations

from operator import is_
from typing import Any

from etude.backends.base import Backend, Buffer, Formula, Knob, Runner

from ..autograd import Node, Op, tick
from ..errors import GradError, IndexOutOfRange, fail
from ..graph.program import Program, spec
from ..hooks import changes
from ..ops.sampling import default_generator
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .discover import Found
from .gather import Recording
from .passes.rewrite import IN_PLACE, writes
from .signature import modes

READS_INDICES = {"gather", "scatter_add", "check_range", "cross_entropy", "cross_entropy_grad"}


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
        self.modes, self.clock = modes(found.modules.values()), changes.count
        self.facts = [(f, f.place, f.key, f.value) for f in found.facts]
        self.names = [
            (p, k, v) for _, p, k, v in self.facts if isinstance(p, dict) and k is not len
        ]
        self.rare = [f for f, p, k, _ in self.facts if not isinstance(p, dict) or k is len]
        self._remember_state(program, recording)
        self._remember_numbers(program, found)
        self._remember_results(program, recording)

    def _remember_state(self, program: Program, recording: Recording) -> None:
        slots = [s for s in program.state if not s.grad]
        self.tensors = [s.tensor for s in slots]
        self.kinds = [(t.shape, t.dtype, t.backend) for t in self.tensors]
        self.last: list[Buffer] = []
        self.places = recording.places
        held = {id(t): i for i, t in enumerate(recording.inputs)}
        self.order: list[tuple[Any, bool]] | None = None
        if len(slots) != len(program.state):
            self.order = [(held.get(id(s.tensor), s.tensor), s.grad) for s in program.state]
        leaves = [t for _, t in self.found.tensors.values() if t.node is None]
        self.flagged = [t for t in leaves if t.dtype.is_floating_point]
        self.flags = [t.requires_grad for t in self.flagged]
        self.own = {id(t) for t in leaves if t.requires_grad}
        first = {id(v) for i in program.instructions if i.method in IN_PLACE for v in writes(i)}
        self.moved = [s.tensor for s in slots if id(s.first) in first and s.tensor.requires_grad]
        self.inplace = [i for i, s in enumerate(slots) if id(s.first) in first]

    def _remember_numbers(self, program: Program, found: Found) -> None:
        self.counts = [(k.owner, k.key, k.ahead) for k in program.counts]
        self.counted = [owner[key] for owner, key, _ in self.counts]
        taken = {(id(o), k) for o, k, _ in self.counts}
        bases = [b for knob, _ in self.recording.expected for b in _bases(knob)]
        self.bases = {(id(b.owner), b.key): b for b in bases}
        self.bases = {k: b for k, b in self.bases.items() if k not in taken}
        self.tested = [b.read() for b in self.bases.values()]
        self.optimizers = [_Kept(o) for _, o in found.optimizers.values()]

    def _remember_results(self, program: Program, recording: Recording) -> None:
        backend = self.backend
        n = sum(how not in ("number", "late") for how, _ in recording.leaves)
        self.specs = [(*spec(v), backend) for v in program.outputs]
        at = n + len(recording.extras)
        changed = program.changed
        self.replaced = [(s, at + i) for i, s in enumerate(changed)]
        positions = {id(s): i for i, s in enumerate(s for s in program.state if not s.grad)}
        self.renewed = [(positions[id(s)], at + i) for i, s in enumerate(changed) if not s.grad]
        at += len(changed)
        self.grads = [(p, at + i, *spec(v)) for i, (p, v) in enumerate(program.grads)]
        self.ended = Node(Ended(), (), tick(), None, None)
        self.single = recording.leaves in ([("output", True)], [("output", False)])
        self.single = self.single and recording.build([self]) is self
        self.harmless = not recording.before and _checks_first(program)

    # whether it fits ----------------------------------------------------------------------------
    def ready(self, key: Any, leaves: list[Tensor]) -> list[Buffer] | None:
        """The buffers that a run is given, or None if the recording does not stand for the call."""
        if key != self.key:
            return None
        for place, name, value in self.names:
            if place.get(name) is not value and not self._facts_hold():
                return None
        for fact in self.rare:
            if not fact.holds():
                return None
        if changes.count != self.clock:
            clock = changes.count
            if modes(self.found.modules.values()) != self.modes:
                return None
            self.clock = clock
        given = [t.buffer for t in self.tensors]
        if not self._state_holds(given, leaves):
            return None
        if [t.requires_grad for t in self.flagged] != self.flags:
            return None
        recording = self.recording
        for owner, there in recording.present:
            t = leaves[owner] if isinstance(owner, int) else owner
            if (t.grad is not None) is not there:
                return None
        if self.order is not None:
            given = self._in_order(leaves)
        for i in self.places:
            given.append(leaves[i].buffer)
        return given

    def _facts_hold(self) -> bool:
        return all(f.holds() for f, _, _, _ in self.facts)

    def _state_holds(self, given: list[Buffer], leaves: list[Tensor]) -> bool:
        recording = self.recording
        if len(given) != len(self.last) or not all(map(is_, given, self.last)):
            kinds = [(t.shape, t.dtype, t.backend) for t in self.tensors]
            if kinds != self.kinds or not all(kept.holds() for kept in self.optimizers):
                return False
            self.last = list(given)
        for kept in self.optimizers:
            if not kept.holds():
                return False
        if [owner[key] for owner, key, _ in self.counts] != self.counted or [
            b.read() for b in self.bases.values()
        ] != self.tested:
            if any(knob.read() != value for knob, value in recording.expected):
                return False
            self.counted = [owner[key] for owner, key, _ in self.counts]
            self.tested = [b.read() for b in self.bases.values()]
        return self._inputs_hold(given, leaves)

    def _inputs_hold(self, given: list[Buffer], leaves: list[Tensor]) -> bool:
        recording = self.recording
        for i, t in recording.identical:
            if leaves[i] is not t:
                return False
        for a, b in recording.aliases:
            x = leaves[a] if isinstance(a, int) else a
            y = leaves[b] if isinstance(b, int) else b
            if x.buffer is not y.buffer:
                return False
        for i in self.places:
            t = leaves[i]
            if t.requires_grad and id(t) in self.own:
                return False
            if self.inplace and not recording.aliases:
                buffer = t.buffer
                for j in self.inplace:
                    if given[j] is buffer:
                        return False
        return True

    def _in_order(self, leaves: list[Tensor]) -> list[Buffer]:
        """State where gradients are part of it."""
        given = []
        for owner, grad in self.order or ():
            t: Any = leaves[owner] if isinstance(owner, int) else owner
            given.append(t.grad.buffer if grad else t.buffer)
        return given

    # running ------------------------------------------------------------------------------------
    def run(self, given: list[Buffer], leaves: list[Tensor], again: Any) -> Any:
        """Replay, leave behind what the function would, and return what it would.

        Where the program fails at an index before it has changed anything, `again` calls the
        function itself, which raises the better error.
        """
        recording = self.recording
        numbers = [(o, k, v.read() if isinstance(v, Knob) else v) for o, k, v in recording.numbers]
        for act in recording.before:
            act()
        read = [x.read() if how == "number" else None for how, x in recording.leaves]
        try:
            made = self.runner(given, default_generator.seed, default_generator.counter)
        except IndexError as error:
            if self.harmless:
                return again()
            raise _outside(error) from None
        default_generator.counter += self.program.random_blocks
        self._leave(given, made, leaves)
        for owner, key, value in numbers:
            owner[key] = value
        for act in recording.after:
            act()
        if self.single:
            return self._tensor(0, made[0], recording.leaves[0][1])
        return self._result(made, leaves, read)

    def _leave(self, given: list[Buffer], made: list[Buffer], leaves: list[Tensor]) -> None:
        """State, gradients and counts as the function leaves them."""
        now = tick()
        for slot, at in self.replaced:
            slot.holder.buffer = made[at]
            slot.holder.version = now
        for t in self.moved:
            t.version = now
        if self.renewed:
            last = given[: len(self.tensors)] if self.order is None else list(self.last)
            for i, at in self.renewed:
                last[i] = made[at]
            self.last = last
        backend = self.backend
        for t, at, shape, dtype in self.grads:
            t.grad = Tensor(made[at], shape, dtype, backend)
        for owner in self.recording.cleared:
            (leaves[owner] if isinstance(owner, int) else owner).grad = None
        if self.counts:
            self.counted = counted = []
            for owner, key, ahead in self.counts:
                owner[key] = value = owner[key] + ahead
                counted.append(value)
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
        values, at = [], 0
        for (how, what), number in zip(self.recording.leaves, read, strict=True):
            if how == "number":
                values.append(number)
                continue
            if how == "late":
                values.append(what.read())
                continue
            if how == "output":
                values.append(self._tensor(at, made[at], what))
            else:
                values.append(leaves[what] if how == "input" else what)
            at += 1
        return self.recording.build(values)


class _Kept:
    """What of an optimizer must stay for its recording: groups, their flags, who has state."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.state, self.size = optimizer, optimizer.state, len(optimizer.state)
        groups = optimizer.param_groups
        self.groups = list(groups)
        self.flags = [
            (g, k, v)
            for g in groups
            for k, v in g.items()
            if v is None or isinstance(v, bool | str)
        ]
        self.counts = [(g["params"], len(g["params"])) for g in groups]

    def holds(self) -> bool:
        """Whether it stayed."""
        o = self.optimizer
        if o.state is not self.state or len(o.state) != self.size:
            return False
        if len(o.param_groups) != len(self.groups):
            return False
        for g, key, value in self.flags:
            if g[key] is not value:
                return False
        for g, (params, count) in zip(o.param_groups, self.counts, strict=True):
            if g["params"] is not params or len(params) != count:
                return False
        return True


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
