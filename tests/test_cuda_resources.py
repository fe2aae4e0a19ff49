"""Every CUDA kernel compiles for sm_80 and sm_90 and keeps its budget; no GPU is needed.

After a change that is meant: python -m etude.bench cuda-resources --write
"""

from __future__ import annotations

from collections import Counter

import pytest

from etude.bench import cuda_resources as bench
from etude.kernels.cuda import compiler, conv, conv_weight, gemm_tile, toolchain
from etude.kernels.cuda.catalogue import catalogue, families
from etude.kernels.cuda.spec import Kernel

REASON = compiler.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"no CUDA compiler: {REASON}")
NO_DISASSEMBLER = "nvdisasm is missing: pip install nvidia-cuda-nvdisasm"
disassembled = pytest.mark.skipif(toolchain.nvdisasm() is None, reason=NO_DISASSEMBLER)
SLACK = 4  # registers that another version of the assembler may take


def excesses(kernel: Kernel, arch: str, allowed: dict[str, float]) -> list[str]:
    """What a kernel takes beyond its budget."""
    row = bench.taken(kernel, arch)
    more = "spill_stores", "spill_loads", "stack", "shared"
    beyond = [name for name in more if row[name] > allowed[name]]
    if row["registers"] > allowed["registers"] + SLACK:
        beyond.append("registers")
    return [f"{kernel.name} {arch}: {n} {row[n]}, budget {allowed[n]}" for n in beyond]


@pytest.mark.parametrize("family", families())
def test_kernels_compile_within_their_budget(family: str) -> None:
    budget = bench.budget()
    kernels = list(catalogue(family))
    missing = [kernel.name for kernel in kernels if kernel.name not in budget]
    assert not missing, "no budget; after a look at the table: etude.bench cuda-resources --write"
    found = [
        line
        for kernel in kernels
        for arch in bench.ARCHITECTURES
        for line in excesses(kernel, arch, budget[kernel.name][arch])
    ]
    assert not found


def test_the_budget_names_kernels_that_exist_once() -> None:
    names = Counter(kernel.name for kernel in catalogue())
    assert [name for name, count in names.items() if count > 1] == []
    assert set(bench.budget()) == set(names)


def test_products_spill_nothing_and_two_blocks_share_a_multiprocessor() -> None:
    for kernel in catalogue("gemm_tile"):
        for arch in bench.ARCHITECTURES:
            row = bench.taken(kernel, arch)
            assert (row["spill_stores"], row["spill_loads"]) == (0, 0), (kernel.name, arch)
            assert row["blocks"] >= 2, (kernel.name, arch)


def test_float32_is_computed_in_float32() -> None:
    """Random numbers are not: they are made in float64, to be the same everywhere."""
    single = [
        kernel
        for kernel in catalogue()
        if "float32*" in kernel.signature
        and not kernel.name.startswith("philox")
        and not any(kind.startswith("float64") for kind in kernel.signature)
    ]
    assert len(single) > 50
    found = {k.name: toolchain.resources(k, "sm_90").doubles for k in single}
    assert {name: count for name, count in found.items() if count} == {}


# (kernel, its multiplication, how many a thread does in the loop, their share of it)
LOOPS = {
    "nn": (lambda: gemm_tile.gemm("large", False, False, True), "FFMA", 1024, 0.87),
    "nt": (lambda: gemm_tile.gemm("large", False, True, True), "FFMA", 1024, 0.87),
    "tn": (lambda: gemm_tile.gemm("large", True, False, True), "FFMA", 1024, 0.88),
    "conv": (lambda: conv.conv("c128", True), "FFMA", 1024, 0.77),
    "conv_weight": (lambda: conv_weight.conv_weight("c64", True), "FFMA", 1024, 0.68),
    "tf32": (lambda: gemm_tile.gemm("tf32_128", False, False, True), "HMMA", 64, 0.15),
    "bf16": (lambda: gemm_tile.gemm("bf16_128", False, False, True), "HMMA", 32, 0.1),
}


@disassembled
@pytest.mark.parametrize("name", LOOPS)
def test_the_hot_loop_multiplies(name: str) -> None:
    """Shared memory is read by 128 bits, tiles are copied past the registers."""
    make, operation, count, share = LOOPS[name]
    for arch in bench.ARCHITECTURES:
        sass = toolchain.sass(make(), arch)
        loop = bench.hot_loop(sass)
        assert loop[operation] == count
        assert loop[operation] / sum(loop.values()) > share
        assert loop["LDGSTS"] > 0
        assert loop["LDL"] == loop["STL"] == 0
        if operation == "FFMA":
            assert sass.count("LDS.128") >= 64
        else:
            assert ("HMMA.1688.F32.TF32" if name == "tf32" else "HMMA.16816.F32.BF16") in sass


def test_a_loop_is_found_in_a_listing() -> None:
    text = (
        ".L_x_1:\n  /*0010*/  FFMA R1, R2, R3, R1 ;\n  /*0020*/  @P0 LDS.128 R4, [R5] ;\n"
        "  /*0030*/  @!P1 BRA `(.L_x_1) ;\n.L_x_2:\n  /*0040*/  BRA `(.L_x_2) ;\n"
    )
    assert bench.hot_loop(text) == Counter(FFMA=1, LDS=1, BRA=1)
    assert bench.hot_loop("") == Counter()
