"""The reverse sweep: `backward` and `grad`.

Nodes are visited from the newest to the oldest, which is a topological order, and each op is asked
for its vector-Jacobian product. Gradient rules are written in ops on Tensors, so with
`create_graph=True` the sweep is itself recorded.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, Shape

from . import tensor as _tensor
from .autograd import Node, Spec, common_backend, needs, set_grad_enabled, visiting
from .errors import ArgumentError, DTypeError, GradError, ShapeError, fail
from .hooks import Handle, Hook

if TYPE_CHECKING:
    from .tensor import Tensor


def register_hook(t: Tensor, hook: Hook) -> Handle:
    """Call hook(gradient) when the whole gradient of `t` is known; what it returns replaces it."""
    if not t.requires_grad:
        raise fail(
            GradError,
            "register_hook",
            f"expected a tensor that requires grad, got one {t.shape} that does not; "
            "call requires_grad_() on it first",
        )
    if t.node is not None:
        if not hasattr(t.node, "hooks"):
            t.node.hooks = {}
        return Handle(t.node.hooks.setdefault(t.index, {}), hook)
    if t.hooks is None:
        t.hooks = {}
    return Handle(t.hooks, hook)


def _hooked(hooks: dict[Handle, Hook], g: Tensor) -> Tensor:
    for hook in list(hooks.values()):
        changed = hook(g)
        if changed is None:
            continue
        if not isinstance(changed, _tensor.Tensor) or changed.shape != g.shape:
            came = getattr(changed, "shape", type(changed).__name__)
            raise fail(
                ShapeError,
                "register_hook",
                f"expected a hook to return None or a gradient {g.shape}, got {came}; "
                "return a tensor of that shape",
            )
        g = changed
    return g


class _Sweep:
    """The state of one backward pass: gradients that have arrived, nodes that wait."""

    def __init__(self, targets: Sequence[Tensor] | None, create_graph: bool, retain: bool) -> None:
        self.waiting: list[tuple[int, Node]] = []
        self.arrived: dict[Node, Any] = {}
        self.create_graph, self.retain = create_graph, retain
        self.caught: dict[int, Tensor | None] | None = None
        self.wanted: dict[tuple[Node, int], int] = {}
        self.floor = 0  # older nodes lead to no target
        self.late: dict[int, tuple[Tensor, Tensor]] = {}  # leaves whose hooks wait for all
        if targets is not None:
            self.caught = {id(t): None for t in targets}
            self.wanted = {(t.node, t.index): id(t) for t in targets if t.node is not None}
            if len(self.wanted) == len(self.caught):
                self.floor = min(node.order for node, _ in self.wanted)

    def send(self, x: Tensor, g: Tensor) -> None:
        """Deliver a gradient to a tensor: add it to a leaf's, or to its node's."""
        node = x.node
        if node is None:
            if x.hooks:
                old = self.late.get(id(x))
                self.late[id(x)] = (x, g if old is None else old[1] + g)
            else:
                self._deliver(x, g)
        elif node.order < self.floor:
            return
        elif node not in self.arrived:
            heapq.heappush(self.waiting, (-node.order, node))
            self.arrived[node] = g if node.op.outputs == 1 else _slots(node, x.index, g)
        elif node.op.outputs == 1:
            self.arrived[node] = self.arrived[node] + g
        else:
            slots = self.arrived[node]
            slots[x.index] = g if slots[x.index] is None else slots[x.index] + g

    def _deliver(self, x: Tensor, g: Tensor) -> None:
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
            for x, g in self.late.values():
                self._deliver(x, _hooked(x.hooks or {}, g))
        finally:
            visiting.set(before)

    def _visit_all(self) -> None:
        while self.waiting:
            node = heapq.heappop(self.waiting)[1]
            g = self.arrived.pop(node)
            if hasattr(node, "hooks"):
                g = self._call_hooks(node, g)
            if self.wanted:
                self._catch(node, g)
                if node.order == self.floor:
                    continue  # nothing older is wanted
            inputs = node.inputs
            if inputs is None:
                raise _freed(node.op.name)
            for x, gx in zip(inputs, self._vjp(node, g, inputs), strict=True):
                if gx is not None and x.requires_grad:
                    if gx.shape != x.shape:
                        raise _bad_vjp(node.op.name, gx.shape, x.shape)
                    self.send(x, gx)
            if not self.retain:
                node.inputs = node.saved = None

    def _call_hooks(self, node: Node, g: Any) -> Any:
        parts = [g] if node.op.outputs == 1 else list(g)
        for index, hooks in node.hooks.items():
            if parts[index] is not None:
                parts[index] = _hooked(hooks, parts[index])
        return parts[0] if node.op.outputs == 1 else parts

    def _catch(self, node: Node, g: Any) -> None:
        for index in range(node.op.outputs):
            if (node, index) in self.wanted and self.caught is not None:
                part = g if node.op.outputs == 1 else g[index]
                self.caught[self.wanted[node, index]] = part

    def _vjp(self, node: Node, g: Any, inputs: tuple[Any, ...]) -> Sequence[Tensor | None]:
        op = node.op
        for x in inputs:
            if getattr(x, "version", 0) > node.order:
                raise _changed(op.name, x.shape)
        several = op.outputs > 1
        backend = (next(part for part in g if part is not None) if several else g).backend
        if backend.observe is not None:
            visiting.set(node)
        if self.create_graph and op.composition is not None:
            return _through_composition(node, g, inputs)
        if several:
            real = op.outputs - op.auxiliary
            g[:real] = map(partial(_filled, backend), g[:real], node.specs)
        if not op.keeps_output:
            return op.vjp(g, None, *inputs)
        return op.vjp(g, _outputs(node, self.create_graph, backend), *inputs)


def _slots(node: Node, index: int, g: Tensor) -> list[Tensor | None]:
    """The gradients of several outputs, of which one has arrived."""
    slots: list[Tensor | None] = [None] * node.op.outputs
    slots[index] = g
    return slots


def _filled(backend: Backend, g: Tensor | None, spec: Spec) -> Tensor | None:
    """Zeros for an output through which no gradient came; None for one that has none."""
    if g is not None or not spec[1].is_floating_point:
        return g
    return _tensor.Tensor(backend.full(spec[0], 0, spec[1]), spec[0], spec[1], backend)


def _outputs(node: Node, attach: bool, backend: Backend) -> Any:
    """The outputs that the op kept, as Tensors; with their node if the sweep is recorded."""
    if node.op.outputs == 1:
        return _output(node, node.saved, node.specs, 0, attach, backend)
    return [
        _output(node, buffer, spec, index, attach, backend)
        for index, (buffer, spec) in enumerate(zip(node.saved, node.specs, strict=True))
    ]


def _output(
    node: Node, buffer: Buffer, spec: Spec, index: int, attach: bool, backend: Backend
) -> Tensor:
    y = _tensor.Tensor(buffer, spec[0], spec[1], backend)
    if attach and y.dtype.is_floating_point:
        y.requires_grad, y.node, y.index = True, node, index
    return y


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

    With `create_graph` they can be differentiated again. Raises GradError if an input took no
    part, unless `allow_unused` (then None stands for it). Rumelhart, Hinton & Williams 1986; by
    graph, Griewank & Walther 2008. Decks: D0, D1, D2, D3, D4; a second derivative none of them.
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
            "expected one input or more, and one grad_output for each output, got "
            f"{len(ins)} inputs, {len(outs)} outputs and {len(gs)} grad_outputs; "
            "pass None for ones",
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
