"""What a recorded call left behind: read off the capture and the objects, before it is undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from etude.backends.base import Knob, Value

from ..errors import ArgumentError, fail
from ..graph.open_numbers import is_open, open_number
from ..graph.program import Program, Slot
from ..guard import came
from ..ops.sampling import default_generator
from ..tensor import Tensor
from .capture import Capture, is_late
from .structure import PLAIN, Build, take_apart

Owner = Tensor | int  # a tensor, or the place of one among the inputs


@dataclass
class Recording:
    """What one call of a function did, besides the program that it wrote."""

    program: Program
    build: Build  # puts leaves together
    inputs: list[Tensor] = field(default_factory=list)  # of the recorded call
    leaves: list[Any] = field(default_factory=list)  # (how, what) of each; see entry.py
    places: list[int] = field(default_factory=list)  # of the program's inputs among the inputs
    extras: list[tuple[str, int]] = field(default_factory=list)  # outputs after the leaves'
    cleared: list[Owner] = field(default_factory=list)  # left without a gradient
    numbers: list[tuple[Any, Any, Any]] = field(default_factory=list)  # owner, key, knob or value
    before: list[Callable[[], None]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    expected: list[tuple[Knob, Any]] = field(default_factory=list)
    present: list[tuple[Owner, bool]] = field(default_factory=list)  # gradients it depends on
    aliases: list[tuple[Owner, Owner]] = field(default_factory=list)  # with one buffer
    identical: list[tuple[int, Tensor]] = field(default_factory=list)  # inputs that are state too
    first_step: bool = False  # an optimizer made its state: good for this once only
    looked: bool = False  # at a gradient that is not there


class Before:
    """What a recording may change, as it is before, to be put back."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.generator = default_generator.seed, default_generator.counter
        found = capture.found
        known = {id(t): t for _, t in found.tensors.values()} | {
            id(t): t for t in capture.arguments
        }
        self.tensors = [(t, dict(vars(t))) for t in known.values()]
        optimizers = [o for _, o in found.optimizers.values()]
        groups = [g for o in optimizers for g in [*o.param_groups, *o.state.values()]]
        self.groups = [(g, dict(g)) for g in groups]
        self.states = [(o, dict(o.state)) for o in optimizers]
        self.modules = [(name, m, dict(vars(m))) for name, m in found.modules.values()]

    def open_up(self, absent: bool) -> None:
        """Put open numbers into the groups, and openings in the place of gradients."""
        for t, _ in self.tensors:
            if t.node is None and (t.requires_grad or t.grad is not None):
                self.capture.watch(t, absent)
        for group, before in self.groups:
            group.update({k: v for k in before if (v := open_number(group, k)) is not None})

    def undo(self) -> None:
        """Put everything back. An empty state that a step made for a parameter may stay."""
        for t, buffer, version in self.capture.touched.values():
            t.buffer, t.version = buffer, version
        for t, grad, _ in self.capture.leaves.values():
            t.grad = grad
        for t, facts in self.tensors:
            vars(t).clear()
            vars(t).update(facts)
        for group, before in self.groups:
            group.clear()
            group.update(before)
        for optimizer, state in self.states:
            empty = {p: s for p, s in optimizer.state.items() if not s and p not in state}
            optimizer.state.clear()
            optimizer.state.update({**state, **empty})
        for _, module, attributes in self.modules:
            for key, value in attributes.items():
                if isinstance(value, PLAIN) and vars(module).get(key) is not value:
                    vars(module)[key] = value
        default_generator.seed, default_generator.counter = self.generator

    def check_modes(self) -> None:
        """Raise if the function changed a mode or plain attribute of a module."""
        for name, module, attributes in self.modules:
            for key, value in attributes.items():
                now = vars(module).get(key)
                if isinstance(value, PLAIN) and not (type(now) is type(value) and now == value):
                    raise fail(
                        ArgumentError,
                        "compile",
                        f"expected a function that leaves Python's values alone, got one that "
                        f"changes {name}.{key} from {came(value)} to {came(now)}, which a replay "
                        "would not; set it outside, or keep it in a tensor (register_buffer)",
                    )


def gathered(capture: Capture, before: Before, result: Any, absent: bool) -> Recording:
    """The recording of a call that returned `result`."""
    program = capture.program
    found: list[Any] = []
    recording = Recording(program, take_apart(result, found), capture.arguments)
    recording.before, recording.after = capture.before, capture.after
    recording.expected = capture.expected
    program.random_blocks = default_generator.counter - capture.start
    program.outputs = [v for x in found if (v := _leaf(capture, recording, x)) is not None]
    program.structure = _structure(recording)
    _check_flags(before)
    _numbers(capture, before, recording)
    _inputs(capture, recording)
    _gradients(capture, recording, absent)
    _state(capture, recording)
    return recording


def _place(capture: Capture, t: Tensor) -> Owner:
    """The tensor, or its place among the inputs if that is the only way to it."""
    if id(t) not in capture.found.tensors:
        for i, x in enumerate(capture.arguments):
            if x is t:
                return i
    return t


def _leaf(capture: Capture, recording: Recording, x: Any) -> Value | None:
    """Note how a leaf of the result is found at a replay; the value if it is computed."""
    if is_open(x):
        recording.leaves.append(("late" if is_late(x.knob) else "number", x.knob))
        return None
    place = _place(capture, x)
    strangers = [r() for held in capture.holders.values() for r in held.values()]
    if isinstance(place, int):
        recording.leaves.append(("input", place))
    elif id(x) in capture.found.tensors or any(t is x for t in strangers):
        recording.leaves.append(("same", x))
    else:
        recording.leaves.append(("output", x.requires_grad))
    return _value(capture, x)


