"""Vectors in Numba: LLVM's own vector types, a few lines each.

Numba knows no vector type, and LLVM finds vectors in scalar loops only where it recognises the
pattern; the inner loop of a matrix product it finds sometimes, and a small change of the source
then costs a factor of ten. An `@intrinsic` writes LLVM's language itself, so what runs is what
stands here: `<16 x float>` is one register of AVX-512, two of AVX2, four of SSE or NEON.

The functions below append one instruction each at the place where a `builder` stands. Addresses are
64-bit integers, in bytes. A mask says which lanes of a vector are read or written.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, types
from numba.core import cgutils

INT = ir.IntType(64)
LANE = ir.IntType(32)


def vector_bytes() -> int:
    """The width of this processor's vector registers."""
    named = config.CPU_FEATURES
    features = llvm.get_host_cpu_features().flatten() if named is None else named
    have = set(features.split(","))
    return 64 if "+avx512f" in have else 32 if "+avx" in have else 16


VECTOR = vector_bytes()


class Lanes(NamedTuple):
    """The vector type of one element type."""

    type: ir.VectorType
    count: int
    size: int  # bytes of an element
    name: str  # what LLVM appends to a function's name


def lanes(element: Any) -> Lanes:
    """A full register of float32 or float64 (a type of Numba's)."""
    size = element.bitwidth // 8
    count = VECTOR // size
    scalar = ir.FloatType() if element == types.float32 else ir.DoubleType()
    return Lanes(ir.VectorType(scalar, count), count, size, f"v{count}f{element.bitwidth}")


def constant(number: int) -> ir.Constant:
    return ir.Constant(INT, number)


def advance(builder: Any, address: Any, bytes_: int) -> Any:
    return builder.add(address, constant(bytes_)) if bytes_ else address


def splat(builder: Any, value: Any, count: int) -> Any:
    """`value` in every lane."""
    kind = ir.VectorType(value.type, count)
    none = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(LANE, 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(LANE, count), [0] * count))


def first_lanes(builder: Any, v: Lanes, count: Any) -> Any:
    """The mask of the lanes before `count`, at most all of them."""
    numbers = ir.Constant(ir.VectorType(LANE, v.count), list(range(v.count)))
    limit = splat(builder, builder.trunc(count, LANE), v.count)
    return builder.icmp_signed("<", numbers, limit)


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [x.type for x in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def load(builder: Any, v: Lanes, address: Any, mask: Any = None) -> Any:
    """A vector from memory; lanes outside the mask are not read and become 0."""
    place = builder.inttoptr(address, v.type.as_pointer())
    if mask is None:
        return builder.load(place, align=v.size)
    zero, align = ir.Constant(v.type, None), ir.Constant(LANE, v.size)
    return call(builder, f"llvm.masked.load.{v.name}.p0", v.type, place, align, mask, zero)


def store(builder: Any, v: Lanes, value: Any, address: Any, mask: Any = None) -> None:
    """A vector to memory; what lies at lanes outside the mask stays."""
    place = builder.inttoptr(address, v.type.as_pointer())
    if mask is None:
        builder.store(value, place, align=v.size)
        return
    align, nothing = ir.Constant(LANE, v.size), ir.VoidType()
    call(builder, f"llvm.masked.store.{v.name}.p0", nothing, value, place, align, mask)


def broadcast(builder: Any, v: Lanes, address: Any) -> Any:
    """One number from memory in every lane; part of the multiplication on AVX-512."""
    number = builder.load(builder.inttoptr(address, v.type.element.as_pointer()))
    return splat(builder, number, v.count)


def fma(builder: Any, v: Lanes, x: Any, y: Any, z: Any) -> Any:
    """x y + z, rounded once."""
    return call(builder, f"llvm.fma.{v.name}", v.type, x, y, z)


def transposed(builder: Any, v: Lanes, rows: list[Any]) -> list[Any]:
    """Rows of a square block become its columns: halves are exchanged, then quarters, and so on.

    log2(n) rounds of n shuffles, no memory: 64 instructions for 16 x 16 floats.
    """
    kind = ir.VectorType(LANE, v.count)
    half = v.count // 2
    while half:
        upper = [j if not j & half else v.count + j - half for j in range(v.count)]
        lower = [j + half if not j & half else v.count + j for j in range(v.count)]
        moved = list(rows)
        for i in range(v.count):
            if not i & half:
                pair = rows[i], rows[i + half]
                moved[i] = builder.shuffle_vector(*pair, ir.Constant(kind, upper))
                moved[i + half] = builder.shuffle_vector(*pair, ir.Constant(kind, lower))
        rows, half = moved, half // 2
    return rows
