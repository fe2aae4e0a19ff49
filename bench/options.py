"""What the command line asked for, as the suites see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Options:
    """backends: etude's, by name. peers: other libraries. cases: which to run, all if empty."""

    backends: tuple[str, ...] = ("numpy",)
    peers: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    rounds: int = 9
    say: Callable[[str], None] = silent  # progress
