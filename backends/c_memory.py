"""Buffers of the C backend: memory from its cache, with shape and dtype beside the pointer."""

from __future__ import annotations

from math import prod
from typing import Any

from .c_library import ffi, lib
from .tier1 import Shape

ITEMSIZE = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1}
FORMAT = {"float32": "f", "float64": "d", "int32": "i", "int64": "q", "bool": "?"}
LARGEST = 1 << 52  # bytes: more than any machine has, and no product of sizes overflows below it


class Block:
    """`data` (void *) points to C-contiguous values; `base` keeps memory that is another's."""

    __slots__ = ("base", "data", "dtype", "shape", "size")

    def __init__(self, data: Any, shape: Shape, size: int, dtype: str, base: Any) -> None:
        self.data = data
        self.shape = shape
        self.size = size
        self.dtype = dtype
        self.base = base

    def __del__(self, free: Any = lib.buffer_free) -> None:
        if self.base is None:
            free(self.data)

    @property
    def nbytes(self) -> int:
        """The bytes of all values."""
        return self.size * ITEMSIZE[self.dtype]

    def view(self, shape: Shape) -> Block:
        """The same memory under another shape."""
        base = self if self.base is None else self.base
        return Block(self.data, shape, self.size, self.dtype, base)

    def part(self, offset: int, shape: Shape, dtype: str) -> Block:
        """The memory that begins `offset` bytes later, as values of its own shape and dtype."""
        base = self if self.base is None else self.base
        data = ffi.cast("void *", ffi.cast("char *", self.data) + offset)
        return Block(data, shape, prod(shape), dtype, base)

    def bytes(self) -> memoryview:
        """The memory as it is, one byte after the other, writable; it keeps the block alive."""
        held = ffi.gc(self.data, lambda _, block=self: None)
        return memoryview(ffi.buffer(held, self.nbytes))


def borrowed_block(data: memoryview, shape: Shape, dtype: str) -> Block:
    """A block over memory of somebody else, who will not write to it."""
    held = ffi.from_buffer(data)
    return Block(ffi.cast("void *", held), shape, prod(shape), dtype, held)


def out_of_memory(bytes_: int, shape: Shape, dtype: str) -> MemoryError:
    """The error for an allocation that failed."""
    return MemoryError(f"[c] no memory for a buffer {shape} {dtype}: {bytes_:,} bytes asked for")


def check(status: int, name: str) -> None:
    """Raise MemoryError where a kernel found no scratch memory."""
    if status:
        raise MemoryError(f"[c] {name}: no memory for the kernel's scratch space")
