"""The one place through which kernels are compiled, kept, launched or simulated.

    launch(kernel, grid, *arguments)       on the device, or in the simulator if that is on
    resources(kernel, "sm_90")             registers, spills, shared memory, blocks at a time
    sass(kernel, "sm_90")                  the machine code, by nvdisasm
    simulated()                            a context in which launches are simulated

`ETUDE_CUDA=simulate` in the environment turns the simulator on for the process.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import code_cache, compiler
from .spec import Kernel

Grid = int | tuple[int, ...]


class _State:
    simulate = os.environ.get("ETUDE_CUDA") == "simulate"
    races = True
    seconds = 0.0


# launching ---------------------------------------------------------------------------------------
def simulating() -> bool:
    """Whether launches are simulated."""
    return _State.simulate


def races() -> bool:
    """Whether the simulator watches memory for races."""
    return _State.races


def simulate(on: bool = True) -> None:
    """Simulate launches from now on, or no more."""
    _State.simulate = on


@contextmanager
def simulated(races: bool = True) -> Iterator[None]:
    """Simulate launches inside; `races=False` is faster and watches no memory."""
    before = _State.simulate, _State.races
    _State.simulate, _State.races = True, races
    try:
        yield
    finally:
        _State.simulate, _State.races = before


def threads(n: int, preferred: int) -> int:
    """Threads in a block for n that work apart: few where they are simulated, but one is idle."""
    return min(preferred, 32, n + 1) if _State.simulate else preferred


def warps(preferred: int, most: int = 1) -> int:
    """The same for threads that work together: up to `most` warps where they are simulated."""
    return min(preferred, 32 * most) if _State.simulate else preferred


def three(size: Grid) -> tuple[int, int, int]:
    """A grid's or a block's size along x, y and z."""
    if isinstance(size, tuple):
        return size if len(size) == 3 else (*size, 1, 1)[:3]
    return size, 1, 1


def shape_of(
    kernel: Kernel, grid: Grid, block: Grid | None = None
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Blocks of the grid and threads of a block, by axis."""
    size = kernel.block if block is None else three(block)
    if size[0] * size[1] * size[2] > kernel.threads:
        raise ValueError(f"[cuda] {kernel.name} takes blocks up to {kernel.block}, got {size}")
    return three(grid), size


def launch(kernel: Kernel, grid: Grid, *arguments: Any, block: Grid | None = None) -> None:
    """Run the kernel over a grid of blocks; `block` defaults to the one it is written for."""
    blocks, size = shape_of(kernel, grid, block)
    if 0 in blocks:
        return
    if _State.simulate:
        from . import simulator

        simulator.run(kernel, blocks, size, arguments, _State.races)
    else:
        from . import driver

        driver.device().launch(kernel, blocks, size, arguments)


def simulator_missing() -> str | None:
    """Why kernels cannot be simulated here; None if they can."""
    if find_spec("greenlet") is None:
        return "the simulator needs greenlet: pip install 'etude[cudasim]'"
    return None


@contextmanager
def timed() -> Iterator[None]:
    """Count what is done inside as compiling."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _State.seconds += time.perf_counter() - began


def seconds() -> float:
    """What compiling kernels took in this process."""
    return _State.seconds


# machine code ------------------------------------------------------------------------------------
@cache
def ptx(kernel: Kernel) -> str:
    """The kernel's PTX, from the cache or compiled."""
    name = code_cache.key(kernel, compiler.versions()) + ".ptx"
    kept = code_cache.read(name)
    if kept is not None:
        return kept[1].decode()
    with timed():
        text = compiler.ptx(kernel)
    code_cache.write(name, {"kernel": kernel.name}, text.encode())
    return text


