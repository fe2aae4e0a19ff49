"""Device tensors beside other libraries: DLPack and the CUDA array interface, both ways.

The other library is made up here: memory of the host that says it lies on a GPU, as the simulator's
does. What a driver is asked for is checked with one that only takes notes.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend

import etude
from etude.framework.errors import BackendMismatch, DTypeError, GradError

DTYPES = ["float32", "float64", "int32", "int64", "bool"]
SHAPES = [(), (1,), (0, 3), (2, 3, 4)]


@pytest.fixture(autouse=True)
def cuda() -> Iterator[Any]:
    with cuda_backend() as engine:
        yield engine


@pytest.fixture
def dlpack() -> Any:
    from etude.backends import cuda_dlpack

    return cuda_dlpack


def filled(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.arange(np.prod(shape), dtype="int64").reshape(shape).astype(dtype)


def consume(dlpack: Any, t: Any, **how: Any) -> tuple[np.ndarray, Any]:
    """What another library reads out of a tensor's capsule, and the capsule's contents."""
    capsule = t.__dlpack__(**how)
    managed = dlpack.Managed.from_address(dlpack._pointer(capsule, dlpack.NEW))
    dlpack._rename(capsule, dlpack.USED)
    shape = tuple(managed.shape[i] for i in range(managed.ndim))
    size = int(np.prod(shape)) * managed.kind.bits // 8
    data = bytes((ctypes.c_char * size).from_address(managed.data)) if size else b""
    name = dlpack.NAMES[managed.kind.code, managed.kind.bits]
    return np.frombuffer(data, name).reshape(shape), managed


class Theirs:
    """An array of another library, by DLPack or by the array interface."""

    def __init__(self, array: np.ndarray, dlpack: Any, device: int = 0) -> None:
        room = np.zeros(array.nbytes + 32, np.uint8)
        skip = -room.ctypes.data % 16
        self.array = room[skip : skip + array.nbytes].view(array.dtype).reshape(array.shape)
        self.array[...] = array
        self.pack, self.device, self.back, self.streams = dlpack, device, 0, list[Any]()

    def managed(self) -> Any:
        d, a = self.pack, self.array
        self.shape = (ctypes.c_int64 * max(a.ndim, 1))(*a.shape)
        steps = [s // a.itemsize for s in a.strides]
        self.strides = (ctypes.c_int64 * max(a.ndim, 1))(*steps)
        self.deleter = d.DELETER(lambda _: setattr(self, "back", self.back + 1))
        kind = d.Kind({"f": 2, "i": 0, "b": 6, "c": 5}[a.dtype.kind], 8 * a.itemsize, 1)
        at = a.ctypes.data
        place = d.Device(2, self.device)
        return d.Managed(at, place, a.ndim, kind, self.shape, self.strides, 0, None, self.deleter)


class ByDlpack(Theirs):
    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.device

    def __dlpack__(self, *, stream: Any = None) -> Any:
        self.streams.append(stream)
        self.kept = self.managed()
        nobody = self.pack.DESTRUCTOR()
        return self.pack._new(ctypes.addressof(self.kept), self.pack.NEW, nobody)


class ByInterface(Theirs):
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        facts = dict(self.array.__array_interface__)
        return {**facts, "strides": self.array.strides, "version": 3, "stream": 7}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_another_library_reads_a_tensor(dlpack: Any, dtype: str, shape: tuple[int, ...]) -> None:
    t = etude.tensor(filled(shape, dtype))
    assert t.__dlpack_device__() == (2, 0)
    found, managed = consume(dlpack, t, stream=1)
    assert np.array_equal(found, filled(shape, dtype))
    assert managed.device.type == 2
    assert len(dlpack.lent) == 1
    managed.deleter(ctypes.byref(managed))
    assert not dlpack.lent


def test_memory_is_copied_unless_sharing_is_asked_for(dlpack: Any) -> None:
    t = etude.tensor([1.0, 2.0])
    own, shared = (consume(dlpack, t, copy=copy)[1] for copy in (None, False))
    assert own.data != t.buffer.address
    assert shared.data == t.buffer.address
    dlpack.lent.clear()


def test_what_is_lent_lives_until_it_is_given_back(dlpack: Any) -> None:
    t = etude.tensor([1.0, 2.0])
    address = t.buffer.address
    _, managed = consume(dlpack, t, copy=False)
    del t
    gc.collect()
    assert etude.empty(2).buffer.address != address
    managed.deleter(ctypes.byref(managed))
    assert etude.empty(2).buffer.address == address


def test_a_capsule_that_nobody_takes_gives_back_what_is_in_it(dlpack: Any) -> None:
    capsule = etude.tensor([1.0]).__dlpack__()
    assert len(dlpack.lent) == 1
    del capsule
    assert not dlpack.lent


@pytest.mark.parametrize("kind", [ByDlpack, ByInterface])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_takes_what_another_library_has(
    dlpack: Any, dtype: str, shape: tuple[int, ...], kind: Any
) -> None:
    theirs = kind(filled(shape, dtype), dlpack)
    t = etude.from_dlpack(theirs)
    assert (t.dtype, t.shape, t.backend.name) == (dtype, shape, "cuda")
    assert np.array_equal(t.cpu().numpy(), theirs.array)
    assert theirs.back == (kind is ByDlpack)  # a copy: theirs is theirs again
    assert theirs.streams in ([], [dlpack.own_stream()])


def test_sharing_reads_their_memory_and_gives_it_back_at_the_end(dlpack: Any) -> None:
    theirs = ByDlpack(filled((2, 3), "float32"), dlpack)
    t = etude.from_dlpack(theirs, copy=False)
    theirs.array[0, 0] = 9.0
    view = t.reshape(6)
    assert view.tolist()[0] == 9.0
    del t
    assert theirs.back == 0
    del view
    gc.collect()
    assert theirs.back == 1


def test_memory_that_kernels_cannot_take_is_copied(dlpack: Any) -> None:
    theirs = ByDlpack(filled((5,), "float32"), dlpack)
    theirs.array = theirs.array[1:]  # 4 bytes off
    t = etude.from_dlpack(theirs, copy=False)
    assert t.buffer.address % 16 == 0
    assert t.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert theirs.back == 1


def test_a_tensor_takes_a_tensor() -> None:
    t = etude.tensor([1.0, 2.0])
    assert etude.from_dlpack(t).tolist() == [1.0, 2.0]
    assert etude.from_dlpack(t, copy=False).buffer.address == t.buffer.address
    assert etude.from_dlpack(t, backend="numpy").backend.name == "numpy"


def test_the_array_interface_says_where_a_tensor_lies(dlpack: Any) -> None:
    t = etude.tensor([[1.0, 2.0]])
    facts = t.__cuda_array_interface__
    assert facts["data"] == (t.buffer.address, False)
    assert (facts["shape"], facts["typestr"], facts["strides"]) == ((1, 2), "<f4", None)
    assert facts["stream"] == dlpack.own_stream()
    assert not hasattr(etude.tensor([1.0], backend="numpy"), "__cuda_array_interface__")


def test_numpy_says_how_a_tensor_comes_to_the_host() -> None:
    t = etude.tensor([1.0, 2.0])
    message = r"\[numpy\] expected a tensor in host memory, got one on 'cuda'; copy it with \.cpu\("
    for call in (t.numpy, lambda: np.asarray(t), lambda: np.array(t)):
        with pytest.raises(BackendMismatch, match=message):
            call()
    assert t.cpu().numpy().tolist() == t.to("numpy").numpy().tolist() == [1.0, 2.0]
    host = etude.tensor([1.0], backend="numpy")
    assert host.cpu() is host
    assert host.cuda().backend is t.backend
    assert "1." in repr(t)


def test_errors_say_what_to_do(dlpack: Any) -> None:
    wants = etude.ones(2, requires_grad=True)
    with pytest.raises(GradError, match="detach"):
        wants.__dlpack__()
    with pytest.raises(GradError, match="detach"):
        wants.__cuda_array_interface__  # noqa: B018
    with pytest.raises(BufferError, match="cpu"):
        wants.detach().__dlpack__(dl_device=(1, 0))
    for theirs, why in (
        (ByDlpack(filled((4, 4), "float32"), dlpack, device=3), "works on"),
        (ByDlpack(np.ones(2, "complex64"), dlpack), "kind 5 with 64 bits"),
        (ByInterface(np.ones(2, "complex64"), dlpack), "elements of type <c8"),
    ):
        with pytest.raises(DTypeError, match=why):
            etude.from_dlpack(theirs)
    for kind in (ByDlpack, ByInterface):
        theirs = kind(filled((4, 4), "float32"), dlpack)
        theirs.array = theirs.array.T
        with pytest.raises(DTypeError, match=r"one piece.*contiguous\(\)"):
            etude.from_dlpack(theirs)


def test_streams_wait_for_each_other(dlpack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from etude.backends import cuda_runtime as runtime

    calls: list[tuple[Any, ...]] = []

    def call(name: str, *given: Any) -> Any:
        calls.append((name, *given))
        return "event"

    flags = SimpleNamespace(CU_EVENT_DISABLE_TIMING=2)
    noting = SimpleNamespace(
        simulated=False, stream=77, enter=lambda: None, call=call,
        api=SimpleNamespace(CUevent_flags=flags),
    )  # fmt: skip
    monkeypatch.setattr(runtime, "device", lambda: noting)
    dlpack.wait(5, dlpack.own_stream())
    assert calls[1:3] == [("cuEventRecord", "event", 77), ("cuStreamWaitEvent", 5, "event", 0)]
    calls.clear()
    dlpack.wait(77, 77)
    assert not calls
