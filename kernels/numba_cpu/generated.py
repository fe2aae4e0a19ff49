"""What the Python of a chain is written in that backends/numba_generate.py generates.

    def chain(at, zeros, c, d, e, first, last):
        x0 = pointer_float32(take(at, 0))
        ...
        for i in range(first, last):
            r0 = take(x0, i)
            r1 = into_float32(exp_float32(float32(apart_float32(r0, z0))))
            ...
            put(y0, i, r1)

`at` is the interpreter's table of addresses (expression.py). Results equal the interpreter's to the
bit: each function is the one that it calls, and rounds to the type of its result. Fused products
and sums stay inside of functions, for functions that add or multiply once may not be fused, and the
others read their operands through `apart`. It is x xor 0, of a 0 that LLVM does not know.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .. import scalar
from . import vmath
from .elementwise import EITHER, FLOATS, conversion, function
from .expression import ZEROS as ZEROS
from .launch import TYPES, put, take
from .toolchain import GENERATED, callback, device, folder, wide

ONCE = {"sqrt", "rsqrt", "reciprocal", "div", "floor", "ceil", "trunc", "round", "sign"}
ONCE |= {"relu", "relu_grad", *EITHER}  # nothing in them can be fused
NUMBERS = {"float32": np.float32, "float64": np.float64, "int64": np.int64}
WORD = types.CPointer(types.int64)
SIGNATURE = types.void(WORD, WORD, *[types.int64] * 5)


def known(name: str, dtype: str) -> bool:
    """Whether a function on a dtype is arithmetic; the C library's would be called all the same."""
    return dtype not in FLOATS or name in EITHER or name in vmath.functions(FLOATS[dtype])


@cache
def step(kind: str, name: str, dtype: str) -> tuple[Any, str]:
    """A function as chains call it, and the name of the type that it computes in."""
    if kind == "cast":
        f, F = conversion(dtype, name)
    else:
        f, F = function(name, dtype, kind.upper())
        if dtype in FLOATS and name in EITHER:
            f = device(getattr(scalar, kind.upper())[name], fastmath=False)
    return f, F.__name__


@cache
def pointer(dtype: str) -> Any:
    """An address as a pointer to numbers of a dtype."""

    @intrinsic
    def typed(typingctx: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], kind)

        return types.CPointer(TYPES[dtype])(types.int64), generate

    return typed


@cache
def into(dtype: str) -> Any:
    """A number as one of a dtype, as `put` would make it."""

    @intrinsic
    def converted(typingctx: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return context.cast(builder, arguments[0], value, TYPES[dtype])

        return TYPES[dtype](value), generate

    return converted


@cache
def apart(dtype: str) -> Any:
    """x, of which LLVM does not know where it comes from; zero: 0."""

    @intrinsic
    def unknown(typingctx: Any, x: Any, zero: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            bits = ir.IntType(TYPES[dtype].bitwidth)
            other = arguments[1]
            if bits.width < 64:
                other = builder.trunc(other, bits)
            moved = builder.xor(builder.bitcast(arguments[0], bits), other)
            return builder.bitcast(moved, arguments[0].type)

        return x(x, types.int64), generate

    return unknown


# machine code -------------------------------------------------------------------------------------
def chain(source: str, names: dict[str, Any]) -> int:
    """The address of a source's `chain`: compiled, or loaded from what was compiled before."""
    path = _file(source)
    scope = {**names, "take": take, "put": put, "wide": wide, "__name__": __name__}
    exec(compile(source, str(path), "exec"), scope)
    return callback(SIGNATURE, scope["chain"])


def _file(source: str) -> Path:
    """The file of a source, which Numba wants to see to keep machine code; it may not exist."""
    place = folder(Path(__file__))
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    path = Path(place or "nowhere", f"{GENERATED}{digest}.py")
    if place is not None and not path.exists():
        with NamedTemporaryFile("w", dir=place, suffix=".new", delete=False) as file:
            file.write(source)
        os.replace(file.name, path)
    return path
