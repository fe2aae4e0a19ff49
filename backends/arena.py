"""One piece of memory for many values, of which each lives only for a while.

    largest first: put it into the smallest gap that fits, between those that live when it does

Finding the least memory is NP-hard (bin packing is a special case). Placing large values first
comes within a few per cent of the bound below for networks: small ones fill the gaps they leave.
Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference", section 5.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

ALIGNMENT = 64  # bytes: a vector of AVX-512, and a line of the cache

Life = tuple[int, int, int]


def place(lives: Sequence[Life]) -> tuple[list[int], int]:
    """Where each value begins, and the bytes of the whole: values that live together lie apart.

    lives: (bytes, first, last) of each value, living from step `first` to step `last` inclusive.
    Returns offsets, multiples of 64, in the order of `lives`; and the size, a multiple of 64.
    """
    offsets, size = [0] * len(lives), 0
    placed: list[Life] = []  # (begin, end, index), in the order of memory
    for index in sorted(range(len(lives)), key=lambda i: (-lives[i][0], lives[i][1])):
        bytes_, first, last = lives[index]
        rounded = (bytes_ + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        if not rounded:
            continue
        best, smallest, free = -1, size + 1, 0  # the gap chosen and its bytes; where one begins
        for begin, end, other in placed:
            if lives[other][1] > last or lives[other][2] < first:
                continue
            if rounded <= begin - free < smallest:
                best, smallest = free, begin - free
            free = max(free, end)
        offsets[index] = begin = best if best >= 0 else free
        insort(placed, (begin, begin + rounded, index))
        size = max(size, begin + rounded)
    return offsets, size


def least(lives: Sequence[Life]) -> int:
    """The most bytes that live at one step: no way to place the values takes less."""
    changes: dict[int, int] = {}
    for bytes_, first, last in lives:
        changes[first] = changes.get(first, 0) + bytes_
        changes[last + 1] = changes.get(last + 1, 0) - bytes_
    most = now = 0
    for step in sorted(changes):
        now += changes[step]
        most = max(most, now)
    return most
