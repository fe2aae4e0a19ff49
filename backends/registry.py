"""Backends by name, imported when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from .base import Backend
from .threads import get_num_threads as get_num_threads
from .threads import set_num_threads as set_num_threads

if TYPE_CHECKING:
    from .ceilings import Ceilings as Ceilings

PATHS = {
    "python": "etude.backends.python_backend:PythonBackend",
    "numpy": "etude.backends.numpy_backend:NumpyBackend",
    "c": "etude.backends.c_backend:CBackend",
    "numba": "etude.backends.numba_backend:NumbaBackend",
    "cuda": "etude.backends.cuda_backend:CudaBackend",
}


_loaded: list[Backend] = []
arrivals: list[Callable[[Backend], None]] = []  # told of each backend that is loaded


class BackendUnavailable(ImportError):
    """The backend exists, and this machine lacks what it needs."""


@cache
def get(name: str) -> Backend:
    """The one instance of a backend. Raises ValueError (unknown name) or BackendUnavailable."""
    if name not in PATHS:
        near = get_close_matches(str(name), PATHS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(PATHS)}"
        raise ValueError(f"[backend] no backend is called {name!r}; {hint}")
    module, attribute = PATHS[name].split(":")
    try:
        backend: Backend = getattr(import_module(module), attribute)()
        backend.set_threads(get_num_threads())
    except ImportError as error:
        raise BackendUnavailable(f"[backend] {name!r} is not available here: {error}") from error
    _loaded.append(backend)
    for tell in arrivals:
        tell(backend)
    return backend


def loaded() -> list[Backend]:
    """The backends that have been asked for."""
    return list(_loaded)


def available() -> dict[str, str | None]:
    """Every backend's name, with None where it works and the reason where it does not."""
    reasons: dict[str, str | None] = {}
    for name in PATHS:
        try:
            get(name)
        except BackendUnavailable as error:
            reasons[name] = str(error)
        else:
            reasons[name] = None
    return reasons


@cache
def ceilings() -> Ceilings:
    """What this machine can do at most, measured when first asked for, in two seconds."""
    from .ceilings import measure

    return measure()
