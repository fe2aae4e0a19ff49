"""Division of indices by sizes that a launch knows: a multiplication and a shift.

    i // d = ((i * magic >> 32) + i) >> shift       0 <= i < 2^32, 1 <= d <= 2^32
    i // d = ((i * magic >> 64) + i) >> shift       0 <= i < 2^63, 1 <= d < 2^63

A multiprocessor has no divider: an integer division is 20 instructions, 64-bit 70, and a kernel
that walks through three axes would do more dividing than loading. The host works magic and shift
out once. A kernel's factory takes the type of its indices, "int32" or "int64", and closes over
`quotient_of(index)`; its signature has `MAGIC[index]` for each divisor.

Source: Granlund & Montgomery, "Division by invariant integers using multiplication", PLDI 1994.
"""

from __future__ import annotations

from typing import Any

from .spec import device, int64, uint32, uint64

BITS = {"int32": 32, "int64": 64}
MAGIC = {"int32": ("uint32", "uint32"), "int64": ("uint64", "uint32")}  # types of magic and shift


def divisor(d: int, index: str = "int32") -> tuple[int, int]:
    """shift = ceil(log2 d) and magic = 2^bits (2^shift / d - 1) + 1, as (magic, shift).

    A launch over nothing may ask for d = 0; it divides nothing by it.
    """
    d = max(1, d)
    shift = (d - 1).bit_length()
    return (((1 << shift) - d) << BITS[index]) // d + 1, shift


def quotient_of(index: str) -> Any:
    """The device's i // d, of i, magic and shift, for indices of a type."""
    return long_quotient if index == "int64" else quotient


def _quotient(i, magic, shift):
    """i // d; magic and shift are uint32."""
    high = (uint64(uint32(i)) * uint64(magic)) >> uint64(32)
    return int64((high + uint64(uint32(i))) >> uint64(shift))


def _long_quotient(i, magic, shift):
    """i // d; magic is uint64. The sum stays below 2^64."""
    high = uint64(upper_half(int64(i), int64(magic)))
    return int64((high + uint64(i)) >> uint64(shift))


def _upper_half() -> Any:
    from numba.cuda import libdevice

    return libdevice.umul64hi


def simulated(bits: int) -> Any:
    """The formula in Python's integers. Raises OverflowError for what the device would cut off."""
    end = 1 << min(bits, 63)

    def quotient(i, magic, shift):
        if not 0 <= i < end:
            raise OverflowError(f"{i} is divided as an index of {bits} bits")
        return ((i * magic >> bits) + i) >> shift

    return quotient


upper_half = device(build=_upper_half)
quotient = device(_quotient, simulate=simulated(32))
long_quotient = device(_long_quotient, simulate=simulated(64))