def _value(capture: Capture, t: Tensor) -> Value:
    """The value of a tensor's buffer now."""
    v: Value = capture.taken(t.buffer)
    return v


def _structure(recording: Recording) -> Build:
    """What puts the program's outputs together: numbers are in it as they were."""
    numbers = [what if how in ("number", "late") else None for how, what in recording.leaves]

    def build(values: Sequence[Any]) -> Any:
        given = iter(values)
        return recording.build([next(given) if k is None else k.read() for k in numbers])

    return build


def _check_flags(before: Before) -> None:
    for t, facts in before.tensors:
        if t.requires_grad != facts.get("requires_grad", False):
            raise fail(
                ArgumentError,
                "compile",
                f"expected a function that leaves requires_grad alone, got one that changes it "
                f"for a tensor {t.shape}; call requires_grad_() outside",
            )


def _numbers(capture: Capture, before: Before, recording: Recording) -> None:
    """The numbers of groups and states that the call changed, and state that it made."""
    for group, old in before.groups:
        for key, now in group.items():
            if key not in old:
                recording.first_step |= now is not None
            elif not _unchanged(group, key, now, old[key]):
                _changed(capture, recording, group, key, now, old[key])
    for optimizer, state in before.states:
        recording.first_step |= any(s for p, s in optimizer.state.items() if p not in state)


def _unchanged(group: Any, key: Any, now: Any, old: Any) -> bool:
    if isinstance(now, (tuple, list)) and now and all(map(is_open, now)):
        return all(x.knob.owner is group and x.knob.key == (key, i) for i, x in enumerate(now))
    if is_open(now):
        knob = now.knob
        return knob.owner is group and knob.key == key and knob.ahead == 0
    return now is old or (isinstance(now, PLAIN) and type(now) is type(old) and now == old)


def _changed(
    capture: Capture, recording: Recording, group: Any, key: Any, now: Any, old: Any
) -> None:
    if isinstance(old, Tensor) and isinstance(now, Tensor) and now.shape == old.shape:
        capture.touch(old)
        old.buffer = now.buffer
    elif is_open(now):
        knob = now.knob
        if type(knob) is Knob and knob.owner is group and knob.key == key:
            recording.program.counts.append(knob)
        else:
            recording.numbers.append((group, key, knob))
    else:
        recording.numbers.append((group, key, now))


def _inputs(capture: Capture, recording: Recording) -> None:
    """The inputs, each buffer once; those that changed are further outputs."""
    seen: dict[int, int] = {}
    values, capture.program.inputs = capture.program.inputs, []
    for i, (t, v) in enumerate(zip(capture.arguments, values, strict=True)):
        if id(t) in capture.found.tensors:
            recording.identical.append((i, t))
        elif id(v) in seen:
            recording.aliases.append((seen[id(v)], i))
        else:
            seen[id(v)] = i
            capture.program.inputs.append(v)
            recording.places.append(i)
            if id(t) in capture.touched:
                recording.extras.append(("value", i))
                capture.program.outputs.append(_value(capture, t))


def _state(capture: Capture, recording: Recording) -> None:
    """A slot for each buffer from outside, with the tensor that holds it."""
    inputs = dict(zip(map(id, capture.program.inputs), recording.places, strict=True))
    known: dict[int, list[tuple[str, Tensor]]] = {}
    for name, t in capture.found.tensors.values():
        original = capture.touched.get(id(t), (t, t.buffer, 0))[1]
        known.setdefault(id(original), []).append((name, t))
    for key, (_, v) in list(capture.raw.items()):
        holders = known.get(key, [])
        holders.sort(key=lambda named: id(named[1]) not in capture.touched)
        if id(v) in inputs:
            recording.aliases += [(inputs[id(v)], t) for _, t in holders]
            if any(id(t) in capture.touched for _, t in holders):
                raise _shared(v)
            continue
        name, t = holders[0] if holders else _stranger(capture, key, v)
        last = _value(capture, t) if id(t) in capture.touched else v
        capture.program.state.append(Slot(t, name, v, last))
        recording.aliases += [(t, other) for _, other in holders[1:]]
        if any(id(other) in capture.touched for _, other in holders[1:]):
            raise _shared(v)


def _stranger(capture: Capture, key: int, v: Value) -> tuple[str, Tensor]:
    """The tensor that was found only when it was read. Raises ArgumentError if it is gone."""
    for reference in capture.holders.get(key, {}).values():
        t = reference()
        if t is not None:
            return f"tensor{len(capture.program.state)}", t
    raise fail(
        ArgumentError,
        "compile",
        f"expected memory of tensors that the function reads, got a buffer {v.shape} of {v.dtype} "
        "whose tensor is not known; pass the tensor to compile: etude.compile(fn, state=[tensor])",
    )


def _shared(v: Value) -> Exception:
    return fail(
        ArgumentError,
        "compile",
        f"expected tensors with memory of their own, got one {v.shape} that is changed in place "
        "and shares its memory with another; pass a clone()",
    )


def _gradients(capture: Capture, recording: Recording, absent: bool) -> None:
    """What became of the gradients of leaves, and on which that were there it depends."""
    program = capture.program
    for key, (t, grad, opening) in capture.leaves.items():
        place = _place(capture, t)
        slot = capture.gradients.get(key)
        if slot is not None:
            program.state.append(slot)
            recording.looked |= grad is None
        if absent or slot is not None:
            recording.present.append((place, grad is not None))
        if t.grad is None:
            if opening is not None:
                recording.cleared.append(place)
        elif t.grad is not opening:
            v = _value(capture, t.grad)
            if isinstance(place, int):
                recording.extras.append(("grad", place))
                program.outputs.append(v)
            else:
                program.grads.append((t, v))
        elif slot is not None and opening is not None:
            slot.last = _value(capture, opening)
