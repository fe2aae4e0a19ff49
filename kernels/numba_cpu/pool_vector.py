"""A row of windows in registers: 16 neighbouring windows, their largest values and the places.

    top[0:16] = -inf                                     one register
    at[0:16] = the first place of each window            one register
    for each element (k, l) of the window:
        v = 16 numbers of the image, `step` apart        a load, or two and a shuffle
        new = v > top or v is nan, and top is not
        top, at = (v, its place) where new

Written in LLVM's own vectors (gemm_vector.py), because rows of windows are short: of a loop over 28
numbers LLVM does 16 with vectors and the rest one by one. Here a mask ends the row.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .gemm_vector import (
    INT,
    LANE,
    Lanes,
    broadcast,
    constant,
    first_lanes,
    fma,
    lanes,
    load,
    splat,
    store,
)

I = types.intp  # noqa: E741 - the type of most arguments


def slot(builder: Any, value: Any) -> Any:
    """A variable with a first value; LLVM keeps it in a register."""
    place = cgutils.alloca_once(builder, value.type)
    builder.store(value, place)
    return place


def every(builder: Any, v: Lanes, address: Any, left: Any, step: int) -> Any:
    """The next numbers of a row, `step` (1 or 2) apart, for as many windows as are left."""
    if step == 1:
        return load(builder, v, address, first_lanes(builder, v, left))
    count = builder.sub(builder.mul(left, constant(2)), constant(1))
    rest = builder.sub(count, constant(v.count))
    low = load(builder, v, address, first_lanes(builder, v, count))
    after = builder.add(address, constant(v.count * v.size))
    high = load(builder, v, after, first_lanes(builder, v, rest))
    even = ir.Constant(ir.VectorType(LANE, v.count), [2 * i for i in range(v.count)])
    return builder.shuffle_vector(low, high, even)


def window_loop(builder: Any, v: Lanes, first: Any, shape: Any, left: Any, step: int) -> Any:
    """Yield (value, place, element) at each element; a loop in LLVM, one pass in Python.

    first = (address, place) of the first window's first element; shape = (rows, columns, numbers
    from row to row, from column to column).
    """
    rows, columns, row_step, column_step = shape
    with cgutils.for_range(builder, rows) as i, cgutils.for_range(builder, columns) as j:
        far = builder.add(builder.mul(i.index, row_step), builder.mul(j.index, column_step))
        address = builder.add(first[0], builder.mul(far, constant(v.size)))
        element = builder.add(builder.mul(i.index, columns), j.index)
        yield every(builder, v, address, left, step), builder.add(first[1], far), element


def places(builder: Any, v: Lanes, first: Any, step: int) -> Any:
    """first, first + step, ... as integers as wide as a number."""
    kind = ir.IntType(8 * v.size)
    small = builder.trunc(first, kind) if v.size < 8 else first
    numbers = ir.Constant(ir.VectorType(kind, v.count), [step * i for i in range(v.count)])
    return builder.add(splat(builder, small, v.count), numbers)


def write_row(builder: Any, v: Lanes, step: int, arguments: Any, kind: str) -> None:
    """A whole row: the largest values and their places, the sums, or the weighted sums."""
    most = kind == "max"
    y, at, image, place, count, rows, columns, row_step, column_step, scale = arguments
    done = slot(builder, constant(0))
    wide = ir.VectorType(INT, v.count)
    blocks = builder.sdiv(builder.add(count, constant(v.count - 1)), constant(v.count))
    with cgutils.for_range(builder, blocks):
        j = builder.load(done)
        left = builder.sub(count, j)
        far = builder.mul(j, constant(step))
        first = builder.add(place, far)
        start = float("-inf") if most else 0.0
        top = slot(builder, ir.Constant(v.type, [start] * v.count))
        where = slot(builder, places(builder, v, first, step))
        source = builder.add(image, builder.mul(first, constant(v.size)))
        shape = rows, columns, row_step, column_step
        for x, here, element in window_loop(builder, v, (source, first), shape, left, step):
            best = builder.load(top)
            if kind == "weigh":
                weight = builder.add(at, builder.mul(element, constant(v.size)))
                builder.store(fma(builder, v, broadcast(builder, v, weight), x, best), top)
                continue
            if not most:
                builder.store(builder.fadd(best, x), top)
                continue
            new = builder.fcmp_unordered(">", x, best)
            new = builder.and_(new, builder.fcmp_ordered("ord", best, best))
            builder.store(builder.select(new, x, best), top)
            now = places(builder, v, here, step)
            builder.store(builder.select(new, now, builder.load(where)), where)
        mask = first_lanes(builder, v, left)
        value = builder.load(top)
        if not most:
            change = builder.fmul if kind == "sum" else builder.fadd
            value = change(value, splat(builder, scale, v.count))
        store(builder, v, value, builder.add(y, builder.mul(j, constant(v.size))), mask)
        if most:
            found = builder.load(where)
            found = builder.sext(found, wide) if v.size < 8 else found
            store_places(builder, v, found, builder.add(at, builder.mul(j, constant(8))), mask)
        builder.store(builder.add(j, constant(v.count)), done)


def store_places(builder: Any, v: Lanes, value: Any, address: Any, mask: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [value.type, value.type.as_pointer(), LANE, mask.type])
    name = f"llvm.masked.store.v{v.count}i64.p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    place = builder.inttoptr(address, value.type.as_pointer())
    builder.call(function, [value, place, ir.Constant(LANE, 8), mask])


def windows(kind: str, step: int) -> Any:
    """A function for kernels: `count` windows of a row, the next always `step` numbers further.

    Addresses y, at (of places, int64; for weighted sums of the weights), image; the first window
    begins at `place` of the image; sums are times `scale`, weighted sums plus `scale`.
    """

    @intrinsic
    def row(
        typingctx, dtype, y, at, image, place, count, rows, columns, row_step, column_step, scale
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            write_row(builder, lanes(signature.args[0].dtype), step, arguments[1:], kind)
            return context.get_dummy_value()

        return types.void(dtype, I, I, I, I, I, I, I, I, I, scale), generate

    return row


max_windows, max_windows_2 = windows("max", 1), windows("max", 2)
sum_windows, sum_windows_2 = windows("sum", 1), windows("sum", 2)
weigh_windows, weigh_windows_2 = windows("weigh", 1), windows("weigh", 2)
