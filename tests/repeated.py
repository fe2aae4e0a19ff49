"""Runs that repeat others: in CUDA's simulator, and of C kernels that were built another way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from case import Case


@cache
def is_simulated(backend: str) -> bool:
    """Whether a backend's kernels are simulated: CUDA's, where ETUDE_CUDA=simulate asks for it.

    That takes a thousand times as long.
    """
    if backend != "cuda":
        return False
    from etude.kernels.cuda import toolchain

    return toolchain.simulating()


@cache
def is_repeated(backend: str) -> bool:
    """Whether the run is for the backend's kernels alone: the rest was checked on other ones."""
    chosen = os.environ.get("ETUDE_ISA") or os.environ.get("ETUDE_SANITIZED")
    return is_simulated(backend) or (backend == "c" and bool(chosen))


@contextmanager
def unwatched(backend: str) -> Iterator[None]:
    """A simulated device without its watch for races, which tests of kernels look for."""
    if not is_simulated(backend):
        yield
        return
    from etude.kernels.cuda import toolchain

    with toolchain.simulated(races=False):
        yield


@cache
def firsts() -> dict[str, Case]:
    """The first case of each function."""
    from cases import CASES

    return {case.subject: case for case in reversed(CASES)}


def is_first(case: Case) -> bool:
    """Whether no case before is about the same function."""
    return firsts().get(case.subject) is case
