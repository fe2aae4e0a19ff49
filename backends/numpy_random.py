"""Philox4x32-10 on arrays of counters; see kernels/python/philox.py for the cipher."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from .defaults.sampling import SamplingDefaults
from .numpy_windows import stored
from .tier1 import Buffer, Shape

MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
MASK, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
BLOCK = 1 << 13  # counters at a time: the ten rounds run in the cache


def encrypt(key: int, counter: int, count: int) -> Any:
    """Four words (count, 4) uint64 for each of the counters counter, counter + 1, ..."""
    low = np.uint64(counter & 0xFFFFFFFFFFFFFFFF)
    first = np.arange(count, dtype=np.uint64) + low
    second = np.uint64((counter >> 64) & 0xFFFFFFFFFFFFFFFF) + (first < low)
    a, b, c, d = first & MASK, first >> HALF, second & MASK, second >> HALF
    keys = [key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF]
    for _ in range(10):
        p, q = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b = (q >> HALF) ^ b ^ np.uint64(keys[0]), q & MASK
        c, d = (p >> HALF) ^ d ^ np.uint64(keys[1]), p & MASK
        keys = [(k + step) & 0xFFFFFFFF for k, step in zip(keys, KEY_STEPS)]
    return np.stack((a, b, c, d), axis=1)


def words(key: int, counter: int, count: int) -> Iterator[tuple[slice, Any]]:
    """`count` words, a block at a time: where they belong, and they as uint64."""
    for at in range(0, count, 4 * BLOCK):
        stop = min(at + 4 * BLOCK, count)
        block = encrypt(key, counter + at // 4, -((at - stop) // 4))
        yield slice(at, stop), block.reshape(-1)[: stop - at]


class NumpyRandom(SamplingDefaults):
    """Random bits, and uniform numbers without 64-bit divisions."""

    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        y = np.empty(count, np.int64) if out is None else out
        for part, block in words(key, counter, count):
            y[part] = block.view(np.int64)
        return y

    def uniform(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        if dtype != "float32":
            return super().uniform(key, counter, shape, dtype, out)
        y = np.empty(prod(shape), np.float32)
        for part, block in words(key, counter, prod(shape)):
            y[part] = (block >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
        return stored(y.reshape(shape), out)
