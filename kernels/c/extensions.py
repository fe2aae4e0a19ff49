"""What setup.py builds: one cffi extension of all kernels for each instruction set.

Every family has a header of plain prototypes, which cffi reads with the lines that begin with `#`
dropped, and one or more sources: gemm.h, gemm.c, gemm_small.c, ... All are found by their names;
what only kernels share is in common.h and in headers called *_inner.h.
"""

from __future__ import annotations

import os
import platform
import re
from functools import partial
from pathlib import Path

from cffi import FFI

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
X86_64 = {
    "baseline": [],
    "avx2": ["-march=haswell"],
    # The compiler prefers 256-bit vectors on processors whose clock once fell with wider ones.
    "avx512": ["-march=skylake-avx512", "-mprefer-vector-width=512"],
}
ARM64 = {"neon": []}
# ETUDE_CFLAGS adds flags at the end: sanitizers, or -O0 -g for a debugger.
# Not -ffast-math: nan and inf go through kernels, and -0 stays -0. What is given up is errno and
# floating-point traps, which nobody reads. -fwrapv: integers wrap, as in NumPy.
FLAGS = ["-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-fwrapv"]
FLAGS += ["-fno-semantic-interposition", "-fvisibility=hidden", "-pthread"]
FLAGS += ["-g0"]  # Python's own flags ask for debug information: a fifth of the time to compile

# No loop is in what cffi generates: more takes twice as long and gains nothing.
GLUE = '#pragma GCC optimize "O1"'


def instruction_sets() -> dict[str, list[str]]:
    """The instruction sets that this machine's compiler can build, with their flags."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return X86_64
    return ARM64 if machine in ("arm64", "aarch64") else {"baseline": []}


def family_headers() -> list[Path]:
    """The headers of prototypes for Python: all but common.h and those named *_inner.h."""
    inner = ("common.h", "_inner.h")
    return sorted(p for p in FOLDER.glob("*.h") if not p.name.endswith(inner))


def prototypes() -> str:
    """All prototypes, as cffi reads them."""
    text = "\n".join(p.read_text(encoding="utf-8") for p in family_headers())
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def trampolines() -> str:
    """For each kernel a C function that takes its arguments from a tape's words (tape.c).

    The table of these, and for each its name and signature: v, i or p for what it returns (nothing,
    a status, a pointer), then for each argument p for a pointer to what it writes, r for one to
    what it only reads, t for a table of pointers, i for an integer, d for a float.
    """
    text = re.sub(r"/\*.*?\*/", "", prototypes(), flags=re.DOTALL)
    found = re.findall(r"^(void \*|void |int |int64_t )(\w+)\(([^)]*)\);", text, re.MULTILINE)
    lines, names, signatures = ['#include "tape_inner.h"'], [], []
    for result, name, given in found:
        kinds = [kind_of(a) for a in given.split(",") if a.strip() != "void"]
        fields = {"i": "i", "d": "d"}
        words = ", ".join(f"w[{k}].{fields.get(kind, 'p')}" for k, kind in enumerate(kinds))
        body = f"return {name}({words});" if result[0] == "i" else f"{name}({words}); return 0;"
        lines.append(f"static int64_t call_{name}(const Word *w) {{ {body} }}")
        names.append(f"call_{name}")
        returned = "p" if "*" in result else result[0]
        signatures.append(f'"{name}:{returned}{"".join(kinds)} "')
    lines.append(f"Call *const TAPE_CALLS[] = {{{', '.join(names)}}};")
    lines.append("const char TAPE_SIGNATURES[] =\n" + "\n".join(signatures) + ";")
    return "\n".join(lines)


def kind_of(argument: str) -> str:
    """The letter of one argument of a prototype, as `trampolines` says."""
    if "*" in argument:
        return "t" if argument.count("*") > 1 else "r" if "const" in argument else "p"
    return "d" if re.match(r"\s*(const )?(double|float)\b", argument) else "i"


def ffi_for(isa: str) -> FFI:
    """The FFI of one instruction set: module etude.kernels.c._<isa>."""
    ffi = FFI()
    ffi.cdef(prototypes())
    more = os.environ.get("ETUDE_CFLAGS", "").split()
    names = ["common.h", *(p.name for p in family_headers())]
    ffi.set_source(
        f"etude.kernels.c._{isa}",
        "\n".join([GLUE, *(f'#include "{name}"' for name in names), trampolines()]),
        sources=[str(p.relative_to(ROOT)) for p in sorted(FOLDER.glob("*.c"))],
        depends=[str(p.relative_to(ROOT)) for p in sorted(FOLDER.glob("*.h"))],
        include_dirs=[str(FOLDER.relative_to(ROOT))],
        extra_compile_args=[*FLAGS, *instruction_sets()[isa], *more],
        extra_link_args=["-pthread"],
        libraries=["m"],
        optional=True,
    )
    return ffi


# What setup.py names, as extensions.py:avx2 and so on; cffi calls it.
baseline, avx2, avx512, neon = (partial(ffi_for, isa) for isa in (*X86_64, *ARM64))
