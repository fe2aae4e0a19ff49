"""Random bits, and uniform, normal and exponential numbers in one pass each."""

from __future__ import annotations

from typing import Any

from ..kernels.numba_cpu import philox
from ..kernels.numba_cpu.launch import run
from .numba_elementwise import compiled
from .numba_memory import empty
from .tier1 import Buffer, Shape


def signed(word: int) -> int:
    """The lowest 64 bits as Numba's int64."""
    word &= 0xFFFFFFFFFFFFFFFF
    return word - (word >> 63 << 64)


class NumbaRandom:
    few: int

    def _draw(self, name: str, key: int, counter: int, y: Any) -> Any:
        place = signed(key), signed(counter), signed(counter >> 64)
        pieces = -(-y.size // philox.PIECE)
        task, threads = compiled(philox.draw, y, name), y.size > self.few
        run(task, y.ravel(), *place, y.size, pieces, 1, threads)
        return y

    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        y = empty((count,), "int64") if out is None else out
        return self._draw("random_bits", key, counter, y)

    def uniform(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, dtype) if out is None else out
        return self._draw("uniform", key, counter, y)

    def normal(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, dtype) if out is None else out
        return self._draw("normal", key, counter, y)

    def exponential(
        self, key: int, counter: int, shape: Shape, dtype: str, out: Buffer = None
    ) -> Buffer:
        y = empty(shape, dtype) if out is None else out
        return self._draw("exponential", key, counter, y)
