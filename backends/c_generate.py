"""C for a chain of elementwise functions, compiled while the program runs, if it is asked for.

    expression -> source, in words of kernels/c/generated_inner.h -> cc -> library -> address

The code takes the place of the interpreter's walk over the steps of a block, and of nothing else:
kernels/c/expression.c still cuts blocks, shares them among threads, spreads what is broadcast and
folds what is reduced. So a plan with generated code runs wherever one without does, on the tape as
well. The bits are the same if the compiler is the one that built the kernels; another may fuse
other products and sums inside of exp and the like.

Libraries are kept, in a folder for each compiler, instruction set and state of the headers: what
was compiled once is loaded from then on.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import NamedTuple

from ..kernels.c.extensions import FLAGS, FOLDER, instruction_sets
from ..kernels.cache import bases, writable
from ..kernels.scalar import BOOL_RESULT
from .c_library import isa
from .expression import Constant, Expression, Operand, Step
from .expression_plan import LIBRARY, VECTOR
from .registry import BackendUnavailable

TYPES = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64", "bool": "bool"}
NUMBERS = {"float32": "float", "float64": "double", "int32": "int32_t", "int64": "int64_t"}
NUMBERS["bool"] = "int32_t"  # while it is in a register
FUNCTIONS = ("unary", "binary")
CALLS = {*VECTOR, "binary_cross_entropy"}  # of the C library, in float64
SOURCE = """#include "generated_inner.h"

/* {what} */
typedef struct {{
{alone}
}} Alone;

INLINE void group(char *const *at, const Alone *z, int64_t i, int64_t left) {{
{group}
}}

__attribute__((visibility("default"))) void chain(char *const *at, int64_t count) {{
    Alone z;
{before}
    int64_t i = 0;
    for (; i + NF <= count; i += NF) group(at, &z, i, NF);
    if (i < count) group(at, &z, i, count - i);
}}
"""


def able(e: Expression) -> bool:
    """Whether there is C for all steps: none for calls of the C library, nor for sums of bools."""
    return not any(
        step.name in LIBRARY
        or (step.dtype == "float64" and step.name in CALLS)
        or (step.dtype == "bool" and step.kind in FUNCTIONS and step.name not in BOOL_RESULT)
        for step in e.steps
    )


# the source ---------------------------------------------------------------------------------------
class Writer:
    """Writes the lines of an expression's source."""

    def __init__(self, e: Expression, alone: list[bool], slots: list[int]) -> None:
        """alone, slots: as for `source`."""
        self.alone, self.first, self.constants = alone, len(e.inputs), 0
        self.kept: list[str] = []  # the registers that stay the same in a block
        self.before: list[str] = []  # once for a block
        self.group: list[str] = []  # for each NF positions
        for k, dtype in enumerate(e.dtypes):
            (self.kept if alone[k] else self.group).append(declared(f"r{k}", dtype))
        for k, dtype in enumerate(e.inputs):
            if alone[k]:
                self.before.append(f"repeat_{TYPES[dtype]}(z.r{k}, at[{k}]);")
            else:
                self.group.append(f"load_{TYPES[dtype]}(r{k}, at[{k}], i, left);")
        for k, step in enumerate(e.steps, self.first):
            dtype = e.dtypes[[o.index for o in step.operands if not isinstance(o, Constant)][-1]]
            given = [self.register(k), *(self.operand(o, dtype) for o in step.operands)]
            self.write(k, f"{function(step, dtype)}({', '.join(given)});")
        for r, slot in zip(e.results, slots, strict=True):
            place = "0, 1" if alone[r] else "i, left"
            self.write(r, f"store_{TYPES[e.dtypes[r]]}(at[{slot}], {self.register(r)}, {place});")

    def register(self, k: int) -> str:
        """The name of a register."""
        return f"z->r{k}" if self.alone[k] else f"r{k}"

    def operand(self, x: Operand, dtype: str) -> str:
        """The name of an operand; a number comes from the table."""
        if not isinstance(x, Constant):
            return self.register(x.index)
        name, at = f"c{self.constants}", self.first + self.constants
        self.kept.append(declared(name, dtype))
        self.before.append(f"repeat_{TYPES[dtype]}(z.{name}, at[{at}]);")
        self.constants += 1
        return f"z->{name}"

    def write(self, k: int, line: str) -> None:
        """A line that makes register k, or reads it last."""
        if self.alone[k]:
            self.before.append(line.replace("z->", "z."))
        else:
            self.group.append(line)


