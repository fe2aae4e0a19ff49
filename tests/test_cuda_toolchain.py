"""Kernels compile for devices that are not there, once, and the cache gives back what was made."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etude.kernels import scalar
from etude.kernels.cuda import code_cache, compiler, toolchain
from etude.kernels.cuda.spec import Device, Kernel, cuda, device, float32

WHY = compiler.missing()
needs_compiler = pytest.mark.skipif(WHY is not None, reason=str(WHY))
KINDS = ("float32*", "float32*", "int32")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ETUDE_CUDA_CACHE", str(tmp_path))
    toolchain.ptx.cache_clear()
    toolchain.cubin.cache_clear()
    yield tmp_path
    toolchain.ptx.cache_clear()
    toolchain.cubin.cache_clear()


def half(v):
    return v * 0.5


def halves(x, y, n):
    i = cuda.grid(1)
    if i < n:
        y[i] = half(x[i]) * x[i] + x[i]


def through_shared(x, y, n):
    line = cuda.shared.array(256, float32)
    t = cuda.threadIdx.x
    line[t] = x[t]
    cuda.syncthreads()
    y[t] = line[255 - t]


def kernel(function: Callable[..., None] = halves, **how: Any) -> Kernel:
    return Kernel(function.__name__, function, KINDS, **how)


# compiling ----------------------------------------------------------------------------------------
@needs_compiler
def test_a_kernel_compiles_for_devices_that_are_not_here() -> None:
    for arch in ("sm_80", "sm_90"):
        found = toolchain.resources(kernel(through_shared), arch)
        assert (found.kernel, found.arch, found.shared) == ("through_shared", arch, 1024)
        assert found.spill_stores == found.spill_loads == found.stack == found.doubles == 0
        assert 4 <= found.registers <= 32
        assert (found.blocks, found.occupancy) == (8, 1.0)
    text = toolchain.ptx(kernel(through_shared))
    assert ".visible .entry through_shared(" in text
    assert ".maxntid 256, 1, 1" in text
    assert ".target sm_80" in text


@needs_compiler
def test_narrow_kernels_have_no_float64() -> None:
    assert toolchain.resources(kernel(), "sm_80").doubles > 0
    assert toolchain.resources(kernel(narrow=True), "sm_80").doubles == 0


@needs_compiler
def test_contraction_can_be_forbidden() -> None:
    assert "fma.rn.f32" in toolchain.ptx(kernel(narrow=True))
    apart = toolchain.ptx(kernel(narrow=True, contract=False))
    assert "fma.rn.f32" not in apart
    assert "add.rn.f32" in apart


@needs_compiler
def test_bounds_reach_the_assembler() -> None:
    bound = kernel(blocks=4, registers=16, narrow=True)
    assert ".minnctapersm 4" in toolchain.ptx(bound)
    assert toolchain.resources(bound, "sm_90").registers <= 16


@needs_compiler
def test_helpers_may_be_built_with_numba() -> None:
    def make() -> Any:
        from numba import cuda as numba_cuda

        return numba_cuda.jit(device=True)(lambda v: v)

    built = device(build=make, simulate=lambda v: v)
    assert isinstance(built, Device)

    @device
    def marked(v):
        return v * float32(3)

    def triples(x, y, n):
        y[0] = marked(x[0])

    assert "0f40400000" in toolchain.ptx(kernel(triples))


@needs_compiler
@pytest.mark.skipif(toolchain.nvdisasm() is None, reason="nvdisasm is not installed")
def test_machine_code_can_be_read() -> None:
    text = toolchain.sass(kernel(narrow=True), "sm_90")
    assert "FFMA" in text
    assert "EXIT" in text


def test_without_the_disassembler_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "nvdisasm", lambda: None)
    with pytest.raises(FileNotFoundError, match="pip install nvidia-cuda-nvdisasm"):
        toolchain.sass(kernel(), "sm_90")


@needs_compiler
def test_what_does_not_link_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"\[cuda\] broken does not link for sm_90"):
        compiler.link(".version 9.0\n.target sm_80\nnonsense", "sm_90", "broken")


# the cache ----------------------------------------------------------------------------------------
@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what the compiler was asked for; it gives text, and the linker bytes."""
    asked: list[str] = []

    def ptx(k: Kernel) -> str:
        asked.append(k.name)
        return f"ptx of {k.name}"

    def link(text: str, arch: str, name: str, registers: int | None) -> tuple[bytes, str]:
        asked.append(f"{name} {arch}")
        return f"{text} for {arch}".encode(), f"log of {arch}"

    monkeypatch.setattr(compiler, "ptx", ptx)
    monkeypatch.setattr(compiler, "link", link)
    return asked


def forget() -> None:
    """As a new process would."""
    toolchain.ptx.cache_clear()
    toolchain.cubin.cache_clear()


def test_code_is_made_once_and_for_each_architecture_linked(made: list[str]) -> None:
    for _ in range(2):
        for arch in ("sm_80", "sm_90"):
            assert toolchain.cubin(kernel(), arch) == (
                f"ptx of halves for {arch}".encode(),
                f"log of {arch}",
            )
        forget()
    assert made == ["halves", "halves sm_80", "halves sm_90"]


