"""The NVIDIA driver: one device, one stream, and the calls that put work on it.

    launch:  the kernel's plan (plan.py) -> cuda.core.launch                (waits for nothing)
    upload:  host -> a ring of pinned memory -> device  (the stream's order)
    download: device -> pinned memory -> host           (waits for the stream)

Kernels are launched by `cuda.core`, for what a launch costs here is Python, and its launch with a
kept config is cheaper than packing arguments for `cuda.bindings`: `Driver.launch` takes 1.4, 1.6
and 1.9 us with 4, 7 and 11 arguments, and took 1.8, 2.0 and 2.3 us (over a driver that does
nothing, so its own share is not in it, with numbers that came before; first ones cost what plan.py
says). All else is asked of `cuda.bindings` as it is.

What is proven, and what is not: tests run this file on a made-up driver, below the real packages
too (tests/cuda_stub.c), so arguments, copies, errors and memory go where they should. Only a device
can show what launches and copies cost with it, that memory given out again in the order of the
stream is never touched too early, and that `Driver.progress` can be read after work has failed.

Source: NVIDIA, "CUDA Driver API", sections 6.6 (modules), 6.13 (memory), 6.15 (stream-ordered
memory), 6.24 (execution control).
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from . import compiler
from .plan import Core, Plan
from .spec import Kernel

DRIVER = 13000  # CUDA 13.0, the oldest driver that loads what nvJitLink 13 makes
CAPABILITY = (8, 0)
RING = 16 << 20  # bytes of pinned memory for copies
MARK = 32  # launches after which the device says how far it is
REMEMBERED = 96  # launches that an error may name
SIMULATE = "or set ETUDE_CUDA=simulate to run the kernels on the processor, slowly"


class DeviceError(RuntimeError):
    """The driver refused a call, or work on the device failed; `code` is its name for that."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


# whether there is a device ------------------------------------------------------------------------
def missing(api: Any = None) -> str | None:
    """Why no kernel can be launched here, and what to do; None if one can."""
    reason = compiler.missing()
    if reason is not None:
        return reason
    if api is None:
        name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
        try:
            ctypes.CDLL(name)
        except OSError:
            return f"no NVIDIA driver is installed ({name} was not found): install one, {SIMULATE}"
        from cuda.bindings import driver as api  # type: ignore[no-redef]
    (error,) = api.cuInit(0)
    count = 0 if int(error) else int(api.cuDeviceGetCount()[1])
    if not count:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hint = "" if visible is None else f" (CUDA_VISIBLE_DEVICES is {visible!r})"
        return f"the NVIDIA driver sees no device{hint}: check nvidia-smi, {SIMULATE}"
    have = int(api.cuDriverGetVersion()[1])
    if have < DRIVER:
        return (
            f"the NVIDIA driver supports CUDA {have // 1000}.{have % 1000 // 10} and 13.0 is "
            f"needed: update it to 580 or later, {SIMULATE}"
        )
    return None


@cache
def device() -> Driver:
    """The device that ETUDE_CUDA_DEVICE numbers, 0 unless it says otherwise. Raises ImportError."""
    reason = missing()
    if reason is not None:
        raise ImportError(reason)
    from cuda.bindings import driver as api

    return Driver(api, int(os.environ.get("ETUDE_CUDA_DEVICE", "0")))


# the device ---------------------------------------------------------------------------------------
class _Local(threading.local):
    """What a thread has done."""

    entered = False  # the context


