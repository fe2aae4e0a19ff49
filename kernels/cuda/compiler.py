"""From a kernel to machine code: numba-cuda -> PTX -> nvJitLink -> cubin. No GPU is needed.

    ptx(kernel)             text for compute_80, made once: it links for every later architecture
    link(text, arch)        a cubin, and what the assembler says of it

This is the one file that meets numba-cuda, whose successor may take its place: it asks of it to
type a Python function and to write it as PTX, and nothing else. Pointers are numba's `CPointer`,
one 64-bit argument each; Python's numbers widen as numba widens them (int32 + int32 is int64, and a
float constant is float64 unless the kernel is `narrow`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from types import FunctionType
from typing import Any

from .rewrite import Target, clone
from .spec import Device, Kernel

VIRTUAL = (8, 0)  # the compute capability of the PTX
WRITERS = ("numba", "numba-cuda", "llvmlite", "nvidia-nvvm", "nvidia-nvjitlink")
PACKAGES = (*WRITERS, "cuda-core")  # the last one launches
NEEDED = {"numba-cuda": ("0.30.4", "0.31"), "cuda-core": ("1.2", "2")}
INSTALL = "pip install 'etude[cuda]'"


def missing() -> str | None:
    """Why kernels cannot be compiled and launched here; None if they can. Imports nothing."""
    for package in PACKAGES:
        have = version(package)
        if have is None:
            return f"the package {package} is not installed: {INSTALL}"
        low, high = NEEDED.get(package, ("0", "9999"))
        if not numbers(low) <= numbers(have) < numbers(high):
            return f"it needs {package} >= {low} and < {high}, found {have}: {INSTALL}"
    return None


def version(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def numbers(version: str) -> tuple[int, ...]:
    """1.20.3 as (1, 20, 3)."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])


@cache
def versions() -> str:
    """All that decides, beside the source, what code comes out."""
    return " ".join(f"{package}={version(package)}" for package in WRITERS)


# from Python to PTX ---------------------------------------------------------------------------
class CompilerTarget(Target):
    """Names as numba-cuda's objects."""

    def __init__(self, narrow: bool) -> None:
        from numba import cuda, types

        self.cuda, self.narrow, self.made = cuda, narrow, {}
        self.types = {
            name: getattr(types, name)
            for name in ("boolean", "int32", "int64", "uint32", "uint64", "float32", "float64")
        }

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def helper(self, function: FunctionType) -> Any:
        return self.once(function, lambda: helper_dispatcher()(clone(function, self)))

    def device(self, helper: Device) -> Any:
        return self.once(helper, helper.build) if helper.build else self.helper(helper.function)

    def math(self, name: str) -> Any:
        import math

        return getattr(math, name) if name else math


@cache
def helper_dispatcher() -> Callable[[FunctionType], Any]:
    """What makes a function callable from kernels.

    numba-cuda's own asks the driver for the device's architecture, and there may be no driver.
    """
    from numba.cuda.compiler import compile_cuda
    from numba.cuda.dispatcher import CUDADispatcher

    class Helper(CUDADispatcher):  # type: ignore[misc]
        def compile_device(self, args: Any, return_type: Any = None) -> Any:
            if args not in self.overloads:
                made = compile_cuda(
                    self.py_func,
                    return_type,
                    args,
                    forceinline=True,
                    nvvm_options={"opt": 3, "fastmath": False},
                    cc=VIRTUAL,
                )
                self.overloads[args] = made
                made.target_context.insert_user_function(
                    made.entry_point, made.fndesc, [made.library]
                )
            return self.overloads[args]

    options = {"device": True, "opt": True, "fastmath": False, "forceinline": True}
    return lambda function: Helper(function, options)


@cache
def target(narrow: bool) -> CompilerTarget:
    """The target, kept: helpers are compiled once for all kernels of a process."""
    return CompilerTarget(narrow)


def argument_type(kind: str) -> Any:
    """numba's type for an entry of a signature."""
    from numba import types

    if kind.endswith("*"):  # numba cannot store into a pointer to its own boolean
        pointed = "uint8" if kind[:-1] in ("bool", "boolean") else kind[:-1]
        return types.CPointer(getattr(types, pointed))
    return getattr(types, kind)


def ptx(kernel: Kernel) -> str:
    """The kernel's PTX, its entry point called as the kernel is."""
    from numba.cuda import compiler

    signature = argument_type("void")(*map(argument_type, kernel.signature))
    bounds = kernel.threads if kernel.blocks is None else (kernel.threads, kernel.blocks)
    with compiler.global_compiler_lock:
        library, _ = compiler._compile_pyfunc_with_fixup(
            clone(kernel.function, target(kernel.narrow)),
            signature,
            device=False,
            abi="numba",
            cc=VIRTUAL,
            fastmath=kernel.fastmath,
            launch_bounds=bounds,
        )
        options = {"opt": 3, "arch": f"compute_{VIRTUAL[0]}{VIRTUAL[1]}", "fma": kernel.contract}
        if kernel.fastmath:
            options |= {"ftz": True, "prec-div": False, "prec-sqrt": False}
        text = to_ptx(library.llvm_strs, options)
    entry = re.search(r"\.visible \.entry (\w+)\(", text)[1]
    return text.replace(entry, kernel.name)


def to_ptx(modules: list[str], options: dict[str, Any]) -> str:
    """LLVM's text through NVVM, with the device's mathematical library."""
    from numba.cuda.cudadrv import nvvm

    unit = nvvm.CompilationUnit(options)
    for text in modules:
        unit.add_module(nvvm.llvm_replace(text).encode())
    unit.verify()
    if any("@__nv_" in text or '@"__nv_' in text for text in modules):
        unit.lazy_add_module(libdevice())
    return unit.compile().decode().strip("\x00 \n")


@cache
def libdevice() -> bytes:
    """sin, exp and their like as bitcode; numba-cuda would find it beside NVRTC, needed nowhere."""
    from cuda.pathfinder import find_bitcode_lib

    return Path(find_bitcode_lib("device")).read_bytes()


# from PTX to machine code -----------------------------------------------------------------------
def link(text: str, arch: str, name: str, registers: int | None = None) -> tuple[bytes, str]:
    """(cubin, log) of PTX for an architecture such as "sm_90"."""
    from cuda.bindings import nvjitlink

    options = [f"-arch={arch}", "-verbose"]
    if registers is not None:
        options.append(f"-maxrregcount={registers}")
    linker = nvjitlink.create(len(options), options)
    try:
        data = text.encode()
        try:
            nvjitlink.add_data(linker, nvjitlink.InputType.PTX, data, len(data), name)
            nvjitlink.complete(linker)
        except nvjitlink.nvJitLinkError as error:
            raise RuntimeError(
                f"[cuda] {name} does not link for {arch}: {error}\n"
                + taken(nvjitlink.get_error_log_size, nvjitlink.get_error_log, linker).decode()
            ) from error
        cubin = taken(nvjitlink.get_linked_cubin_size, nvjitlink.get_linked_cubin, linker)
        log = taken(nvjitlink.get_info_log_size, nvjitlink.get_info_log, linker)
    finally:
        nvjitlink.destroy(linker)
    return cubin, log.decode().strip("\x00 \n")


def taken(size: Callable[[int], int], get: Callable[[int, Any], Any], linker: int) -> bytes:
    """What nvJitLink writes into memory of the size that it names."""
    memory = bytearray(size(linker))
    get(linker, memory)
    return bytes(memory)
