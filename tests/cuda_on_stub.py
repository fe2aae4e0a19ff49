"""Run by test_cuda_bindings.py: a training step on the CUDA backend over tests/cuda_stub.c.

The backend and the real cuda.bindings and cuda.core do what they would do on a device; only the
driver below them is made up, and hands each launch to the simulator.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import Any

import numpy as np

import etude
from etude.backends import cuda_runtime as runtime
from etude.kernels.cuda import simulator, toolchain
from etude.kernels.cuda.plan import FORMATS
from etude.kernels.cuda.spec import Kernel

STUB = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)  # found by its name from now on
KERNELS: dict[str, Kernel] = {}
PROBE = Kernel("probe", lambda *a: None, ("float32*", "float32*", *FORMATS), shared=64 * 1024)
SEEN: list[tuple[Any, ...]] = []
WHOLE = 1 << 30  # elements; the memory's end is not known here


def code(kernel: Kernel, arch: str) -> tuple[bytes, str]:
    assert arch == "sm_90"
    KERNELS[kernel.name] = kernel
    return b"\x7fELF", ""


def argument(kind: str, place: int) -> Any:
    form = "Q" if kind.endswith("*") else FORMATS[kind]
    (value,) = struct.unpack(f"={form}", ctypes.string_at(place, struct.calcsize(form)))
    if not kind.endswith("*") or not value:
        return value or (None if kind.endswith("*") else value)
    dtype = np.dtype(kind[:-1])
    memory = (ctypes.c_char * (WHOLE * dtype.itemsize)).from_address(value)
    return np.frombuffer(memory, dtype)


@ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_void_p)
)
def run(name: bytes, sizes: Any, places: Any) -> int:
    kernel = KERNELS[name.decode()]
    grid, block = tuple(sizes[:3]), tuple(sizes[3:6])
    if kernel is PROBE:
        kinds = ["uint64" if k.endswith("*") else k for k in kernel.signature]
        SEEN.append((grid, block, sizes[6], *(argument(k, places[i]) for i, k in enumerate(kinds))))
        return 701 if grid[1] > 1 else 0
    if max(block) > 256 or sizes[6] != kernel.shared:
        return 1
    given = [argument(kind, places[i]) for i, kind in enumerate(kernel.signature)]
    simulator.run(kernel, grid, block, tuple(given), races=False)
    return 0


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p)
def count(name: bytes) -> int:
    return len(KERNELS[name.decode()].signature)


STUB.stub_run(run)
STUB.stub_count(count)
toolchain.cubin = code  # type: ignore[assignment]
backend = etude.backends.get("cuda")
assert (runtime.device().name, runtime.device().arch) == ("Stub", "sm_90")


def train(name: str, compiled: bool, steps: int) -> float:
    """The last loss of some steps with Adam, whose count of steps changes from one to the next."""
    with etude.use_backend(name):
        etude.manual_seed(1)
        model = etude.nn.Linear(5, 3)
        optimizer = etude.optim.Adam(model.parameters(), lr=0.1)

        def step(x: etude.Tensor, labels: etude.Tensor) -> etude.Tensor:
            optimizer.zero_grad()
            loss = etude.functional.cross_entropy(model(x).tanh(), labels)
            loss.backward()
            optimizer.step()
            return loss

        run_step = etude.compile(step) if compiled else step
        x, labels = etude.randn(4, 5), etude.tensor([0, 2, 1, 1])
        losses = [run_step(x, labels).item() for _ in range(steps)]
        if compiled:
            assert run_step.entries[0].runner.called == []
        return float(losses[-1])


# What a kernel is given, in the order of FORMATS after two pointers.
some = runtime.empty((3,), "float32")
numbers = (-(2**31), 2**32 - 1, -(2**63), 2**64 - 1, 0.5, 0.1, True, False)
for pointer, zero in ((some, 0.0), (None, -0.0), (some.address, 1e300)):
    given = (pointer, some, *numbers[:4], zero, *numbers[5:])
    runtime.launch(PROBE, (3, 1, 2), *given, block=(8, 4))
    at = getattr(pointer, "address", pointer)
    want = (at or 0, some.address, *numbers[:4], float("inf") if zero else zero, *numbers[5:])
    assert repr(SEEN.pop()) == repr(((3, 1, 2), (8, 4, 1), 64 * 1024, *want))
try:
    runtime.launch(PROBE, (1, 2), *given)
except runtime.DeviceError as error:
    print(error)

for compiled in (False, True):  # a graph from the third step on
    numpy, cuda = train("numpy", False, 5), train("cuda", compiled, 5)
    assert abs(numpy - cuda) < 1e-6, (compiled, numpy, cuda)
try:
    runtime.empty((1 << 20, 1 << 10), "float32")
except runtime.OutOfMemory as error:
    print(error)
large = np.arange(3 << 20, dtype=np.float32)
back = runtime.to_host(runtime.from_host(memoryview(large), large.shape, "float32"))
assert np.array_equal(np.array(back), large)
backend.synchronize()
print(f"{len(KERNELS)} kernels, {runtime.device().launches} launches")
