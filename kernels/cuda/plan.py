"""A kernel on the device, and what its launches need, made before they are.

    Plan       per kernel: cuda.core's Kernel; per grid and block: its LaunchConfig
    Numbers    Python's numbers as a signature has them, each made once
    Core       what is asked of cuda.core: code loaded, launches put on one stream

`cuda.core.launch` takes 0.6 us of the processor for four arguments where the config is kept and the
numbers are made already, and 1.2 us with a new config (over a driver that does nothing). A number
costs 0.3 us more where it is met for the first time. CUDA graphs take arguments as packed bytes.

Source: NVIDIA, "cuda.core" API reference, `launch`, `LaunchConfig` and `ObjectCode`; NVIDIA, "CUDA
Driver API", library management.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable, Sequence
from math import copysign, inf
from operator import attrgetter, call, index
from typing import Any

import numpy as np

from . import toolchain
from .spec import Kernel

FORMATS = {
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
    "bool": "?",
    "boolean": "?",
}
LARGEST = 3.4028235e38  # of float32
MOST = 4096  # numbers of a kind, and shapes of a kernel, that are kept
STATIC = 48 * 1024  # bytes of shared memory that a block may have unasked

Size = tuple[int, int, int]


# arguments ----------------------------------------------------------------------------------------
class Numbers(dict[Any, Any]):
    """Python's numbers as one type of a signature, kept by value.

    So 5.0 is refused for an int32, but passes for 5 while that is kept.
    """

    def __init__(self, kind: str) -> None:
        self.pack = struct.Struct("=" + FORMATS[kind]).pack
        self.type = np.dtype("bool" if kind == "boolean" else kind).type
        self.zeros = (self.type(0.0), self.type(-0.0)) if kind.startswith("float") else None

    def exact(self, value: Any) -> Any:
        """The number in the type. Raises struct.error where it does not fit."""
        try:
            self.pack(value)
        except OverflowError:  # a float that is finite in float64 only
            value = inf * value
        return self.type(value)

    def __missing__(self, value: Any) -> Any:
        if self.zeros and value == 0:  # 0.0 == -0.0, so neither is a key
            return self.zeros[copysign(1, value) < 0]
        number = self.exact(value)
        if len(self) >= MOST:
            self.clear()
        self[value] = number
        return number


NUMBERS = {kind: Numbers(kind) for kind in FORMATS}


def plain(argument: Any) -> Any:
    """An array's address, 0 for None; numbers and addresses as they are."""
    return 0 if argument is None else getattr(argument, "address", argument)


def address(pointer: Any) -> int:
    """Where an array lies, an address as it is, 0 for None. Raises TypeError."""
    return index(plain(pointer))


# launches -----------------------------------------------------------------------------------------
class Core:
    """cuda.core on one stream."""

    def __init__(self, stream: Any) -> None:
        from cuda import core

        self.core, self.put = core, core.launch
        self.stream = core.Stream.from_handle(int(stream))

    def load(self, code: bytes, name: str) -> Any:
        """A kernel of a cubin."""
        object_code = self.core.ObjectCode.from_cubin(code, symbol_mapping={name: name.encode()})
        return object_code.get_kernel(name)

    def config(self, grid: Size, block: Size, shared: int) -> Any:
        """What a launch is told beside its arguments; `shared` is in bytes."""
        return self.core.LaunchConfig(grid=grid, block=block, shmem_size=shared)


class Plan:
    """A kernel on the device: launched, or packed for a graph's node."""

    def __init__(self, driver: Any, kernel: Kernel) -> None:
        self.kernel, self.lock = kernel, threading.Lock()
        self.core = core = driver.core
        code, _ = toolchain.cubin(kernel, driver.arch)
        try:
            self.loaded = core.load(code, kernel.name)
        except Exception as error:
            driver.pass_on(f"the loading of {kernel.name}", error)
            raise
        self.function = driver.call("cuKernelGetFunction", self.loaded.handle)
        if kernel.shared > STATIC:  # launches name the kernel, nodes of graphs its function
            kind = driver.api.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            handle = self.loaded.handle
            driver.call("cuKernelSetAttribute", kind, kernel.shared, handle, driver.handle)
            driver.call("cuFuncSetAttribute", self.function, kind, kernel.shared)
        self.put, self.stream, self.count = core.put, core.stream, len(kernel.signature)
        self.configs: dict[tuple[Size, Size], Any] = {}
        self.converters = self._converters(attrgetter("address"))
        kinds = ["Q" if kind.endswith("*") else FORMATS[kind] for kind in kernel.signature]
        # Each argument has eight bytes of its own: a graph's node is told where each one is.
        self.format = struct.Struct(
            "=" + "".join(k + "x" * (8 - struct.calcsize(k)) for k in kinds)
        )
        self.memory = ctypes.create_string_buffer(max(self.format.size, 8))

    def _converters(self, pointer: Callable[[Any], Any]) -> list[Callable[[Any], Any]]:
        kinds = self.kernel.signature
        return [pointer if kind.endswith("*") else NUMBERS[kind].__getitem__ for kind in kinds]

    def launch(self, grid: Size, block: Size, arguments: Sequence[Any]) -> None:
        """Put a launch on the stream. Raises TypeError, and what cuda.core raises."""
        config = self.configs.get((grid, block)) or self._config(grid, block)
        try:
            given = [*map(call, self.converters, arguments)]
        except (AttributeError, TypeError, struct.error):
            given = self._given(arguments)
        if not len(given) == len(arguments) == self.count:
            self.pack(arguments)  # which says what is wrong
        self.put(self.stream, config, self.loaded, *given)

    def _config(self, grid: Size, block: Size) -> Any:
        if len(self.configs) >= MOST:
            self.configs.clear()
        # `grid` may hold NumPy's integers, which cuda.core refuses.
        x, y, z = map(int, grid)
        config = self.core.config((x, y, z), block, self.kernel.shared)
        self.configs[grid, block] = config
        return config

    def _given(self, arguments: Sequence[Any]) -> list[Any]:
        """Arguments among which are null pointers or bare addresses: later launches expect them."""
        with self.lock:
            self.pack(arguments)
        self.converters = self._converters(address)
        kinds = self.kernel.signature
        return [
            address(a) if kind.endswith("*") else NUMBERS[kind].exact(plain(a))
            for kind, a in zip(kinds, arguments)
        ]

    def pack(self, arguments: Sequence[Any]) -> None:
        """Write the arguments down for a graph; None is a null pointer. Raises TypeError."""
        numbers = [plain(a) for a in arguments]
        try:
            self.format.pack_into(self.memory, 0, *numbers)
        except OverflowError:  # a float that is finite in float64 only
            given = [
                inf * value if kind == "float32" and abs(value) > LARGEST else value
                for kind, value in zip(self.kernel.signature, numbers)
            ]
            self.format.pack_into(self.memory, 0, *given)
        except struct.error as error:
            raise TypeError(
                f"[cuda] {self.kernel.name} takes {self.kernel.signature}, got {numbers}: {error}"
            ) from None
