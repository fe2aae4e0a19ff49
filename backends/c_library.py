"""The compiled kernels: the build for the best instruction set that the processor has.

ETUDE_ISA chooses another: baseline, avx2, avx512, neon.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

BEST_FIRST = ("avx512", "avx2", "neon", "baseline")
NOT_BUILT = (
    "the C kernels were not built; install a C compiler (gcc or clang), "
    "then etude again with pip install --force-reinstall --no-deps"
)


def built() -> dict[str, Any]:
    """The compiled modules by instruction set, best first."""
    found = {}
    for isa in BEST_FIRST:
        try:
            found[isa] = import_module(f"etude.kernels.c._{isa}")
        except ImportError:
            continue
    return found


def choose(modules: dict[str, Any], wanted: str | None) -> tuple[str, Any]:
    """The name and module to use. Raises ImportError with the reason where there is none."""
    if not modules:
        raise ImportError(NOT_BUILT)
    runs = next(reversed(modules.values())).lib.cpu_runs
    usable = [isa for isa in modules if runs(isa.encode())]
    if wanted and wanted not in usable:
        raise ImportError(f"ETUDE_ISA={wanted}: expected one of {', '.join(usable)}")
    if not usable:
        raise ImportError(f"this processor runs none of the builds: {', '.join(modules)}")
    isa = wanted or usable[0]
    return isa, modules[isa]


SUFFIXES = {"f32": "float32", "f64": "float64", "i32": "int32", "i64": "int64", "u8": "bool"}
Wrap = Callable[[str, Any], Any]


def kernels(library: Any, wrap: Wrap = lambda name, function: function) -> Any:
    """The functions of a build by their names: c.gather(...), c.conv["float32"](...).

    Functions that differ in a type's suffix (conv_f32, conv_f64) are one name, by dtype. `wrap`, if
    given, makes of each name and function what is called in its place.
    """
    found = ModuleType("kernels")  # of all objects, attributes of modules are found fastest
    for name in dir(library):
        family, _, suffix = name.rpartition("_")
        function = wrap(name, getattr(library, name))
        if suffix in SUFFIXES:
            vars(found).setdefault(family, {})[SUFFIXES[suffix]] = function
        else:
            setattr(found, name, function)
    return found


isa, _module = choose(built(), os.environ.get("ETUDE_ISA"))
ffi, lib = _module.ffi, _module.lib
KERNELS = kernels(lib)
