"""Memory in the simulator: bounded, poisoned until written, watched for races.

Two threads race for an element if one of them writes it and no barrier lies between them: none of
the block, none of their warp; threads of different blocks have none at all within a launch (a
kernel that calls `cuda.threadfence` orders its blocks by other means, and is trusted).
"""

from __future__ import annotations

import sys
from functools import cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from .simulator_device import DTYPES, TYPES, WARP, KernelFault, now
from .spec import Kernel

Stamp = tuple[int, int, int, int]  # block, thread, barriers passed by its block and its warp
CASTS = {np.dtype(name): kind for name, kind in TYPES.items() if name != "boolean"}
# What memory holds that nobody has written: nan, or a conspicuous integer.
POISONED: dict[str, Any] = {
    "float32": np.float32("nan"),
    "float64": np.float64("nan"),
    "int32": -1515870811,
    "int64": -1515870811,
    "uint32": 2779096485,
    "uint64": 2779096485,
    "bool": True,
}


class Memory:
    """What a pointer points to: a flat array that refuses what lies outside of it."""

    __slots__ = ("cast", "data", "get", "name", "readers", "shape", "size", "writers")

    def __init__(self, name: str, data: np.ndarray, shape: tuple[int, ...]) -> None:
        self.name, self.data, self.shape, self.size = name, data, shape, data.size
        floats = data.dtype.kind == "f"
        self.get = data.__getitem__ if floats else data.item
        self.cast = None if floats else CASTS[data.dtype]
        self.writers: dict[int, Stamp] = {}
        self.readers: dict[int, list[Stamp]] = {}

    def at(self, index: Any) -> int:
        """The flat position of an index. Raises KernelFault if there is none."""
        if not 0 <= index < self.size:
            raise KernelFault(f"index {index} of {self.name}, which has shape {self.shape}")
        return index

    def __getitem__(self, i: Any) -> Any:
        if not 0 <= i < self.size:
            self.at(i)
        return self.get(i)

    def __setitem__(self, i: Any, value: Any) -> None:
        if not 0 <= i < self.size:
            self.at(i)
        self.data[i] = value if self.cast is None else self.cast(value)

    def race(self, i: int, other: Stamp, does: str, did: str) -> KernelFault:
        """The error for an access that nothing orders after another."""
        block = "" if other[0] == now.block else f" of block {other[0]}"
        return KernelFault(
            f"a race: it {does} element {i} of {self.name}, which thread {other[1]}{block} {did} "
            "with no barrier between them"
        )


class Watched(Memory):
    """Global memory: who wrote an element is remembered while the launch lasts."""

    __slots__ = ()

    def __getitem__(self, i: Any) -> Any:
        if not 0 <= i < self.size:
            self.at(i)
        writer = self.writers.get(i)
        if writer is not None and writer is not now.stamp and unordered(writer):
            raise self.race(i, writer, "reads", "wrote")
        return self.get(i)

    def __setitem__(self, i: Any, value: Any) -> None:
        if not 0 <= i < self.size:
            self.at(i)
        writer = self.writers.get(i)
        if writer is not None and writer is not now.stamp and unordered(writer):
            raise self.race(i, writer, "writes", "wrote")
        self.writers[i] = now.stamp
        self.data[i] = value if self.cast is None else self.cast(value)


class Shared(Memory):
    """A block's memory: also reads are remembered, for a write that comes too early.

    What was done before the last barrier is ordered: of most accesses nothing else is asked.
    """

    __slots__ = ()

    def __getitem__(self, i: Any) -> Any:
        if not 0 <= i < self.size:
            self.at(i)
        stamp, writer, readers = now.stamp, self.writers.get(i), self.readers.get(i)
        if writer is not None and writer[2] >= stamp[2] and unordered(writer):
            raise self.race(i, writer, "reads", "wrote")
        if readers is None or readers[-1][2] < stamp[2]:
            self.readers[i] = [stamp]
        elif readers[-1] is not stamp:
            readers.append(stamp)
        return self.get(i)

    def __setitem__(self, i: Any, value: Any) -> None:
        if not 0 <= i < self.size:
            self.at(i)
        stamp, writer, readers = now.stamp, self.writers.get(i), self.readers.pop(i, None)
        if writer is not None and writer[2] >= stamp[2] and unordered(writer):
            raise self.race(i, writer, "writes", "wrote")
        if readers is not None and readers[-1][2] >= stamp[2]:
            reader = next(filter(unordered, readers), None)
            if reader is not None:
                raise self.race(i, reader, "writes", "read")
        self.writers[i] = stamp
        self.data[i] = value if self.cast is None else self.cast(value)


