"""Random bits, and uniform, normal and exponential numbers in one pass each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.numba_cpu import philox
from .numba_memory import empty
from .tier1 import Buffer, Shape

LOW = 0xFFFFFFFFFFFFFFFF


def place(key: int, counter: int) -> Any:
    """The key and both halves of the counter, 64 bits each."""
    return np.uint64(key & LOW), np.uint64(counter & LOW), np.uint64(counter >> 64 & LOW)


class NumbaRandom:
    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        y = empty((count,), "int64") if out is None else out
        philox.random_bits(y, place(key, counter))
        return y

    def uniform(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, dtype) if out is None else out
        philox.uniform(y.reshape(-1), place(key, counter))
        return y

    def normal(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, dtype) if out is None else out
        philox.normal(y.reshape(-1), place(key, counter))
        return y

    def exponential(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, dtype) if out is None else out
        philox.exponential(y.reshape(-1), place(key, counter))
        return y
