"""The innermost part of the matrix product: a tile of C that never leaves the registers.

    acc[MR][NV] = 0                                     NV vectors side by side, MR rows
    for l in range(k):
        b = B[l, 0 : NV * lanes]                        NV loads
        for i in range(MR):
            acc[i] += A[i, l] * b                       1 broadcast, NV fused multiply-adds
    C = acc, or C += acc

Why it is fast. A processor with AVX-512 starts two multiply-adds of 16 floats in a cycle, and each
takes four cycles: at least 8 sums must be under way at once, or it waits. Here there are 14 x 2,
in 28 of the 32 registers, with 2 for b and 1 for the broadcast. And each number read from memory
is used 14 or 32 times: 16 loads for 28 multiply-adds, where two loads fit into each cycle.
Measured: 186 GFLOP/s on one core. With 16 registers (AVX2) the tile is 6 x 2.

The tile is written out by Python: every m x nv up to the largest is made, so that a matrix of 9
rows costs 9 rows' work. A is read through two strides (as it lies, or transposed, or packed); b
must be contiguous, and is read whole: the last panel of B is packed with room behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from .gemm_vector import (
    INT,
    VECTOR,
    Lanes,
    advance,
    broadcast,
    call,
    constant,
    first_lanes,
    fma,
    lanes,
    load,
    store,
    transposed,
)
from .toolchain import callback

MR, NV = {64: 14, 32: 6, 16: 4}[VECTOR], 2
I = types.intp  # noqa: E741 - the type of most arguments


def slot(builder: Any, value: Any) -> Any:
    """A variable with a first value; LLVM keeps it in a register."""
    place = cgutils.alloca_once(builder, value.type)
    builder.store(value, place)
    return place


def accumulate(
    builder: Any, v: Lanes, shape: tuple[int, int], a: Any, b: Any, k: Any, table: bool
) -> Any:
    """The loop over k: slots of the sums. a = (address, row stride, column stride), b likewise;

    with `table`, b = (address, address of a table of offsets, one for each row).
    """
    m, nv = shape
    sums = [[slot(builder, ir.Constant(v.type, None)) for _ in range(nv)] for _ in range(m)]
    at_a, at_b = slot(builder, a[0]), slot(builder, b[1] if table else b[0])
    with cgutils.for_range(builder, k):
        row, start = builder.load(at_b), builder.load(at_a)
        builder.store(builder.add(row, constant(INT.width // 8) if table else b[1]), at_b)
        if table:
            offset = builder.load(builder.inttoptr(row, INT.as_pointer()))
            row = builder.add(b[0], offset)
        bs = [load(builder, v, advance(builder, row, j * v.count * v.size)) for j in range(nv)]
        builder.store(builder.add(start, a[2]), at_a)
        for line in sums:
            number = broadcast(builder, v, start)
            for j, place in enumerate(line):
                total = fma(builder, v, number, bs[j], builder.load(place))
                builder.store(total, place)
            start = builder.add(start, a[1])
    return sums


def finish(builder: Any, v: Lanes, sums: Any, c: Any, mask: Any, fresh: Any) -> None:
    """C = sums if `fresh`, else C += sums; the mask is of the last vector of each row."""

    def rows(add: bool) -> None:
        row = c[0]
        for line in sums:
            for j, place in enumerate(line):
                here = advance(builder, row, j * v.count * v.size)
                lanes_ = mask if j == len(line) - 1 else None
                y = builder.load(place)
                if add:
                    y = builder.fadd(y, load(builder, v, here, lanes_))
                store(builder, v, y, here, lanes_)
            row = builder.add(row, c[1])

    with builder.if_else(fresh) as (new, old):
        with new:
            rows(False)
        with old:
            rows(True)


def choose_tile(v: Lanes, builder: Any, *arguments: Any, table: bool = False) -> None:
    """All tiles, and a jump to the one of m rows and n columns."""
    a, a_row, a_col, b, b_row, c, c_row, m, n, k, fresh = arguments
    scaled = [builder.mul(x, constant(v.size)) for x in (a_row, a_col, c_row, b_row)]
    a, b, c = (a, scaled[0], scaled[1]), (b, b_row if table else scaled[3]), (c, scaled[2])
    fresh = builder.icmp_unsigned("!=", fresh, ir.Constant(fresh.type, 0))
    vectors = builder.sdiv(builder.add(n, constant(v.count - 1)), constant(v.count))
    used = builder.mul(builder.sub(vectors, constant(1)), constant(v.count))
    mask = first_lanes(builder, v, builder.sub(n, used))
    end = builder.append_basic_block("end")
    case = builder.add(builder.mul(m, constant(NV + 1)), vectors)
    choice = builder.switch(case, end)
    for rows in range(1, MR + 1):
        for columns in range(1, NV + 1):
            block = builder.append_basic_block(f"tile_{rows}_{columns}")
            choice.add_case(constant(rows * (NV + 1) + columns), block)
            builder.position_at_end(block)
            sums = accumulate(builder, v, (rows, columns), a, b, k, table)
            finish(builder, v, sums, c, mask, fresh)
            builder.branch(end)
    builder.position_at_end(end)


def copy_lines(v: Lanes, builder: Any, *arguments: Any) -> None:
    """Rows of n numbers, whole vectors at a time; the last one by a mask where n is not whole."""
    source, source_row, target, target_row, rows, n = arguments
    steps = [builder.mul(x, constant(v.size)) for x in (source_row, target_row)]

    def copy(vectors: int, masks: Any) -> None:
        at = slot(builder, source), slot(builder, target)
        with cgutils.for_range(builder, rows):
            here = [builder.load(x) for x in at]
            for j in range(vectors):
                start, end = [advance(builder, x, j * VECTOR) for x in here]
                store(builder, v, load(builder, v, start, masks and masks[j]), end)
            for x, address, step in zip(at, here, steps):
                builder.store(builder.add(address, step), x)

    full = builder.icmp_signed("==", n, constant(NV * v.count))
    with builder.if_else(full) as (yes, no):
        with yes:
            copy(NV, None)
        with no:
            left = [builder.sub(n, constant(j * v.count)) for j in range(NV)]
            copy(NV, [first_lanes(builder, v, x) for x in left])


def turn_blocks(v: Lanes, builder: Any, *arguments: Any, table: bool = False) -> None:
    """Square blocks, one after the other along the columns; `table`: source_row is its address."""
    source, source_row, target, target_row, rows, columns = arguments
    step_in, step_out = [builder.mul(x, constant(v.size)) for x in (source_row, target_row)]
    last = builder.sub(rows, constant(1))
    at_in, at_out = slot(builder, source), slot(builder, target)

    def block(mask: Any) -> None:
        lines, start = [], builder.load(at_in)
        for i in range(v.count):  # rows beyond the last are that one again
            inside = builder.icmp_signed("<=", constant(i), last)
            row = builder.select(inside, constant(i), last)
            if table:
                entry = builder.add(source_row, builder.mul(row, constant(INT.width // 8)))
                offset = builder.load(builder.inttoptr(entry, INT.as_pointer()))
            else:
                offset = builder.mul(row, step_in)
            here = builder.add(start, offset)
            lines.append(load(builder, v, here, mask))
        place = builder.load(at_out)
        for line in transposed(builder, v, lines):
            store(builder, v, line, place)
            place = builder.add(place, step_out)
        builder.store(advance(builder, start, VECTOR), at_in)
        builder.store(place, at_out)

    with cgutils.for_range(builder, builder.sdiv(columns, constant(v.count))):
        block(None)
    rest = builder.srem(columns, constant(v.count))
    with builder.if_then(builder.icmp_signed(">", rest, constant(0))):
        block(first_lanes(builder, v, rest))


def symbol(name: str, element: Any) -> str:
    return f"etude_{name}_{lanes(element).name}"


def written(write: Callable[..., None], signature: Any) -> Any:
    """What an intrinsic returns that is itself the routine: its types, and the writing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = cgutils.unpack_tuple(builder, arguments[1])
        write(lanes(signature.args[0].dtype), builder, *values)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def write_tile(typingctx, dtype, integers):
    return written(choose_tile, types.void(dtype, integers))


