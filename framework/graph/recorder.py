"""The recorder: the backend contract over symbolic values, where each call is an Instruction.

So anything that runs on tensors can be recorded: a forward pass, `backward()`, an optimizer's step,
running statistics, dropout. How many results a method has is read off its annotation in the
contract; their shapes are told by the op that called it (`observe`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary

from etude.backends.base import RANDOM, Backend, Instruction, Shape, Value

from ..autograd import Node, Op, visiting
from ..creation import use_backend
from ..errors import GradError, fail
from ..ops.sampling import default_generator
from ..tensor import Tensor
from ..whereabouts import module_path
from .open_numbers import Count, open_number
from .program import Program, Slot

OWN = {"to_host", "from_host", "share", "dtype", "synchronize", "observe"}
OWN |= {"load", "arena", "in_arena", "set_threads", "release_memory"}
OWN |= {"lend", "borrow", "interface", "generated"}
CONTRACT = [n for n in dir(Backend) if not n.startswith("_") and callable(getattr(Backend, n))]


def _records(method: str) -> Callable[..., Any]:
    """A method that writes an instruction and returns as many values as the contract says."""
    contract = signature(getattr(Backend, method))
    count = str(contract.return_annotation).count("Buffer")

    def call(self: Recorder, *arguments: Any, **named: Any) -> Any:
        if named:
            bound = contract.bind(self, *arguments, **named)
            bound.apply_defaults()
            arguments = bound.args[1:]
        made = self.write(method, count, arguments)
        return made[0] if count == 1 else made if count else None

    return call


class Recorder(Backend):
    """A backend that computes nothing and remembers everything."""

    name = "recorder"

    def __init__(self) -> None:
        self.program = Program()
        self.count = 0
        self.start = default_generator.counter
        self.nodes: WeakKeyDictionary[Node, Instruction] = WeakKeyDictionary()

    for _method in CONTRACT:  # in the class body, so that the class is not abstract
        if _method not in OWN:
            vars()[_method] = _records(_method)

    def linear_grad(
        self, g: Value, x: Value, w: Value, needs: tuple[bool, bool, bool]
    ) -> tuple[Value | None, Value | None, Value | None]:
        made = iter(self.write("linear_grad", sum(needs), (g, x, w, needs)))
        gx, gw, gb = (next(made) if needed else None for needed in needs)
        return gx, gw, gb

    def scale_all(self, xs: list[Value], s: Value) -> list[Value]:
        return list(self.write("scale_all", len(xs), (xs, s)))

    def value(self, shape: Shape | None, dtype: str | None) -> Value:
        """A new value."""
        self.count += 1
        return Value(self.count - 1, shape, dtype)

    def write(self, method: str, count: int, arguments: tuple[Any, ...]) -> tuple[Value, ...]:
        """Append an instruction; its results' shapes may be known here or told later."""
        arguments = tuple(getattr(a, "knob", a) for a in arguments)
        if method in RANDOM:
            arguments = (0, arguments[1] - self.start, *arguments[2:])
        shape, dtype = _direct(method, arguments)
        outputs = tuple(self.value(shape, dtype) for _ in range(count))
        self.program.instructions.append(Instruction(method, arguments, outputs))
        return outputs

    def observe(self, op: Op, inputs: Any, outputs: tuple[Tensor, ...]) -> None:
        """Told by `apply`: which op wrote the last instruction, and what its results are."""
        instruction = self.program.instructions[-1]
        instruction.op, instruction.scope = op, module_path()
        node = visiting.get()
        instruction.forward = None if node is None else self.nodes.get(node)
        for v, t in zip(instruction.outputs, outputs, strict=True):
            v.shape, v.dtype = t.shape, t.dtype
            if t.node is not None:
                self.nodes[t.node] = instruction

    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Value:
        v = self.value(shape, dtype)
        copy = memoryview(bytes(data)).cast(data.format)  # type: ignore[call-overload]
        self.program.constants[v] = (copy, shape, dtype)
        return v

    def to_host(self, x: Value) -> memoryview:
        raise fail(
            GradError,
            "record",
            "expected a program whose course depends on no computed value, got one that reads one "
            "(item, tolist, numpy, bool or a mask as index); compute with `where` instead",
        )

    def dtype(self, x: Value) -> str:
        assert x.dtype is not None
        return x.dtype


def _direct(method: str, arguments: tuple[Any, ...]) -> tuple[Shape | None, str | None]:
    """Shape and dtype of results of the methods that are also called without an op."""
    if method in ("full", "empty"):
        return arguments[0], arguments[2] if method == "full" else arguments[1]
    if method in ("uniform", "normal", "exponential"):
        return arguments[2], arguments[3]
    if method == "random_bits":
        return (arguments[2],), "int64"
    if method in ("reshape", "cast"):
        x = arguments[0]
        return (arguments[1], x.dtype) if method == "reshape" else (x.shape, arguments[1])
    if method in ("scan", "unary", "binary"):  # by arange and optimizers; a number comes last
        x = arguments[1]
        return (x.shape, x.dtype) if isinstance(x, Value) else (None, None)
    return None, None


