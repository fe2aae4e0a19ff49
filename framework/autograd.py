"""Recording: Op, Node, and whether operations are recorded.

`apply(op, *inputs)` infers the result's shape and dtype, asks the backend for the values and, where
an input requires a gradient, leaves a Node behind. sweep.py differentiates what was recorded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from itertools import count
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Shape

from . import tensor as _tensor
from .dtypes import DType
from .errors import (
    BackendMismatch,
    CallError,
    EtudeError,
    GradError,
    fail,
)

if TYPE_CHECKING:
    from .tensor import Tensor

Spec = tuple[Shape, DType]

recording: ContextVar[bool] = ContextVar("recording", default=True)
visiting: ContextVar[Node | None] = ContextVar("visiting", default=None)  # while it is observed
tick = count(1).__next__  # one clock orders nodes and in-place writes


class set_grad_enabled(ContextDecorator):
    """Record the graph inside this context or decorated function, or do not."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self.tokens.append(recording.set(self.mode))

    def __exit__(self, *_: object) -> None:
        recording.reset(self.tokens.pop())

    def _recreate_cm(self) -> set_grad_enabled:
        return set_grad_enabled(self.mode)  # threads may call a decorated function at once


class no_grad(set_grad_enabled):
    """Do not record: results do not require gradients."""

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(set_grad_enabled):
    """Record again inside a `no_grad` context."""

    def __init__(self) -> None:
        super().__init__(True)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded."""
    return recording.get()


class Op(ABC):
    """One operation: its checks, its value, its gradient and its cost.

    An instance holds the attributes (axes, strides, ...). Inputs are Tensors or plain numbers.
    """

    name: str
    outputs = 1
    auxiliary = 0  # how many of the outputs, at the end, are constants to the graph
    keeps_output = False  # vjp reads y
    composition: Callable[..., Any] | None = None  # the same in differentiable ops, if vjp is fused

    @abstractmethod
    def infer(self, *inputs: Any) -> Any:
        """(shape, dtype) of the result, or a tuple of them for several outputs; all validation."""

    @abstractmethod
    def forward(self, backend: Backend, *buffers: Any) -> Any:
        """The value: one backend call."""

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Sequence[Tensor | None]:
        """The gradient of sum(g * y) for each input, or None.

        g and y are tuples if outputs > 1; auxiliary outputs have None in g.
        """
        raise fail(
            GradError,
            self.name,
            "expected an op with a gradient, got one without; detach() its input if that is meant",
        )

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        """Floating-point operations: by default one for each element of the result."""
        return sum(prod(shape) for shape, _ in outputs)

    def bytes(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        """Bytes read and written if each array is touched once."""
        return sum(prod(shape) * dtype.itemsize for shape, dtype in (*inputs, *outputs))


class Node:
    """One recorded application of an op."""

    __slots__ = ("__weakref__", "hooks", "inputs", "op", "order", "saved", "specs")
    hooks: dict[int, dict[Any, Callable[..., Any]]]  # by output; there once one is registered

    def __init__(self, op: Op, inputs: tuple[Any, ...], order: int, saved: Any, specs: Any) -> None:
        self.op = op
        self.inputs: tuple[Any, ...] | None = inputs  # None once freed
        self.order = order
        self.saved = saved  # the output buffers, if the op keeps them
        self.specs = specs


def needs(x: Any) -> bool:
    """Whether a vjp must give a gradient for this input."""
    return getattr(x, "requires_grad", False)


def common_backend(op: str, inputs: Sequence[Any]) -> Backend:
    """The backend that all Tensors among the inputs share."""
    return _unpacked(op, inputs)[0]


def _unpacked(op: str, inputs: Sequence[Any]) -> tuple[Backend, list[Any], bool]:
    """The common backend, buffers in the place of Tensors, and whether one requires a gradient."""
    backend: Backend | None = None
    buffers, wanted = [], False
    for x in inputs:
        if not isinstance(x, _tensor.Tensor):
            buffers.append(x)
            continue
        if backend is None:
            backend = x.backend
        elif x.backend is not backend:
            raise _mismatch(op, backend, x.backend)
        buffers.append(x.buffer)
        wanted = wanted or x.requires_grad
    if backend is None:
        raise fail(CallError, op, "expected a Tensor, got none; make one with etude.tensor(...)")
    return backend, buffers, wanted


def _mismatch(op: str, backend: Backend, other: Backend) -> EtudeError:
    return fail(
        BackendMismatch,
        op,
        f"expected tensors on one backend, got {backend.name!r} and {other.name!r}; "
        f"move one with .to({backend.name!r})",
    )


def apply(op: Op, *inputs: Any) -> Tensor:
    """Run an op with one output and record it if an input requires a gradient."""
    backend, buffers, wanted = _unpacked(op.name, inputs)
    shape, dtype = spec = op.infer(*inputs)
    buffer = op.forward(backend, *buffers)
    out = _tensor.Tensor(buffer, shape, dtype, backend)
    if wanted and recording.get() and dtype.is_floating_point:
        out.requires_grad = True
        out.node = Node(op, inputs, tick(), buffer if op.keeps_output else None, spec)
    if backend.observe is not None:
        backend.observe(op, inputs, (out,))
    return out


def apply_multi(op: Op, *inputs: Any) -> tuple[Tensor, ...]:
    """`apply` for an op with several outputs: Tensors, or None where the backend gave None."""
    backend, buffers, wanted = _unpacked(op.name, inputs)
    specs = op.infer(*inputs)
    made = op.forward(backend, *buffers)
    outs: tuple[Any, ...] = tuple(
        [
            None if b is None else _tensor.Tensor(b, shape, dtype, backend)
            for b, (shape, dtype) in zip(made, specs, strict=True)
        ]
    )
    if wanted and recording.get():
        node = Node(op, inputs, tick(), made if op.keeps_output else None, specs)
        for index, out in enumerate(outs[: op.outputs - op.auxiliary]):
            if out is not None and out.dtype.is_floating_point:
                out.requires_grad, out.node, out.index = True, node, index
    if backend.observe is not None:
        backend.observe(op, inputs, tuple([out for out in outs if out is not None]))
    return outs
