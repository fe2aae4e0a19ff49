"""What the CUDA backend does with its device: buffers, launches, copies, and who records them.

    empty(shape, dtype)                     a DeviceArray from the pool of the thread
    launch(kernel, grid, *arguments)        on the one stream; nothing waits
    copy, fill                              on the stream
    from_host, to_host, synchronize         the last two wait

Work is asynchronous, so what fails on the device is reported by whatever is called next, with the
names of the last launches. `ETUDE_CUDA_SYNC=1` waits after each launch: then the error comes from
the op that caused it. A recorder (cuda_record.py) may stand in for the device: launches, copies and
fills go to it, and reading values is refused.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from types import TracebackType
from typing import Any

from ..kernels.cuda import toolchain
from ..kernels.cuda.driver import DeviceError as DeviceError
from .cuda_memory import Block, OutOfMemory, Pool, PrivatePool
from .tier1 import Shape

__all__ = [
    "DeviceArray",
    "DeviceError",
    "OutOfMemory",
    "copy",
    "device",
    "empty",
    "fill",
    "from_host",
    "launch",
    "private_pool",
    "same_memory",
    "set_recorder",
    "start",
    "synchronize",
    "to_host",
    "view",
]

ITEMSIZE = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1}
FORMATS: dict[str, Any] = {"float32": "f", "float64": "d", "int32": "i", "int64": "q", "bool": "?"}


class DeviceArray:
    """A buffer: an address on the device, C-contiguous, with a shape and a dtype.

    It has no way to the host of its own, so that none is taken in silence.
    """

    __slots__ = ("__weakref__", "address", "block", "dtype", "shape", "size")

    def __init__(self, block: Block | Any, address: int, shape: Shape, dtype: str) -> None:
        self.block, self.address, self.shape, self.dtype = block, address, shape, dtype
        self.size = prod(shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * ITEMSIZE[self.dtype]

    @property
    def host(self) -> Any:
        """The memory in the simulator, which has it as an ndarray."""
        begin = self.address - self.block.address
        return self.block.raw[begin : begin + self.nbytes].view(self.dtype)

    def __repr__(self) -> str:
        return f"<{self.dtype} {self.shape} on the device at {self.address:#x}>"


class _State(threading.local):
    """What a thread works with."""

    pool: Pool | None = None  # in place of the device's
    recorder: Any = None


_state = _State()
_started: list[tuple[Any, Pool]] = []
_wait = os.environ.get("ETUDE_CUDA_SYNC", "0") not in ("", "0")


# the device ---------------------------------------------------------------------------------------
def start(chosen: Any = None) -> Any:
    """Take a device: the one given, the simulator if that is on, or the GPU. Raises ImportError."""
    wish = os.environ.get("ETUDE_CUDA", "")
    if wish not in ("", "simulate"):
        raise ImportError(f"ETUDE_CUDA is {wish!r}, which is neither 'simulate' nor empty")
    if chosen is None and toolchain.simulating():
        reason = toolchain.simulator_missing()
        if reason is not None:
            raise ImportError(reason)
        from .cuda_simulated import Simulated

        chosen = Simulated()
    elif chosen is None:
        from ..kernels.cuda import driver

        chosen = driver.device()
    _started[:] = [(chosen, Pool(chosen))]
    return chosen


def device() -> Any:
    """The device in use: kernels/cuda/driver.py's Driver, or the simulator."""
    if not _started:
        start()
    return _started[0][0]


def pool() -> Pool:
    """Where this thread's memory comes from."""
    if _state.pool is not None:
        return _state.pool
    if not _started:
        start()
    return _started[0][1]


@contextmanager
def on(chosen: Any) -> Iterator[Any]:
    """Use another device inside: for tests."""
    before = list(_started)
    start(chosen)
    try:
        yield chosen
    finally:
        _started[:] = before


# buffers ------------------------------------------------------------------------------------------
def empty(shape: Shape, dtype: str) -> DeviceArray:
    """A buffer with unspecified values; in the simulator they are nan."""
    block = pool().take(prod(shape) * ITEMSIZE[dtype], shape, dtype)
    if block.raw is not None and _state.recorder is None:
        block.raw.fill(0xFF)
    return DeviceArray(block, block.address, shape, dtype)


def view(x: DeviceArray, offset: int, shape: Shape, dtype: str) -> DeviceArray:
    """A buffer over the bytes of another from `offset` on."""
    return DeviceArray(x.block, x.address + offset, shape, dtype)


def same_memory(a: DeviceArray, b: DeviceArray) -> bool:
    """Whether two buffers are the same bytes."""
    return a.address == b.address and a.nbytes == b.nbytes


class private_pool:
    """Memory for what is made inside, which nobody else gets while this object or it lives."""

    def __init__(self) -> None:
        self.pool = PrivatePool(pool())
        self.before: list[Pool | None] = []

    def __enter__(self) -> private_pool:
        self.before.append(_state.pool)
        _state.pool = self.pool
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _state.pool = self.before.pop()


def release_memory() -> None:
    """Give memory that is kept for later buffers back to the device."""
    if _started:
        _started[0][1].release()


# work ---------------------------------------------------------------------------------------------
def set_recorder(recorder: Any) -> Any:
    """Let a recorder stand in for the device in this thread; the one that did before."""
    before, _state.recorder = _state.recorder, recorder
    return before


def recorder() -> Any:
    """Who stands in for the device, or None."""
    return _state.recorder


def launch(kernel: Any, grid: Any, *arguments: Any, block: Any = None) -> None:
    """Put a launch on the stream: `grid` blocks of `block` threads, or as the kernel is written."""
    if _state.recorder is not None:
        _state.recorder.launch(kernel, grid, arguments, block)
        return
    blocks, size = toolchain.shape_of(kernel, grid, block)
    if 0 in blocks:
        return
    on_device = device()
    on_device.launch(kernel, blocks, size, arguments)
    on_device.note(kernel)
    if _wait:
        on_device.synchronize()


def copy(target: DeviceArray, source: DeviceArray) -> None:
    """The bytes of one buffer into another of the same size."""
    if _state.recorder is not None:
        _state.recorder.copy(target, source)
    elif target.nbytes:
        device().copy(target.address, source.address, target.nbytes)


def fill(target: DeviceArray, byte: int) -> None:
    """All bytes of a buffer set to one value."""
    if _state.recorder is not None:
        _state.recorder.fill(target, byte)
    elif target.nbytes:
        device().fill(target.address, byte, target.nbytes)


def from_host(data: memoryview, shape: Shape, dtype: str) -> DeviceArray:
    """A buffer with the values of host memory."""
    y = empty(shape, dtype)
    if _state.recorder is not None:  # a table made from shapes: it is the same at each run
        _state.recorder.keep(y)
    if y.size:
        device().upload(y.address, data.cast("B"))
    return y


def to_host(x: DeviceArray) -> memoryview:
    """The values of a buffer, flat; waits for them."""
    if _state.recorder is not None:
        _state.recorder.host("reading values of the device")
    data = device().download(x.address, x.nbytes) if x.size else bytearray()
    return memoryview(data).cast(FORMATS[x.dtype]).toreadonly()


def synchronize() -> None:
    """Wait for all work. Raises DeviceError for what failed."""
    if _state.recorder is not None:
        _state.recorder.host("waiting for the device")
    device().synchronize()
