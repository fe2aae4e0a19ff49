"""Kernels whose types follow from two: that of their numbers and that of their indices.

    kernel("norm", "float32", f, ("*", "T", "index", "divisor"), block, "int64")
    ->      "norm_long_float32" of (float32*, float32, int64, and magic and shift of a division)

A product of two int32 is an int64 in compiled kernel code, so an address never wraps; the type of
indices is that of sizes as they are passed and of numbers that are divided, which must both hold
them. 32 bits take half the registers, and a division half the instructions; from 2^31 elements on
there is the other kernel, of the same function.
"""

from __future__ import annotations

from typing import Any

from .divide import MAGIC
from .spec import Kernel


def signature(dtype: str, index: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Of "*" (a pointer to numbers), "T" (a number), "index", "divisor"; others as they are."""
    meaning = {"*": (dtype + "*",), "T": (dtype,), "index": (index,), "divisor": MAGIC[index]}
    return tuple(own for kind in kinds for own in meaning.get(kind, (kind,)))


def named(name: str, dtype: str, index: str) -> str:
    """A kernel's name; what counts by 64 bits is long."""
    return f"{name}_{'long_' if index == 'int64' else ''}{dtype}"


def kernel(
    name: str, dtype: str, function: Any, kinds: tuple[str, ...], block: Any, index: str = "int32"
) -> Kernel:
    """The kernel over numbers and indices of these types."""
    own, narrow = signature(dtype, index, kinds), dtype == "float32"
    return Kernel(named(name, dtype, index), function, own, block, narrow=narrow)