@intrinsic
def write_copy_rows(typingctx, dtype, integers):
    return written(copy_lines, types.void(dtype, integers))


@intrinsic
def write_copy_transposed(typingctx, dtype, integers):
    return written(turn_blocks, types.void(dtype, integers))


def routines(dtype: Any) -> dict[str, Any]:
    """The routines for np.float32 or np.float64, each with how many integers it takes."""

    def tile(a, a_row, a_col, b, b_row, c, c_row, m, n, k, fresh):
        write_tile(dtype, (a, a_row, a_col, b, b_row, c, c_row, m, n, k, fresh))

    def copy_rows(source, source_row, target, target_row, rows, n):
        write_copy_rows(dtype, (source, source_row, target, target_row, rows, n))

    def copy_transposed(source, source_row, target, target_row, rows, columns):
        write_copy_transposed(dtype, (source, source_row, target, target_row, rows, columns))

    return {
        "tile": (tile, 11),
        "copy_rows": (copy_rows, 6),
        "copy_transposed": (copy_transposed, 6),
    }


def make_routine(name: str, dtype: Any, function: Any, integers: int) -> None:
    """Compile a function of integers, or load it from disk, and make it known to LLVM by a symbol.

    A kernel that calls it can be compiled or loaded only afterwards. It is compiled once; a @device
    function would be compiled again with each kernel that calls it.
    """
    address = callback(types.void(*[types.intp] * integers), function)
    llvm.add_symbol(symbol(name, from_dtype(dtype)), address)


