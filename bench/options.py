"""What the command line asked for, as the suites see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase


def silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Options:
    """backends: etude's, by name. peers: other libraries. cases and families: all if empty."""

    backends: tuple[str, ...] = ("numpy",)
    peers: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    rounds: int = 7
    scale: float = 1.0  # of the length of turns
    threads: int | None = None  # all cores
    say: Callable[[str], None] = silent  # progress, written over
    tell: Callable[[str], None] = silent  # progress that stays

    def wants(self, case: str, family: str | None = None) -> bool:
        """Whether a case was asked for: by a part of its name or a pattern, and by its family."""
        if self.families and family is not None and family not in self.families:
            return False
        return not self.cases or any(named(case, given) for given in self.cases)


def named(case: str, given: str) -> bool:
    """Whether `given` is a part of the name, or a pattern with * and ? for the whole of it."""
    return given in case or fnmatchcase(case, given)
