"""What the machine can do at most: multiply-adds a second, and bytes a second by size.

Measured in the run that they are compared with, by loops that do nothing else (kernels/c/probe.c).
Where the C kernels are not built, NumPy's matrix product and sum stand in, and `by` says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from .threads import get_num_threads

REPEATS = 7
SECONDS = 0.02  # of each measurement
ROUNDS = 1 << 14  # of the multiply-add probe, in one call
SIZES = (1 << 20, 1 << 23, 1 << 28)  # bytes of the three arrays of a triad together


@dataclass(frozen=True)
class Ceilings:
    """flops: a second. bytes: (size of the working set, bytes a second), by growing size."""

    flops: float
    bytes: tuple[tuple[int, float], ...]
    by: str

    def least_seconds(self, flops: float, moved: float) -> float:
        """The time below which this machine cannot come, by the roofline model.

        S. Williams, A. Waterman and D. Patterson, "Roofline", CACM 52 (4), 2009.
        """
        return max(flops / self.flops, moved / self.bandwidth(moved))

    def bandwidth(self, size: float) -> float:
        """Bytes a second where so many bytes are worked on."""
        return next((speed for limit, speed in self.bytes if size <= limit), self.bytes[-1][1])


def measure() -> Ceilings:
    """Measure, in two seconds."""
    try:
        isa, (ffi, lib) = best_build()
        multiply_adds, triad = lib.etude_fma_flops, lib.etude_triad
    except (ImportError, AttributeError):
        return by_numpy()
    lib.pool_set_threads(get_num_threads())

    def numbers(x: Any) -> Any:
        return ffi.cast("float *", ffi.from_buffer(x))

    flops = best(lambda: multiply_adds(ROUNDS))
    speeds = by_size(lambda a, b, c: partial(triad, numbers(a), numbers(b), numbers(c), len(a)))
    return Ceilings(flops, speeds, f"etude's C probes, {isa}")


def best_build() -> tuple[str, tuple[Any, Any]]:
    """The probes for the best instruction set, whatever ETUDE_ISA says of the kernels."""
    from .c_library import built, choose

    isa, module = choose(built(), None)
    return isa, (module.ffi, module.lib)


def by_numpy() -> Ceilings:
    """Estimates: what BLAS reaches in a large product, and NumPy's addition by bytes."""
    a, b, c = (np.ones((1024, 1024), np.float32) for _ in range(3))

    def product() -> float:
        np.matmul(a, b, out=c)
        return 2.0 * 1024**3

    def addition(a: Any, b: Any, c: Any) -> Callable[[], float]:
        def step() -> float:
            np.add(b, c, out=a)
            return 12.0 * len(a)

        return step

    by = "NumPy, an estimate (a product, one thread's addition): the C kernels are not built"
    return Ceilings(best(product), by_size(addition), by)


def by_size(prepare: Callable[..., Callable[[], float]]) -> tuple[tuple[int, float], ...]:
    """Bytes a second of a step over three arrays, at each size."""
    found = []
    for size in SIZES:
        arrays = [np.ones(size // 12, np.float32) for _ in range(3)]
        found.append((size, best(prepare(*arrays))))
    return tuple(found)


def best(step: Callable[[], float]) -> float:
    """Units a second of a step that returns how many it did: the median of a few measurements."""
    step()
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        done = step()
        while (passed := time.perf_counter() - start) < SECONDS:
            done += step()
        found.append(done / passed)
    return median(found)