class Tiled:
    """Shared memory of several axes."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self.shape = memory, memory.shape

    def at(self, index: Any) -> int:
        """The flat position of an index. Raises KernelFault if there is none."""
        flat = 0
        for i, n in zip(index, self.shape, strict=True):
            if not 0 <= i < n:
                raise KernelFault(f"index {index} of a shared array, which has shape {self.shape}")
            flat = flat * n + i
        return flat

    def __getitem__(self, index: Any) -> Any:
        return self.memory[self.at(index)]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.memory[self.at(index)] = value


class Local(dict[Any, Any]):
    """A thread's own array; stores, which are frequent, go unchecked until the thread ends."""

    def __init__(self, shape: tuple[int, ...], value: Any) -> None:
        indices = range(shape[0]) if len(shape) == 1 else product(*map(range, shape))
        super().__init__(dict.fromkeys(indices, value))
        self.shape, self.thread, self.elements = shape, now.thread, prod(shape)

    def __missing__(self, index: Any) -> Any:
        raise KernelFault(f"index {index} of a local array, which has shape {self.shape}")

    def check(self) -> None:
        """Raise KernelFault if something was stored where there is no element."""
        if len(self) > self.elements:
            now.thread = self.thread
            self.__missing__(list(self)[self.elements])


def unordered(other: Stamp) -> bool:
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
        self.shared: dict[Any, Any] = {}
        self.locals: list[Local] = []

    def enter_block(self) -> None:
        """Forget what the block before had."""
        self.shared.clear()

    def check(self) -> None:
        """Look at the local arrays of threads that have ended. Raises KernelFault."""
        for local in self.locals:
            local.check()
        self.locals.clear()

    def array(self, kind: str, shape: Any, dtype: Any) -> Any:
        """cuda.shared.array and cuda.local.array: one for each place in the code, or each call."""
        shape = shape if isinstance(shape, tuple) else (shape,)
        name = DTYPES[dtype]
        if kind == "local":
            self.locals.append(Local(shape, POISONED[name]))
            return self.locals[-1]
        frame = sys._getframe(2)
        key = name if shape == (0,) else (frame.f_code, frame.f_lasti)
        if key not in self.shared:
            if shape == (0,):
                shape = (self.dynamic // np.dtype(name).itemsize,)
            memory = (Shared if self.watched else Memory)(
                "a shared array", np.full(prod(shape), POISONED[name], name), shape
            )
            self.shared[key] = memory if len(shape) == 1 else Tiled(memory)
        return self.shared[key]


class Null:
    """A null pointer."""

    def __getitem__(self, index: Any) -> Any:
        raise KernelFault(f"index {index} of a null pointer")

    __setitem__ = __getitem__  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return False


@cache
def pointed(kind: str) -> np.dtype:
    """What a pointer of a signature points to."""
    return np.dtype(kind[:-1].replace("boolean", "bool"))


def view(
    kernel: Kernel, position: int, kind: str, value: Any, arena: Arena, seen: dict[Any, Any]
) -> Any:
    """An argument that is a pointer: an ndarray, a buffer that has one as `.host`, or None."""
    if value is None:
        return Null()
    array, wanted = getattr(value, "host", value), pointed(kind)
    if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
        raise TypeError(f"[cuda] argument {position} of {kernel.name} is no buffer: {value!r}")
    if array.dtype != wanted and array.dtype.itemsize != wanted.itemsize:
        raise TypeError(
            f"[cuda] argument {position} of {kernel.name} is {kind}, got a buffer of {array.dtype}"
        )
    place = value.address if array is not value else array.__array_interface__["data"][0]
    key = place, wanted
    if key not in seen:
        kept, flat = Watched if arena.watched else Memory, array.reshape(-1).view(wanted)
        seen[key] = kept(f"argument {position}", flat, flat.shape)
    return seen[key]
