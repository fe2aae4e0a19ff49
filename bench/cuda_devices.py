"""The device that `python -m etude.bench cuda` works on, or the simulator; and who runs on it.

`EtudeSide` and `TorchSide` are what cuda_race.py times. Both work on one stream of their own, are
captured into graphs of their own, and are timed by the device's events.
"""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

import etude
from etude.backends import cuda_runtime as runtime
from etude.backends.cuda_exec import executable
from etude.backends.cuda_record import Recorder, recording
from etude.backends.registry import get
from etude.kernels.cuda import driver, probe, toolchain

from . import ops
from .case import Step, Work, results
from .players import Player, etude_player

COPY = 1 << 30  # bytes of the copies that measure the ceiling
CHAIN = 4096  # turns of the chains of multiply-adds
FEW = 64 << 20  # bytes of inputs for which the reference may be computed on the CPU
QUERY = "name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit,compute_cap"


# whether there is one -----------------------------------------------------------------------------
def unavailable(simulate: bool) -> str | None:
    """Why nothing can run here; None if it can."""
    if simulate:
        return toolchain.simulator_missing()
    reason = driver.missing()
    return None if reason is None else f"{reason}; --simulate checks all of it without a device"


@contextmanager
def opened(simulate: bool) -> Iterator[None]:
    """Have the backend "cuda" mean the device or the simulator, at full precision."""
    if simulate:
        with toolchain.simulated(races=False):
            get("cuda")
            yield
        return
    get("cuda")
    yield


def peer() -> Any:
    """torch, if it is here and sees the device."""
    if find_spec("torch") is None:
        return None
    import torch

    return torch if torch.cuda.is_available() else None


def fingerprint(simulate: bool) -> dict[str, Any]:
    """What the device is, for the JSON."""
    if simulate:
        return {"name": "simulator", "timed": False}
    device = runtime.device()
    free, total = device.total()
    found = {"name": device.name, "arch": device.arch, "memory": total, "free": free}
    found |= {"l2": cache(), "multiprocessors": attribute("MULTIPROCESSOR_COUNT")}
    found["driver"] = int(device.call("cuDriverGetVersion"))
    torch = peer()
    if torch is not None:
        found["torch"] = torch.__version__
        found["cudnn"] = torch.backends.cudnn.version()
    try:
        command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=10)
        found["nvidia_smi"] = said.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        found["nvidia_smi"] = None
    return found


