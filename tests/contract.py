"""A backend under watch: what its methods promise (backends/tier1.py) is checked at every call.

`watched(backend)` shadows the methods of the one instance with wrappers. So whatever a case calls,
with the arguments it calls it with, is tried again: with `out=`, with `out` one of the inputs, on
clones of what an in-place method changes, and, for an override of Tier 2, by the default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from case import TOLERANCE

from etude.backends.base import Backend
from etude.backends.tier1 import Tier1

UNWATCHED = {
    "from_host",
    "share",
    "to_host",
    "dtype",
    "empty",
    "reshape",
    "synchronize",
    "load",
    "arena",
    "in_arena",
    "observe",
    "set_threads",
    "release_memory",
    "generated",
    "lend",
    "borrow",
    "interface",
}
NAMED = {"unary", "binary", "reduce", "arg_reduce", "scan"}  # the name of a function comes first
ELEMENTWISE = {"unary", "binary", "where"}  # their `out` may be one of the inputs


@cache
def methods() -> list[str]:
    """The public methods of the contract."""
    names = [name for name, _ in inspect.getmembers(Backend, inspect.isfunction)]
    return [name for name in names if not name.startswith("_") and name not in UNWATCHED]


@cache
def parameters_of(name: str) -> list[str]:
    """The names of a method's parameters."""
    return list(inspect.signature(getattr(Backend, name)).parameters)


def is_buffer(x: Any) -> bool:
    return hasattr(x, "shape")


def each(x: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of the buffers in an argument or result; other values as they are."""
    if is_buffer(x):
        return function(x)
    return type(x)(each(part, function) for part in x) if isinstance(x, (list, tuple)) else x


class Watch:
    """One watched backend: what was called, and whether a check is under way."""

    def __init__(self, backend: Backend, loose: float, done: set[str] | None) -> None:
        self.backend, self.loose, self.done, self.busy = backend, loose, done, False
        self.seen: set[str] = set()  # methods, and "unary exp" and the like

    def clone(self, x: Any) -> Any:
        b = self.backend
        return each(x, lambda y: b.from_host(b.to_host(y), y.shape, b.dtype(y)))

    def values(self, x: Any) -> Any:
        """Buffers as NumPy arrays of their own."""
        b = self.backend
        return each(x, lambda y: np.array(b.to_host(y), b.dtype(y)).reshape(y.shape))

    def known(self, name: str, args: Any, kwargs: Any) -> bool:
        """Whether this call needs no check: none does, or one like it has been checked."""
        if self.done is None:
            return True
        b = self.backend
        call = each((args, tuple(kwargs.items())), lambda x: f"{b.dtype(x)} {x.shape}")
        key = f"{b.name} {name} {call}"
        if key in self.done:
            return True
        self.done.add(key)
        return False

    def same(self, got: Any, expected: Any, exact: bool, what: str) -> None:
        """Compare buffers and tuples of buffers."""
        if isinstance(expected, (list, tuple)):
            for g, e in zip(got, expected):
                self.same(g, e, exact, what)
        elif isinstance(expected, np.ndarray):
            assert (got.dtype, got.shape) == (expected.dtype, expected.shape), what
            if got.tobytes() == expected.tobytes():
                return
            rtol, atol = (0.0, 0.0) if exact else TOLERANCE[str(expected.dtype)]
            np.testing.assert_allclose(
                got, expected, rtol * self.loose, atol * self.loose, err_msg=what
            )

    def wrap(self, name: str) -> Callable[..., Any]:
        original = getattr(self.backend, name)
        parameters = parameters_of(name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.seen |= {name, f"{name} {args[0]}"} if name in NAMED else {name}
            if self.busy or self.known(name, args, kwargs):
                return original(*args, **kwargs)
            self.busy = True
            try:
                if (getattr(Backend, name).__doc__ or "").startswith("In place"):
                    return self.in_place(name, original, args, kwargs)
                before = self.values(args)
                result = original(*args, **kwargs)
                given = "out" in kwargs or len(args) == len(parameters) - 1
                if not given or "out" not in parameters:
                    self.pure(name, original, args, kwargs, before, result)
                return result
            finally:
                self.busy = False

        return wrapper

    def pure(
        self, name: str, original: Any, args: Any, kwargs: Any, before: Any, result: Any
    ) -> None:
        expected = self.values(result)
        self.same(self.values(args), before, True, f"{name} changed an input")
        if overrides(self.backend, name):
            default = getattr(Backend, name)(self.backend, *args, **kwargs)
            self.same(expected, self.values(default), False, f"{name} and its default differ")
        if "out" not in parameters_of(name):
            return
        out = each(result, lambda y: self.backend.full(y.shape, 7, self.backend.dtype(y)))
        returned = original(*args, **kwargs, out=out)
        self.same(self.values(out), expected, True, f"{name} did not fill out")
        self.same(self.values(returned), expected, True, f"{name} did not return out")
        if name in ELEMENTWISE:
            self.aliased(name, original, args, expected)

    def aliased(self, name: str, original: Any, args: Any, expected: np.ndarray) -> None:
        for place, x in enumerate(args):
            if (
                is_buffer(x)
                and x.shape == expected.shape
                and self.backend.dtype(x) == expected.dtype
            ):
                given = list(args)
                given[place] = self.clone(x)
                original(*given, out=given[place])
                self.same(self.values(given[place]), expected, True, f"{name} with out an input")

    def in_place(self, name: str, original: Any, args: Any, kwargs: Any) -> Any:
        """Run an in-place method; its default must give and leave in its arguments the same."""
        twin = self.clone(args)
        result = original(*args, **kwargs)
        if overrides(self.backend, name):
            default = getattr(Backend, name)(self.backend, *twin, **kwargs)
            found, expected = self.values([args, result]), self.values([twin, default])
            self.same(found, expected, False, f"{name} and its default differ")
        return result


def overrides(backend: Backend, name: str) -> bool:
    """Whether the backend has its own way for a method that has a default."""
    return name not in Tier1.__abstractmethods__ and getattr(type(backend), name) is not getattr(
        Backend, name
    )


@contextmanager
def watched(backend: Backend, loose: float = 1.0, done: set[str] | None = None) -> Iterator[Watch]:
    """Check each call that is not like one in `done`; with None note only what is called."""
    watch = Watch(backend, loose, done)
    wrappers = {name: watch.wrap(name) for name in methods()}
    vars(backend).update(wrappers)
    try:
        yield watch
    finally:
        for name in wrappers:
            del vars(backend)[name]
