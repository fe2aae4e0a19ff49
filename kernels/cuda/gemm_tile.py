"""The product of float32 matrices that keeps the multipliers busy.

    for each tile of y, BM x BN:                                  a block of threads
        for each BK of the depth k:
            a's and b's tile -> shared memory                     while the one before is multiplied
            for kk in range(BK):
                for each of 8 x 8 numbers:                        a thread, in its registers
                    acc[i][j] += a[kk][i] * b[kk][j]
        y = activation(acc + bias)

Why it is fast, for tiles of 128 x 128 x 16 and 256 threads:

* *Bytes.* A tile of y reads (128 + 128) k numbers for 128 * 128 k products: 64 products a number, so
  that 2 TB/s from the second cache feed 64 TFLOP/s.
* *Instructions.* 8 x 8 products a step need 4 loads of 128 bits. All 16 steps stand in the code one
  after another (`repeated`), places are constants in the instructions, and of 1,150 instructions in
  the loop 1,024 multiply.
* *Waiting.* The next tile is copied by `cp.async` while this one is multiplied: one barrier a tile,
  and no register holds what is on its way. At most 128 registers a thread, so two blocks fit on a
  multiprocessor, and one multiplies while the other is at its barrier.
* *Banks.* A warp's threads lie 8 x 4 over the tile, in the order in which pairs of lanes read the
  same 16 bytes of a (lanes 2i, 2i+1) or of b (i, i+2): then 128-bit loads take two rounds, not four.
  Lines of shared memory are 4 numbers longer than the tile: a tile that is turned on its way
  (8 numbers of the depth by 4 rows a warp) lands in 32 different banks.
* *Edges.* Lines along the tile that lie outside the matrix are read from inside, for products that
  nobody stores. The depth's odd part comes first, filled with zeros, so the loop need not ask.
* *The order of tiles.* 8 rows of tiles are walked through together, so that blocks that run at the
  same time share their rows and columns in the second cache.

The ladder that leads here is in gemm.py, what few rows or columns need in gemm_split.py.

Source: Volkov & Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008 (registers, not
shared memory, hold the tile); Gray, "maxas: SGEMM" (the lanes' order).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from .four import store4
from .functions import function
from .spec import Kernel, cuda, device, float32, int32, int64
from .vector import arrived, copy1, copy1_if, copy4, copy4_if, take4

TOGETHER = 8  # rows of tiles
PAD = 4


class Tile(NamedTuple):
    """Sizes of a block's tile and of a thread's; warps lie `down` x `across` in the block."""

    rows: int
    cols: int
    depth: int
    own_rows: int
    own_cols: int

    @property
    def down(self) -> int:
        return self.rows // (8 * self.own_rows)

    @property
    def across(self) -> int:
        return self.cols // (4 * self.own_cols)

    @property
    def threads(self) -> int:
        return 32 * self.down * self.across


LARGE, MIDDLE, SMALL = Tile(128, 128, 16, 8, 8), Tile(64, 64, 16, 8, 4), Tile(32, 32, 32, 4, 4)
TILES = {"large": LARGE, "middle": MIDDLE, "small": SMALL}


class Side(NamedTuple):
    """How one operand's tile comes into shared memory; see `along` and `turned`.

    place(size, line, first, thread)                          where the thread begins in x
    fill(s, to, x, at, line, thread, left, limit)             copy a tile whose depth ends at limit
    next(s, to, x, at, line, thread, left)                    copy a whole tile

    size: rows or columns of the operand; line: numbers from line to line; left: size - first.
    """

    place: Any
    fill: Any
    next: Any


def inlined(f: Callable[..., Any]) -> Any:
    return device(f)


def along(width: int, tile: Tile, wide: bool) -> Side:
    """An operand whose lines run along the tile: line k holds number k of the depth."""
    each = 4 if wide else 1
    per, long, depth = width // each, width + PAD, tile.depth
    step = tile.threads // per
    copy, copy_if = (copy4, copy4_if) if wide else (copy1, copy1_if)

    def place(size, line, first, thread):
        return thread // per * line + min(first + thread % per * each, size - each)

    def fill(s, to, x, at, line, thread, left, limit):
        k, to = thread // per, to + thread // per * long + thread % per * each
        for i in range(0, depth, step):
            copy_if(s, to + i * long, x, at, i * line, k + i < limit)

    def next_(s, to, x, at, line, thread, left):
        to = to + thread // per * long + thread % per * each
        for i in range(0, depth, step):
            copy(s, to + i * long, x, at, i * line)

    return Side(*map(inlined, (place, fill, next_)))


def turned(width: int, tile: Tile) -> Side:
    """An operand whose lines run along the depth: 8 numbers of 4 lines by a warp, turned."""
    long, depth, rows = width + PAD, tile.depth, tile.threads // 8

    def place(size, line, first, thread):
        return (first + thread // 8) * line + thread % 8

    def fill(s, to, x, at, line, thread, left, limit):
        row, k = thread // 8, thread % 8
        to = to + k * long + row
        for i in range(0, width, rows):
            for j in range(0, depth, 8):
                valid = row + i < left and k + j < limit
                copy1_if(s, to + j * long + i, x, at, i * line + j, valid)

    def next_(s, to, x, at, line, thread, left):
        row = thread // 8
        to = to + thread % 8 * long + row
        for i in range(0, width, rows):
            for j in range(0, depth, 8):
                copy1_if(s, to + j * long + i, x, at, i * line + j, row + i < left)

    return Side(*map(inlined, (place, fill, next_)))


@cache
def products(tile: Tile) -> Any:
    """f(sa, sb, p, q, a, b, acc): acc += the outer products of all `depth` lines of two tiles."""
    rows, cols, longs = tile.own_rows, tile.own_cols, (tile.rows + PAD, tile.cols + PAD)

    def once(sa, sb, p, q, a, b, acc):
        for i in range(0, rows, 4):
            a[i], a[i + 1], a[i + 2], a[i + 3] = take4(sa, p + i * 8)
        for j in range(0, cols, 4):
            b[j], b[j + 1], b[j + 2], b[j + 3] = take4(sb, q + j * 4)
        for i in range(rows):
            for j in range(cols):
                acc[i * cols + j] += a[i] * b[j]

    return repeated(inlined(once), 1, tile.depth, *longs)


def repeated(f: Any, done: int, times: int, step_a: int, step_b: int) -> Any:
    """f for `times` steps, one after another in the code: loops this long stay loops otherwise."""
    if done == times:
        return f
    on_a, on_b = done * step_a, done * step_b

    def twice(sa, sb, p, q, a, b, acc):
        f(sa, sb, p, q, a, b, acc)
        f(sa, sb, p + on_a, q + on_b, a, b, acc)

    return repeated(inlined(twice), 2 * done, times, step_a, step_b)


@cache
def finish(bias: str, activation: str) -> Any:
    """f(value, bias, row, column) = activation(value + bias), the bias by row or by column."""
    by_row, has_bias, active = bias == "row", bias != "none", activation != "none"
    act = function(activation, "float32") if active else float32

    def finished(value, b, row, col):
        if has_bias:
            value = value + b[row if by_row else col]
        if active:
            value = float32(act(value))
        return value

    return inlined(finished)


@cache
def store(tile: Tile, wide: bool, bias: str, activation: str) -> Any:
    """f(y, at, line, b, row, col, m, n, acc): the thread's numbers, finished, to y."""
    rows, cols = tile.own_rows, tile.own_cols
    end = finish(bias, activation)

    def stored(y, at, line, b, row, col, m, n, acc):
        for i in range(rows):
            r = row + i // 4 * 32 + i % 4
            if r < m:
                for j in range(0, cols, 4):
                    c, k = col + j * 4, i * cols + j
                    if wide:
                        if c < n:
                            store4(
                                y,
                                at + r * line + c,
                                end(acc[k], b, r, c),
                                end(acc[k + 1], b, r, c + 1),
                                end(acc[k + 2], b, r, c + 2),
                                end(acc[k + 3], b, r, c + 3),
                            )
                    else:
                        for e in range(4):
                            if c + e < n:
                                y[at + r * line + c + e] = end(acc[k + e], b, r, c + e)

    return inlined(stored)


