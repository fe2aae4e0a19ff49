"""Polynomials at the points 0, 1, -1, 2, -2 and infinity: the small matrices of Winograd's way.

    sums of products of a window's n numbers with 6 numbers, at 7 - n shifts:
        A' [ (G window) . (B' numbers) ]                                          (. by element)

B' depends on the points alone; G gives a window's values at them, three numbers of a weight or four
of a gradient; row i of A' holds the points' i-th powers. In two dimensions each is applied to the
columns, then to the rows: 6 x 6 = 36 points.

One number of each of 16 channels is a vector, so no transform exchanges lanes: it reads vectors
from where a table says (which points to zeros beyond the border of an image), and writes them a
step apart. The vectors have 16 lanes on every processor; LLVM cuts them where registers are
shorter. Only float32: the points cost too many digits to be worth it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .gemm_micro import I, called, make_routine, slot, written
from .gemm_micro import prepare as prepare_tile
from .gemm_vector import (
    INT,
    LANE,
    Lanes,
    advance,
    constant,
    first_lanes,
    fma,
    load,
    store,
    transposed,
)

GROUP, POINTS, TAPS, RESULTS = 16, 36, 9, 16
V = Lanes(ir.VectorType(ir.FloatType(), GROUP), GROUP, 4, "v16f32")
BYTES = GROUP * V.size
OFFSET = ir.IntType(32)  # of a table of places, in bytes
Sum = Callable[..., Any]


def summed(builder: Any, *terms: tuple[float, Any]) -> Any:
    """The sum of number * vector; the first number is 1."""
    total = terms[0][1]
    for number, x in terms[1:]:
        if number == 1:
            total = builder.fadd(total, x)
        elif number == -1:
            total = builder.fsub(total, x)
        else:
            total = fma(builder, V, ir.Constant(V.type, [number] * GROUP), x, total)
    return total


def scaled(builder: Any, number: float, x: Any) -> Any:
    return builder.fmul(x, ir.Constant(V.type, [number] * GROUP))


def of_six(builder: Any, x: list[Any]) -> list[Any]:
    """B' x."""
    add = partial(summed, builder)
    a, b = add((1, x[4]), (-4, x[2])), add((1, x[3]), (-4, x[1]))
    c, d = add((1, x[4]), (-1, x[2])), add((1, x[3]), (-1, x[1]))
    ends = [add((1, x[i + 4]), (4, x[i]), (-5, x[i + 2])) for i in range(2)]
    middle = [add((1, p), (k, q)) for p, q, n in ((a, b, 1), (c, d, 2)) for k in (n, -n)]
    return [ends[0], *middle, ends[1]]


def of_window(builder: Any, w: list[Any]) -> list[Any]:
    """G w, of three numbers or four."""
    add, times = partial(summed, builder), partial(scaled, builder)
    even, far = add((1, w[0]), (1, w[2])), add((1, w[0]), (4, w[2]))
    odd = add((1, w[1]), (1, w[3])) if len(w) == 4 else w[1]
    wide = add((1, w[1]), (4, w[3])) if len(w) == 4 else w[1]
    near = [times(-1 / 6, add((1, even), (k, odd))) for k in (1, -1)]
    return [
        times(0.25, w[0]),
        *near,
        *(times(1 / 24, add((1, far), (k, wide))) for k in (2, -2)),
        w[-1],
    ]


def back(builder: Any, m: list[Any], count: int) -> list[Any]:
    """A' m: three or four results."""
    add = partial(summed, builder)
    near, odd = add((1, m[1]), (1, m[2])), add((1, m[1]), (-1, m[2]))
    far, wide = add((1, m[3]), (1, m[4])), add((1, m[3]), (-1, m[4]))
    results = [
        add((1, m[0]), (1, near), (1, far)),
        add((1, odd), (2, wide)),
        add((1, near), (4, far)),
    ]
    results += [add((1, odd), (8, wide))] * (count - 3)
    results[-1] = add((1, results[-1]), (1, m[5]))
    return results


