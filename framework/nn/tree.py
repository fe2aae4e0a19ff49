"""Tree: the parts of a module by name.

Parameters, buffers and child modules are plain attributes. `_members` remembers, in the order of
assignment, which attribute is which; everything else walks that table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, DTypeError, EtudeError, MissingAttribute, fail, nearest
from ..guard import came
from ..hooks import changes
from ..tensor import Tensor
from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module

PARAMETER, BUFFER, SCRATCH, MODULE = "parameter", "buffer", "buffer outside the state", "module"


def join(path: str, name: str) -> str:
    """A dotted name."""
    return f"{path}.{name}" if path else name


def _kind(value: Any) -> str | None:
    """What a value assigned to an attribute registers as."""
    if isinstance(value, Parameter):
        return PARAMETER
    return MODULE if isinstance(value, Tree) else None


class Tree:
    """What Module is as a container of parts."""

    _members: dict[str, str]

    # attributes ---------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        members = self.__dict__.get("_members")
        kind = _kind(value)
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
        changes.modules += 1

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
            f"expected a {expected} or None for {name!r}, got {came(value)}; {hint}",
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
        changes.modules += 1

    def _register(self, kind: str, name: Any, value: Any) -> None:
        op = type(self).__name__
        if not isinstance(name, str) or not name or "." in name:
            raise fail(ArgumentError, op, f"expected a name without dots, got {name!r}; use a word")
        if hasattr(type(self), name) or (name in self.__dict__ and name not in self._members):
            raise fail(
                ArgumentError,
                op,
                f"expected a new name, got {name!r}, which {op} has; use another",
            )
        if self._members.get(name) != kind:
            self._members.pop(name, None)
            self._members[name] = kind
        object.__setattr__(self, name, value)
        changes.modules += 1

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None keeps the place for one."""
        if param is not None and not isinstance(param, Parameter):
            raise fail(
                DTypeError,
                type(self).__name__,
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
                type(self).__name__,
                f"expected a Tensor or None for {name!r}, got "
                f"{came(tensor)}; make it one with etude.tensor(...)",
            )
        self._register(BUFFER if persistent else SCRATCH, name, tensor)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a child under a name."""
        if module is not None and not isinstance(module, Tree):
            raise fail(
                DTypeError,
                type(self).__name__,
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
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) for this module ("") and all below it, parents first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self  # type: ignore[misc]
        for name, kind in self._members.items():
            child = self.__dict__[name]
            if kind == MODULE and child is not None:
                yield from child.named_modules(memo, join(prefix, name), remove_duplicate)

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
                    yield join(path, name), value

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
            hint = nearest(target, filter(None, found)) if len(found) > 1 else "it has none"
            raise fail(
                MissingAttribute,
                type(self).__name__,
                f"expected the name of a module below, got {target!r}; {hint}",
            )
        return found[target]


def _class_hint(value: Any) -> str:
    """The end of a message about something that should have been a module."""
    if isinstance(value, type) and issubclass(value, Tree):
        return f"make an instance with {value.__name__}(...)"
    return "wrap a function in a Module with a forward()"
