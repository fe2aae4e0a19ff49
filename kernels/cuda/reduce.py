"""sum, prod, max, min, any and all along one axis; the same to the bit in every run.

    for o in range(outer):                              x is (outer, length, inner)
        for j in range(inner):
            out[o, j] = x[o, 0, j] + x[o, 1, j] + ... + x[o, length - 1, j]

Long axes are cut, each cut is folded by threads side by side, and the cuts' results are folded like
an axis by a second launch. Where the cuts are depends on the shape alone, and no thread adds to
memory that another one adds to: floating-point atomics would make each run another sum.

The ladder for a sum of n floats:
    one thread adds all                         one load under way at a time: 4 bytes per 500 ns
    one block, tree in shared memory            one of 132 multiprocessors works
    an atomic addition for each block           as fast as the next one, but never twice the same
    `rows_block`, two launches                  all multiprocessors, 4 loads of 128 bits each under
                                                way; n bytes are read once: the bound

`rows_lanes` is for short rows: a row gets 32 lanes or 8, and `lines` is for the shortest: a thread
each. `columns` is for inner > 1: neighbouring threads fold neighbouring columns, so a warp's loads
are one request; the threads of a block that share a column fold different rows of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .folding import LANES, block_folder, operation, warp_folder
from .four import load4
from .spec import TYPES, Kernel, cuda

BLOCK = 256
WIDTH, HEIGHT = 32, 8  # of a block of `columns`
ROOM = WIDTH * HEIGHT
SIZES = ("int64", "int64", "int64")


def described(name: str, dtype: str) -> tuple[Any, Any, Any, Any, bool]:
    """`operation`, and whether Python's floats are float32."""
    return (*operation(name, dtype), dtype == "float32")


def start_of(start: Any, kind: Any) -> Any:
    """A function that gives the start in the accumulator's type."""

    def begin():
        return kind(start)

    return begin


@cache
def rows_lanes(name: str, dtype: str, lanes: int) -> Kernel:
    """out[r] = the fold of row r: arguments out, x, rows, length; `lanes` (8, 32) for a row.

    `lines` with inner = 1 is one lane for a row.
    """
    combine, start, kind, first, narrow = described(name, dtype)
    fold, begin = warp_folder(combine, lanes), start_of(start, kind)

    def kernel(out, x, rows, length):
        at = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        row, lane = at // lanes, at % lanes
        y = begin()
        if row < rows:
            i, stop = row * length + lane, (row + 1) * length
            while i < stop:
                y = combine(y, first(x[i]))
                i += lanes
        y = fold(y)
        if lane == 0 and row < rows:
            out[row] = y

    label = f"reduce_{name}_lanes{lanes}_{dtype}"
    signature = (dtype + "*", dtype + "*", "int64", "int64")
    return Kernel(label, kernel, signature, (BLOCK, 1, 1), narrow=narrow)


@cache
def rows_block(name: str, dtype: str, wide: bool) -> Kernel:
    """out[r, c] = the fold of cut c of row r: a block for each.

    Arguments: out, x, length, cuts, each (the length of a cut). wide: length and each are multiples
    of four.
    """
    combine, start, kind, first, narrow = described(name, dtype)
    fold, begin = block_folder(combine, start, kind.name), start_of(start, kind)

    def fours(out, x, length, cuts, each):
        row, cut = cuda.blockIdx.x // cuts, cuda.blockIdx.x % cuts
        i = row * length + cut * each + 4 * cuda.threadIdx.x
        stop = row * length + min(length, (cut + 1) * each)
        step = 4 * cuda.blockDim.x
        y0, y1, y2, y3 = begin(), begin(), begin(), begin()
        while i < stop:
            a, b, c, d = load4(x, i)
            y0, y1 = combine(y0, first(a)), combine(y1, first(b))
            y2, y3 = combine(y2, first(c)), combine(y3, first(d))
            i += step
        y = fold(combine(combine(y0, y1), combine(y2, y3)))
        if cuda.threadIdx.x == 0:
            out[cuda.blockIdx.x] = y

    def ones(out, x, length, cuts, each):
        row, cut = cuda.blockIdx.x // cuts, cuda.blockIdx.x % cuts
        i = row * length + cut * each + cuda.threadIdx.x
        stop = row * length + min(length, (cut + 1) * each)
        y = begin()
        while i < stop:
            y = combine(y, first(x[i]))
            i += cuda.blockDim.x
        y = fold(y)
        if cuda.threadIdx.x == 0:
            out[cuda.blockIdx.x] = y

    label = f"reduce_{name}_block{'4' if wide else ''}_{dtype}"
    signature = (dtype + "*", dtype + "*", *SIZES)
    return Kernel(label, fours if wide else ones, signature, (BLOCK, 1, 1), narrow=narrow)


@cache
def columns(name: str, dtype: str) -> Kernel:
    """out[o, c, j] = the fold of rows of cut c of column j: blocks WIDTH columns wide.

    Arguments: out, x, length, inner, across, cuts, each; a block for each of `across` strips of
    columns of each cut of each outer place.
    """
    combine, start, kind, first, narrow = described(name, dtype)
    T, begin = TYPES[kind.name], start_of(start, kind)

    def kernel(out, x, length, inner, across, cuts, each):
        parts = cuda.shared.array(ROOM, T)
        place = cuda.blockIdx.x // across
        column = (cuda.blockIdx.x - place * across) * cuda.blockDim.x + cuda.threadIdx.x
        outer, cut = place // cuts, place % cuts
        row, stop = cut * each + cuda.threadIdx.y, min(length, (cut + 1) * each)
        y = begin()
        if column < inner:
            at = (outer * length + row) * inner + column
            step = cuda.blockDim.y * inner
            while row < stop:
                y = combine(y, first(x[at]))
                row += cuda.blockDim.y
                at += step
        parts[cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x] = y
        cuda.syncthreads()
        if cuda.threadIdx.y == 0 and column < inner:
            for other in range(1, cuda.blockDim.y):
                y = combine(y, parts[other * cuda.blockDim.x + cuda.threadIdx.x])
            out[place * inner + column] = y

    label = f"reduce_{name}_columns_{dtype}"
    signature = (dtype + "*", dtype + "*", *SIZES, "int64", "int64")
    return Kernel(label, kernel, signature, (WIDTH, HEIGHT, 1), narrow=narrow)


@cache
def lines(name: str, dtype: str) -> Kernel:
    """out[o, j] = the fold of a short column, a thread for each.

    Arguments: out, x, lines (outer * inner), length, inner.
    """
    combine, start, kind, first, narrow = described(name, dtype)
    begin = start_of(start, kind)

    def kernel(out, x, lines, length, inner):
        line = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if line < lines:
            at = line // inner * length * inner + line % inner
            y = begin()
            for _ in range(length):
                y = combine(y, first(x[at]))
                at += inner
            out[line] = y

    signature = (dtype + "*", dtype + "*", *SIZES)
    return Kernel(f"reduce_{name}_lines_{dtype}", kernel, signature, (BLOCK, 1, 1), narrow=narrow)


def catalogue() -> Iterator[Kernel]:
    """Each way to walk with sums, and other folds and types once."""
    for lanes in (8, LANES):
        yield rows_lanes("sum", "float32", lanes)
    yield rows_block("sum", "float32", True)
    yield rows_block("sum", "float32", False)
    yield rows_block("max", "float32", True)
    yield rows_block("sum", "float64", True)
    yield rows_block("max", "int64", False)
    yield columns("sum", "float32")
    yield columns("max", "float32")
    yield columns("any", "bool")
    yield lines("sum", "float32")
