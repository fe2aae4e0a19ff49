"""Division of indices by sizes that a launch knows: a multiplication and a shift.

    i // d = ((i * magic >> 32) + i) >> shift       0 <= i < 2^31, 1 <= d < 2^31

A multiprocessor has no divider: an integer division is 20 instructions, and a kernel that walks
through three axes would do more dividing than loading. The host works magic and shift out once.

Source: Granlund & Montgomery, "Division by invariant integers using multiplication", PLDI 1994.
"""

from __future__ import annotations

from .spec import device, int64, uint32, uint64


def divisor(d: int) -> tuple[int, int]:
    """shift = ceil(log2 d) and magic = 2^32 (2^shift / d - 1) + 1, as (magic, shift).

    A launch over nothing may ask for d = 0; it divides nothing by it.
    """
    d = max(1, d)
    shift = (d - 1).bit_length()
    return ((1 << 32) * ((1 << shift) - d)) // d + 1, shift


def _quotient(i, magic, shift):
    """i // d; magic and shift are uint32."""
    high = (uint64(uint32(i)) * uint64(magic)) >> uint64(32)
    return int64((high + uint64(uint32(i))) >> uint64(shift))


quotient = device(_quotient, simulate=lambda i, m, s: ((i * m >> 32) + i) >> s)