class Driver:
    """One device and one stream, on which `core` launches."""

    simulated = False

    def __init__(self, api: Any, ordinal: int = 0, core: Callable[[Any], Any] = Core) -> None:
        self.api, self.ordinal, self.local = api, ordinal, _Local()
        self.plans: dict[int, Plan] = {}  # by the kernel's id; a plan keeps its kernel
        self.names: deque[str] = deque(maxlen=REMEMBERED)
        self.launches, self.lock = 0, threading.RLock()
        self.call("cuInit", 0)
        self.handle = self.call("cuDeviceGet", ordinal)
        self.context = self.call("cuDevicePrimaryCtxRetain", self.handle)
        self.enter()
        self.name = self.call("cuDeviceGetName", 128, self.handle).decode().rstrip("\x00")
        kinds = api.CUdevice_attribute
        self.capability = tuple(
            int(self.call("cuDeviceGetAttribute", kind, self.handle))
            for kind in (
                kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        if self.capability < CAPABILITY:
            have = ".".join(map(str, self.capability))
            raise ImportError(
                f"{self.name} has compute capability {have} and 8.0 is needed: take a device of "
                f"the Ampere generation or later, {SIMULATE}"
            )
        self.arch = f"sm_{self.capability[0]}{self.capability[1]}"
        flags = api.CUstream_flags.CU_STREAM_NON_BLOCKING
        self.stream = self.call("cuStreamCreate", flags)
        self.core = core(self.stream)
        self.ring = Ring(self, RING)
        self.progress = ctypes.c_uint32.from_address(self.pinned(64))
        self.progress.value = 0

    # calls ------------------------------------------------------------------------------------
    def call(self, name: str, *arguments: Any) -> Any:
        """A function of the driver; its result without the error. Raises DeviceError."""
        error, *rest = getattr(self.api, name)(*arguments)
        if int(error):
            raise self.failure(name, error)
        return rest[0] if len(rest) == 1 else tuple(rest)

    def enter(self) -> None:
        """Make the device the one that this thread speaks to."""
        if not self.local.entered:
            self.call("cuCtxSetCurrent", self.context)
            self.local.entered = True

    def failure(self, where: str, error: Any) -> DeviceError:
        """The error for a code that the driver gave."""
        found, name = self.api.cuGetErrorName(error)
        code = str(error) if int(found) else name.decode()
        found, text = self.api.cuGetErrorString(error)
        return self.told(where, code, "" if int(found) else text.decode())

    def pass_on(self, where: str, error: Exception) -> None:
        """Raise DeviceError for what cuda.core raised if the driver is behind it."""
        code, _, text = str(error).partition(": ")
        if code.startswith("CUDA_ERROR_"):
            raise self.told(where, code, text.partition(". ")[0].rstrip(".")) from None

    def told(self, where: str, code: str, text: str) -> DeviceError:
        """The error, with what may have caused it.

        An error of earlier, asynchronous work comes with whatever is called next. What has been
        launched since the device last said how far it was may be behind it.
        """
        message = f"[cuda] {where} failed: {code}" + (f", {text}" if text else "")
        if code not in ("CUDA_ERROR_OUT_OF_MEMORY", "CUDA_ERROR_INVALID_VALUE") and self.names:
            since = self.launches - self.progress.value
            names = list(self.names)[-since:] if since else [self.names[-1]]
            message += (
                f"; the last launches were {', '.join(names)}: set ETUDE_CUDA_SYNC=1 and it is "
                "raised by the one that caused it"
            )
        return DeviceError(message, code)

    # work ---------------------------------------------------------------------------------------
    def plan(self, kernel: Kernel) -> Plan:
        """The kernel on the device, compiled and loaded when first asked for."""
        plan = self.plans.get(id(kernel))
        if plan is None:
            with self.lock:
                plan = self.plans.get(id(kernel)) or Plan(self, kernel)
                self.plans[id(kernel)] = plan
        return plan

    def launch(
        self,
        kernel: Kernel,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        arguments: Sequence[Any],
    ) -> None:
        """Put a launch on the stream."""
        if not self.local.entered:
            self.enter()
        plan = self.plans.get(id(kernel)) or self.plan(kernel)
        try:
            plan.launch(grid, block, arguments)
        except Exception as error:
            self.pass_on(f"the launch of {kernel.name} on {grid} x {block}", error)
            raise

    def note(self, kernel: Kernel) -> None:
        """Remember a launch for errors, and have the device say now and then how far it is.

        Unproven without a device: that `progress` can still be read after work has failed.
        """
        self.names.append(kernel.name)
        self.launches += 1
        if self.launches % MARK == 0:
            place, count = ctypes.addressof(self.progress), self.launches & 0xFFFFFFFF
            self.call("cuStreamWriteValue32", self.stream, place, count, 0)

    def synchronize(self) -> None:
        """Wait for all work. Raises DeviceError for what failed."""
        self.enter()
        self.call("cuStreamSynchronize", self.stream)

    # memory -------------------------------------------------------------------------------------
    def allocate(self, size: int) -> tuple[int, Any]:
        """(address, None) of new memory. Raises MemoryError."""
        self.enter()
        try:
            return int(self.call("cuMemAllocAsync", size, self.stream)), None
        except DeviceError as error:
            if error.code == "CUDA_ERROR_OUT_OF_MEMORY":
                raise MemoryError from error
            raise

    def free(self, address: int) -> None:
        """Give memory back once all work up to now is done."""
        self.enter()
        self.call("cuMemFreeAsync", address, self.stream)

    def total(self) -> tuple[int, int]:
        """(free, all) bytes of the device."""
        self.enter()
        free, total = self.call("cuMemGetInfo")
        return int(free), int(total)

    def pinned(self, size: int) -> int:
        """The address of host memory that device and host can both reach; never freed."""
        return int(self.call("cuMemHostAlloc", size, 0))

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy within the device."""
        self.enter()
        self.call("cuMemcpyDtoDAsync", target, source, size, self.stream)

    def fill(self, address: int, byte: int, size: int) -> None:
        """Set all bytes to one value."""
        self.enter()
        self.call("cuMemsetD8Async", address, byte, size, self.stream)

    def upload(self, address: int, data: memoryview) -> None:
        """Copy host memory to the device; it may be changed as soon as this returns."""
        self.enter()
        if data.nbytes > self.ring.size // 4:  # the driver stages it before it returns
            source = (ctypes.c_char * data.nbytes).from_buffer_copy(data)
            self.call(
                "cuMemcpyHtoDAsync", address, ctypes.addressof(source), data.nbytes, self.stream
            )
            self.synchronize()
            return
        begin, view = self.ring.take(data.nbytes)
        view[:] = data
        self.call("cuMemcpyHtoDAsync", address, begin, data.nbytes, self.stream)
        self.ring.used(begin, data.nbytes)

    def download(self, address: int, size: int) -> bytearray:
        """The bytes at an address, when all work up to now is done."""
        self.enter()
        result = bytearray(size)
        if size > self.ring.size // 4:
            place = ctypes.addressof(ctypes.c_char.from_buffer(result))
            self.call("cuMemcpyDtoHAsync", place, address, size, self.stream)
            self.synchronize()
            return result
        begin, view = self.ring.take(size)
        self.call("cuMemcpyDtoHAsync", begin, address, size, self.stream)
        self.synchronize()
        result[:] = view
        return result


class Ring:
    """Pinned memory given out round and round; a part comes back when its copy is done."""

    def __init__(self, driver: Driver, size: int) -> None:
        self.driver, self.size, self.head, self.base = driver, size, 0, 0
        self.busy: deque[tuple[int, int, Any]] = deque()  # (begin, end, event), oldest first

    def take(self, size: int) -> tuple[int, memoryview]:
        """(address, view) of a part that nothing uses."""
        if not self.base:
            self.base = self.driver.pinned(self.size)
        if self.head + size > self.size:
            self.head = 0
        begin, end = self.head, self.head + size
        while any(a < end and begin < b for a, b, _ in self.busy):
            event = self.busy.popleft()[2]
            self.driver.call("cuEventSynchronize", event)
            self.driver.call("cuEventDestroy", event)
        self.head = -(-end // 256) * 256
        address = self.base + begin
        view = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
        return address, view

    def used(self, address: int, size: int) -> None:
        """Note that the stream reads a part until it gets here."""
        flags = self.driver.api.CUevent_flags.CU_EVENT_DISABLE_TIMING
        event = self.driver.call("cuEventCreate", flags)
        self.driver.call("cuEventRecord", event, self.driver.stream)
        begin = address - self.base
        self.busy.append((begin, begin + size, event))
