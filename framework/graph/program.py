"""A Program: a flat list of backend calls over numbered values, and what it reads and leaves.

It prints, counts its cost, and runs again on any backend. Running it makes the same backend calls
as eager execution did, on the same values, so the results are equal to the bit.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Instruction, Knob, Plan, Shape, Value

from ..autograd import tick
from ..dtypes import DTYPES, DType
from ..errors import ArgumentError, BackendMismatch, ShapeError, fail
from ..ops.sampling import default_generator
from . import cost

if TYPE_CHECKING:
    from ..tensor import Tensor


def nbytes(v: Value) -> int:
    """Bytes that a value takes."""
    shape, dtype = spec(v)
    return prod(shape) * dtype.itemsize


def spec(v: Value) -> tuple[Shape, DType]:
    """(shape, dtype) of a value."""
    assert v.shape is not None
    assert v.dtype is not None
    return v.shape, DTYPES[v.dtype]


def flops(instruction: Instruction) -> int:
    """Floating-point operations of one instruction; see cost.py."""
    made = [spec(v)[0] for v in instruction.results]
    return cost.operations(instruction.method, instruction.arguments, made)


def multiply_adds(instruction: Instruction) -> int:
    """Multiply-adds of one instruction's convolution or product; see cost.py."""
    made = [spec(v)[0] for v in instruction.results]
    return cost.multiply_adds(instruction.method, instruction.arguments, made)


def traffic(instruction: Instruction) -> int:
    """Bytes read and written if every array is touched once; a reshape touches none."""
    if instruction.method == "reshape":
        return 0
    return sum(nbytes(v) for v in (*instruction.inputs, *instruction.outputs))


def show(instruction: Instruction) -> str:
    """One line: results, method, arguments by name, and the module behind it."""
    names = list(inspect.signature(getattr(Backend, instruction.method)).parameters)[1:]
    shown = []
    for name, a in zip(names, instruction.arguments, strict=False):
        parts = a if isinstance(a, (tuple, list)) and a else (a,)
        values = all(isinstance(v, Value) for v in parts)
        shown.append(repr(a) if values else f"{name}={a!r}")
    call = f"{instruction.method}({', '.join(shown)})"
    left = ", ".join(map(declared, instruction.outputs))
    line = f"{left} = {call}" if left else call
    return f"{line}  # {instruction.scope}" if instruction.scope else line


def declared(v: Value) -> str:
    """A value with its type: %3: float32[2, 5]."""
    return f"{v!r}: {v.dtype}{list(v.shape or ())}"


@dataclass
class Slot:
    """A tensor outside the program that it reads (`first`) and may leave changed (`last`).

    With `grad` it is the gradient that the tensor has when a run begins.
    """

    tensor: Tensor
    name: str
    first: Value
    last: Value
    grad: bool = False

    @property
    def holder(self) -> Tensor:
        """What has the buffer now."""
        return self.tensor.grad if self.grad else self.tensor  # type: ignore[return-value]