def test_a_damaged_entry_is_made_again(made: list[str], own_cache: Path) -> None:
    toolchain.cubin(kernel(), "sm_80")
    for how in (b"", b"{}\nptx", b"no json\n", None):
        for file in own_cache.iterdir():
            data = file.read_bytes()
            file.write_bytes(data[:-3] + b"xyz" if how is None else how)
        forget()
        made.clear()
        assert toolchain.cubin(kernel(), "sm_80")[0] == b"ptx of halves for sm_80"
        assert made == ["halves sm_80", "halves"] or made == ["halves", "halves sm_80"]
    assert not [file for file in own_cache.iterdir() if file.name.startswith(".")]


def test_what_is_old_is_removed(made: list[str], own_cache: Path) -> None:
    for days in (59, 61):
        file = own_cache / f"{days}.ptx"
        file.write_text("")
        os.utime(file, (time.time() - days * 86400,) * 2)
    toolchain.ptx(kernel())
    assert (own_cache / "59.ptx").exists()
    assert not (own_cache / "61.ptx").exists()


def test_many_threads_may_ask_at_once(made: list[str]) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(toolchain.cubin(kernel(), "sm_80")[0]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {b"ptx of halves for sm_80"}


def test_a_folder_that_cannot_be_written_is_no_error(
    made: list[str], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_cache / "file").write_text("")
    monkeypatch.setenv("ETUDE_CUDA_CACHE", str(own_cache / "file"))
    assert toolchain.ptx(kernel()) == "ptx of halves"


def shifted(by: float) -> Callable[..., None]:
    def shift(x, y, n):
        y[0] = x[0] + by

    return shift


def calls(helper: Callable[..., Any]) -> Callable[..., None]:
    def call(x, y, n):
        y[0] = helper(x[0])

    return call


def test_the_key_follows_all_that_decides_the_code() -> None:
    kinds = Kernel("k", shifted(1.0), ("float64*", "float64*", "int32"))
    kernels = [
        Kernel("k", shifted(1.0), KINDS),
        Kernel("k", shifted(2.0), KINDS),
        kinds,
        Kernel("k", calls(half), KINDS),
        Kernel("k", calls(lambda v: v * 0.25), KINDS),
        Kernel("k", calls(device(simulate=half)(lambda v: v * 0.125)), KINDS),
        *(Kernel("k", halves, KINDS, narrow=narrow) for narrow in (False, True)),
        Kernel("k", halves, KINDS, registers=32),
        Kernel("k", halves, KINDS, (128, 1, 1)),
    ]
    keys = [code_cache.key(k, "versions") for k in kernels]
    assert len(set(keys)) == len(keys)
    assert code_cache.key(kernels[0], "others") not in keys
    assert code_cache.key(Kernel("k", shifted(1.0), KINDS), "versions") == keys[0]


def test_the_key_is_the_same_in_another_process() -> None:
    program = (
        "from etude.kernels.cuda import code_cache\n"
        "from etude.kernels.cuda.spec import Kernel\n"
        "from etude.kernels import scalar\n"
        "print(code_cache.key(Kernel('k', scalar.gelu, ('float32*',)), ''))"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert code_cache.key(Kernel("k", scalar.gelu, ("float32*",)), "") == other.stdout.strip()


# what is missing ----------------------------------------------------------------------------------
def test_missing_packages_and_wrong_versions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    have: dict[str, str | None] = dict.fromkeys(compiler.PACKAGES, "13.0") | {
        "numba-cuda": "0.30.4",
        "cuda-core": "1.2.0",
    }
    monkeypatch.setattr(compiler, "version", have.__getitem__)
    assert compiler.missing() is None
    have["numba-cuda"] = "0.31.0"
    assert compiler.missing() == (
        "it needs numba-cuda >= 0.30.4 and < 0.31, found 0.31.0: pip install 'etude[cuda]'"
    )
    have["nvidia-nvvm"], have["numba-cuda"] = None, "0.30.9"
    assert compiler.missing() == (
        "the package nvidia-nvvm is not installed: pip install 'etude[cuda]'"
    )
    have["nvidia-nvvm"], have["cuda-core"] = "13.0", "1.1.9"
    assert compiler.missing() == (
        "it needs cuda-core >= 1.2 and < 2, found 1.1.9: pip install 'etude[cuda]'"
    )
    assert "cuda-core" not in compiler.versions()  # code need not be compiled anew for it


def test_importing_etude_leaves_cuda_alone() -> None:
    program = (
        "import sys, etude; x = etude.zeros(2) + 1; "
        "bad = [m for m in sys.modules if m.startswith(('numba.cuda', 'cuda.', 'greenlet'))]; "
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


# occupancy ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "registers, shared, block, blocks",
    [(32, 0, 256, 8), (64, 0, 256, 4), (255, 0, 256, 1), (128, 0, 256, 2), (16, 0, 32, 32)]
    + [(32, 48 * 1024, 256, 4), (32, 100 * 1024, 128, 2), (40, 0, 192, 8)],
)
def test_how_many_blocks_fit(registers: int, shared: int, block: int, blocks: int) -> None:
    has = toolchain.MULTIPROCESSORS["sm_90"]
    assert toolchain.resident(registers, shared, block, has) == blocks
