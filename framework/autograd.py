"""Recording and differentiation: Op, Node, and the reverse sweep.

`apply(op, *inputs)` infers the result's shape and dtype, asks the backend for the values and, where
an input requires a gradient, leaves a Node behind. `backward` visits nodes from the newest to the
oldest, which is a topological order, and asks each op for its vector-Jacobian product. Gradient
rules are written in ops on Tensors, so with `create_graph=True` the sweep is itself recorded.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from functools import partial
from itertools import count
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Shape

from . import tensor as _tensor
from .dtypes import DType
from .errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    DTypeError,
    GradError,
    ShapeError,
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

    __slots__ = ("__weakref__", "inputs", "op", "order", "saved", "specs")

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


class _Sweep:
    """The state of one backward pass: gradients that have arrived, nodes that wait."""

    def __init__(self, targets: Sequence[Tensor] | None, create_graph: bool, retain: bool) -> None:
        self.waiting: list[tuple[int, Node]] = []
        self.arrived: dict[Node, Any] = {}
        self.create_graph, self.retain = create_graph, retain
        self.caught: dict[int, Tensor | None] | None = None
        self.wanted: dict[tuple[Node, int], int] = {}
        self.floor = 0  # older nodes lead to no target
        if targets is not None:
            self.caught = {id(t): None for t in targets}
            self.wanted = {(t.node, t.index): id(t) for t in targets if t.node is not None}
            if len(self.wanted) == len(self.caught):
                self.floor = min(node.order for node, _ in self.wanted)

    def send(self, x: Tensor, g: Tensor) -> None:
        """Deliver a gradient to a tensor: add it to a leaf's, or to its node's."""
        node = x.node
        if node is None:
            self._reach_leaf(x, g)
        elif node.order < self.floor:
            return
        elif node.op.outputs == 1:
            old = self.arrived.get(node)
            if old is None:
                heapq.heappush(self.waiting, (-node.order, node))
                self.arrived[node] = g
            else:
                self.arrived[node] = old + g
        else:
            if node not in self.arrived:
                heapq.heappush(self.waiting, (-node.order, node))
                self.arrived[node] = [None] * node.op.outputs
            slot = self.arrived[node]
            slot[x.index] = g if slot[x.index] is None else slot[x.index] + g

    def _reach_leaf(self, x: Tensor, g: Tensor) -> None:
        if self.caught is None:
            if x.grad is not None:
                g = x.grad + g
            elif not self.create_graph:
                g = _tensor.Tensor(g.buffer, g.shape, g.dtype, g.backend)
            x.grad = g
        elif id(x) in self.caught:
            old = self.caught[id(x)]
            self.caught[id(x)] = g if old is None else old + g

    def run(self) -> None:
        """Visit every waiting node, newest first: all its consumers are newer, so they are done."""
        before = visiting.get()
        try:
            self._visit_all()
        finally:
            visiting.set(before)

    def _visit_all(self) -> None:
        while self.waiting:
            node = heapq.heappop(self.waiting)[1]
            g = self.arrived.pop(node)
            if self.wanted:
                self._catch(node, g)
            inputs = node.inputs
            if inputs is None:
                raise _freed(node.op.name)
            backend = common_backend(node.op.name, inputs)
            if backend.observe is not None:
                visiting.set(node)
            gradients = self._vjp(node, g, inputs, backend)
            for x, gx in zip(inputs, gradients, strict=True):
                if gx is not None and x.requires_grad:
                    if gx.shape != x.shape:
                        raise _bad_vjp(node.op.name, gx.shape, x.shape)
                    self.send(x, gx)
            if not self.retain:
                node.inputs = node.saved = None

    def _catch(self, node: Node, g: Any) -> None:
        for index in range(node.op.outputs):
            if (node, index) in self.wanted and self.caught is not None:
                part = g if node.op.outputs == 1 else g[index]
                self.caught[self.wanted[node, index]] = part

    def _vjp(
        self, node: Node, g: Any, inputs: tuple[Any, ...], backend: Backend
    ) -> Sequence[Tensor | None]:
        for x in inputs:
            if getattr(x, "version", 0) > node.order:
                raise _changed(node.op.name, x.shape)
        if self.create_graph and node.op.composition is not None:
            return _through_composition(node, g, inputs)
        y = _outputs(node, self.create_graph, backend) if node.op.keeps_output else None
        if node.op.outputs > 1:
            g = tuple(map(partial(_filled, backend), g, node.specs))
        return node.op.vjp(g, y, *inputs)


def _filled(backend: Backend, g: Tensor | None, spec: Spec) -> Tensor | None:
    """Zeros for an output through which no gradient came; None for one that has none."""
    if g is not None or not spec[1].is_floating_point:
        return g
    return _tensor.Tensor(backend.full(spec[0], 0, spec[1]), spec[0], spec[1], backend)


def _outputs(node: Node, attach: bool, backend: Backend) -> Any:
    """The outputs that the op kept, as Tensors; with their node if the sweep is recorded."""
    single = node.op.outputs == 1
    specs = [node.specs] if single else node.specs
    buffers = [node.saved] if single else node.saved
    outs = []
    for index, (buffer, (shape, dtype)) in enumerate(zip(buffers, specs, strict=True)):
        y = _tensor.Tensor(buffer, shape, dtype, backend)
        if attach and dtype.is_floating_point:
            y.requires_grad, y.node, y.index = True, node, index
        outs.append(y)
    return outs[0] if single else tuple(outs)


def _through_composition(node: Node, g: Any, inputs: tuple[Any, ...]) -> list[Tensor | None]:
    """Differentiate the op's composition, which can be differentiated again."""
    assert node.op.composition is not None
    aliases = [x.view_as(x) if needs(x) else x for x in inputs]
    y = node.op.composition(*aliases)
    outs, gs = ([y], [g]) if node.op.outputs == 1 else (list(y), list(g))
    used = [(o, p) for o, p in zip(outs, gs, strict=True) if p is not None and o.requires_grad]
    wanted = [a for a in aliases if needs(a)]
    found = iter(
        grad(
            [o for o, _ in used], wanted, [p for _, p in used], create_graph=True, allow_unused=True
        )
    )
    return [next(found) if needs(a) else None for a in aliases]


