"""Device memory: sizes in classes, kept when freed, given out again in the order of the stream.

    take(size):  the free list of its class, else the driver; if that has none, collect and release
    give back:   onto the free list, at once: whoever gets it next uses it later on the same stream

There is one stream, so memory may change hands on the host before the work that used it is done on
the device. Classes are eight to an octave, so at most an eighth of a block lies idle.
"""

from __future__ import annotations

import gc
import threading
from collections import Counter
from typing import Any, Protocol

from .tier1 import Shape

SMALLEST = 512  # bytes
MOST_NAMED = 5  # holders of memory that an error names


class Device(Protocol):
    """Where memory comes from: kernels/cuda/driver.py, or cuda_simulated.py."""

    name: str

    def allocate(self, size: int) -> tuple[int, Any]:
        """(address, host memory if it is simulated). Raises MemoryError."""

    def free(self, address: int) -> None:
        """Take memory back."""

    def total(self) -> tuple[int, int]:
        """(free, all) bytes."""

    def synchronize(self) -> None:
        """Wait for all work."""


class OutOfMemory(MemoryError):
    """The device has no room for a buffer."""


def class_of(size: int) -> int:
    """The size of the class that a request falls in."""
    if size <= SMALLEST:
        return SMALLEST
    step = 1 << max((size - 1).bit_length() - 4, 9)
    return -(-size // step) * step


class Block:
    """Memory that somebody holds; it goes back to its pool when nobody does."""

    __slots__ = ("address", "pool", "raw", "size")

    def __init__(self, pool: Pool, address: int, raw: Any, size: int) -> None:
        self.pool, self.address, self.raw, self.size = pool, address, raw, size

    def __del__(self) -> None:
        self.pool.put(self.address, self.raw, self.size)


class Pool:
    """Blocks of one device."""

    def __init__(self, device: Device) -> None:
        self.device, self.lock = device, threading.RLock()
        self.free: dict[int, list[tuple[int, Any]]] = {}
        self.held: dict[int, tuple[int, Shape, str]] = {}  # address -> size and for what
        self.used = self.kept = 0

    def take(self, size: int, shape: Shape, dtype: str) -> Block:
        """A block of at least `size` bytes. Raises OutOfMemory."""
        whole = class_of(size)
        return Block(self, *self.hold(whole, shape, dtype), whole)

    def hold(self, size: int, shape: Shape, dtype: str) -> tuple[int, Any]:
        """Memory of a class, kept or new."""
        with self.lock:
            waiting = self.free.get(size)
            if waiting:
                address, raw = waiting.pop()
                self.kept -= size
            else:
                address, raw = self.allocate(size, shape, dtype)
            self.used += size
            self.held[address] = size, shape, dtype
        return address, raw

    def put(self, address: int, raw: Any, size: int) -> None:
        """Keep memory that nobody holds any more."""
        with self.lock:
            self.used -= size
            self.kept += size
            self.held.pop(address, None)
            self.free.setdefault(size, []).append((address, raw))

    def allocate(self, size: int, shape: Shape, dtype: str) -> tuple[int, Any]:
        """New memory; if there is none, from what is kept or held by dead cycles."""
        try:
            return self.device.allocate(size)
        except MemoryError:
            gc.collect()
            waiting = self.free.get(size)
            if waiting:
                self.kept -= size
                return waiting.pop()
            self.release()
        try:
            return self.device.allocate(size)
        except MemoryError:
            raise OutOfMemory(self.explained(size, shape, dtype)) from None

    def release(self) -> None:
        """Give all that is kept back to the device."""
        with self.lock:
            kept, self.free, self.kept = self.free, {}, 0  # buffers may die while this goes on
            for blocks in kept.values():
                for address, _ in blocks:
                    self.device.free(address)
            self.device.synchronize()

    def explained(self, size: int, shape: Shape, dtype: str) -> str:
        """The message of an out-of-memory error."""
        free, total = self.device.total()
        kinds = Counter(list(self.held.values()))
        largest = sorted(kinds.items(), key=lambda item: -item[0][0] * item[1])[:MOST_NAMED]
        named = ", ".join(
            f"{count} x {shape} {dtype} ({readable(each * count)})"
            for (each, shape, dtype), count in largest
        )
        return (
            f"[cuda] out of memory on {self.device.name}: asked for {readable(size)} for {shape} "
            f"{dtype}, with {readable(self.used)} in use in {len(self.held)} buffers and "
            f"{readable(free)} free of {readable(total)}; the largest are "
            f"{named or 'none'}: use a smaller batch, no_grad() or checkpointing, or delete tensors"
        )


class PrivatePool(Pool):
    """Memory that a recorded graph works in: nobody else gets it while the graph lives."""

    def __init__(self, parent: Pool) -> None:
        super().__init__(parent.device)
        self.parent = parent

    def allocate(self, size: int, shape: Shape, dtype: str) -> tuple[int, Any]:
        return self.parent.hold(size, shape, f"{dtype} of a graph")

    def release(self) -> None:
        """Hand what is kept to the parent."""
        with self.lock:
            kept, self.free, self.kept = self.free, {}, 0
            for size, blocks in kept.items():
                for address, raw in blocks:
                    self.parent.put(address, raw, size)

    def __del__(self) -> None:
        self.release()


def readable(size: int) -> str:
    """A number of bytes for people: 512 B, 1.5 GiB."""
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
