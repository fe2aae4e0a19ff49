"""Device work as a list: what a recorder writes down while it stands in for the device.

    eager       method -> Python (check, allocate) -> launch, copy, fill -> the stream
    recording   method -> Python (check, allocate) -> launch, copy, fill -> a list of records

All device work goes through four calls of cuda_runtime.py, and each asks first whether a recorder
is there. So whatever Python a method is made of runs as it always does, once, and what is left is
the list. On a GPU it becomes a graph (cuda_exec.py). Without one it is gone through record by
record (`Listed`), so the simulator proves recording, static memory and dials with the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ..kernels.cuda import toolchain
from . import cuda_runtime as runtime
from .cuda_dial import Dial, Unrecordable


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch of a kernel; the arguments are arrays or addresses, numbers, dials or None."""

    kernel: Any
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    arguments: tuple[Any, ...]

    def dials(self) -> list[int]:
        """The places of the arguments that are read anew at each run."""
        return [at for at, a in enumerate(self.arguments) if type(a) is Dial]


@dataclass(frozen=True, slots=True)
class Copy:
    """So many bytes from one address to another."""

    target: int
    source: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Fill:
    """So many bytes from an address on set to one value."""

    target: int
    byte: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Check:
    """The word in which a launch before left the place of a bad index, and what indices may be."""

    word: Any
    indices: Any
    low: int
    high: int
    skip: int | None  # may be there too, though it lies outside


Record = Launch | Copy | Fill


class Recorder:
    """What cuda_runtime.py hands device work to while something is recorded.

    On a device records have addresses, so that memory which is freed while recording is taken again
    by what is recorded later. The simulator wants the arrays themselves.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.checks: list[tuple[int, Check]] = []  # and how many records come before
        self.kept: list[Any] = []  # memory that was filled once and has to stay
        self.arrays = runtime.device().simulated

    def launch(self, kernel: Any, grid: Any, arguments: Sequence[Any], block: Any = None) -> None:
        """Write down a launch."""
        blocks, size = toolchain.shape_of(kernel, grid, block)
        if 0 not in blocks:
            given = arguments if self.arrays else [getattr(a, "address", a) for a in arguments]
            self.records.append(Launch(kernel, blocks, size, tuple(given)))

    def copy(self, target: Any, source: Any) -> None:
        """Write down a copy between two device arrays."""
        if target.nbytes:
            self.records.append(Copy(target.address, source.address, target.nbytes))

    def fill(self, target: Any, byte: int) -> None:
        """Write down a fill."""
        if target.nbytes:
            self.records.append(Fill(target.address, byte, target.nbytes))

    def keep(self, array: Any) -> None:
        """Hold on to memory that was filled while work was recorded."""
        self.kept.append(array)

    def check(self, word: Any, indices: Any, low: int, high: int, skip: int | None) -> None:
        """Write down that a word is to be looked at."""
        self.checks.append((len(self.records), Check(word, indices, low, high, skip)))

    def host(self, what: str) -> None:
        """Refuse what needs the values of device memory now."""
        raise Unrecordable(f"{what} while work is recorded")


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Let a recorder stand in for the device."""
    before = runtime.set_recorder(recorder)
    try:
        yield recorder
    finally:
        runtime.set_recorder(before)


class Executable(Protocol):
    """A list of records that is ready to run."""

    def run(self) -> None:
        """Do all of it, in order, with what the dials show now."""


class Listed:
    """Records gone through one by one, as eager work is done."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)

    def run(self) -> None:
        """Do all of it, in order, with what the dials show now."""
        for r in self.records:
            device = runtime.device()
            if isinstance(r, Launch):
                arguments = [a.now() if type(a) is Dial else a for a in r.arguments]
                device.launch(r.kernel, r.grid, r.block, arguments)
            elif isinstance(r, Copy):
                device.copy(r.target, r.source, r.bytes)
            else:
                device.fill(r.target, r.byte, r.bytes)
