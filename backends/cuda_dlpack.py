"""DLPack by ctypes: the capsule that says where an array of a GPU lies, made and read.

    lend    DeviceArray -> DLManagedTensor -> capsule "dltensor"       kept until its deleter runs
    borrow  capsule -> rename to "used_dltensor" -> DeviceArray        deleter called at the end

Streams: whoever lends has the other's stream wait for its own work, by an event; and memory that
comes back is used again when what the other's stream does with it is done. A stream is None or 1
(the legacy default), 2 (the thread's), -1 (nobody needs to wait), or a handle.

https://dmlc.github.io/dlpack/latest/python_spec.html, and dlpack.h, version 0.8.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import prod
from typing import Any

from . import cuda_runtime as runtime
from .base import Backend
from .cuda_runtime import ITEMSIZE, DeviceArray
from .tier1 import Buffer, Shape

CUDA, MANAGED = 2, 13  # device types
CODES = {"int32": 0, "int64": 0, "float32": 2, "float64": 2, "bool": 6}
NAMES = {(code, 8 * ITEMSIZE[name]): name for name, code in CODES.items()}
TYPES = {"float32": "<f4", "float64": "<f8", "int32": "<i4", "int64": "<i8", "bool": "|b1"}
NEW, USED = b"dltensor", b"used_dltensor"
NO_WAIT, DEFAULT = -1, 1
ALIGNED = 16  # bytes: what kernels expect of an address


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("number", ctypes.c_int32)]


class Kind(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class Managed(ctypes.Structure):
    """DLManagedTensor, with the DLTensor's fields first."""


DELETER = ctypes.CFUNCTYPE(None, ctypes.POINTER(Managed))
Managed._fields_ = [
    ("data", ctypes.c_void_p),
    ("device", Device),
    ("ndim", ctypes.c_int32),
    ("kind", Kind),
    ("shape", ctypes.POINTER(ctypes.c_int64)),
    ("strides", ctypes.POINTER(ctypes.c_int64)),
    ("offset", ctypes.c_uint64),
    ("context", ctypes.c_void_p),
    ("deleter", DELETER),
]
DESTRUCTOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_api = ctypes.pythonapi
_new = _api.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, DESTRUCTOR]
_valid = _api.PyCapsule_IsValid
_valid.restype, _valid.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
_valid_at = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _api)
)
_pointer_at = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)
_pointer = _api.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_rename = _api.PyCapsule_SetName
_rename.restype, _rename.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]

lent: dict[int, Any] = {}  # what others use: by the address of the DLManagedTensor


def own_stream() -> int:
    """The handle of the stream that the backend works on."""
    return int(getattr(runtime.device(), "stream", DEFAULT))


def wait(waiting: int, other: int) -> None:
    """Let one stream wait for what another has been given up to now."""
    device = runtime.device()
    if device.simulated or waiting == other:
        return
    device.enter()
    event = device.call("cuEventCreate", device.api.CUevent_flags.CU_EVENT_DISABLE_TIMING)
    device.call("cuEventRecord", event, other)
    device.call("cuStreamWaitEvent", waiting, event, 0)
    device.call("cuEventDestroy", event)


def _returned(managed: Any) -> None:
    """The consumer is done with what was lent."""
    *_, user = lent.get(ctypes.addressof(managed.contents), (DEFAULT,))
    wait(own_stream(), user)
    lent.pop(ctypes.addressof(managed.contents), None)


def _dropped(capsule: int) -> None:
    """A capsule dies: if nobody took what is in it, it is given back here."""
    if _valid_at(capsule, NEW):
        lent.pop(_pointer_at(capsule, NEW), None)


_give_back, _forgotten = DELETER(_returned), DESTRUCTOR(_dropped)


def capsule(x: DeviceArray, device: tuple[int, int], user: int = DEFAULT) -> Any:
    """A new capsule over a buffer, which lives until the consumer, on stream `user`, is done."""
    shape = (ctypes.c_int64 * max(len(x.shape), 1))(*x.shape)
    kind = Kind(CODES[x.dtype], 8 * ITEMSIZE[x.dtype], 1)
    data = x.address if x.size else None
    managed = Managed(data, Device(*device), len(x.shape), kind, shape, None, 0, None, _give_back)
    address = ctypes.addressof(managed)
    lent[address] = managed, shape, x, user
    return _new(address, NEW, _forgotten)


