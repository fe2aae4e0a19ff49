"""What the families of the C backend stand on: the kernels, and memory for results.

A family reaches C through `c` alone, and memory through the methods here and the `data` of blocks,
which it hands on and never looks into. So a subclass may put others in their places, and the same
Python code then does something else: c_tape.py writes calls down instead of making them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .c_library import KERNELS, ffi, lib
from .c_memory import ITEMSIZE, LARGEST, Block, out_of_memory
from .tier1 import Buffer, Shape, Tier1

WORD = (1 << 64) - 1


class CBase(Tier1):
    """The kernels, and what is made of blocks on the way to them."""

    def __init__(self) -> None:
        self.c: Any = KERNELS

    def empty(self, shape: Shape, dtype: str, new: Any = lib.buffer_new) -> Buffer:
        """A block with unspecified values. Raises MemoryError, naming the bytes asked for."""
        size = prod(shape)
        bytes_ = size * ITEMSIZE[dtype]
        data = new(bytes_) if bytes_ < LARGEST else None
        if not data:
            raise out_of_memory(bytes_, shape, dtype)
        return Block(data, shape, size, dtype, None)

    def result(self, data: Any, shape: Shape, size: int, dtype: str) -> Block:
        """The block of new memory, which a kernel has filled; MemoryError where it is NULL."""
        if not data:
            raise out_of_memory(size * ITEMSIZE[dtype], shape, dtype)
        return Block(data, shape, size, dtype, None)

    def at(self, x: Block, offset: int) -> Any:
        """The address of an element."""
        return ffi.cast("void *", ffi.cast("char *", x.data) + offset * ITEMSIZE[x.dtype])

    def pointers(self, *lists: Sequence[Block | None]) -> tuple[Any, Any, int]:
        """The table of the blocks of some lists, their sizes, and how long each list is.

        It is made anew for each call, which takes 2 us for ten parameters: gradients are new blocks
        each time, and a table that is kept would keep their memory.
        """
        null, first = ffi.NULL, lists[0]
        table = [null if x is None else x.data for each in lists for x in each]
        sizes = ffi.new("int64_t[]", [x.size for x in first if x is not None])
        return ffi.new("void *[]", table), sizes, len(first)

    def counter_words(self, key: int, counter: int) -> tuple[Any, Any, Any]:
        """Key and counter of the random generator as words of 64 bits, the low one first."""
        return key & WORD, counter & WORD, counter >> 64 & WORD