@cache
def gemm(
    size: str,
    transpose_a: bool,
    transpose_b: bool,
    wide: bool,
    bias: str = "none",
    activation: str = "none",
) -> Kernel:
    """y = activation(a b + bias), a (m, k) and b (k, n), stored transposed or not.

    Grid: (tiles of all matrices, parts of the depth). Part p sums `part` numbers of the depth from
    p * part on, into y's matrix number z * parts + p. An operand of matrix z of the batch begins at
    z // inner * outer step + z % inner * inner step. wide: n, lines and steps are multiples of 4.
    """
    tile = TILES[size]
    high, across, depth = tile.rows, tile.cols, tile.depth
    left = along(high, tile, wide) if transpose_a else turned(high, tile)
    right = turned(across, tile) if transpose_b else along(across, tile, wide)
    place_a, fill_a, next_a = left
    place_b, fill_b, next_b = right
    size_a, size_b = depth * (high + PAD), depth * (across + PAD)
    two_a, two_b, own = 2 * size_a, 2 * size_b, tile.own_rows * tile.own_cols
    own_rows, own_cols, down = tile.own_rows, tile.own_cols, tile.down
    multiply, put = products(tile), store(tile, wide, bias, activation)

    def kernel(y, a, b, c, m, n, k, part, inner, a_outer, a_inner, b_outer, b_inner):
        thread = int32(cuda.threadIdx.x)
        sa, sb = cuda.shared.array(two_a, float32), cuda.shared.array(two_b, float32)
        fa, fb = cuda.local.array(own_rows, float32), cuda.local.array(own_cols, float32)
        acc = cuda.local.array(own, float32)
        for i in range(own):
            acc[i] = float32(0)
        tall, broad = (m + high - 1) // high, (n + across - 1) // across
        z = cuda.blockIdx.x // (tall * broad)
        number = cuda.blockIdx.x - z * tall * broad
        band = number // (TOGETHER * broad)
        inside = number - band * TOGETHER * broad
        lines = min(TOGETHER, tall - band * TOGETHER)
        row = int32((band * TOGETHER + inside % lines) * high)
        col = int32(inside // lines * across)
        line_a, line_b = int32(m if transpose_a else k), int32(k if transpose_b else n)
        step_a, step_b = (line_a if transpose_a else 1), (1 if transpose_b else line_b)
        start = cuda.blockIdx.y * part
        length = min(part, k - start)
        at_a = z // inner * a_outer + z % inner * a_inner + start * step_a
        at_b = z // inner * b_outer + z % inner * b_inner + start * step_b
        at_a += place_a(m, line_a, row, thread)
        at_b += place_b(n, line_b, col, thread)
        tiles = int32((length + depth - 1) // depth)
        rest = int32(length - (tiles - 1) * depth)
        fill_a(sa, 0, a, at_a, line_a, thread, m - row, rest)
        fill_b(sb, 0, b, at_b, line_b, thread, n - col, rest)
        at_a += rest * step_a
        at_b += rest * step_b
        lane, warp = thread & 31, thread >> 5
        own_row = warp % down * (8 * own_rows) + ((lane >> 1) & 7) * 4
        own_col = warp // down * (4 * own_cols) + ((lane & 1) | ((lane >> 3) & 2)) * 4
        here = int32(0)
        while tiles > 0:
            arrived()
            cuda.syncthreads()
            tiles = int32(tiles - 1)
            if tiles > 0:
                next_a(sa, (1 - here) * size_a, a, at_a, line_a, thread, m - row)
                next_b(sb, (1 - here) * size_b, b, at_b, line_b, thread, n - col)
                at_a += depth * step_a
                at_b += depth * step_b
            multiply(sa, sb, here * size_a + own_row, here * size_b + own_col, fa, fb, acc)
            here = int32(1 - here)
        at = (z * cuda.gridDim.y + cuda.blockIdx.y) * int64(m) * n
        put(y, at, n, c, row + own_row, col + own_col, m, n, acc)

    letters = "tn"[not transpose_a] + "tn"[not transpose_b]
    extra = "".join(f"_{x}" for x in (bias, activation) if x != "none")
    name = f"gemm_{letters}_{tile.rows}x{tile.cols}{'' if wide else '_odd'}{extra}"
    signature = ("float32*",) * 4 + ("int32",) * 5 + ("int64",) * 4
    per = 2 if size == "large" else 4
    return Kernel(name, kernel, signature, (tile.threads, 1, 1), blocks=per, narrow=True)


def catalogue() -> Iterator[Kernel]:
    """All three transpositions of each tile; what is not aligned; a bias with each activation."""
    for size in TILES:
        for flags in ((False, False), (False, True), (True, False)):
            yield gemm(size, *flags, True)
    yield gemm("large", True, True, True)
    yield gemm("large", False, False, False)
    yield gemm("middle", False, True, False, "column")
    for activation in ("relu", "sigmoid", "tanh", "gelu"):
        yield gemm("large", False, True, True, "column", activation)