class Loan:
    """Memory of another library, where a pool's block would be: given back with the last buffer."""

    __slots__ = ("__weakref__", "address", "back", "raw", "size")

    def __init__(self, address: int, size: int, back: Callable[[], Any]) -> None:
        self.address, self.size, self.back = address, size, back
        self.raw: Any = None
        if runtime.device().simulated and size:
            import numpy as np

            memory: Any = (ctypes.c_uint8 * size).from_address(address)
            self.raw = np.frombuffer(memory, np.uint8)

    def __del__(self) -> None:
        runtime.device().synchronize()  # whoever has the memory then may write to it at once
        self.back()


def taken(given: Any, device: tuple[int, int]) -> DeviceArray:
    """The buffer in a capsule, which is then used up. Raises BufferError, TypeError, ValueError."""
    if not _valid(given, NEW):
        raise BufferError("the capsule is used up, or none of DLPack's")
    address = _pointer(given, NEW)
    managed = Managed.from_address(address)
    where = managed.device.type, managed.device.number
    if where[0] not in (CUDA, MANAGED) or where[1] != device[1]:
        raise BufferError(f"it lies on device {where}, and the backend works on {device}")
    name = NAMES.get((managed.kind.code, managed.kind.bits))
    if name is None or managed.kind.lanes != 1:
        raise TypeError(f"elements of kind {managed.kind.code} with {managed.kind.bits} bits")
    shape = tuple(managed.shape[i] for i in range(managed.ndim))
    steps = [managed.strides[i] for i in range(managed.ndim)] if managed.strides else None
    _contiguous(shape, steps, 1)

    def back() -> None:
        if managed.deleter:
            managed.deleter(ctypes.byref(managed))

    begin = (managed.data or 0) + managed.offset
    _rename(given, USED)
    return DeviceArray(Loan(begin, prod(shape) * ITEMSIZE[name], back), begin, shape, name)


def _contiguous(shape: Shape, steps: Any, unit: int) -> None:
    """Raise ValueError for an array with gaps or another order of its axes."""
    expected = unit
    for n, step in zip(shape[::-1], (steps or ())[::-1]):
        if n > 1 and step != expected and prod(shape):
            raise ValueError("its memory is not in one piece")
        expected *= n


def described(other: Any) -> DeviceArray:
    """The buffer that __cuda_array_interface__ describes. Raises TypeError, ValueError."""
    facts = other.__cuda_array_interface__
    name = next((n for n, kind in TYPES.items() if kind == facts["typestr"]), None)
    if name is None:
        raise TypeError(f"elements of type {facts['typestr']}")
    shape, begin = tuple(facts["shape"]), facts["data"][0] or 0
    _contiguous(shape, facts.get("strides"), ITEMSIZE[name])
    if facts.get("stream") is not None:
        wait(own_stream(), int(facts["stream"]))
    keep = [other]
    return DeviceArray(Loan(begin, prod(shape) * ITEMSIZE[name], keep.clear), begin, shape, name)


class CudaInterchange(Backend):
    """Buffers lent to other libraries, and theirs taken."""

    @property
    def device(self) -> tuple[int, int]:  # type: ignore[override]
        return CUDA, getattr(runtime.device(), "ordinal", 0)

    def lend(self, x: Buffer, stream: Any = None) -> Any:
        user = DEFAULT if stream in (None, NO_WAIT) else int(stream)
        if stream != NO_WAIT:
            wait(user, own_stream())
        return capsule(x, self.device, user)

    def borrow(self, other: Any) -> Buffer:
        if hasattr(other, "__dlpack__"):
            x = taken(other.__dlpack__(stream=own_stream()), self.device)
        else:
            x = described(other)
        if x.address % ALIGNED == 0:
            return x
        y = runtime.empty(x.shape, x.dtype)
        runtime.copy(y, x)
        return y

    def interface(self, x: Buffer) -> dict[str, Any]:
        return {
            "shape": x.shape,
            "typestr": TYPES[x.dtype],
            "data": (x.address if x.size else 0, False),
            "version": 3,
            "strides": None,
            "stream": own_stream(),
        }
