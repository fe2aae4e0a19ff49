"""The recorder of `etude.compile`: it takes what a function reads in as it is read.

Every call of the backend comes here (shadow.py). An argument is a value of this recording or a raw
buffer from before it; the tensor that holds such a buffer becomes state of the program, whether
discover.py found it or not. What a program cannot do is refused with the line that asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

from etude.backends.base import RANDOM, Backend, Buffer, Formula, Knob, Value
from etude.backends.registry import loaded

from ..autograd import recording
from ..dtypes import DTYPES
from ..errors import ArgumentError, BackendMismatch, EtudeError, GradError, fail
from ..graph.open_numbers import opened, plain
from ..graph.program import Slot
from ..graph.recorder import CONTRACT, OWN, Recorder
from ..ops.sampling import default_generator
from ..tensor import Tensor
from ..whereabouts import site
from .discover import Found

READERS = {  # functions of the core that read values, and what a user would call that
    "nonzero": ("a bool mask as index", "choose with where(mask, a, b), or multiply by the mask"),
    "tensor_repr": ("print", "print the result outside the compiled function"),
    "__bool__": ("a branch on a value", "choose with where(condition, a, b)"),
    "__contains__": ("a branch on a value", "choose with where(condition, a, b)"),
    "numpy_view": ("numpy()", "return the tensor and convert it outside"),
    "tolist": ("tolist()", "return the tensor and read it outside"),
    "item": ("item()", "return the tensor and read it outside"),
}


class Late(Knob):
    """A learning rate that a schedule sets after the program has run."""


class Opening(Tensor):
    """The gradient that a parameter has when the function begins, made out if anyone looks.

    If nobody does (`zero_grad` comes first) the program does not depend on there being one.
    """

    def __init__(self, capture: Capture, of: Tensor) -> None:
        self.capture, self.of = capture, of

    def __getattr__(self, name: str) -> Any:
        if name not in ("buffer", "shape", "dtype", "backend"):
            raise AttributeError(name)
        self.shape, self.dtype, self.backend = self.of.shape, self.of.dtype, self.of.backend
        self.buffer = self.capture.given_gradient(self.of)
        return self.__dict__[name]


class Capture(Recorder):
    """Records one call of a function."""

    def __init__(self, backend: Backend, found: Found, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.backend, self.found, self.arguments = backend, found, list(inputs)
        self.plain_dtype, self.kind = backend.dtype, type(backend.empty((), "float32"))
        self.seed = default_generator.seed
        self.raw: dict[int, tuple[Buffer, Value]] = {}
        self.holders: dict[int, dict[int, ref[Tensor]]] = {}
        self.touched: dict[int, tuple[Tensor, Buffer, int]] = {}
        self.leaves: dict[int, tuple[Tensor, Tensor | None, Opening | None]] = {}
        self.gradients: dict[int, Slot] = {}
        self.made: list[Any] = []  # optimizers
        self.before: list[Callable[[], None]] = []
        self.after: list[Callable[[], None]] = []
        self.expected: list[tuple[Knob, Any]] = []
        self.results: list[tuple[Any, str, int]] = []
        for t in self.arguments:
            v = self.value_of(t.buffer)
            self.program.inputs.append(v)
            self.hold(t)

    # what comes in ------------------------------------------------------------------------------
    def value_of(self, buffer: Buffer) -> Value:
        """The value for a raw buffer."""
        known = self.raw.get(id(buffer))
        if known is None:
            v = self.value(tuple(buffer.shape), DTYPES[self.plain_dtype(buffer)])
            known = self.raw[id(buffer)] = buffer, v
        return known[1]

    def hold(self, t: Tensor) -> None:
        """Remember that a tensor from outside has a raw buffer."""
        holders = self.holders.setdefault(id(t.buffer), {})
        if id(t) not in holders or holders[id(t)]() is not t:
            holders[id(t)] = ref(t)
            if t.node is not None and t.requires_grad and recording.get():
                raise self.error(
                    GradError,
                    f"expected tensors outside the graph, got one {t.shape} that was computed "
                    "before by recorded ops",
                    "compute it inside the function, or pass x.detach()",
                )

    def watch(self, t: Tensor, absent: bool) -> None:
        """Follow the gradient of a leaf; with `absent` as it is, None included."""
        if id(t) not in self.leaves:
            opening = None if t.grad is None and absent else Opening(self, t)
            self.leaves[id(t)] = t, t.grad, opening
            t.grad = opening

    def given_gradient(self, t: Tensor) -> Value:
        """The value of a gradient that was there before."""
        v = self.value(t.shape, t.dtype)
        name = self.found.tensors.get(id(t), ("a tensor", t))[0]
        self.gradients[id(t)] = Slot(t, f"gradient of {name}", v, v, True)
        return v

    def taken(self, argument: Any) -> Any:
        """An argument of the backend's with values for raw buffers."""
        if type(argument) is self.kind:
            return self.value_of(argument)
        if isinstance(argument, (list, tuple)) and any(type(a) is self.kind for a in argument):
            return [self.taken(a) for a in argument]
        return argument

    def write(self, method: str, count: int, arguments: tuple[Any, ...]) -> tuple[Value, ...]:
        arguments = tuple([self.taken(getattr(a, "knob", a)) for a in arguments])
        if method in RANDOM and not (
            arguments[0] == self.seed
            and self.start <= arguments[1] <= default_generator.counter
            and default_generator.seed == self.seed
        ):
            raise self.error(
                ArgumentError,
                "expected random numbers of the default generator as it stands, got a generator "
                "of its own or a seed",
                "call manual_seed outside, or draw outside and pass the numbers in",
            )
        if any(is_late(a) for a in arguments):
            raise self.error(
                ArgumentError,
                "expected one learning rate in a call, got an optimizer's step after a "
                "schedule's that followed another step",
                "compile the two halves as functions of their own",
            )
        return super().write(method, count, arguments)

    def observe(self, op: Any, inputs: Any, outputs: tuple[Tensor, ...]) -> None:
        for x in inputs:
            if isinstance(x, Tensor) and type(x.buffer) is self.kind:
                self.hold(x)
                if x.requires_grad and x.node is None:
                    self.watch(x, False)
        super().observe(op, inputs, outputs)
        place = site()
        for t in outputs:
            self.results.append((ref(t), place.file, place.line))

    def dtype(self, x: Any) -> str:
        return super().dtype(x) if type(x) is Value else self.plain_dtype(x)

    def share(self, data: memoryview, shape: Any, dtype: str) -> Value:
        return self.from_host(data, shape, dtype)

    # what the core tells besides ----------------------------------------------------------------
    def touch(self, t: Tensor) -> None:
        """Told before a tensor gets another buffer."""
        if type(t.buffer) is self.kind and id(t) not in self.touched:
            self.value_of(t.buffer)
            self.hold(t)
            self.touched[id(t)] = t, t.buffer, t.version

    def made_inside(self, optimizer: Any) -> None:
        """Told of an optimizer that the function itself makes."""
        self.made.append(optimizer)

    def meet(self, optimizer: Any) -> None:
        """Told before an optimizer's step."""
        known = id(optimizer) in self.found.optimizers
        if not known and not any(o is optimizer for o in self.made):
            raise self.error(
                ArgumentError,
                f"expected optimizers that the function's closure or globals name, got a step of "
                f"one that it reaches in another way ({type(optimizer).__name__})",
                "pass it to compile: etude.compile(fn, state=[optimizer])",
            )

    def defer(self, schedule: Any) -> bool:
        """Told before a schedule's step, which is made beside the program at each run."""
        groups = schedule.optimizer.param_groups
        rates = {id(g) for g in groups}
        used = any(
            isinstance(a, Knob) and uses(a, rates)
            for i in self.program.instructions
            for a in i.arguments
        )
        (self.after if used else self.before).append(schedule.step)
        if used:
            for g in groups:
                g["lr"] = opened(plain(g["lr"]), Late(g, "lr"))
        return True

    def expect(self, formula: Formula, value: Any) -> None:
        """Told of a test of an open number: the recording holds while it comes out the same."""
        self.expected.append((formula, value))

    # what cannot be recorded --------------------------------------------------------------------
    def error(self, kind: type[EtudeError], what: str, fix: str) -> EtudeError:
        """An error that names the line of the user's that was running."""
        return fail(kind, "compile", f"{what}, at {site()}; {fix}")

    def to_host(self, x: Any) -> memoryview:
        what, fix = reader()
        raise self.error(
            GradError,
            "expected a function whose course depends on no computed value, got one that reads a "
            f"value ({what})",
            fix,
        )

    def elsewhere(self, name: str) -> Callable[..., Any]:
        """What stands in for the methods of the other backends."""

        def call(*_: Any, **__: Any) -> Any:
            raise self.error(
                BackendMismatch,
                f"expected a function on one backend, got calls of {self.backend.name!r} and "
                f"{name!r}",
                f"make tensors with backend=x.backend or inside use_backend({self.backend.name!r})",
            )

        return call

    def routes(self) -> dict[str, Callable[..., Any]]:
        """The methods that the backend's are led to."""
        names = {*CONTRACT} - OWN | {"to_host", "from_host", "share", "dtype", "observe"}
        return {name: getattr(self, name) for name in names}

    def others(self) -> list[tuple[Backend, dict[str, Callable[..., Any]]]]:
        """The other backends, with what their methods are led to."""
        names = {*CONTRACT} - OWN | {"to_host", "from_host", "share"}
        return [
            (b, {name: self.elsewhere(b.name) for name in names})
            for b in loaded()
            if b is not self.backend
        ]


def is_late(a: Any) -> bool:
    """Whether a knob reads what a schedule sets after the run."""
    if isinstance(a, Formula):
        return any(map(is_late, a.parts))
    return isinstance(a, Late)


def uses(knob: Knob, owners: set[int]) -> bool:
    """Whether a knob reads the learning rate of one of these groups."""
    if isinstance(knob, Formula):
        return any(isinstance(p, Knob) and uses(p, owners) for p in knob.parts)
    return id(knob.owner) in owners and knob.key == "lr"


def reader() -> tuple[str, str]:
    """What reads a value just now, in the user's words, and the way out."""
    found = "item() or the like", "return the tensor and read it outside"
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("etude."):
        found = READERS.get(frame.f_code.co_name, found)
        frame = frame.f_back
    return found
