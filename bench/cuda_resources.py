"""What each CUDA kernel takes of a multiprocessor: registers, spills, shared memory, occupancy.

    python -m etude.bench cuda-resources            the table, of every kernel
    python -m etude.bench cuda-resources --write    and record it as the budget that tests keep

No GPU is needed: kernels are compiled for sm_80 and sm_90, and the assembler says what they take.
How fast they are it does not say; what it does say is what usually spoils it: numbers that spill
from registers to memory, loads of 32 bits where 128 were meant, blocks too large for two of them to
share a multiprocessor. For kernels that compute, the hot loop (the loop with the most
multiplications) says which share of what is issued does multiply.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from etude.kernels.cuda import compiler, toolchain
from etude.kernels.cuda.catalogue import catalogue, families
from etude.kernels.cuda.spec import Kernel

ARCHITECTURES = ("sm_80", "sm_90")
BUDGET = Path(__file__).with_name("cuda_resources.json")
KEPT = ("registers", "spill_stores", "spill_loads", "stack", "shared", "blocks", "occupancy")
MULTIPLY = ("FFMA", "HMMA")
COMPUTE = ("gemm", "conv")  # kernels whose hot loop the table looks into


def taken(kernel: Kernel, arch: str) -> dict[str, Any]:
    """A row of the table."""
    made = toolchain.resources(kernel, arch)
    return {name: getattr(made, name) for name in KEPT}


def instructions(sass: str) -> list[tuple[str, str]]:
    """(operation, operands) of each instruction; a label is an instruction named 'label'."""
    found = []
    for line in sass.splitlines():
        label = re.match(r"\s*(\.L_\w+):", line)
        if label:
            found.append(("label", label[1]))
        code = re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)(.*)", line)
        if code:
            found.append((code[1], code[2]))
    return found


def hot_loop(sass: str) -> Counter[str]:
    """Operations, without their modifiers, of the loop with the most multiplications."""
    code, labels, loops = instructions(sass), {}, []
    for at, (operation, operands) in enumerate(code):
        if operation == "label":
            labels[operands] = at
        target = re.search(r"\.L_\w+", operands) if operation == "BRA" else None
        if target and target[0] in labels:
            body = [name for name, _ in code[labels[target[0]] : at + 1] if name != "label"]
            loops.append(Counter(name.split(".")[0] for name in body))
    return max(loops, key=lambda loop: sum(loop[name] for name in MULTIPLY), default=Counter())


def multiplying(kernel: Kernel, arch: str) -> tuple[int, float]:
    """Multiplications in the hot loop, and their share of its instructions."""
    loop = hot_loop(toolchain.sass(kernel, arch))
    count = sum(loop[name] for name in MULTIPLY)
    return count, count / max(1, sum(loop.values()))


def measure(kernels: Iterable[Kernel]) -> dict[str, dict[str, Any]]:
    """kernel -> architecture -> row."""
    return {k.name: {arch: taken(k, arch) for arch in ARCHITECTURES} for k in kernels}


def budget() -> dict[str, dict[str, Any]]:
    """The recorded table."""
    found: dict[str, dict[str, Any]] = json.loads(BUDGET.read_text("utf-8"))
    return found


def line(name: str, arch: str, row: dict[str, Any], loop: tuple[int, float] | None) -> str:
    """A line of the table."""
    spills = row["spill_stores"] + row["spill_loads"]
    text = f"{name:<36}{arch:>6}{row['registers']:>6}{spills:>8}{row['stack']:>7}{row['shared']:>8}"
    text += f"{row['blocks']:>8}{row['occupancy']:>7.0%}"
    return text + (f"{loop[0]:>8}{loop[1]:>7.0%}" if loop and loop[0] >= 32 else "")


HEAD = (
    f"{'kernel':<36}{'arch':>6}{'regs':>6}{'spills':>8}{'stack':>7}{'shared':>8}{'blocks':>8}"
    f"{'occup.':>7}{'mult.':>8}{'share':>7}"
)


def main(words: Sequence[str]) -> int:
    """Print the table; with --write record it. Names of families choose some."""
    reason = compiler.missing()
    if reason is not None:
        print(f"cuda-resources: {reason}")
        return 1
    chosen = [word for word in words if not word.startswith("-")] or families()
    kernels = [kernel for family in chosen for kernel in catalogue(family)]
    rows = measure(kernels)
    print(HEAD)
    for kernel in kernels:
        for arch in ARCHITECTURES:
            computes = kernel.name.startswith(COMPUTE) and toolchain.nvdisasm() is not None
            loop = multiplying(kernel, arch) if computes else None
            print(line(kernel.name, arch, rows[kernel.name][arch], loop), flush=True)
    if "--write" in words:
        kept = budget() if BUDGET.exists() and chosen != families() else {}
        text = json.dumps(dict(sorted((kept | rows).items())), indent=1)
        BUDGET.write_text(text + "\n", "utf-8")
    return 0
