"""Random numbers in C: equal to the composition to the bit; see kernels/c/philox.c."""

from __future__ import annotations

from typing import Any

from .c_library import ffi, lib
from .defaults.sampling import COS_SERIES, LOG_SERIES, SIN_SERIES, SamplingDefaults
from .tier1 import Buffer, Shape

SERIES = ffi.new("double[]", [*LOG_SERIES, *SIN_SERIES, *COS_SERIES])
WORD = (1 << 64) - 1
KERNELS: dict[tuple[str, str], Any] = {
    (name, dtype): getattr(lib, f"{name}_{suffix}")
    for name in ("uniform", "normal", "exponential")
    for dtype, suffix in (("float32", "f32"), ("float64", "f64"))
}


class CRandom(SamplingDefaults):
    """Random bits, uniform, normal and exponential numbers."""

    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        y = self.empty((count,), "int64") if out is None else out
        lib.random_bits(y.data, count, key & WORD, counter & WORD, counter >> 64 & WORD)
        return y

    def uniform(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = self.empty(shape, dtype) if out is None else out
        words = key & WORD, counter & WORD, counter >> 64 & WORD
        KERNELS["uniform", dtype](y.data, y.size, *words)
        return y

    def normal(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        return self._with_series("normal", key, counter, shape, dtype, out)

    def exponential(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        return self._with_series("exponential", key, counter, shape, dtype, out)

    def _with_series(
        self, name: str, key: int, counter: int, shape: Shape, dtype: str, out: Buffer
    ) -> Buffer:
        y = self.empty(shape, dtype) if out is None else out
        words = key & WORD, counter & WORD, counter >> 64 & WORD
        KERNELS[name, dtype](y.data, y.size, *words, SERIES)
        return y