@cache
def cubin(kernel: Kernel, arch: str) -> tuple[bytes, str]:
    """(machine code, the assembler's log) for an architecture, from the cache or linked."""
    name = f"{code_cache.key(kernel, compiler.versions())}.{arch}.cubin"
    kept = code_cache.read(name)
    if kept is not None:
        return kept[1], kept[0]["log"]
    text = ptx(kernel)
    with timed():
        code, log = compiler.link(text, arch, kernel.name, kernel.registers)
    code_cache.write(name, {"kernel": kernel.name, "arch": arch, "log": log}, code)
    return code, log


def sass(kernel: Kernel, arch: str) -> str:
    """The machine code as text. Raises FileNotFoundError without nvdisasm."""
    program = nvdisasm()
    if program is None:
        raise FileNotFoundError("[cuda] nvdisasm is missing: pip install nvidia-cuda-nvdisasm")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin(kernel, arch)[0])
        file.flush()
        command = [program, "--print-code", file.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def nvdisasm() -> str | None:
    """Where the disassembler is: beside the other parts of the toolkit, or on the path."""
    package = find_spec("nvidia")
    for place in package.submodule_search_locations or () if package else ():
        for program in Path(place).glob("*/bin/nvdisasm"):
            return str(program)
    return shutil.which("nvdisasm")


# what a kernel takes of a multiprocessor ----------------------------------------------------------
@dataclass(frozen=True)
class Multiprocessor:
    """What a multiprocessor has (CUDA C++ Programming Guide, table of compute capabilities)."""

    registers: int = 65536
    threads: int = 2048
    blocks: int = 32
    shared: int = 0  # bytes for all blocks


SYSTEM_SHARED = 1024  # bytes of shared memory of each block that the system keeps for itself
MULTIPROCESSORS = {
    "sm_80": Multiprocessor(shared=164 * 1024),
    "sm_86": Multiprocessor(threads=1536, blocks=16, shared=100 * 1024),
    "sm_89": Multiprocessor(threads=1536, blocks=24, shared=100 * 1024),
    "sm_90": Multiprocessor(shared=228 * 1024),
}


@dataclass(frozen=True)
class Resources:
    """What the assembler says: per thread registers, stack and spills; per block shared bytes.

    `doubles` counts the float64 instructions of the PTX; `blocks` fit on a multiprocessor at a
    time, and `occupancy` is the share of its threads that they fill.
    """

    kernel: str
    arch: str
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    doubles: int
    blocks: int
    occupancy: float


def resources(kernel: Kernel, arch: str) -> Resources:
    """Registers, spills, shared memory and occupancy of a kernel. No GPU is needed."""
    log = cubin(kernel, arch)[1]
    stack, stores, loads = map(
        int,
        re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log
        ).groups(),
    )
    registers = int(re.search(r"[Uu]sed (\d+) registers", log)[1])
    found = re.search(r"(\d+) bytes smem", log)
    static = int(found[1]) if found else 0
    if arch >= "sm_90" and static:  # the system's own part of each block is counted
        static -= SYSTEM_SHARED
    shared = static + kernel.shared
    blocks = resident(registers, shared, kernel.threads, MULTIPROCESSORS[arch])
    return Resources(
        kernel.name,
        arch,
        registers,
        stack,
        stores,
        loads,
        shared,
        len(re.findall(r"^\s+(?!ld|st|mov)\w+[\w.]*\.f64\b", ptx(kernel), re.M)),
        blocks,
        blocks * kernel.threads / MULTIPROCESSORS[arch].threads,
    )


def resident(registers: int, shared: int, block: int, has: Multiprocessor) -> int:
    """Blocks that fit on a multiprocessor at a time.

    Registers are given out to warps in units of 256, shared memory to blocks in units of 128 bytes
    with the system's 1 KiB for each.
    """
    warps = -(-block // 32)
    by_registers = has.registers // (-(-registers * 32 // 256) * 256 * warps)
    by_shared = has.shared // (-(-shared // 128) * 128 + SYSTEM_SHARED)
    return min(by_registers, by_shared, has.threads // (warps * 32), has.blocks)