@cache
def prepare(dtype: Any) -> None:
    """Make tile, copy_rows and copy_transposed ready for np.float32 or np.float64."""
    for name, (function, integers) in routines(dtype).items():
        make_routine(name, dtype, function, integers)


def called(name: str, *kinds: Any) -> Any:
    """What an intrinsic returns that calls a routine: its types, and the call."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integers = [builder.zext(x, INT) if x.type != INT else x for x in arguments[1:]]
        call(builder, symbol(name, signature.args[0].dtype), ir.VoidType(), *integers)
        return context.get_dummy_value()

    return types.void(*kinds), generate


@intrinsic
def tile(typingctx, dtype, a, a_row, a_col, b, b_row, c, c_row, m, n, k, fresh):
    """C (m, n) = A (m, k) B (k, n), or += : addresses, strides in elements, m <= MR, n <= NV lanes.

    B is read in whole vectors; A and C only where they are.
    """
    return called("tile", dtype, I, I, I, I, I, I, I, I, I, I, types.boolean)


@intrinsic
def copy_rows(typingctx, dtype, source, source_row, target, target_row, rows, n):
    """target[i, :] = source[i, :n] and zeros up to NV vectors, which n fits into."""
    return called("copy_rows", dtype, I, I, I, I, I, I)


@intrinsic
def copy_transposed(typingctx, dtype, source, source_row, target, target_row, rows, columns):
    """target[j, i] = source[i, j] for rows <= lanes; whole vectors are written.

    Up to one block of lanes x lanes beyond the last column is written too, with nothing of meaning.
    """
    return called("copy_transposed", dtype, I, I, I, I, I, I)


@intrinsic
def threads_now(typingctx):
    """How many threads take turns, in a kernel (launch.py).

    `numba.get_num_threads` is a pointer of this process, which cannot be kept on disk.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call(builder, "get_num_threads", INT)

    return types.intp(), generate
