"""A driver for CUDA that is not there: host memory, and launches that the simulator runs.

It takes the calls that kernels/cuda/driver.py makes of `cuda.bindings.driver`, and reads a kernel's
arguments from the addresses it is given, as a device would. A code in `fails` makes a call fail.
"""

from __future__ import annotations

import ctypes
import struct
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from etude.kernels.cuda import simulator
from etude.kernels.cuda.driver import FORMATS
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

        if name in ("cuInit", "cuLaunchKernel"):  # they give a code and nothing else
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
    def cuModuleLoadData(self, code: bytes) -> bytes:
        return code

    def cuModuleGetFunction(self, module: bytes, name: bytes) -> str:
        return name.decode()

    def cuFuncSetAttribute(self, function: str, kind: int, value: int) -> tuple[()]:
        return ()

    def cuLaunchKernel(self, function: str, *rest: Any) -> None:
        grid, block, (shared, stream, parameters, extra) = rest[:3], rest[3:6], rest[6:]
        kernel = self.kernels[function]
        assert (shared, stream, extra) == (kernel.shared, "stream", 0)
        places = (ctypes.c_void_p * len(kernel.signature)).from_address(parameters)
        given = [self.value(kind, place) for kind, place in zip(kernel.signature, places)]
        simulator.run(kernel, grid, block, tuple(given))

    def value(self, kind: str, place: int) -> Any:
        """An argument, read as the device reads it."""
        form = "Q" if kind.endswith("*") else FORMATS[kind]
        (value,) = struct.unpack(f"={form}", ctypes.string_at(place, struct.calcsize(form)))
        if not kind.endswith("*"):
            return value
        for begin, block in self.memory.items():
            if begin <= value < begin + block.size:
                part = block[value - begin :]
                dtype = np.dtype(kind[:-1])
                return part[: part.size // dtype.itemsize * dtype.itemsize].view(dtype)
        assert value == 0
        return None
