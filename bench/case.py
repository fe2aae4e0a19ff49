"""A case: one piece of work that etude, its peers and a float64 reference all carry out.

The tables `CASES` of the files `cases_*.py` beside this one are run by three: `python -m
etude.bench ops` and `pytest bench/` time them at their full size, tests/test_bench_cases.py checks
them at a small one on every backend. How to add one:
1. Write a function `make(rng, *sizes) -> Work`, in the family's file.
2. Append `Case(name, family, make, sizes, small)`; `small` are sizes that run in a millisecond.
3. Who carries the work out is a function from the inputs to a step: it prepares (allocates what is
   to be written into, transposes views) and returns what is timed, a function without arguments
   that returns the results. First comes what to call: a backend, the module torch, NumPy.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Step = Callable[[], Any]
Prepare = Callable[..., Step]


@dataclass
class Work:
    """Inputs, and who can do what with them.

    inputs: arrays (float32, int64, bool), which become buffers, tensors or stay arrays.
    ours(backend, *buffers), torch(torch, *tensors), numpy(numpy, *arrays): give a step.
    reference(*arrays): the results, from inputs whose floats are float64, unless `widen` is False:
    then it widens them itself.
    flops: floating-point operations of a step, by the textbook. bytes: what has to be moved; None
    stands for the inputs and results, once each.
    """

    inputs: Sequence[Any]
    ours: Prepare
    reference: Callable[..., Any]
    torch: Prepare | None = None
    numpy: Prepare | None = None
    flops: float = 0.0
    bytes: float | None = None
    widen: bool = True


@dataclass(frozen=True)
class Case:
    """A row of the table. `sizes` are make's arguments after the generator, `small` fewer of it."""

    name: str
    family: str
    make: Callable[..., Work]
    sizes: tuple[Any, ...]
    small: tuple[Any, ...]

    def work(self, small: bool = False) -> Work:
        """The work with its inputs, the same each time."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return self.make(rng, *(self.small if small else self.sizes))

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def uniform(rng: np.random.Generator, *shape: int, low: float = -1.0, high: float = 1.0) -> Any:
    """float32 numbers in [low, high)."""
    x = rng.random(shape, np.float32)
    x *= high - low
    x += low
    return x


def results(found: Any) -> list[Any]:
    """What a step returned, as a list."""
    return list(found) if isinstance(found, (tuple, list)) else [found]


def largest_error(found: Sequence[Any], true: Sequence[Any]) -> float:
    """The largest difference over the largest value, in the worst result; inf for wrong shapes.

    Integers and bools are right or wrong: 0 or inf.
    """
    if len(found) != len(true):
        return float("inf")
    return max(map(_error, found, true), default=0.0)


def _error(x: Any, y: Any) -> float:
    if x.shape != y.shape:
        return float("inf")
    if x.size == 0:
        return 0.0
    if x.dtype.kind != "f":
        return 0.0 if np.array_equal(x, y) else float("inf")
    largest = float(np.max(np.abs(y)))
    difference = float(np.max(np.abs(x - y)))
    if not difference <= np.inf:
        return float("inf")
    return difference / largest if largest else difference


def wide(arrays: Sequence[Any]) -> list[Any]:
    """Float arrays as float64."""
    return [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
