"""Memory in the simulator: bounded, poisoned until written, watched for races.

Two threads race for an element if one of them writes it and no barrier lies between them: none of
the block, none of their warp; threads of different blocks have none at all within a launch (a
kernel that calls `cuda.threadfence` orders its blocks by other means, and is trusted).
"""

from __future__ import annotations

import sys
from math import prod
from typing import Any

import numpy as np

from .simulator_device import DTYPES, TYPES, WARP, KernelFault, now
from .spec import Kernel

POISON = {"f": np.nan, "i": -1515870811, "u": 2779096485, "b": True}


def poisoned(size: int, dtype: Any) -> np.ndarray:
    """New memory that nobody has written: nan, or a conspicuous integer."""
    return np.full(size, POISON[np.dtype(dtype).kind], dtype)


class Memory:
    """What a pointer points to: a flat array that refuses what lies outside of it."""

    __slots__ = ("data", "floats", "name", "readers", "shape", "size", "wrap", "writers")

    def __init__(self, name: str, data: np.ndarray, shape: tuple[int, ...], watched: bool) -> None:
        self.name, self.data, self.shape, self.size = name, data, shape, data.size
        self.floats = data.dtype.kind == "f"
        self.wrap = TYPES[str(data.dtype)]
        self.writers: dict[int, tuple[int, ...]] | None = {} if watched else None
        self.readers: dict[int, dict[int, tuple[int, ...]]] = {}

    def at(self, index: Any) -> int:
        """The flat position of an index. Raises KernelFault if there is none."""
        if isinstance(index, tuple):
            flat = 0
            for i, n in zip(index, self.shape, strict=True):
                if not 0 <= i < n:
                    raise KernelFault(f"index {index} of {self.name}, which has shape {self.shape}")
                flat = flat * n + i
            return flat
        if not 0 <= index < self.size or len(self.shape) > 1:
            raise KernelFault(f"index {index} of {self.name}, which has shape {self.shape}")
        return index

    def __getitem__(self, index: Any) -> Any:
        i = self.at(index)
        if self.writers is not None:
            self.watch_read(i)
        return self.data[i] if self.floats else self.data.item(i)

    def __setitem__(self, index: Any, value: Any) -> None:
        i = self.at(index)
        if self.writers is not None:
            self.watch_write(i)
        self.data[i] = self.wrap(value)

    def watch_read(self, i: int) -> None:
        writer = self.writers.get(i)
        if writer is not None and unordered(writer):
            raise self.race(i, writer, "reads", "wrote")

    def watch_write(self, i: int) -> None:
        writer = self.writers.get(i)
        if writer is not None and unordered(writer):
            raise self.race(i, writer, "writes", "wrote")
        self.writers[i] = stamp()

    def race(self, i: int, other: tuple[int, ...], does: str, did: str) -> KernelFault:
        block = "" if other[0] == now.block else f" of block {other[0]}"
        return KernelFault(
            f"a race: it {does} element {i} of {self.name}, which thread {other[1]}{block} {did} "
            "with no barrier between them"
        )


class Shared(Memory):
    """Shared memory: also reads are remembered, for a write that comes too early."""

    __slots__ = ()

    def watch_read(self, i: int) -> None:
        super().watch_read(i)
        self.readers.setdefault(i, {})[now.thread] = stamp()

    def watch_write(self, i: int) -> None:
        super().watch_write(i)
        for reader in self.readers.pop(i, {}).values():
            if unordered(reader):
                raise self.race(i, reader, "writes", "read")


def stamp() -> tuple[int, int, int, int]:
    """Who accesses memory and when: block, thread, barriers passed by its block and its warp."""
    t = now.thread
    return now.block, t, now.epoch, now.warp_epochs[t // WARP]


def unordered(other: tuple[int, ...]) -> bool:
    """Whether nothing orders an earlier access before the running thread's."""
    block, thread, epoch, warp_epoch = other
    if block != now.block:
        return not now.arena.fenced
    t = now.thread
    if thread == t or epoch < now.epoch:
        return False
    return thread // WARP != t // WARP or warp_epoch >= now.warp_epochs[t // WARP]


class Arena:
    """The shared and local arrays of a launch."""

    def __init__(self, dynamic: int, watched: bool) -> None:
        self.dynamic, self.watched, self.fenced = dynamic, watched, False
        self.shared: dict[Any, Memory] = {}

    def enter_block(self) -> None:
        self.shared.clear()

    def array(self, kind: str, shape: Any, dtype: Any) -> Memory:
        """cuda.shared.array and cuda.local.array: one for each place in the code, or each call."""
        shape = shape if isinstance(shape, tuple) else (shape,)
        name = DTYPES[dtype]
        if kind == "local":
            return Memory("a local array", poisoned(prod(shape), name), shape, False)
        frame = sys._getframe(2)
        key = name if shape == (0,) else (frame.f_code, frame.f_lasti)
        if key not in self.shared:
            if shape == (0,):
                shape = (self.dynamic // np.dtype(name).itemsize,)
            data = poisoned(prod(shape), name)
            self.shared[key] = Shared("a shared array", data, shape, self.watched)
        return self.shared[key]


class Null:
    """A null pointer."""

    def __getitem__(self, index: Any) -> Any:
        raise KernelFault(f"index {index} of a null pointer")

    __setitem__ = __getitem__  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return False


def view(
    kernel: Kernel, position: int, kind: str, value: Any, arena: Arena, seen: dict[Any, Any]
) -> Any:
    """An argument that is a pointer: an ndarray, what has one as `.host`, or None."""
    if value is None:
        return Null()
    array = getattr(value, "host", value)
    wanted = kind[:-1].replace("boolean", "bool")
    if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
        raise TypeError(f"[cuda] argument {position} of {kernel.name} is no buffer: {value!r}")
    if array.dtype != wanted and array.dtype.itemsize != np.dtype(wanted).itemsize:
        raise TypeError(
            f"[cuda] argument {position} of {kernel.name} is {kind}, got a buffer of {array.dtype}"
        )
    flat = array.reshape(-1).view(wanted)
    key = flat.__array_interface__["data"][0], wanted
    if key not in seen:
        seen[key] = Memory(f"argument {position}", flat, flat.shape, arena.watched)
    return seen[key]
