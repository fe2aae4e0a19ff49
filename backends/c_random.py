"""Random numbers in C: equal to the composition to the bit; see kernels/c/philox.c."""

from __future__ import annotations

from .c_base import CBase
from .c_library import ffi
from .defaults.sampling import COS_SERIES, LOG_SERIES, SIN_SERIES, SamplingDefaults
from .tier1 import Buffer, Shape

SERIES = ffi.new("double[]", [*LOG_SERIES, *SIN_SERIES, *COS_SERIES])


class CRandom(CBase, SamplingDefaults):
    """Random bits, uniform, normal and exponential numbers."""

    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        y = self.empty((count,), "int64") if out is None else out
        self.c.random_bits(y.data, count, *self.counter_words(key, counter))
        return y

    def uniform(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = self.empty(shape, dtype) if out is None else out
        self.c.uniform[dtype](y.data, y.size, *self.counter_words(key, counter))
        return y

    def normal(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = self.empty(shape, dtype) if out is None else out
        self.c.normal[dtype](y.data, y.size, *self.counter_words(key, counter), SERIES)
        return y

    def exponential(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = self.empty(shape, dtype) if out is None else out
        self.c.exponential[dtype](y.data, y.size, *self.counter_words(key, counter), SERIES)
        return y
