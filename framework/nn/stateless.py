"""Layers without weights: a function and its arguments."""

from __future__ import annotations

from typing import Any

from .module import Module


class Stateless(Module):
    """A layer whose arguments are attributes, and are what its repr shows."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self._arguments = tuple(arguments)
        for name, value in arguments.items():
            setattr(self, name, value)

    def extra_repr(self) -> str:
        """The arguments; `inplace` if it was asked for."""
        shown = [n for n in self._arguments if n != "inplace" or self.inplace]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
