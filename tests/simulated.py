"""Backends whose kernels run in a simulator here, which takes a thousand times as long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from case import Case


@cache
def is_simulated(backend: str) -> bool:
    """Whether a backend's kernels are simulated: CUDA's, where ETUDE_CUDA=simulate asks for it."""
    if backend != "cuda":
        return False
    from etude.kernels.cuda import toolchain

    return toolchain.simulating()


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