def declared(name: str, dtype: str) -> str:
    """The declaration of a register."""
    return f"{NUMBERS[dtype]} {name}[NF] REGISTER;"


def source(e: Expression, alone: list[bool], slots: list[int]) -> str:
    """The C of an expression.

    alone: for each register whether it is one number for the whole block; slots: of the results in
    the table of addresses, where inputs come first, then constants.
    """
    w = Writer(e, alone, slots)
    parts = {"alone": w.kept, "group": w.group, "before": w.before}
    lines = {key: "\n".join(f"    {line}" for line in part) for key, part in parts.items()}
    return SOURCE.format(what=e, **lines)


def function(step: Step, dtype: str) -> str:
    """The name in C of a step on operands of a dtype."""
    if step.kind == "where":
        return f"where_{TYPES[dtype]}"
    if step.kind == "cast":
        return f"cast_{TYPES[dtype]}_{TYPES[step.dtype]}"
    return f"{step.kind}_{step.name}_{TYPES[dtype]}"


# the compiler -------------------------------------------------------------------------------------
class Compiler(NamedTuple):
    """The command, and what a library depends on but its source: where the libraries are kept."""

    command: list[str]
    digest: str


def compiler() -> Compiler:
    """$CC, or cc, gcc or clang. Raises BackendUnavailable where there is none."""
    return _compiler(os.environ.get("CC", ""), os.environ.get("PATH", ""))


@cache
def _compiler(wanted: str, path: str) -> Compiler:
    for command in (shlex.split(wanted), ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0], path=path):
            flags = [*FLAGS, *instruction_sets()[isa], f"-I{FOLDER}"]
            found = subprocess.run([*command, "--version"], capture_output=True, check=False)
            headers = b"".join(file.read_bytes() for file in sorted(FOLDER.glob("*.h")))
            known = found.stdout + " ".join([*command, *flags]).encode() + headers
            digest = hashlib.sha256(known).hexdigest()[:16]
            return Compiler([*command, *flags, "-shared", "-fPIC"], digest)
    raise BackendUnavailable(
        "[compile] generate=True makes C, and found no compiler: expected $CC, cc, gcc or clang; "
        "install gcc or clang, set CC to one, or leave out generate=True"
    )


class Compilations:
    """What generating took in this process."""

    count = 0
    seconds = 0.0
    lock = Lock()


_loaded: dict[str, ctypes.CDLL] = {}  # code lives as long as these


def address(text: str) -> int:
    """The address of `chain` in a source: compiled, or loaded from what was compiled before."""
    command, digest = compiler()
    with Compilations.lock:
        began = time.perf_counter()
        if text not in _loaded:
            place = writable([base / f"chains-{digest}" for base in bases(FOLDER)])
            if place is not None:
                _loaded[text] = ctypes.CDLL(str(_kept(command, text, place)))
            else:
                with TemporaryDirectory() as folder:
                    _loaded[text] = ctypes.CDLL(str(_kept(command, text, Path(folder))))
            Compilations.seconds += time.perf_counter() - began
    return ctypes.cast(_loaded[text].chain, ctypes.c_void_p).value or 0


def _kept(command: list[str], text: str, place: Path) -> Path:
    """The library of a source in a folder; compiled under another name, so it is never a part."""
    library = place / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"
    if not library.exists():
        with TemporaryDirectory(dir=place) as folder:
            made, written = Path(folder, "chain.so"), Path(folder, "chain.c")
            written.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [*command, str(written), "-o", str(made), "-lm"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise BackendUnavailable(
                    f"[compile] {command[0]} could not compile the C of a chain; set CC to another "
                    f"compiler, or leave out generate=True. It says: {done.stderr[-2000:]}"
                )
            os.replace(written, library.with_suffix(".c"))
            os.replace(made, library)
        Compilations.count += 1
    return library
