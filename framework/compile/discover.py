"""What a function reads besides its arguments: closures, globals, defaults, bound objects.

    for each name that its code (or code inside it) looks up: follow the value
        module, optimizer, schedule: it and what it holds
        function, method, partial: what that reads
        list, dict, object: its elements, or the attributes that the code names
        number, string: a fact, which a recording depends on

Facts are checked at every call, so they are kept as (place, key, value): the place is the dict, or
the closure's cell, in which the value was found.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..optim.schedule import LRScheduler
from ..tensor import Tensor
from .structure import PLAIN

FOREIGN = {*sys.stdlib_module_names, "etude", "numpy", "torch", "scipy"} - {"__main__"}
MOST = 64  # elements of a container that are looked at
MISSING = object()


@dataclass
class Fact:
    """A value that the recording depends on, and where it was found."""

    name: str
    place: Any  # a dict, list or closure cell
    key: Any
    value: Any

    def now(self) -> Any:
        """The value at the place now."""
        if isinstance(self.place, CellType):
            return _contents(self.place)
        if self.key is len:
            return len(self.place)
        try:
            return self.place[self.key]
        except (KeyError, IndexError):
            return MISSING

    def holds(self) -> bool:
        """Whether the value is the same: the same object, or an equal plain value."""
        now = self.now()
        return now is self.value or (
            type(now) is type(self.value) and isinstance(now, PLAIN) and same(now, self.value)
        )

    def restore(self) -> None:
        """Put the value back."""
        if isinstance(self.place, CellType):
            self.place.cell_contents = self.value
        elif self.key is len:
            del self.place[self.value :]
        else:
            self.place[self.key] = self.value


@dataclass
class Found:
    """Everything that was found."""

    modules: dict[int, tuple[str, Module]] = field(default_factory=dict)  # with all below them
    optimizers: dict[int, tuple[str, Optimizer]] = field(default_factory=dict)
    tensors: dict[int, tuple[str, Tensor]] = field(default_factory=dict)
    iterators: list[tuple[str, Any]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    seen: dict[int, Any] = field(default_factory=dict)  # holds what it names alive
    inner: set[int] = field(default_factory=set)  # tensors of optimizers' state

    def trained(self) -> list[Tensor]:
        """The tensors that may want a gradient."""
        return [
            t
            for key, (_, t) in self.tensors.items()
            if t.dtype.is_floating_point and key not in self.inner
        ]


def same(a: Any, b: Any) -> bool:
    """Equality that tells 0.0 from -0.0 and finds nan equal to itself."""
    return repr(a) == repr(b) if isinstance(a, float) else bool(a == b)


def discover(*roots: tuple[str, Any]) -> Found:
    """Follow everything that the roots lead to."""
    found = Found()
    for name, root in roots:
        if isinstance(root, FunctionType):
            _function(found, root, frozenset())  # even one of ours
        else:
            _follow(found, name, root, frozenset())
    return found


def _follow(found: Found, name: str, x: Any, named: frozenset[str]) -> None:
    if isinstance(x, PLAIN) or id(x) in found.seen or _is_ours(x):
        return
    found.seen[id(x)] = x
    if isinstance(x, Tensor):
        found.tensors.setdefault(id(x), (name, x))
    elif isinstance(x, Module):
        _module(found, name, x)
    elif isinstance(x, Optimizer):
        _optimizer(found, name, x)
    elif isinstance(x, LRScheduler):
        _follow(found, f"{name}.optimizer", x.optimizer, named)
    elif isinstance(x, partial):
        _follow(found, name, x.func, named)
        _elements(found, name, x.args, named)
        _elements(found, name, x.keywords, named)
    elif isinstance(x, MethodType):
        words = named | _words(x.__func__)
        _follow(found, name, x.__func__, words)
        _follow(found, "self", x.__self__, words)
    elif isinstance(x, FunctionType):
        _function(found, x, named)
    elif isinstance(x, (list, tuple, dict, set, frozenset)):
        _elements(found, name, x, named)
    elif hasattr(x, "__next__"):
        found.iterators.append((name, x))
    else:
        _object(found, name, x, named)


def _is_ours(x: Any) -> bool:
    """Whether it belongs to a library, and so reads nothing of the user's."""
    if isinstance(x, BuiltinFunctionType):
        return True
    if isinstance(x, ModuleType):
        return x.__name__.partition(".")[0] in FOREIGN
    if isinstance(x, (type, FunctionType)):
        return str(x.__module__).partition(".")[0] in FOREIGN and not hasattr(x, "__wrapped__")
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _words(function: Any) -> frozenset[str]:
    """The names of attributes that a function's code looks up."""
    code = getattr(function, "__code__", None)
    return frozenset(n for c in _codes(code) for n in c.co_names) if code else frozenset()


