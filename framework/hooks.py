"""Hooks: functions that a module calls around its forward pass, or a sweep on a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Hook = Callable[..., Any]


class Changes:
    """Counts changes, so that who saw a count knows of none since while it stays.

    modules: of their attributes, parts and hooks. state: of a tensor's place in memory, and steps
    of optimizers.
    """

    modules = 0
    state = 0


changes = Changes()


class Handle:
    """What registering a hook returns; `remove()`, or the end of a `with`, takes the hook out."""

    def __init__(self, table: dict[Handle, Hook], hook: Hook) -> None:
        self.table = table
        table[self] = hook
        changes.modules += 1

    def remove(self) -> None:
        """Take the hook out. A second call does nothing."""
        self.table.pop(self, None)
        changes.modules += 1

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
