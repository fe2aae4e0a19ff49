"""A driver for CUDA that is not there: host memory, and launches that the simulator runs.

It takes the calls that kernels/cuda makes of `cuda.bindings.driver` and of `cuda.core`, and takes
arguments only in the types of the kernel's signature. A code in `fails` makes a call fail.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from etude.kernels.cuda import simulator
from etude.kernels.cuda.driver import Driver
from etude.kernels.cuda.spec import Kernel

CODES = {
    1: ("CUDA_ERROR_INVALID_VALUE", "invalid argument"),
    2: ("CUDA_ERROR_OUT_OF_MEMORY", "out of memory"),
    100: ("CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"),
    700: ("CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"),
    701: ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"),
}


class FakeDriver:
    """Stands where `cuda.bindings.driver` does."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=75,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=76,
    )
    CUfunction_attribute = SimpleNamespace(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8)
    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUevent_flags = SimpleNamespace(CU_EVENT_DISABLE_TIMING=2)

    def __init__(
        self,
        capacity: int = 1 << 30,
        capability: tuple[int, int] = (9, 0),
        version: int = 13000,
        devices: int = 1,
    ) -> None:
        self.capacity, self.capability = capacity, capability
        self.version, self.devices = version, devices
        self.memory: dict[int, Any] = {}
        self.pinned: list[Any] = []
        self.kernels: dict[str, Kernel] = {}
        self.fails: dict[str, int] = {}
        self.calls: Counter[str] = Counter()
        self.last: dict[str, tuple[Any, ...]] = {}

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("cu") or name.startswith("cuGetError"):
            return found

        def called(*arguments: Any) -> tuple[Any, ...]:
            self.calls[name] += 1
            self.last[name] = arguments
            if name in self.fails:
                return self.fails[name], None
            try:
                result = found(*arguments)
            except MemoryError:
                return 2, None
            return (0, *result) if isinstance(result, tuple) else (0, result)

        if name == "cuInit":  # it gives a code and nothing else
            return lambda *arguments: called(*arguments)[:1]
        return called

    # what is there --------------------------------------------------------------------------------
    def cuInit(self, flags: int) -> None:
        pass

    def cuDriverGetVersion(self) -> int:
        return self.version

    def cuDeviceGetCount(self) -> int:
        return self.devices

    def cuDeviceGet(self, ordinal: int) -> int:
        return ordinal

    def cuDevicePrimaryCtxRetain(self, device: int) -> str:
        return "context"

    def cuCtxSetCurrent(self, context: str) -> tuple[()]:
        return ()

    def cuDeviceGetName(self, size: int, device: int) -> bytes:
        return b"Fake 9000\0\0"

    def cuDeviceGetAttribute(self, kind: int, device: int) -> int:
        return self.capability[kind - 75]

    def cuGetErrorName(self, code: int) -> tuple[int, bytes]:
        return 0, CODES[code][0].encode()

    def cuGetErrorString(self, code: int) -> tuple[int, bytes]:
        return 0, CODES[code][1].encode()

    # memory ---------------------------------------------------------------------------------------
    def new(self, size: int) -> int:
        block = np.full(size + 256, 0xFF, np.uint8)
        begin = -block.ctypes.data % 256
        address = int(block.ctypes.data) + begin
        self.memory[address] = block[begin : begin + size]
        return address

    def cuMemAllocAsync(self, size: int, stream: str) -> int:
        held = sum(block.size for block in self.memory.values())
        if held + size > self.capacity:
            raise MemoryError
        return self.new(size)

    def cuMemFreeAsync(self, address: int, stream: str) -> tuple[()]:
        del self.memory[address]
        return ()

    def cuMemGetInfo(self) -> tuple[int, int]:
        held = sum(block.size for block in self.memory.values())
        return self.capacity - held, self.capacity

    def cuMemHostAlloc(self, size: int, flags: int) -> int:
        self.pinned.append(ctypes.create_string_buffer(size))
        return ctypes.addressof(self.pinned[-1])

    def _move(self, target: int, source: int, size: int, stream: str) -> tuple[()]:
        ctypes.memmove(target, source, size)
        return ()

    cuMemcpyDtoDAsync = cuMemcpyHtoDAsync = cuMemcpyDtoHAsync = _move

    def cuMemsetD8Async(self, address: int, byte: int, size: int, stream: str) -> tuple[()]:
        ctypes.memset(address, byte, size)
        return ()

    # the stream -----------------------------------------------------------------------------------
    def cuStreamCreate(self, flags: int) -> str:
        return "stream"

    def cuStreamSynchronize(self, stream: str) -> tuple[()]:
        return ()

    def cuStreamWriteValue32(self, stream: str, address: int, value: int, flags: int) -> tuple[()]:
        ctypes.c_uint32.from_address(address).value = value
        return ()

    def cuEventCreate(self, flags: int) -> str:
        return "event"

    def cuEventRecord(self, event: str, stream: str) -> tuple[()]:
        return ()

    cuEventSynchronize = cuEventDestroy = lambda self, event: ()

    # kernels --------------------------------------------------------------------------------------
    def cuKernelGetFunction(self, kernel: str) -> str:
        return f"function of {kernel}"

    def cuKernelSetAttribute(self, kind: int, value: int, kernel: str, device: int) -> tuple[()]:
        return ()

    def cuFuncSetAttribute(self, function: str, kind: int, value: int) -> tuple[()]:
        return ()

    def value(self, kind: str, given: Any) -> Any:
        """An argument as the kernel has it."""
        if not kind.endswith("*"):
            assert given.dtype == np.dtype(kind), (kind, given)
            return given.item()
        assert type(given) is int
        for begin, block in self.memory.items():
            if begin <= given < begin + block.size:
                part = block[given - begin :]
                dtype = np.dtype(kind[:-1])
                return part[: part.size // dtype.itemsize * dtype.itemsize].view(dtype)
        assert given == 0
        return None


class FakeCore:
    """Stands where plan.py's Core does, over the same driver."""

    def __init__(self, api: FakeDriver, stream: str) -> None:
        self.api, self.stream = api, stream

    def asked(self, name: str, *arguments: Any) -> None:
        """Note a call of the driver. Raises what cuda.core raises."""
        self.api.calls[name] += 1
        self.api.last[name] = arguments
        if name in self.api.fails:
            name, text = CODES[self.api.fails[name]]
            raise RuntimeError(f"{name}: This is {text}. It is explained at length.")

    def load(self, code: bytes, name: str) -> Any:
        self.asked("cuLibraryLoadData", code)
        return SimpleNamespace(handle=name)

    def config(self, grid: Any, block: Any, shared: int) -> Any:
        assert all(type(size) is int for size in (*grid, *block))
        self.asked("LaunchConfig", grid, block, shared)
        return grid, block, shared

    def put(self, stream: str, config: Any, loaded: Any, *given: Any) -> None:
        self.asked("cuLaunchKernelEx", loaded.handle, *config)
        kernel = self.api.kernels[loaded.handle]
        grid, block, shared = config
        assert (shared, stream) == (kernel.shared, "stream")
        values = [self.api.value(*pair) for pair in zip(kernel.signature, given, strict=True)]
        simulator.run(kernel, grid, block, tuple(values))


def fake_device(api: FakeDriver) -> Driver:
    """A device over it."""
    return Driver(api, core=lambda stream: FakeCore(api, stream))