@dataclass
class Program:
    """What `record` returns."""

    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    state: list[Slot] = field(default_factory=list)
    grads: list[tuple[Tensor, Value]] = field(default_factory=list)
    constants: dict[Value, tuple[memoryview, Shape, str]] = field(default_factory=dict)
    instructions: list[Instruction] = field(default_factory=list)
    counts: list[Knob] = field(default_factory=list)  # what one run adds `ahead` to
    random_blocks: int = 0  # how far one run moves the random generator
    structure: Any = None  # rebuilds what the function returned from the list of outputs
    plan: Plan | None = None  # where values lie that live only inside a run
    lanes: frozenset[Value] = frozenset()  # batches that may lie side by side in memory

    def __str__(self) -> str:
        lines = [f"inputs   {', '.join(map(declared, self.inputs))}"]
        lines += [f"state    {declared(s.first)} {s.name}" for s in self.state]
        lines += [f"constant {declared(v)}" for v in self.constants]
        lines += [show(i) for i in self.instructions]
        lines += [f"keep     {s.last!r} as {s.name}" for s in self.changed]
        lines += [f"return   {', '.join(map(repr, self.outputs))}"]
        return "\n".join(lines)

    # what a run is given and gives back --------------------------------------------------------
    @property
    def reads(self) -> list[Value]:
        """What a run is given, in order: state, then inputs."""
        return [*(s.first for s in self.state), *self.inputs]

    @property
    def changed(self) -> list[Slot]:
        """The state that has another buffer after a run."""
        return [s for s in self.state if s.last is not s.first]

    @property
    def returns(self) -> list[Value]:
        """What a run gives back, in order: outputs, changed state, gradients."""
        return [*self.outputs, *(s.last for s in self.changed), *(g for _, g in self.grads)]

    # cost ---------------------------------------------------------------------------------------
    @property
    def flops(self) -> int:
        """Floating-point operations of one run; a multiply-add counts as two."""
        return sum(flops(i) for i in self.instructions)

    @property
    def bytes(self) -> int:
        """Bytes read and written by one run if every array is touched once by each instruction."""
        return sum(traffic(i) for i in self.instructions)

    @property
    def state_bytes(self) -> int:
        """Bytes of the parameters and other tensors that live outside."""
        return sum(nbytes(s.first) for s in self.state)

    def peak_memory(self) -> int:
        """The most bytes that inputs, constants and results take at once, freed after last use."""
        from .lives import peak

        return peak(self)

    # running ------------------------------------------------------------------------------------
    def __call__(self, *inputs: Tensor) -> Any:
        """Run on the backend of the inputs (or of the state), and return what the function did."""
        from ..tensor import Tensor

        backend = self._check(inputs)
        given = [t.buffer for t in (*(s.holder for s in self.state), *inputs)]
        made = backend.load(self)(given, default_generator.seed, default_generator.counter)
        default_generator.counter += self.random_blocks
        found = dict(zip(self.returns, made, strict=True))

        def tensor(v: Value) -> Tensor:
            shape, dtype = spec(v)
            return Tensor(found[v], shape, dtype, backend)

        for slot in self.state:
            slot.holder.buffer = found.get(slot.last, slot.holder.buffer)
            slot.holder.version = tick()
        for count in self.counts:
            count.owner[count.key] += count.ahead
        for parameter, v in self.grads:
            parameter.grad = tensor(v)
        results = [tensor(v) for v in self.outputs]
        return self.structure(results) if self.structure is not None else results

    def _check(self, inputs: tuple[Tensor, ...]) -> Backend:
        if len(inputs) != len(self.inputs):
            raise fail(
                ArgumentError,
                "program",
                f"expected {len(self.inputs)} inputs, as when it was recorded, got {len(inputs)}; "
                "pass them in the same order",
            )
        backend: Backend | None = None
        for t in (*inputs, *(s.tensor for s in self.state)):
            if backend is not None and t.backend is not backend:
                raise fail(
                    BackendMismatch,
                    "program",
                    f"inputs and state are on {backend.name!r} and {t.backend.name!r}, expected "
                    f"one; move the inputs with .to({t.backend.name!r})",
                )
            backend = t.backend
        for v, t in zip(self.inputs, inputs, strict=True):
            if (t.shape, t.dtype) != spec(v):
                raise fail(
                    ShapeError,
                    "program",
                    f"expected an input {v.dtype} {v.shape}, as when it was recorded, got "
                    f"{t.dtype} {t.shape}; record again for another shape",
                )
        if backend is None:
            raise fail(
                ArgumentError,
                "program",
                "expected inputs or state that tell the backend, got none; record with an input",
            )
        return backend

    def steps(self) -> Iterator[tuple[Instruction, list[Value]]]:
        """Each instruction with the values that nothing reads after it."""
        last: dict[Value, int] = {}
        for at, instruction in enumerate(self.instructions):
            for v in (*instruction.inputs, *instruction.outputs):
                last[v] = at
        kept = {*self.returns, *(s.first for s in self.state)}
        ends: list[list[Value]] = [[] for _ in self.instructions]
        for v, at in last.items():
            if v not in kept:
                ends[at].append(v)
        yield from zip(self.instructions, ends, strict=True)
