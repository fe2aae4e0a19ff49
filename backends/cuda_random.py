"""Random bits, and uniform, normal and exponential numbers in one kernel each."""

from __future__ import annotations

from typing import Any

from ..kernels.cuda import philox
from ..kernels.cuda.spec import Kernel
from .cuda_plans import cut
from .cuda_runtime import empty, launch
from .defaults.sampling import SamplingDefaults
from .tier1 import Buffer, Shape

LOW = 0xFFFFFFFFFFFFFFFF


def draw(kernel: Kernel, each: int, key: Any, counter: Any, y: Any) -> Any:
    """Fill y, `each` numbers a thread."""
    if y.size:
        blocks, block = cut(-(-y.size // each))
        place = key & LOW, counter & LOW, counter >> 64 & LOW
        launch(kernel, blocks, y, *place, y.size, block=block)
    return y


class CudaRandom(SamplingDefaults):
    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        y = empty((count,), "int64") if out is None else out
        return draw(philox.one_word("random_bits", "int64"), 4, key, counter, y)

    def uniform(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(tuple(shape), dtype) if out is None else out
        if dtype == "float64":
            return draw(philox.two_words(), 2, key, counter, y)
        return draw(philox.one_word("uniform", dtype), 4, key, counter, y)

    def normal(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(tuple(shape), dtype) if out is None else out
        return draw(philox.normal(dtype), 2, key, counter, y)

    def exponential(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(tuple(shape), dtype) if out is None else out
        return draw(philox.one_word("exponential", dtype), 4, key, counter, y)
