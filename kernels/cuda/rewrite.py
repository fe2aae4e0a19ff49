"""A kernel's function with the names of `spec.py` swapped for a target's.

    clone(f):  for each name that f's code uses
                   the device's name             -> the target's object
                   a helper (function or Device) -> the target's form of its clone
               f's code over the new names

Bytecode is untouched (but for float constants, if they are narrowed), so tracebacks and the
compiler's messages show the source as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dis import get_instructions
from types import BuiltinFunctionType, CellType, CodeType, FunctionType
from typing import Any

import numpy as np

from .spec import Device, Name, Namespace


class Target:
    """What the names of a kernel become. Abstract."""

    cuda: Any
    types: dict[str, Any]
    narrow = False

    def helper(self, function: FunctionType) -> Any:
        """What a kernel calls where it names this plain function."""
        raise NotImplementedError

    def device(self, helper: Device) -> Any:
        """What a kernel calls where it names a marked helper."""
        raise NotImplementedError

    def math(self, name: str) -> Any:
        """What stands for math.<name>; the name `math` itself is asked for as ''."""
        raise NotImplementedError

    def swap(self, value: Any) -> Any:
        """The target's object for a value that kernel code names."""
        if isinstance(value, Namespace):
            return self.cuda
        if isinstance(value, Name):
            return self.types[value.name]
        if isinstance(value, Device):
            return self.device(value)
        if isinstance(value, FunctionType):
            return self.helper(value)
        if value is math:
            return self.math("")
        if isinstance(value, BuiltinFunctionType) and value.__module__ == "math":
            return self.math(value.__name__)
        if isinstance(value, tuple):
            return tuple(map(self.swap, value))
        return np.float32(value) if self.narrow and type(value) is float else value


def clone(function: FunctionType, target: Target) -> FunctionType:
    """The function over the target's names."""
    names = {"__builtins__": __builtins__, "__name__": function.__module__}
    names |= {
        name: target.swap(function.__globals__[name])
        for name in globals_used(function.__code__)
        if name in function.__globals__
    }
    cells = tuple(CellType(target.swap(cell.cell_contents)) for cell in function.__closure__ or ())
    code = narrowed(function.__code__) if target.narrow else function.__code__
    copy = FunctionType(code, names, function.__name__, function.__defaults__, cells)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def globals_used(code: CodeType) -> set[str]:
    """The global names that the code, and code inside it, looks up."""
    own = {at.argval for at in get_instructions(code) if at.opname == "LOAD_GLOBAL"}
    return own.union(*(globals_used(inner) for inner in inner_codes(code)))


def names_used(code: CodeType) -> set[str]:
    """Those, and the names of attributes."""
    return set(code.co_names).union(*(names_used(inner) for inner in inner_codes(code)))


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """Code of functions and comprehensions that are defined inside."""
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


def narrowed(code: CodeType) -> CodeType:
    """The code with float constants as float32."""

    def narrow(constant: Any) -> Any:
        if isinstance(constant, CodeType):
            return narrowed(constant)
        if isinstance(constant, tuple):
            return tuple(map(narrow, constant))
        return np.float32(constant) if type(constant) is float else constant

    return code.replace(co_consts=tuple(map(narrow, code.co_consts)))


def uses(function: Callable[..., Any], names: set[str]) -> bool:
    """Whether the function or a helper that it names uses one of these attributes of `cuda`."""
    seen: set[int] = set()

    def search(value: Any) -> bool:
        if isinstance(value, Device):
            return any(search(part) for part in (value.simulate or value.function,) if part)
        if isinstance(value, tuple):
            return any(map(search, value))
        if not isinstance(value, FunctionType) or id(value) in seen:
            return False
        seen.add(id(value))
        used = globals_used(value.__code__)
        inside = [value.__globals__[name] for name in used if name in value.__globals__]
        inside += [cell.cell_contents for cell in value.__closure__ or ()]
        return bool(names_used(value.__code__) & names) or any(map(search, inside))

    return search(function)
