"""Large arrays from memory that is kept: the first touch of fresh pages costs more than arithmetic.

relu of 16M floats takes 15 ms into memory that the system has just handed out, 3.4 ms into memory
that was used before. glibc can be told to keep blocks of up to 32 MB (numpy_memory.py); larger ones
it always gives back. Here they are kept by size, up to LIMIT bytes, and taken back when the array
and all its views are gone.
"""

from __future__ import annotations

import mmap
from math import prod
from typing import Any

import numpy as np

from .tier1 import Shape

LARGE = 4 << 20  # bytes from which an array comes from here
LIMIT = 1 << 30  # bytes kept while no array uses them


class Pool:
    """Free blocks by size, and how many bytes they are."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.free: dict[int, list[Any]] = {}
        self.held, self.limit = 0, limit

    def take(self, size: int) -> Any:
        """A block (flat, uint8) of at least `size` bytes. Raises MemoryError."""
        room = rounded(size)
        try:
            block = self.free[room].pop()
        except (KeyError, IndexError):
            return fresh(room, size)
        self.held -= room
        return block

    def give(self, block: Any) -> None:
        """Keep a block that no array uses any more, unless that would be too much."""
        if self.held + block.size <= self.limit:
            self.held += block.size
            self.free.setdefault(block.size, []).append(block)

    def release(self) -> None:
        """Give all kept memory back to the system."""
        self.free.clear()
        self.held = 0


def rounded(size: int) -> int:
    """`size` rounded up to one of eight sizes between powers of two, so that blocks fit again."""
    unit = 1 << max(12, size.bit_length() - 4)
    return -(-size // unit) * unit


def fresh(room: int, size: int) -> Any:
    """Memory from the system, in large pages where it has them. Raises MemoryError."""
    try:
        pages = mmap.mmap(-1, room)
    except (OSError, OverflowError, ValueError) as error:
        raise MemoryError(f"cannot allocate {size} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


class Lease:
    """The owner of an array's memory: NumPy keeps it as long as the array or a view lives."""

    __slots__ = ("__array_interface__", "block", "pool")

    def __init__(self, pool: Pool, shape: Shape, dtype: Any, size: int) -> None:
        self.pool, self.block = pool, pool.take(size)
        self.__array_interface__ = {
            "data": self.block.__array_interface__["data"],
            "shape": shape,
            "typestr": dtype.str,
            "version": 3,
        }

    def __del__(self) -> None:
        if hasattr(self, "block"):
            self.pool.give(self.block)


POOL = Pool()
KINDS = {name: np.dtype(name) for name in ("float32", "float64", "int32", "int64", "bool")}


def empty(shape: Shape, dtype: Any) -> Any:
    """np.empty of a dtype or its name, from kept memory if it is large."""
    kind = KINDS[dtype] if isinstance(dtype, str) else dtype
    size = prod(shape) * kind.itemsize
    if size < LARGE:
        return np.empty(shape, kind)
    return np.asarray(Lease(POOL, shape, kind, size))