def attribute(name: str) -> int:
    """A number of the device."""
    device = runtime.device()
    kind = getattr(device.api.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
    return int(device.call("cuDeviceGetAttribute", kind, device.handle))


def cache() -> int:
    """Bytes of the second-level cache."""
    return attribute("L2_CACHE_SIZE")


@contextmanager
def poisoned() -> Iterator[None]:
    """Fill memory with ones before it is given out: nan for floats. The simulator always does."""
    if runtime.device().simulated:
        yield
        return
    pool = runtime.pool()
    hold = pool.hold

    def filled(size: int, shape: Any, dtype: str) -> tuple[int, Any]:
        address, raw = hold(size, shape, dtype)
        runtime.device().fill(address, 0xFF, size)
        return address, raw

    pool.hold = filled  # type: ignore[method-assign]
    try:
        yield
    finally:
        del pool.hold


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Products of float32 at another precision, on both sides."""
    torch, before = peer(), etude.get_float32_matmul_precision()
    etude.set_float32_matmul_precision(name)
    if torch is not None:
        _torch_precision(torch, name)
    try:
        yield
    finally:
        etude.set_float32_matmul_precision(before)
        if torch is not None:
            _torch_precision(torch, "highest")


def _torch_precision(torch: Any, name: str) -> None:
    torch.set_float32_matmul_precision(name)
    torch.backends.cudnn.allow_tf32 = name != "highest"


# who runs on it -----------------------------------------------------------------------------------
def sides() -> list[Any]:
    """etude, and torch where it is."""
    torch = peer()
    return [EtudeSide()] if torch is None else [EtudeSide(), TorchSide(torch)]


class EtudeSide:
    """The backend "cuda"."""

    name = "etude"

    def __init__(self) -> None:
        self.player: Player = etude_player("cuda")
        self.device = runtime.device()

    def steps(self, work: Work, copies: int) -> list[Step]:
        return [self.player.prepare(work) for _ in range(copies)]

    def capture(self, steps: Sequence[Step]) -> Step | None:
        pool, recorder = runtime.private_pool(), Recorder()
        try:
            with pool, recording(recorder):
                kept = [step() for step in steps]  # each result has memory of its own
            graph = executable(recorder.records)
        except Exception:  # what needs values is timed as it is called
            return None
        return _holding(graph.run, pool, recorder, kept)

    def elapsed(self, step: Step, times: int) -> float:
        call, stream = self.device.call, self.device.stream
        begin, end = (call("cuEventCreate", 0) for _ in range(2))
        self.device.synchronize()
        call("cuEventRecord", begin, stream)
        for _ in range(times):
            step()
        call("cuEventRecord", end, stream)
        call("cuEventSynchronize", end)
        seconds = 1e-3 * float(call("cuEventElapsedTime", begin, end))
        for event in (begin, end):
            call("cuEventDestroy", event)
        return seconds


class TorchSide:
    """torch on the same device."""

    name = "torch"

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        torch.set_default_device("cuda")
        torch.backends.cudnn.benchmark = True  # its best algorithm for each shape
        _torch_precision(torch, "highest")

    def steps(self, work: Work, copies: int) -> list[Step]:
        if work.torch is None:
            raise LookupError("no work for torch")
        return [work.torch(self.torch, *self.given(work)) for _ in range(copies)]

    def given(self, work: Work, wide: bool = False) -> list[Any]:
        """The inputs on the device, floats in double precision if asked for."""
        made = [self.torch.from_numpy(np.ascontiguousarray(x)).cuda() for x in work.inputs]
        return [x.double() if wide and x.is_floating_point() else x for x in made]

    def capture(self, steps: Sequence[Step]) -> Step | None:
        cuda = self.torch.cuda
        graph = cuda.CUDAGraph()
        try:
            with cuda.graph(graph):
                kept = [step() for step in steps]
        except Exception:  # what cannot be captured is timed as it is called
            cuda.synchronize()
            return None
        return _holding(graph.replay, graph, kept)

    def elapsed(self, step: Step, times: int) -> float:
        cuda = self.torch.cuda
        begin, end = (cuda.Event(enable_timing=True) for _ in range(2))
        cuda.synchronize()
        begin.record()
        for _ in range(times):
            step()
        end.record()
        end.synchronize()
        return 1e-3 * float(begin.elapsed_time(end))


def _holding(run: Callable[[], Any], *kept: Any) -> Step:
    """A step that keeps what it needs alive."""

    def step(kept: Any = kept) -> None:
        run()

    return step


def arrays(found: Sequence[Any]) -> list[Any]:
    """etude's buffers as arrays."""
    engine = get("cuda")
    return [np.array(engine.to_host(y), engine.dtype(y)).reshape(y.shape) for y in found]


def reference(work: Work) -> list[Any] | None:
    """The results in float64: by torch on the device, else on the CPU if that is little work."""
    torch = peer()
    if torch is not None and work.torch is not None:
        try:
            torch.set_default_dtype(torch.float64)
            found = results(work.torch(torch, *TorchSide(torch).given(work, wide=True))())
            return [y.detach().cpu().numpy() for y in found]
        except RuntimeError:
            torch.cuda.empty_cache()  # no kernel for float64, or no memory
        finally:
            torch.set_default_dtype(torch.float32)
    small = sum(x.nbytes for x in work.inputs) <= FEW and work.flops <= 1e9
    return ops.reference(work) if small else None


def release() -> None:
    """Give memory back between cases."""
    gc.collect()
    get("cuda").release_memory()
    torch = peer()
    if torch is not None:
        torch.cuda.empty_cache()


# what it can do at most ---------------------------------------------------------------------------
def ceilings() -> dict[str, Any]:
    """Bytes a second of a copy, operations a second of multiply-adds, bytes of the cache."""
    side = EtudeSide()
    a, b = (runtime.empty((COPY // 4,), "float32") for _ in range(2))
    copies = {"memcpy": best(side, lambda: runtime.copy(b, a))}
    relu = get("cuda")
    copies["kernel"] = best(side, lambda: relu.unary("abs", a, b))
    torch = peer()
    if torch is not None:
        x, y = (torch.empty(COPY // 4) for _ in range(2))
        copies["torch"] = best(TorchSide(torch), lambda: y.copy_(x))
        del x, y
    threads = attribute("MULTIPROCESSOR_COUNT") * 2048
    out = runtime.empty((threads,), "float32")
    given = probe.multiply_adds(), threads // probe.BLOCK, out, CHAIN, 0.999, 0.001
    seconds = best(side, lambda: runtime.launch(*given))
    found = {name: 2.0 * COPY / s for name, s in copies.items()}
    return {
        "copy": max(found.values()),
        "copies": found,
        "flops": probe.flops(threads, CHAIN) / seconds,
        "cache": cache(),
    }


def best(side: Any, step: Callable[[], Any]) -> float:
    """Seconds of a step, in the best of some rounds."""
    side.elapsed(step, 2)
    return min(side.elapsed(step, 10) / 10 for _ in range(5))
