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
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend

import etude
from etude.backends import cuda_plans
from etude.backends.cuda_simulated import Simulated
from etude.kernels.cuda import simulator
from etude.kernels.cuda.spec import Kernel

NUMPY = etude.backends.get("numpy")
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
        with TemporaryFile() as file:  # of holes
            file.truncate(size)
            memory = np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8).view(Lazy)
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


def blank(backend: Any, shape: tuple[int, ...], last: np.ndarray) -> Any:
    """A buffer of zeros but for the last numbers."""
    x = backend.empty(shape, str(last.dtype))
    x.host[x.size - last.size :] = last.reshape(-1)
    return x


def up(backend: Any, x: Any) -> Any:
    """An array as a buffer; what is none as it is."""
    if not isinstance(x, np.ndarray):
        return x
    return backend.from_host(memoryview(x), x.shape, str(x.dtype))


def agree(backend: Any, name: str, *arguments: Any, tolerance: float = 2e-5) -> None:
    """A method's results are NumPy's."""
    got = getattr(backend, name)(*(up(backend, a) for a in arguments))
    expected = getattr(NUMPY, name)(*arguments)
    own = np.array(backend.to_host(got), got.dtype).reshape(got.shape)
    np.testing.assert_allclose(own, expected, tolerance, tolerance, err_msg=name)
