"""Random numbers for drawing, one after the other, from etude's generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ...errors import ArgumentError, fail
from ...functional import rand
from ...ops.sampling import Generator

POOL = 1024
T = TypeVar("T")


class Draws:
    """Uniform numbers of one seed; drawn from the generator in pools, for speed."""

    def __init__(self, seed: int) -> None:
        self.generator = Generator().manual_seed(seed)
        self.pool: list[float] = []

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        if not self.pool:
            drawn = rand(POOL, dtype="float64", backend="numpy", generator=self.generator)
            self.pool = drawn.tolist()[::-1]
        return low + (high - low) * self.pool.pop()

    def whole(self, n: int) -> int:
        """One of 0 ... n - 1."""
        return int(self.uniform(0.0, n))

    def one_of(self, choices: Sequence[T]) -> T:
        """One of several things, each as likely."""
        return choices[self.whole(len(choices))]

    def array(self, *shape: int) -> Any:
        """A NumPy array of uniform numbers, drawn at once."""
        drawn = rand(*shape, dtype="float64", backend="numpy", generator=self.generator)
        return drawn.numpy()


def check_count(op: str, name: str, value: Any, least: int) -> None:
    """Raise ArgumentError unless it is a whole number of at least that."""
    if not isinstance(value, int) or value < least:
        why = f"expected {name} >= {least}, got {value!r}; use {least} or more"
        raise fail(ArgumentError, op, why)