def _globals(code: CodeType) -> Iterator[str]:
    names = (
        str(i.argval)
        for c in _codes(code)
        for i in dis.get_instructions(c)
        if i.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")
    )
    return iter(dict.fromkeys(names))


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return MISSING


def _function(found: Found, f: FunctionType, named: frozenset[str]) -> None:
    words = named | _words(f)
    for label, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        _fact(found, label, cell, None, _contents(cell), words)
    for label in _globals(f.__code__):
        if label in f.__globals__:
            _fact(found, label, f.__globals__, label, f.__globals__[label], words)
    for defaults in (f.__defaults__, f.__kwdefaults__):
        if defaults:
            _elements(found, f.__name__, defaults, words)


def _fact(found: Found, name: str, place: Any, key: Any, value: Any, named: frozenset[str]) -> None:
    if value is MISSING or _is_ours(value):
        return
    found.facts.append(Fact(name, place, key, value))
    _follow(found, name, value, named)


def _elements(found: Found, name: str, many: Iterable[Any], named: frozenset[str]) -> None:
    """The elements of a container, and its size, as facts where they can be found again."""
    if isinstance(many, dict):
        pairs = list(many.items())[:MOST]
        for key, value in pairs:
            _fact(found, f"{name}[{key!r}]", many, key, value, named)
    elif isinstance(many, (list, tuple)):
        for at, value in enumerate(many[:MOST]):
            if isinstance(many, list):
                _fact(found, f"{name}[{at}]", many, at, value, named)
            else:
                _follow(found, f"{name}[{at}]", value, named)
    else:
        for value in list(many)[:MOST]:
            _follow(found, name, value, named)
    if isinstance(many, (list, dict)):
        found.facts.append(Fact(f"len({name})", many, len, len(many)))


def _object(found: Found, name: str, x: Any, named: frozenset[str]) -> None:
    """An object, class or module of the user's: the attributes that the code names."""
    if isinstance(getattr(x, "fn", None), object) and hasattr(x, "cache_info"):
        _follow(found, name, x.fn, named)  # a compiled function inside this one
        return
    words = named
    if not isinstance(x, (type, ModuleType)):
        for kind in _own_classes(type(x)):
            for f in _functions(kind):
                words |= _words(f)
                _follow(found, f.__name__, f, words)
    place = getattr(x, "__dict__", {})
    for key in sorted(words & set(place)):
        if isinstance(place, dict):
            _fact(found, f"{name}.{key}", place, key, place[key], words)
        else:  # of a class
            _follow(found, f"{name}.{key}", place[key], words)


def _own_classes(kind: type) -> list[type]:
    return [k for k in kind.__mro__ if k is not object and not _is_ours(k)]


def _functions(kind: type) -> list[Callable[..., Any]]:
    return [f for f in vars(kind).values() if isinstance(f, FunctionType)]


def _module(found: Found, name: str, root: Module) -> None:
    for path, module in root.named_modules():
        full = f"{name}.{path}" if path else name
        found.seen[id(module)] = module
        found.modules.setdefault(id(module), (full, module))
        for kind in _own_classes(type(module)):
            for f in _functions(kind):
                _follow(found, f.__name__, f, frozenset())
        for key, value in vars(module).items():
            if not key.startswith("_") and key not in module._members:
                _follow(found, f"{full}.{key}", value, frozenset())
    for path, t in [*root.named_parameters(), *root.named_buffers()]:
        found.tensors.setdefault(id(t), (f"{name}.{path}", t))
        found.seen[id(t)] = t


def _optimizer(found: Found, name: str, optimizer: Optimizer) -> None:
    found.optimizers[id(optimizer)] = (name, optimizer)
    for i, p in enumerate(p for g in optimizer.param_groups for p in g["params"]):
        found.tensors.setdefault(id(p), (f"{name}.parameter{i}", p))
    for p, state in optimizer.state.items():
        label = found.tensors.get(id(p), ("parameter", p))[0]
        for key, value in state.items():
            if isinstance(value, Tensor):
                found.tensors.setdefault(id(value), (f"{key} of {label}", value))
                found.inner.add(id(value))
