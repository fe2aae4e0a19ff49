"""The CUDA backend's runtime over a driver that is made up, and over the simulator."""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("greenlet")

from cuda_fake import FakeDriver, fake_device

from etude.backends import cuda_memory, cuda_simulated
from etude.backends import cuda_runtime as runtime
from etude.kernels.cuda import compiler, driver, plan, toolchain
from etude.kernels.cuda.driver import Driver
from etude.kernels.cuda.spec import Kernel, cuda, float32, int64, uint64


def fill_line(y, n, a, b, flag, wide, key, other):
    i = cuda.grid(1)
    if i < n:
        extra = float32(1) if flag else float32(0)
        y[i] = float32(i) * a + float32(b) + extra
        if i == 0:
            y[0] = float32(int64(wide) % 1000) + float32(uint64(key) % 1000)
        if other:
            y[i] = other[i]


LINE = Kernel(
    "fill_line",
    fill_line,
    ("float32*", "int32", "float32", "float64", "bool", "int64", "uint64", "float32*"),
)
ARGUMENTS = (10, 0.5, 2.0, True, -(2**40), 2**63 + 5, None)


def launch(y: Any, *arguments: Any, kernel: Kernel = LINE) -> None:
    runtime.launch(kernel, 1, y, *arguments, block=32)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A driver that is not there; code is not compiled for it."""
    monkeypatch.setattr(toolchain, "cubin", lambda kernel, arch: (kernel.name.encode(), ""))
    fake = FakeDriver()
    fake.kernels[LINE.name] = LINE
    return fake


@pytest.fixture
def device(api: FakeDriver) -> Iterator[Driver]:
    with runtime.on(fake_device(api)) as on:
        yield on


def upload(values: Any) -> runtime.DeviceArray:
    array = np.ascontiguousarray(values)
    return runtime.from_host(memoryview(array.reshape(-1)), array.shape, str(array.dtype))


def values(x: runtime.DeviceArray) -> Any:
    return np.array(runtime.to_host(x)).reshape(x.shape)


# launches -----------------------------------------------------------------------------------------
def test_arguments_reach_the_kernel_as_they_are(device: Driver) -> None:
    y = runtime.empty((10,), "float32")
    launch(y, *ARGUMENTS)
    want = np.arange(10) * 0.5 + 3
    want[0] = -(2**40) % 1000 + (2**63 + 5) % 1000
    assert np.array_equal(values(y), want.astype(np.float32))
    launch(y, *ARGUMENTS[:-1], upload(np.arange(10, dtype=np.float32)))
    assert np.array_equal(values(y), np.arange(10))
    launch(y, 10, 1e300, 0.0, False, 0, 0, None)
    assert values(y)[1] == np.inf


def test_a_kernel_is_loaded_once(device: Driver, api: FakeDriver) -> None:
    y = runtime.empty((10,), "float32")
    for _ in range(3):
        launch(y, *ARGUMENTS)
    assert (api.calls["cuLibraryLoadData"], api.calls["cuLaunchKernelEx"]) == (1, 3)
    assert api.last["cuLibraryLoadData"] == (b"fill_line",)
    assert api.calls["LaunchConfig"] == 1
    assert api.calls["cuStreamSynchronize"] == 0


def test_wrong_arguments_are_refused(device: Driver) -> None:
    y = runtime.empty((10,), "float32")
    with pytest.raises(TypeError, match=r"\[cuda\] fill_line takes \('float32\*', 'int32'"):
        launch(y, "ten", *ARGUMENTS[1:])
    with pytest.raises(TypeError, match="fill_line takes"):
        launch(y, 2**31, *ARGUMENTS[1:])
    with pytest.raises(TypeError, match="fill_line takes"):
        launch(y)
    with pytest.raises(ValueError, match=r"takes blocks up to \(256, 1, 1\), got \(512, 1, 1\)"):
        runtime.launch(LINE, 1, y, *ARGUMENTS, block=512)


def test_null_pointers_and_addresses_are_taken_at_each_launch(device: Driver) -> None:
    y, other = runtime.empty((10,), "float32"), upload(np.arange(10, dtype=np.float32))
    for last in (other, None, other, other.address, None):
        launch(y, *ARGUMENTS[:-1], last)
        assert (values(y)[9] == 9) == (last is not None)
    with pytest.raises(TypeError, match="fill_line takes"):
        launch(y, *ARGUMENTS[:-1], 1.5)


def test_shapes_are_configured_once_each(device: Driver, api: FakeDriver) -> None:
    y = runtime.empty((10,), "float32")
    for grid in (1, 2, (1, 1, 1), (np.int64(2), 1, 1), 2):
        runtime.launch(LINE, grid, y, *ARGUMENTS, block=32)
    assert api.calls["LaunchConfig"] == 2
    assert api.last["cuLaunchKernelEx"] == ("fill_line", (2, 1, 1), (32, 1, 1), 0)
    runtime.launch(LINE, 2, y, *ARGUMENTS, block=64)
    assert api.last["LaunchConfig"] == ((2, 1, 1), (64, 1, 1), 0)


def test_an_empty_grid_is_no_launch(device: Driver, api: FakeDriver) -> None:
    runtime.launch(LINE, 0, None, *ARGUMENTS)
    assert api.calls["cuLaunchKernelEx"] == 0


def test_much_shared_memory_is_asked_for(api: FakeDriver) -> None:
    big = Kernel("big", fill_line, LINE.signature, shared=100 * 1024)
    api.kernels["big"] = big
    with runtime.on(fake_device(api)):
        launch(runtime.empty((10,), "float32"), *ARGUMENTS, kernel=big)
    assert api.last["cuKernelSetAttribute"] == (8, 100 * 1024, "big", 0)
    assert api.last["cuFuncSetAttribute"] == ("function of big", 8, 100 * 1024)
    assert api.last["LaunchConfig"] == ((1, 1, 1), (32, 1, 1), 100 * 1024)


def test_threads_enter_the_context_each(device: Driver, api: FakeDriver) -> None:
    before = api.calls["cuCtxSetCurrent"]
    y = runtime.empty((10,), "float32")
    thread = threading.Thread(target=lambda: launch(y, *ARGUMENTS))
    thread.start()
    thread.join()
    launch(y, *ARGUMENTS)
    assert api.calls["cuCtxSetCurrent"] == before + 1


# errors -------------------------------------------------------------------------------------------
def test_a_refused_launch_is_reported_by_it(device: Driver, api: FakeDriver) -> None:
    api.fails["cuLaunchKernelEx"] = 701
    words = r"the launch of fill_line on \(1, 1, 1\) x \(32, 1, 1\) failed: CUDA_ERROR_LAUNCH_OUT"
    with pytest.raises(runtime.DeviceError, match=words):
        launch(runtime.empty((10,), "float32"), *ARGUMENTS)


def test_code_that_does_not_load_is_named(device: Driver, api: FakeDriver) -> None:
    api.fails["cuLibraryLoadData"] = 701
    with pytest.raises(runtime.DeviceError) as caught:
        launch(runtime.empty((10,), "float32"), *ARGUMENTS)
    assert str(caught.value) == (
        "[cuda] the loading of fill_line failed: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, This is too "
        "many resources requested for launch"
    )


def test_a_late_error_names_the_launches_that_may_have_caused_it(
    device: Driver, api: FakeDriver
) -> None:
    y = runtime.empty((10,), "float32")
    for i in range(driver.MARK + 2):
        kernel = Kernel(f"line_{i}", fill_line, LINE.signature)
        api.kernels[kernel.name] = kernel
        launch(y, *ARGUMENTS, kernel=kernel)
    api.fails["cuStreamSynchronize"] = 700
    with pytest.raises(runtime.DeviceError) as caught:
        runtime.synchronize()
    assert str(caught.value) == (
        "[cuda] cuStreamSynchronize failed: CUDA_ERROR_ILLEGAL_ADDRESS, an illegal memory access "
        "was encountered; the last launches were line_32, line_33: set ETUDE_CUDA_SYNC=1 and it is "
        "raised by the one that caused it"
    )
    assert caught.value.code == "CUDA_ERROR_ILLEGAL_ADDRESS"


def test_each_launch_can_be_waited_for(
    device: Driver, api: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_wait", True)
    y = runtime.empty((10,), "float32")
    api.fails["cuStreamSynchronize"] = 700
    with pytest.raises(runtime.DeviceError, match="the last launches were fill_line: set"):
        launch(y, *ARGUMENTS)


# memory -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 511, 512, 513, 8192, 8193, 100_000, 1 << 20, 3_000_001])
def test_classes_waste_little(size: int) -> None:
    whole = cuda_memory.class_of(size)
    assert size <= whole <= max(512, size + 512, size * 1.125)
    assert whole % 512 == 0
    assert cuda_memory.class_of(whole) == whole


def test_freed_memory_comes_back(device: Driver, api: FakeDriver) -> None:
    first = runtime.empty((1000,), "float32")
    where, seen = first.address, runtime.view(first, 400, (10,), "int32")
    del first
    assert runtime.empty((1000,), "float32").address != where  # the view holds it
    del seen
    assert runtime.empty((990,), "float32").address == where
    assert api.calls["cuMemAllocAsync"] == 2
    held = runtime.pool()
    assert (held.used, len(held.held)) == (0, 0)
    runtime.release_memory()
    assert (held.kept, len(api.memory)) == (0, 0)


def test_what_is_kept_is_given_back_before_memory_runs_out(api: FakeDriver) -> None:
    api.capacity = 100_000
    with runtime.on(fake_device(api)):
        for n in (10_000, 12_000, 20_000):  # of which no two fit at once
            runtime.empty((n,), "float32")


def test_memory_in_dead_cycles_is_found(api: FakeDriver) -> None:
    api.capacity = 100_000
    gc.disable()
    try:
        with runtime.on(fake_device(api)):
            for _ in range(3):
                ring: list[Any] = [runtime.empty((20_000,), "float32")]
                ring.append(ring)
                del ring
    finally:
        gc.enable()


def test_the_error_names_request_use_and_holders(api: FakeDriver) -> None:
    api.capacity = 1 << 20
    with runtime.on(fake_device(api)):
        held = [runtime.empty((100, 500), "float32") for _ in range(3)]
        held.append(runtime.empty((7,), "int64"))
        with pytest.raises(runtime.OutOfMemory) as caught:
            runtime.empty((1000, 1000), "float32")
    assert str(caught.value) == (
        "[cuda] out of memory on Fake 9000: asked for 4.0 MiB for (1000, 1000) float32, with "
        "624.5 KiB in use in 4 buffers and 399.5 KiB free of 1.0 MiB; the largest are "
        "3 x (100, 500) float32 (624.0 KiB), 1 x (7,) int64 (512 B): use a smaller batch, "
        "no_grad() or checkpointing, or delete tensors"
    )
    assert isinstance(caught.value, MemoryError)


def test_other_errors_of_allocation_are_no_lack_of_memory(device: Driver, api: FakeDriver) -> None:
    api.fails["cuMemAllocAsync"] = 700
    with pytest.raises(runtime.DeviceError, match="cuMemAllocAsync failed: CUDA_ERROR_ILLEGAL"):
        runtime.empty((3,), "float32")


def test_a_graphs_memory_is_its_own(device: Driver) -> None:
    private = runtime.private_pool()
    with private:
        inside = runtime.empty((1000,), "float32")
        where = inside.address
        del inside
        assert runtime.empty((1000,), "float32").address == where
    outside = runtime.empty((1000,), "float32")
    assert outside.address != where
    with private:
        kept = runtime.empty((1000,), "float32")
        assert kept.address == where
    del private
    assert runtime.empty((1000,), "float32").address != where  # `kept` lies there
    del kept
    gc.collect()
    assert runtime.empty((1000,), "float32").address == where


# copies -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool"])
def test_values_come_back_as_they_went(device: Driver, dtype: str) -> None:
    want = (np.arange(24).reshape(2, 3, 4) % 5).astype(dtype)
    x = upload(want)
    assert (x.shape, x.dtype, x.size, x.nbytes) == ((2, 3, 4), dtype, 24, want.nbytes)
    got = runtime.to_host(x)
    assert got.readonly
    assert got.format == memoryview(want).format or dtype in ("int64", "bool")
    assert np.array_equal(values(x), want)
    y = runtime.empty(x.shape, dtype)
    runtime.copy(y, x)
    assert np.array_equal(values(y), want)
    runtime.fill(y, 0)
    assert not values(y).any()
    assert not runtime.same_memory(x, y)
    assert runtime.same_memory(x, runtime.view(x, 0, (24,), dtype))


def test_nothing_is_copied_of_empty_buffers(device: Driver, api: FakeDriver) -> None:
    x = upload(np.zeros((0, 3), np.float32))
    assert values(x).shape == (0, 3)
    runtime.copy(x, x)
    runtime.fill(x, 1)
    assert not [name for name in api.calls if "cpy" in name or "Memset" in name]


def test_parts_of_the_ring_are_waited_for(device: Driver, api: FakeDriver) -> None:
    device.ring = driver.Ring(device, 4096)
    for i in range(40):
        x = upload(np.full(200, i, np.float32))
        assert (values(x) == i).all()
    assert api.calls["cuEventRecord"] == 40
    assert 30 <= api.calls["cuEventSynchronize"] == api.calls["cuEventDestroy"] < 40
    big = np.arange(5000, dtype=np.float32)
    assert np.array_equal(values(upload(big)), big)


# recording ----------------------------------------------------------------------------------------
class Notes:
    def __init__(self) -> None:
        self.work: list[Any] = []

    def launch(self, kernel: Kernel, grid: Any, arguments: Any, block: Any) -> None:
        self.work.append((kernel.name, grid, len(arguments), block))

    def copy(self, target: Any, source: Any) -> None:
        self.work.append("copy")

    def fill(self, target: Any, byte: int) -> None:
        self.work.append(("fill", byte))

    def keep(self, x: Any) -> None:
        self.work.append(("keep", x.shape))

    def host(self, what: str) -> None:
        raise LookupError(what)


def test_a_recorder_stands_in_for_the_device(device: Driver, api: FakeDriver) -> None:
    notes, x = Notes(), runtime.empty((3,), "float32")
    assert runtime.set_recorder(notes) is None
    try:
        launch(x, *ARGUMENTS)
        runtime.copy(x, x)
        runtime.fill(x, 7)
        upload([1.0])
        for refused in (lambda: runtime.to_host(x), runtime.synchronize):
            with pytest.raises(LookupError):
                refused()
        assert runtime.recorder() is notes
    finally:
        assert runtime.set_recorder(None) is notes
    assert notes.work == [("fill_line", 1, 8, 32), "copy", ("fill", 7), ("keep", (1,))]
    assert not api.calls["cuLaunchKernelEx"] + api.calls["cuMemcpyDtoDAsync"]


# where there is none ------------------------------------------------------------------------------
def test_reasons_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "missing", lambda: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    simulate = "or set ETUDE_CUDA=simulate to run the kernels on the processor, slowly"
    assert driver.missing(FakeDriver()) is None
    none = "the NVIDIA driver sees no device"
    assert driver.missing(FakeDriver(devices=0)) == f"{none}: check nvidia-smi, {simulate}"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    hidden = f"{none} (CUDA_VISIBLE_DEVICES is ''): check nvidia-smi, {simulate}"
    gone = FakeDriver()
    gone.fails["cuInit"] = 100
    assert driver.missing(gone) == hidden
    assert driver.missing(FakeDriver(version=12040)) == (
        "the NVIDIA driver supports CUDA 12.4 and 13.0 is needed: update it to 580 or later, "
        + simulate
    )
    with pytest.raises(ImportError) as caught:
        Driver(FakeDriver(capability=(7, 5)))
    assert str(caught.value) == (
        "Fake 9000 has compute capability 7.5 and 8.0 is needed: take a device of the Ampere "
        f"generation or later, {simulate}"
    )
    monkeypatch.setattr(compiler, "missing", lambda: "no compiler")
    assert driver.missing() == "no compiler"


def test_without_a_driver_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(compiler, "missing", lambda: None)
    monkeypatch.setattr(driver.ctypes, "CDLL", absent)
    assert str(driver.missing()).startswith("no NVIDIA driver is installed (")
    driver.device.cache_clear()
    with pytest.raises(ImportError, match="no NVIDIA driver is installed"):
        driver.device()


def test_without_greenlet_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)
    with toolchain.simulated(), pytest.raises(ImportError, match=re.escape("etude[cudasim]")):
        runtime.start()


def test_a_misspelt_wish_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETUDE_CUDA", "sim")
    with pytest.raises(ImportError, match="ETUDE_CUDA is 'sim', which is neither 'simulate' nor"):
        runtime.start()


def test_the_driver_has_the_functions_that_are_called() -> None:
    if compiler.missing() is not None:
        pytest.skip(str(compiler.missing()))
    from cuda.bindings import driver as real

    files = [Path(str(module.__file__)) for module in (driver, plan)]
    source = "".join(path.read_text("utf-8") for path in files)
    names = set(re.findall(r"\b(cu[A-Z]\w+|CU_[A-Z_0-9]+|CU[a-z]+_[a-z_]+)\b", source))
    kinds = [getattr(real, name) for name in names if re.match("CU[a-z]", name)]
    for name in names:
        found = hasattr(real, name) or any(hasattr(kind, name) for kind in kinds)
        assert found, name


# the simulator as a device ------------------------------------------------------------------------
def test_the_simulator_is_a_device() -> None:
    with runtime.on(cuda_simulated.Simulated(1 << 20)) as on:
        x = runtime.empty((5,), "float32")
        assert np.isnan(values(x)).all()
        launch(x, 5, 1.0, 0.0, False, 0, 0, None)
        assert values(x)[1:].tolist() == [1, 2, 3, 4]
        where = x.address
        del x
        again = runtime.empty((5,), "float32")
        assert again.address == where
        assert np.isnan(values(again)).all()
        with pytest.raises(runtime.OutOfMemory, match="out of memory on the simulator"):
            runtime.empty((1 << 20,), "float64")
        assert on.total() == ((1 << 20) - 512, 1 << 20)
        del again
        runtime.release_memory()
        assert on.total() == (1 << 20, 1 << 20)
        runtime.synchronize()