def _freed(op: str) -> GradError:
    return GradError(
        f"[backward] expected a fresh graph, got one through {op!r} that was used and freed; "
        "call the first backward with retain_graph=True, or run the forward pass again"
    )


def _changed(op: str, shape: Shape) -> GradError:
    return GradError(
        f"[backward] expected the inputs that {op!r} used, got one {shape} changed in place since; "
        "run the forward pass again, or change a copy (x.clone())"
    )


def _bad_vjp(op: str, got: Shape, expected: Shape) -> ShapeError:
    return ShapeError(
        f"[{op}] expected a gradient {expected} from its rule, got {got}; fix the op's vjp"
    )


def _start(op: str, tensors: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> list[Tensor]:
    """Check the tensors that a sweep starts from, and fill in ones for missing gradients."""
    seeds = []
    for t, g in zip(tensors, gradients, strict=True):
        if not t.requires_grad:
            raise fail(
                GradError,
                op,
                f"expected a result of recorded ops, got a tensor {t.shape} without a graph; "
                "set requires_grad=True on an input, and leave no_grad()",
            )
        if g is None:
            if prod(t.shape) != 1:
                raise fail(
                    GradError,
                    op,
                    f"expected a scalar, got a tensor {t.shape}; "
                    "reduce it with .sum() or .mean(), or pass a gradient of its shape",
                )
            buffer = t.backend.full(t.shape, 1.0, t.dtype)
            g = _tensor.Tensor(buffer, t.shape, t.dtype, t.backend)
        elif g.shape != t.shape or g.dtype is not t.dtype:
            raise fail(
                ShapeError if g.shape != t.shape else DTypeError,
                op,
                f"expected a gradient {t.shape} of {t.dtype} like the result, "
                f"got {g.shape} of {g.dtype}; make it with etude.ones_like(result)",
            )
        else:
            common_backend(op, (t, g))
        seeds.append(g)
    return seeds


def backward(
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add d(sum(gradient * tensor))/d(leaf) to every leaf's `.grad`."""
    sweep = _Sweep(None, create_graph, create_graph if retain_graph is None else retain_graph)
    (seed,) = _start("backward", [tensor], [gradient])
    with set_grad_enabled(create_graph):
        sweep.send(tensor, seed)
        sweep.run()


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of sum(outputs * grad_outputs) for `inputs`, leaving every `.grad` alone.

    Raises GradError if an input took no part, unless `allow_unused` (then None stands for it).
    """
    outs = [outputs] if isinstance(outputs, _tensor.Tensor) else list(outputs)
    ins = [inputs] if isinstance(inputs, _tensor.Tensor) else list(inputs)
    gs = (
        [grad_outputs]
        if isinstance(grad_outputs, _tensor.Tensor)
        else ([None] * len(outs) if grad_outputs is None else list(grad_outputs))
    )
    if not ins or len(gs) != len(outs):
        raise fail(
            ArgumentError,
            "grad",
            f"expected inputs, and a grad_output for each of {len(outs)} outputs, "
            f"got {len(ins)} inputs and {len(gs)} grad_outputs; pass None for ones",
        )
    for t in ins:
        if not t.requires_grad:
            raise fail(
                GradError,
                "grad",
                f"expected inputs that require grad, got a tensor {t.shape} that does not; "
                "call requires_grad_() on it before the forward pass",
            )
    sweep = _Sweep(ins, create_graph, create_graph if retain_graph is None else retain_graph)
    seeds = _start("grad", outs, gs)
    with set_grad_enabled(create_graph):
        for t, g in zip(outs, seeds, strict=True):
            sweep.send(t, g)
        sweep.run()
    assert sweep.caught is not None
    found = tuple(sweep.caught[id(t)] for t in ins)
    unused = sum(g is None for g in found)
    if unused and not allow_unused:
        raise fail(
            GradError,
            "grad",
            f"expected inputs that the outputs depend on, got {unused} that took no part; "
            "pass allow_unused=True to get None for them",
        )
    return found
