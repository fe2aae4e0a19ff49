"""Optimizer: parameter groups, per-parameter state, and the loop that every method shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from etude.backends.base import Buffer

from ..autograd import enable_grad, no_grad, tick
from ..capturing import capturing
from ..creation import zeros_like
from ..errors import (
    ArgumentError,
    BackendMismatch,
    DTypeError,
    GradError,
    ShapeError,
    fail,
    nearest,
)
from ..guard import came
from ..hooks import changes
from ..tensor import Tensor
from . import state as _state

Move = tuple[Tensor, Tensor]  # a parameter and its gradient


class Optimizer(ABC):
    """Base of all optimizers. A subclass checks its options and writes `update`.

    params: parameters (`model.parameters()`), or dicts of them with options of their own:
    `[{"params": head.parameters(), "lr": 0.1}, {"params": body.parameters()}]`. `param_groups`
    holds those dicts, complete; change `group["lr"]` at any time. `state` holds what a parameter
    has built up.
    """

    foreign: dict[str, bool] = {}  # options of torch's that change the method, as this one has them
    own: dict[str, Any] = {}  # options that torch has not, as its optimizer works

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        capture = capturing.get()
        if capture is not None:
            capture.made_inside(self)
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = []
        groups = self._listed(params, "params")
        if groups and isinstance(groups[0], dict):
            for group in groups:
                self.add_param_group(group)
        else:
            self.add_param_group({"params": groups})

    @property
    def name(self) -> str:
        """The class's name, for messages."""
        return type(self).__name__

    @abstractmethod
    def check(self, group: dict[str, Any]) -> None:
        """Raise unless the options of a group are in their ranges."""

    @abstractmethod
    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """Move the parameters of a group by calls of a backend's method, which writes into them.

        Each parameter has its dict in `state`.
        """

    def keeps(self, group: dict[str, Any]) -> bool:
        """Whether a step with these options leaves something in `state`."""
        return True

    def together(
        self, moves: list[Move], tag: Callable[[dict[str, Any]], Any]
    ) -> list[tuple[Any, list[Tensor], list[Buffer]]]:
        """(tag, parameters, buffers of gradients) of those that one call of a backend can move.

        They share backend, dtype and the tag of their states.
        """
        found: dict[Any, tuple[Any, list[Tensor], list[Buffer]]] = {}
        for p, g in moves:
            label = tag(self.state[p])
            _, ps, gs = found.setdefault((p.backend, p.dtype, label), (label, [], []))
            ps.append(p)
            gs.append(g.buffer)
        return list(found.values())

    def _listed(self, params: Any, what: str) -> list[Any]:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            fix = "put it in a list" if isinstance(params, Tensor) else "use model.parameters()"
            raise fail(
                ArgumentError,
                self.name,
                f"expected {what} as a list of parameters, got {came(params)}; {fix}",
            )
        found = list(params)
        if not found:
            raise fail(
                ArgumentError,
                self.name,
                f"expected {what} with at least one parameter, got none; a generator is used up "
                "after one pass: call model.parameters() again",
            )
        return found

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; missing options come from the defaults."""
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise fail(
                ArgumentError,
                self.name,
                f"expected a group as a dict with 'params', got {came(param_group)}; "
                "use {'params': ..., 'lr': ...}",
            )
        given = param_group["params"]
        tensors = [
            p[1] if isinstance(p, tuple) and len(p) == 2 else p
            for p in self._listed([given] if isinstance(given, Tensor) else given, "params")
        ]
        unknown = [key for key in param_group if key not in self.defaults and key != "params"]
        if set(unknown) - {"initial_lr"}:
            raise fail(
                ArgumentError,
                self.name,
                f"expected options of {self.name} in a group, got {unknown[0]!r}; "
                f"{nearest(unknown[0], self.defaults)}",
            )
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for p in tensors:
            self._check_parameter(p)
            if id(p) in known:
                raise fail(
                    ArgumentError,
                    self.name,
                    f"expected each parameter once, got one {p.shape} twice; drop one of them",
                )
            known.add(id(p))
        group = {**self.defaults, **param_group, "params": tensors}
        self.check(group)
        self.param_groups.append(group)

    def _check_parameter(self, p: Any) -> None:
        if not isinstance(p, Tensor):
            raise fail(
                DTypeError,
                self.name,
                f"expected params as Tensors, got {came(p)}; use model.parameters()",
            )
        if p.node is not None:
            raise fail(
                GradError,
                self.name,
                f"expected leaves, got a tensor {p.shape} computed by {p.node.op.name!r}; pass the "
                "parameters that it was computed from",
            )
        if not p.dtype.is_floating_point:
            raise fail(
                DTypeError,
                self.name,
                f"expected float parameters, got {p.dtype}; convert with .float()",
            )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad = None if set_to_none else zeros_like(p.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; return the loss of the closure, if any."""
        loss = None
        capture = capturing.get()
        if capture is not None:
            capture.meet(self)
        if closure is not None:
            with enable_grad():
                loss = closure()
        changes.state += 1
        with no_grad():
            for group in self.param_groups:
                moves = [(p, p.grad) for p in group["params"] if p.grad is not None]
                for p, g in moves:
                    self._check_gradient(p, g)
                    if p not in self.state:
                        self.state[p] = {}
                if group.get("maximize"):
                    moves = [(p, -g) for p, g in moves]
                self.update(group, moves)
                for p, _ in moves:
                    p.version = tick()
        return loss

    def _check_gradient(self, p: Tensor, g: Tensor) -> None:
        if g.shape != p.shape:
            raise fail(
                ShapeError,
                self.name,
                f"expected a gradient {p.shape} for a parameter {p.shape}, got {g.shape}; call "
                "zero_grad() and backward() again",
            )
        if g.backend is not p.backend or g.dtype is not p.dtype:
            kind = DTypeError if g.backend is p.backend else BackendMismatch
            raise fail(
                kind,
                self.name,
                f"expected a gradient {p.dtype} on {p.backend.name!r}, as its parameter, got "
                f"{g.dtype} on {g.backend.name!r}; call zero_grad() and backward() again",
            )

    def buffer(self, p: Tensor, key: str) -> Buffer:
        """The memory of a tensor in p's state, of p's shape, zeros at first."""
        found = self.state[p].get(key)
        if found is None:
            found = self.state[p][key] = zeros_like(p)
        if found.backend is not p.backend or found.dtype is not p.dtype:
            raise fail(
                BackendMismatch,
                self.name,
                f"expected a state {p.dtype} on {p.backend.name!r}, as its parameter, got "
                f"{found.dtype} on {found.backend.name!r}; after model.to(...) call "
                "optimizer.load_state_dict(optimizer.state_dict())",
            )
        return found.buffer

    def state_dict(self) -> dict[str, Any]:
        """{"state": {position: {...}}, "param_groups": [...]}, torch's layout; shares memory."""
        return _state.save(self)

    def load_state_dict(self, state_dict: Any) -> None:
        """Take over a copy of what `state_dict` returned, here or in torch.

        Raises StateMismatch if groups, options or shapes differ; then nothing was changed.
        """
        _state.load(self, state_dict)

    def __repr__(self) -> str:
        lines = [f"{self.name} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])