# routines -----------------------------------------------------------------------------------------
def transform(side: int, _: Lanes, builder: Any, *arguments: Any) -> None:
    """`count` times: 36 points of side x side vectors, which lie where the table says."""
    source, source_step, table, table_step, target, step, target_step, count = arguments
    matrix = of_six if side == 6 else of_window
    starts = [slot(builder, x) for x in (source, table, target)]
    with cgutils.for_range(builder, count):
        image, places, to = (builder.load(x) for x in starts)

        def number(i: int, j: int, image: Any = image, places: Any = places) -> Any:
            entry = advance(builder, places, (i * side + j) * OFFSET.width // 8)
            offset = builder.load(builder.inttoptr(entry, OFFSET.as_pointer()))
            return load(builder, V, builder.add(image, builder.sext(offset, INT)))

        columns = [matrix(builder, [number(i, j) for i in range(side)]) for j in range(side)]
        for i in range(6):
            for x in matrix(builder, [column[i] for column in columns]):
                store(builder, V, x, to)
                to = builder.add(to, step)
        for place, by in zip(starts, (source_step, table_step, target_step)):
            builder.store(builder.add(builder.load(place), by), place)


def read_back(builder: Any, at: Any, step: Any, count: int, strange: Any) -> list[Any]:
    """count x count results of 36 points; `strange` += 0, or nan if one of them is no number."""
    rows = []
    for _ in range(6):
        line = []
        for _ in range(6):
            line.append(load(builder, V, at))
            at = builder.add(at, step)
        rows.append(back(builder, line, count))
    columns = [back(builder, [row[j] for row in rows], count) for j in range(count)]
    results = [columns[j][i] for i in range(count) for j in range(count)]
    odd = load(builder, V, strange)
    for x in results:
        odd = fma(builder, V, x, ir.Constant(V.type, None), odd)
    store(builder, V, odd, strange)
    return results


def put_tile(_: Lanes, builder: Any, *arguments: Any) -> None:
    """target[output, row, column] = 4 x 4 results of 16 outputs + bias."""
    m, step, bias, target, plane, row, strange = arguments
    results, added = read_back(builder, m, step, 4, strange), load(builder, V, bias)
    quarter = Lanes(ir.VectorType(V.type.element, 4), 4, V.size, "v4f32")
    for line in transposed(builder, V, [builder.fadd(x, added) for x in results]):
        place = target
        for first in range(0, GROUP, 4):
            lanes = ir.Constant(ir.VectorType(LANE, 4), list(range(first, first + 4)))
            store(builder, quarter, builder.shuffle_vector(line, line, lanes), place)
            place = builder.add(place, row)
        target = builder.add(target, plane)


def put_weights(_: Lanes, builder: Any, *arguments: Any) -> None:
    """target[channel, 9] of up to 16 channels."""
    m, step, target, strange, channels = arguments
    results = read_back(builder, m, step, 3, strange)
    zero = ir.Constant(V.type, None)
    mask = first_lanes(builder, V, constant(TAPS))
    for k, line in enumerate(transposed(builder, V, results + [zero] * (GROUP - TAPS))):
        with builder.if_then(builder.icmp_signed("<", constant(k), channels)):
            store(builder, V, line, advance(builder, target, k * TAPS * V.size), mask)


WRITERS: dict[int, Callable[..., None]] = {
    3: partial(transform, 3),
    4: partial(transform, 4),
    6: partial(transform, 6),
}


@intrinsic
def write_three(typingctx, dtype, integers):
    return written(WRITERS[3], types.void(dtype, integers))


@intrinsic
def write_four(typingctx, dtype, integers):
    return written(WRITERS[4], types.void(dtype, integers))


@intrinsic
def write_six(typingctx, dtype, integers):
    return written(WRITERS[6], types.void(dtype, integers))


@intrinsic
def write_tile_back(typingctx, dtype, integers):
    return written(put_tile, types.void(dtype, integers))


@intrinsic
def write_weights(typingctx, dtype, integers):
    return written(put_weights, types.void(dtype, integers))


D: Any = np.float32


def points_of_three(source, source_step, table, table_step, target, step, target_step, count):
    write_three(D, (source, source_step, table, table_step, target, step, target_step, count))


def points_of_four(source, source_step, table, table_step, target, step, target_step, count):
    write_four(D, (source, source_step, table, table_step, target, step, target_step, count))


def points_of_six(source, source_step, table, table_step, target, step, target_step, count):
    write_six(D, (source, source_step, table, table_step, target, step, target_step, count))


def back_to_tile(m, step, bias, target, plane, row, strange):
    write_tile_back(D, (m, step, bias, target, plane, row, strange))


def back_to_weights(m, step, target, strange, channels):
    write_weights(D, (m, step, target, strange, channels))


@cache
def prepare() -> None:
    """Make the routines ready."""
    prepare_tile(D)
    for function, integers in (
        (points_of_three, 8), (points_of_four, 8), (points_of_six, 8),
        (back_to_tile, 7), (back_to_weights, 5),
    ):  # fmt: skip
        make_routine(function.__name__, D, function, integers)


@intrinsic
def weight_points(typingctx, dtype, source, source_step, table, table_step, to, step, to_step, n):
    """n times the 36 points of a weight's 3 x 3 vectors. Addresses, steps in bytes."""
    return called("points_of_three", dtype, *[I] * 8)


@intrinsic
def grad_points(typingctx, dtype, source, source_step, table, table_step, to, step, to_step, n):
    """n times the 36 points of a gradient's 4 x 4 vectors."""
    return called("points_of_four", dtype, *[I] * 8)


@intrinsic
def image_points(typingctx, dtype, source, source_step, table, table_step, to, step, to_step, n):
    """n times the 36 points of an image's 6 x 6 vectors."""
    return called("points_of_six", dtype, *[I] * 8)


@intrinsic
def tile_back(typingctx, dtype, m, step, bias, target, plane, row, strange):
    """target[output, 4, 4] of 16 outputs, from their points; plane, row: steps in bytes."""
    return called("back_to_tile", dtype, *[I] * 7)


@intrinsic
def weights_back(typingctx, dtype, m, step, target, strange, channels):
    """target[channel, 9] of up to 16 channels, from their points."""
    return called("back_to_weights", dtype, *[I] * 5)