def record(function: Callable[..., Any], *inputs: Tensor, state: Iterable[Any] = ()) -> Program:
    """Run `function(*inputs)` once on symbolic values and return the Program that it wrote.

    Of the inputs only shapes and dtypes are used. `state` names what the function reads and changes
    besides them: modules, optimizers (after a first step, which makes their buffers) and tensors.
    Nothing is computed: parameters, gradients and the random generator are left as they were.

    Source: Griewank & Walther 2008, chapter 3. Decks: D4, whose forward pass is stored for the way
    back; a graph of modules is in D3.

    >>> import etude
    >>> from etude.framework.graph import record
    >>> program = record(lambda x: (x * x).sum(), etude.zeros(3))
    >>> print(program)
    inputs   %0: float32[3]
    %1: float32[3] = binary(name='mul', %0, %0)
    %2: float32[] = reduce(name='sum', %1, axes=(0,))
    return   %2
    """
    recorder = Recorder()  # type: ignore[abstract]
    program = recorder.program
    generator = default_generator.seed, default_generator.counter
    with _symbolic(recorder, state) as slots, use_backend(recorder):
        program.state = slots
        program.inputs = [recorder.value(t.shape, t.dtype) for t in inputs]
        arguments = [
            Tensor(v, t.shape, t.dtype, recorder).requires_grad_(t.requires_grad)
            for v, t in zip(program.inputs, inputs, strict=True)
        ]
        result = function(*arguments)
        leaves: list[Tensor] = []
        program.structure = _flatten(result, leaves)
        program.outputs = [t.buffer for t in leaves]
        program.random_blocks = default_generator.counter - recorder.start
        for slot in slots:
            slot.last = slot.tensor.buffer
            if slot.tensor.grad is not None:
                program.grads.append((slot.tensor, slot.tensor.grad.buffer))
    default_generator.seed, default_generator.counter = generator
    return program


@contextmanager
def _symbolic(recorder: Recorder, state: Iterable[Any]) -> Iterator[list[Slot]]:
    """Put symbolic values into tensors and knobs into parameter groups, until the end."""
    tensors, groups = gather(state)
    before = [(t, t.buffer, t.backend, t.grad, t.version) for _, t in tensors]
    numbers = [(g, k, v) for g in groups for k, v in g.items() if open_number(g, k) is not None]
    slots = []
    for name, t in tensors:
        v = recorder.value(t.shape, t.dtype)
        slots.append(Slot(t, name, v, v))
        t.buffer, t.backend, t.grad = v, recorder, None
    for group, key, _ in numbers:
        group[key] = open_number(group, key)
    try:
        yield slots
        recorder.program.counts = [
            group[key].knob for group, key, _ in numbers if isinstance(group[key], Count)
        ]
    finally:
        for t, buffer, backend, grad, version in before:
            t.buffer, t.backend, t.grad, t.version = buffer, backend, grad, version
        for group, key, number in numbers:
            group[key] = number


def gather(state: Iterable[Any]) -> tuple[list[tuple[str, Tensor]], list[dict[str, Any]]]:
    """Named tensors of modules, optimizers and tensors, each once; and parameter groups."""
    named: list[tuple[str, Tensor]] = []
    groups: list[dict[str, Any]] = []
    for i, part in enumerate(state):
        if isinstance(part, Tensor):
            named.append((f"tensor{i}", part))
        elif hasattr(part, "named_parameters"):
            named += [*part.named_parameters(), *part.named_buffers()]
        else:
            groups += [*part.param_groups, *part.state.values()]
            for j, p in enumerate(p for g in part.param_groups for p in g["params"]):
                named.append((f"parameter{j}", p))
                named += [
                    (f"{key}{j}", t)
                    for key, t in part.state.get(p, {}).items()
                    if isinstance(t, Tensor)
                ]
    once = {id(t): (name, t) for name, t in reversed(named)}
    return list(reversed(once.values())), groups


def _flatten(result: Any, leaves: list[Tensor]) -> Callable[[list[Any]], Any]:
    """Collect the tensors of a nested result; the returned function puts others in their places."""
    if isinstance(result, Tensor):
        leaves.append(result)
        at = len(leaves) - 1
        return lambda values: values[at]
    if isinstance(result, (tuple, list)):
        parts = [_flatten(r, leaves) for r in result]
        kind = type(result)
        return lambda values: kind(p(values) for p in parts)
    if isinstance(result, dict):
        named = {k: _flatten(r, leaves) for k, r in result.items()}
        return lambda values: {k: p(values) for k, p in named.items()}
    return lambda values: result
