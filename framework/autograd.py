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
    keeps_output = False  # vjp reads y
    composition: Callable[..., Any] | None = None  # the same in differentiable ops, if vjp is fused

    @abstractmethod
    def infer(self, *inputs: Any) -> Any:
        """(shape, dtype) of the result, or a tuple of them for several outputs; all validation."""

    @abstractmethod
    def forward(self, backend: Backend, *buffers: Any) -> Any:
        """The value: one backend call."""

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Sequence[Tensor | None]:
        """The gradient of sum(g * y) for each input, or None. g and y are tuples if outputs > 1."""
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
    backend: Backend | None = None
    for x in inputs:
        other = getattr(x, "backend", None)
        if other is None or other is backend:
            continue
        if backend is not None:
            raise fail(
                BackendMismatch,
                op,
                f"expected tensors on one backend, got {backend.name!r} and {other.name!r}; "
                f"move one with .to({backend.name!r})",
            )
        backend = other
    if backend is None:
        raise fail(CallError, op, "expected a Tensor, got none; make one with etude.tensor(...)")
    return backend


def apply(op: Op, *inputs: Any) -> Tensor:
    """Run an op with one output and record it if an input requires a gradient."""
    backend = common_backend(op.name, inputs)
    spec = op.infer(*inputs)
    buffer = op.forward(backend, *[getattr(x, "buffer", x) for x in inputs])
    out = _tensor.Tensor(buffer, spec[0], spec[1], backend)
    if recording.get() and spec[1].is_floating_point and any(map(needs, inputs)):
        out.requires_grad = True
        out.node = Node(op, inputs, tick(), buffer if op.keeps_output else None, spec)
    if backend.observe is not None:
        backend.observe(op, inputs, (out,))
    return out


def apply_multi(op: Op, *inputs: Any) -> tuple[Tensor, ...]:
    """`apply` for an op with several outputs."""
    backend = common_backend(op.name, inputs)
    specs = op.infer(*inputs)
    buffers = op.forward(backend, *[getattr(x, "buffer", x) for x in inputs])
    outs = tuple(
        _tensor.Tensor(b, shape, dtype, backend)
        for b, (shape, dtype) in zip(buffers, specs, strict=True)
    )
    if any(map(needs, inputs)) and recording.get():
        node = Node(op, inputs, tick(), buffers if op.keeps_output else None, specs)
        for index, out in enumerate(outs):
            if out.dtype.is_floating_point:
                out.requires_grad, out.node, out.index = True, node, index
    if backend.observe is not None:
        backend.observe(op, inputs, outs)
    return outs
