"""The device of the CUDA backend where its kernels are simulated: host memory, no driver.

It stands where kernels/cuda/driver.py's Driver does, so everything above it (pool, views, errors,
recording) is the same code on both. New memory is full of ones, which is nan for floats.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.cuda import simulator, toolchain
from ..kernels.cuda.spec import Kernel

CAPACITY = 2 << 30  # bytes, so that a program that needs a device says so


class Simulated:
    """Host memory and the simulator, as a device."""

    simulated = True
    name, arch = "the simulator", "sm_90"

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity, self.left = capacity, capacity
        self.sizes: dict[int, int] = {}

    def launch(
        self,
        kernel: Kernel,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        arguments: Sequence[Any],
    ) -> None:
        """Run a launch to its end."""
        simulator.run(kernel, grid, block, tuple(arguments), toolchain.races())

    def note(self, kernel: Kernel) -> None:
        """Nothing fails later."""

    def synchronize(self) -> None:
        """Nothing is ever pending."""

    def allocate(self, size: int) -> tuple[int, Any]:
        """(address, memory). Raises MemoryError."""
        if size > self.left:
            raise MemoryError
        memory = np.full(size, 0xFF, np.uint8)
        address = memory.ctypes.data
        self.left -= size
        self.sizes[address] = size
        return address, memory

    def free(self, address: int) -> None:
        """Forget memory."""
        self.left += self.sizes.pop(address)

    def total(self) -> tuple[int, int]:
        """(free, all) bytes."""
        return self.left, self.capacity

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy within the device."""
        ctypes.memmove(target, source, size)

    def fill(self, address: int, byte: int, size: int) -> None:
        """Set all bytes to one value."""
        ctypes.memset(address, byte, size)

    def upload(self, address: int, data: memoryview) -> None:
        """Copy host memory to the device."""
        ctypes.memmove(address, bytes(data), data.nbytes)

    def download(self, address: int, size: int) -> bytearray:
        """The bytes at an address."""
        return bytearray(ctypes.string_at(address, size))
