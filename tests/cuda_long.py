"""CUDA kernels on more numbers than 32 bits count, on any machine.

`counting_long()` lets every plan take 64-bit kernels, whatever the sizes. A `Sparse` device has
arrays of any size: memory is only taken where it is written, and of a large grid only the last
blocks run, which are those that a 32-bit index does not reach.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend

from etude.backends import cuda_plans
from etude.backends.cuda_simulated import Simulated
from etude.kernels.cuda import simulator
from etude.kernels.cuda.spec import Kernel

PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_NORESERVE
FEW, LAST = 1 << 10, 2  # blocks that a Sparse device runs all of, and how many of more


def forget_plans() -> None:
    """Empty the caches of the CUDA backend's files."""
    for name, module in list(sys.modules.items()):
        if name.startswith("etude.backends.cuda_"):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@contextmanager
def counting_long() -> Iterator[None]:
    """Plans count in 64 bits from 2 numbers on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_plans, "MOST", 1)
        forget_plans()
        yield
    forget_plans()


class Lazy(np.ndarray):
    """Memory that is not poisoned, for that would take all of it."""

    def fill(self, value: Any) -> None:
        """Leave it zero."""


class Sparse(Simulated):
    """A simulated device with 2^45 bytes that runs the last blocks of large grids alone."""

    def __init__(self) -> None:
        super().__init__(1 << 45)
        self.kernels: list[str] = []

    def allocate(self, size: int) -> tuple[int, Any]:
        """(address, memory), all zero."""
        memory = np.frombuffer(mmap.mmap(-1, max(1, size), PRIVATE), np.uint8).view(Lazy)
        self.sizes[memory.ctypes.data] = size
        return memory.ctypes.data, memory

    def free(self, address: int) -> None:
        """Forget memory."""
        self.sizes.pop(address)

    def launch(
        self, kernel: Kernel, grid: tuple[int, int, int], block: Any, arguments: Sequence[Any]
    ) -> None:
        """Run a launch, or its last blocks along x."""
        self.kernels.append(kernel.name)
        first = 0 if prod(grid) <= FEW else max(0, grid[0] - LAST)
        places = product(range(grid[2]), range(grid[1]), range(first, grid[0]))
        simulator.run(kernel, grid, block, tuple(arguments), places=places)


@contextmanager
def sparse_backend() -> Iterator[tuple[Any, Sparse]]:
    """A backend on a Sparse device, and the device."""
    with cuda_backend(Sparse()) as backend:
        from etude.backends.cuda_runtime import device

        yield backend, device()
