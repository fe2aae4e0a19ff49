"""Module: the unit that models are built of.

A module keeps its parameters, buffers and children as plain attributes. `_members` remembers, in
the order of assignment, which attribute is which; everything below walks that table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from ..creation import zeros_like
from ..dtypes import float32, float64
from ..errors import (
    ArgumentError,
    CallError,
    DTypeError,
    EtudeError,
    MissingAttribute,
    fail,
    nearest,
)
from ..guard import came
from ..tensor import Tensor
from . import state
from .hooks import Handle, Hook
from .parameter import Parameter

PARAMETER, BUFFER, SCRATCH, MODULE = "parameter", "buffer", "buffer outside the state", "module"


class Module:
    """Base of all layers and models: define `__init__` (after `super().__init__()`) and `forward`.

    >>> import etude
    >>> class Twice(etude.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = etude.nn.Parameter(etude.tensor(2.0))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Twice()
    >>> model(etude.tensor([1.0, 2.0])).detach()
    tensor([2., 4.])
    >>> list(model.state_dict())
    ['factor']
    """

    training: bool
    _members: dict[str, str]
    _hooks: dict[Handle, Hook]
    _pre_hooks: dict[Handle, Hook]

    def __init__(self) -> None:
        self.__dict__.update(training=True, _members={}, _hooks={}, _pre_hooks={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; a module is used by calling it, which calls this."""
        name = type(self).__name__
        raise NotImplementedError(f"[{name}] has no forward(); define forward(self, x) in {name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._pre_hooks or self._hooks:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except EtudeError as error:
            error.add_note(f"in {type(self).__name__}({self.extra_repr()})")
            raise

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in list(self._pre_hooks.values()):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        out = self.forward(*args, **kwargs)
        for hook in list(self._hooks.values()):
            changed = hook(self, args, out)
            if changed is not None:
                out = changed
        return out

    def register_forward_pre_hook(self, hook: Hook) -> Handle:
        """Call hook(module, args) before forward; what it returns, if not None, replaces args."""
        return Handle(self._pre_hooks, hook)

    def register_forward_hook(self, hook: Hook) -> Handle:
        """Call hook(module, args, output) after forward; what it returns replaces the output."""
        return Handle(self._hooks, hook)

    # attributes ---------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        members = self.__dict__.get("_members")
        kind = (
            PARAMETER
            if isinstance(value, Parameter)
            else (MODULE if isinstance(value, Module) else None)
        )
        if members is None:
            if kind is not None:
                raise fail(
                    MissingAttribute,
                    type(self).__name__,
                    f"expected super().__init__() before self.{name} = ..., got a {kind} without "
                    "it; call it first in __init__",
                )
        elif kind is not None:
            if members.get(name) != kind:
                members.pop(name, None)
                members[name] = kind
        elif name in members and not self._holds(members[name], value):
            raise self._wrong_kind(name, members[name], value)
        object.__setattr__(self, name, value)

    @staticmethod
    def _holds(kind: str, value: Any) -> bool:
        return value is None or (kind in (BUFFER, SCRATCH) and isinstance(value, Tensor))

    def _wrong_kind(self, name: str, kind: str, value: Any) -> EtudeError:
        expected = {PARAMETER: "Parameter", MODULE: "Module"}.get(kind, "Tensor")
        hint = f"del the attribute first to use its name for a {type(value).__name__}"
        if kind == PARAMETER:
            hint = "wrap it in nn.Parameter(...), or copy_ into the parameter under no_grad()"
        return fail(
            DTypeError,
            type(self).__name__,
            f"expected a {expected} or None for the {kind} {name!r}, got {came(value)}; {hint}",
        )

    def __getattr__(self, name: str) -> Any:
        members = self.__dict__.get("_members")
        if members is None:
            hint = "call super().__init__() first in __init__"
        elif name.startswith("__") or not members:
            hint = "assign it in __init__"
        else:
            hint = nearest(name, members)
        raise fail(
            MissingAttribute,
            type(self).__name__,
            f"expected an attribute of this module, got {name!r}; {hint}",
        )

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._members.pop(name, None)

    def _register(self, kind: str, name: Any, value: Any) -> None:
        op = f"register_{kind.split()[0]}"
        if not isinstance(name, str) or not name or "." in name:
            raise fail(ArgumentError, op, f"expected a name without dots, got {name!r}; use a word")
        if hasattr(type(self), name) or (name in self.__dict__ and name not in self._members):
            raise fail(
                ArgumentError,
                op,
                f"expected a new name, got {name!r}, which {type(self).__name__} has; use another",
            )
        if self._members.get(name) != kind:
            self._members.pop(name, None)
            self._members[name] = kind
        object.__setattr__(self, name, value)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None keeps the place for one."""
        if param is not None and not isinstance(param, Parameter):
            raise fail(
                DTypeError,
                "register_parameter",
                f"expected a Parameter or None for {name!r}, "
                f"got {came(param)}; wrap it in nn.Parameter",
            )
        self._register(PARAMETER, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module and is not learned (running statistics, masks).

        It moves with `to` and, if persistent, is part of the state_dict.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise fail(
                DTypeError,
                "register_buffer",
                f"expected a Tensor or None for {name!r}, got "
                f"{came(tensor)}; make it one with etude.tensor(...)",
            )
        self._register(BUFFER if persistent else SCRATCH, name, tensor)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a child under a name."""
        if module is not None and not isinstance(module, Module):
            raise fail(
                DTypeError,
                "register_module",
                f"expected a Module or None for {name!r}, got "
                f"{came(module)}; {_class_hint(module)}",
            )
        self._register(MODULE, name, module)

    add_module = register_module

    # walking ------------------------------------------------------------------------------------
    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for each child, each once."""
        seen: set[int] = set()
        for name, kind in self._members.items():
            child = self.__dict__[name]
            if kind == MODULE and child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one."""
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) for this module ("") and all below it, parents first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, kind in self._members.items():
            child = self.__dict__[name]
            if kind == MODULE and child is not None:
                yield from child.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def _named(
        self, kinds: tuple[str, ...], prefix: str, recurse: bool, unique: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=unique)
        for path, owner in owners if recurse else [(prefix, self)]:
            for name, kind in owner._members.items():
                value = owner.__dict__[name]
                if kind in kinds and value is not None and id(value) not in seen:
                    if unique:
                        seen.add(id(value))
                    yield _join(path, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter) in order of registration; a shared one comes once."""
        return self._named((PARAMETER,), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once; what an optimizer takes."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, tensor) for each buffer."""
        return self._named((BUFFER, SCRATCH), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted name, as in `model.get_submodule("layer1.0.conv1")`."""
        found = dict(self.named_modules(remove_duplicate=False))
        if target not in found:
            raise fail(
                MissingAttribute,
                type(self).__name__,
                f"expected the name of a module below, got {target!r}; {nearest(target, found)}",
            )
        return found[target]

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call fn on every module below and then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # modes --------------------------------------------------------------------------------------
    def train(self, mode: bool = True) -> Self:
        """Switch to training (dropout drops, batch norm uses the batch), or back."""
        if not isinstance(mode, bool):
            raise fail(
                CallError,
                "train",
                f"expected mode as True or False, got {came(mode)}; pass one of them",
            )
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: the same as train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or release all parameters."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zeros."""
        for p in self.parameters():
            if p.grad is not None:
                p.grad = None if set_to_none else zeros_like(p.grad)

    # moving -------------------------------------------------------------------------------------
    def to(self, *args: Any, dtype: Any = None, backend: Any = None) -> Self:
        """Move to a backend, convert float parameters and buffers to a dtype, or both. In place.

        `model.to("python")`, `model.to(etude.float64)`, `model.to(x)` as for tensors. The
        parameters stay the same objects, so sharing survives and an optimizer keeps hold of them
        (the state that it has built up stays behind: move first, or reload its state_dict).
        """
        dtype, backend = state.destination(args, dtype, backend)
        for t in [*self.parameters(), *self.buffers()]:
            state.convert(t, dtype, backend)
        return self

    def float(self) -> Self:
        """To float32."""
        return self.to(float32)

    def double(self) -> Self:
        """To float64."""
        return self.to(float64)

    # state --------------------------------------------------------------------------------------
    def state_dict(self, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name, in torch's order and layouts.

        The tensors share the model's memory: `copy.deepcopy` the dict to keep a moment of training.
        """
        found: dict[str, Tensor] = {}
        for path, owner in self.named_modules(remove_duplicate=False):
            for wanted in (PARAMETER, BUFFER):
                for name, kind in owner._members.items():
                    value = owner.__dict__[name]
                    if kind == wanted and value is not None:
                        found[prefix + _join(path, name)] = value if keep_vars else value.detach()
        return found

    def load_state_dict(self, state_dict: Any, strict: bool = True) -> state.IncompatibleKeys:
        """Copy values by name: tensors, NumPy arrays, or torch tensors on the CPU.

        strict: every key must be there on both sides. Returns (missing_keys, unexpected_keys).
        Raises StateMismatch that lists everything that does not fit; then nothing was changed.
        """
        return state.load(self, state_dict, strict)

    # printing -----------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """The arguments to show in `repr`."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [(name, self.__dict__[name]) for name, k in self._members.items() if k == MODULE]
        return outline(type(self).__name__, extra.split("\n") if extra else [], children)


def outline(name: str, extra: list[str], children: list[tuple[str, Any]]) -> str:
    """torch's form of a module's repr: arguments in one line, children indented below."""
    if not children and len(extra) < 2:
        return f"{name}({''.join(extra)})"
    below = [f"({key}): {child!r}".replace("\n", "\n  ") for key, child in children]
    return "\n  ".join([f"{name}(", *extra, *below]) + "\n)"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _class_hint(value: Any) -> str:
    """The end of a message about something that should have been a module."""
    if isinstance(value, type) and issubclass(value, Module):
        return f"make an instance with {value.__name__}(...)"
    return "wrap a function in a Module with a forward()"
