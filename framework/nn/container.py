"""Containers: modules that hold other modules or parameters in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import Any, Self

from ..errors import CallError, IndexOutOfRange, MissingAttribute, fail, nearest
from ..guard import came
from .module import Module, outline
from .parameter import Parameter
from .tree import MODULE, PARAMETER


def _position(op: str, where: Any, size: int) -> int:
    """A non-negative position from one that may count from the end."""
    try:
        i = index(where)
    except TypeError:
        raise fail(
            CallError, op, f"expected a position or a slice, got {came(where)}; use a whole number"
        ) from None
    if not -size <= i < size:
        raise fail(
            IndexOutOfRange,
            op,
            f"expected a position among {size} members, got {i}; use {-size} ... {size - 1}",
        )
    return i % size


class _ListOf(Module):
    """Members under the names "0", "1", ...: what the three lists below share."""

    _kind = MODULE

    def _names(self) -> list[str]:
        return [name for name, kind in self._members.items() if kind == self._kind]

    def _values(self) -> list[Any]:
        return [self.__dict__[name] for name in self._names()]

    def _add(self, name: str, value: Any) -> None:
        self.register_module(name, value)

    def _rebuild(self, values: Iterable[Any]) -> None:
        kept = list(values)
        for name in self._names():
            delattr(self, name)
        for i, value in enumerate(kept):
            self._add(str(i), value)

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values())

    def __contains__(self, value: object) -> bool:
        return any(value is v for v in self._values())

    def __getitem__(self, where: Any) -> Any:
        if isinstance(where, slice):
            return type(self)._of(self._names()[where], self)
        return self._values()[_position(type(self).__name__, where, len(self))]

    @classmethod
    def _of(cls, names: list[str], source: _ListOf) -> Any:
        part = cls()
        for i, name in enumerate(names):
            part._add(str(i), source.__dict__[name])
        return part

    def __setitem__(self, where: Any, value: Any) -> None:
        name = self._names()[_position(type(self).__name__, where, len(self))]
        setattr(self, name, value)

    def __delitem__(self, where: Any) -> None:
        values = self._values()
        if isinstance(where, slice):
            del values[where]
        else:
            del values[_position(type(self).__name__, where, len(self))]
        self._rebuild(values)

    def append(self, value: Any) -> Self:
        """Add one at the end."""
        self._add(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several at the end."""
        if not isinstance(values, Iterable):
            raise fail(
                CallError,
                type(self).__name__,
                f"expected a list of members, got {came(values)}; put it in a list",
            )
        for value in values:
            self.append(value)
        return self

    def insert(self, where: int, value: Any) -> Self:
        """Put one before position `where`."""
        values = self._values()
        values.insert(where, value)
        self._rebuild(values)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def __add__(self, values: Iterable[Any]) -> Any:
        return type(self)._of([], self).extend(self).extend(values)


class Sequential(_ListOf):
    """Modules applied one after another: y = f_n(... f_2(f_1(x))).

    Takes modules, or one mapping of names to modules. Slices are Sequentials that share the
    members.

        >>> import etude
        >>> from etude import nn
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
        >>> model[0]
        Linear(in_features=4, out_features=3, bias=True)
        >>> model(etude.zeros(2, 4)).shape
        (2, 3)
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, module)
        else:
            self.extend(modules)

    @classmethod
    def _of(cls, names: list[str], source: _ListOf) -> Any:
        return Sequential({name: source.__dict__[name] for name in names})

    def forward(self, input: Any) -> Any:
        """Each member in turn."""
        for module in self:
            input = module(input)
        return input


class ModuleList(_ListOf):
    """A list of modules that registers them; it has no forward of its own."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __repr__(self) -> str:
        """As other modules, with runs of equal members in one line: (0-2): 3 x Linear(...)."""
        runs: list[tuple[int, int, str]] = []
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], i, text)
            else:
                runs.append((i, i, text))
        lines = [
            (str(a), _Text(text)) if a == b else (f"{a}-{b}", _Text(f"{b - a + 1} x {text}"))
            for a, b, text in runs
        ]
        return outline("ModuleList", [], lines)


class _Text(str):
    """A string that is its own repr."""

    __repr__ = str.__str__


class ParameterList(_ListOf):
    """A list of parameters that registers them; plain tensors become Parameters."""

    _kind = PARAMETER

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(values)

    def _add(self, name: str, value: Any) -> None:
        self.register_parameter(name, value if isinstance(value, Parameter) else Parameter(value))

    def extra_repr(self) -> str:
        """Shape and dtype of each member."""
        return "\n".join(
            f"({i}): Parameter of shape {p.shape}, {p.dtype}" for i, p in enumerate(self)
        )


class ModuleDict(Module):
    """A dict of modules that registers them; it has no forward of its own."""

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update({} if modules is None else modules)

    def update(self, modules: Any) -> None:
        """Add or replace members, from a mapping or pairs."""
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules
        for name, module in pairs:
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        self.register_module(name, module)

    def __getitem__(self, name: str) -> Any:
        if name not in self._members:
            raise fail(
                MissingAttribute,
                "ModuleDict",
                f"expected the name of a module, got {name!r}; {nearest(name, self._members)}",
            )
        return self.__dict__[name]

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Any:
        """Remove a member and return it."""
        module = self[name]
        delattr(self, name)
        return module

    def clear(self) -> None:
        """Remove all members."""
        for name in list(self._members):
            delattr(self, name)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def keys(self) -> Iterable[str]:
        """The names, in order."""
        return self._members.keys()

    def values(self) -> list[Any]:
        """The modules, in order."""
        return [self.__dict__[name] for name in self._members]

    def items(self) -> list[tuple[str, Any]]:
        """(name, module), in order."""
        return [(name, self.__dict__[name]) for name in self._members]
