"""Checks of arguments that modules and optimizers share. Each returns the value that it accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from math import inf
from operator import index
from typing import Any

from . import tensor as _tensor
from .errors import ArgumentError, CallError, EtudeError, fail, nearest
from .guard import article, came, explain


def whole(op: str, name: str, value: Any, least: int = 1) -> int:
    """A whole number >= least."""
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        fix = "convert it with int(...)" if isinstance(value, float) else f"use {least} or more"
        raise fail(
            ArgumentError,
            op,
            f"expected {name} as a whole number >= {least}, got {came(value)}; {fix}",
        )
    return number


def real(
    op: str, name: str, value: Any, low: float = 0.0, high: float = inf, open_ends: str = ""
) -> float:
    """A number in [low, high]; `open_ends` "(", ")" or "()" takes an end out of the interval."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not fits or ("(" in open_ends and value == low) or (")" in open_ends and value == high):
        parts = [f"{'>' if '(' in open_ends else '>='} {low:g}"] if low != -inf else []
        parts += [f"{'<' if ')' in open_ends else '<='} {high:g}"] if high != inf else []
        wanted = " ".join(["a number", " and ".join(parts)]).rstrip()
        raise fail(
            ArgumentError, op, f"expected {name} as {wanted}, got {came(value)}; pass {wanted}"
        )
    return value  # type: ignore[no-any-return]


def choice(op: str, name: str, value: Any, choices: Iterable[str]) -> str:
    """One of a few words."""
    options = list(choices)
    if value not in options:
        raise fail(
            ArgumentError,
            op,
            f"expected {name} as one of {', '.join(map(repr, options))}, got {came(value)}; "
            f"{nearest(str(value), options)}",
        )
    return value  # type: ignore[no-any-return]


def instance(op: str, name: str, value: Any, kind: type, fix: str) -> Any:
    """A value of a class."""
    if not isinstance(value, kind):
        wanted = article(kind.__name__)
        raise fail(CallError, op, f"expected {name} as {wanted}, got {came(value)}; {fix}")
    return value


def tensor(op: str, name: str, value: Any) -> Any:
    """A Tensor."""
    return instance(op, name, value, _tensor.Tensor, "make it one with etude.tensor(...)")


def guard_constructors(namespace: dict[str, Any], *bases: type) -> None:
    """Have the classes below `bases` explain a wrong call, as the functions do (guard.py)."""
    for kind in list(namespace.values()):
        if isinstance(kind, type) and issubclass(kind, bases):
            setattr(kind, "__init__", _guarded(kind))  # noqa: B010 - mypy forbids the assignment


def _guarded(kind: type) -> Callable[..., None]:
    build = kind.__init__  # type: ignore[misc]

    @wraps(build)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            build(self, *args, **kwargs)
        except EtudeError:
            raise
        except Exception:
            blame = explain(kind, kind.__name__, args, kwargs)
            if blame is None:
                raise
            raise blame from None

    return init
