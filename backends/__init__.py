"""Backends carry the operations out. `base` is the contract, `registry` finds them by name."""

from .registry import available, get

__all__ = ["available", "get"]
