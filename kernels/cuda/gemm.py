"""The product of matrices, from the loop nest to what float64 and integers use.

    for z in range(matrices):
        for i in range(m):
            for j in range(n):
                for kk in range(k):
                    y[z, i, j] += a[z, i, kk] * b[z, kk, j]

The ladder, by what limits it:

    `naive`      a thread for each number of y. Two numbers from memory for each product: 8 bytes
                 for 2 operations, and a device does 20 operations in the time of a byte. What fits
                 into a few warps is done before a tile is filled: tiny products use it.
    `tiled`      a block for 16 x 16 numbers of y; 16 x 16 of a and of b are read into shared memory
                 once and used 16 times. Now shared memory is the limit: two loads for each product.
    `register`   a thread for 4 x 4 numbers of y, which lie 16 apart (neighbouring threads read
                 neighbouring numbers): 8 loads for 16 products. float64 and integers use this.
    gemm_tile.gemm   8 x 8 a thread, loads of 128 bits, copies while it multiplies: float32.

Addresses are 64-bit in all of them, sizes 32-bit: fewer than 2^31 rows and columns, of however many
numbers. The 64-bit variant of `naive` takes what is longer. Sums run over the depth in its order,
in the operands' own type; integers wrap.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .gemm_sides import over
from .gemm_way import finish
from .spec import TYPES, Kernel, cuda, int64
from .vector import take1

BLOCK = 256
EDGE = 16  # of a block of threads
EACH = 4  # numbers of y a thread, down and across
TALL = EDGE * EACH


def signature(dtype: str) -> tuple[str, ...]:
    """(y, a, b, m, n, k, inner, ...): as gemm_tile.gemm's, without a bias or parts of the depth."""
    return (dtype + "*",) * 3 + ("int32",) * 4 + ("int64",) * 4


def begin(z, inner, outer_step, inner_step):
    """Where an operand's matrix number z begins."""
    return z // inner * outer_step + z % inner * inner_step


def plain(value, b, row, col):
    """A number as it is: where no bias or activation is wanted."""
    return value


@cache
def naive(dtype: str, bias: str = "none", activation: str = "none", index: str = "int32") -> Kernel:
    """A thread for each of matrices * m * n; a bias and an activation for float32 (gemm_way.py).

    Steps of a from row to row and from column to column, of b likewise, say what is transposed.
    index: of the sizes.
    """
    T = TYPES[dtype]
    end = finish(bias, activation) if dtype == "float32" else plain

    def kernel(
        y, a, b, c, m, n, k, inner, a_outer, a_inner, b_outer, b_inner,
        a_row, a_col, b_row, b_col, total,
    ):  # fmt: skip
        t = int64(cuda.grid(1))
        if t < total:
            line = t // n
            j, z = t - line * n, line // m
            i = line - z * m
            p = begin(z, inner, a_outer, a_inner) + i * a_row
            q = begin(z, inner, b_outer, b_inner) + j * b_col
            value = T(0)
            for kk in range(k):
                value = T(value + a[p + kk * a_col] * b[q + kk * b_row])
            y[t] = end(value, c, i, j)

    extra = "".join(f"_{x}" for x in (bias, activation) if x != "none")
    extra += "_long" if index == "int64" else ""
    kinds = (dtype + "*",) * 4 + (index,) * 4 + ("int64",) * 9
    narrow = dtype == "float32"
    return Kernel(f"gemm_naive{extra}_{dtype}", kernel, kinds, (BLOCK, 1, 1), narrow=narrow)


def tiled(dtype: str) -> Kernel:
    """Grid: (columns / 16, rows / 16, matrices); nothing is transposed."""
    T = TYPES[dtype]
    size = EDGE * EDGE

    def kernel(y, a, b, m, n, k, inner, a_outer, a_inner, b_outer, b_inner):
        sa, sb = cuda.shared.array(size, T), cuda.shared.array(size, T)
        j, i = cuda.grid(2)
        tx, ty, z = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        p, q = begin(z, inner, a_outer, a_inner), begin(z, inner, b_outer, b_inner)
        total = T(0)
        for start in range(0, k, EDGE):
            x, w = start + tx, start + ty
            sa[ty * EDGE + tx] = a[p + i * int64(k) + x] if i < m and x < k else T(0)
            sb[ty * EDGE + tx] = b[q + w * int64(n) + j] if w < k and j < n else T(0)
            cuda.syncthreads()
            for kk in range(EDGE):
                total = T(total + sa[ty * EDGE + kk] * sb[kk * EDGE + tx])
            cuda.syncthreads()
        if i < m and j < n:
            y[(z * int64(m) + i) * n + j] = total

    return Kernel(f"gemm_tiled_{dtype}", kernel, signature(dtype), (EDGE, EDGE, 1))


@cache
def loader(along: bool, T: Any, edge: int) -> Any:
    """Fill a tile of `edge` lines of the depth by `tall`, zero outside; `along`: stored so."""
    step, tall = edge * edge, edge * EACH

    def load(s, x, at, size, line, first, start, k, thread):
        for place in range(thread, edge * tall, step):
            d = place // tall if along else place % edge
            w = place % tall if along else place // edge
            where = (start + d) * int64(line) + first + w
            if not along:
                where = (first + w) * int64(line) + start + d
            inside = start + d < k and first + w < size
            s[d * (tall + 1) + w] = x[at + where] if inside else T(0)

    return load


@cache
def register(dtype: str, transpose_a: bool, transpose_b: bool, edge: int = EDGE) -> Kernel:
    """Grid: tiles of all matrices, `tall` by `tall`, which is 4 times the edge; row after row.

    All along x: a grid has 2^31 blocks there and 65,535 along y, too few for 2^22 rows.
    """
    T, tall = TYPES[dtype], edge * EACH
    load_a, load_b = loader(transpose_a, T, edge), loader(not transpose_b, T, edge)
    room, own = edge * (tall + 1), EACH * EACH

    def kernel(y, a, b, m, n, k, inner, a_outer, a_inner, b_outer, b_inner):
        sa, sb = cuda.shared.array(room, T), cuda.shared.array(room, T)
        acc, fa, fb = (
            cuda.local.array(own, T),
            cuda.local.array(EACH, T),
            cuda.local.array(EACH, T),
        )
        for i in range(own):
            acc[i] = T(0)
        tx, ty, broad = cuda.threadIdx.x, cuda.threadIdx.y, (n + tall - 1) // tall
        line, high, thread = over(cuda.blockIdx.x, broad), (m + tall - 1) // tall, ty * edge + tx
        z = over(line, high)
        row, col = (line - z * high) * tall, (cuda.blockIdx.x - line * broad) * tall
        p, q = begin(z, inner, a_outer, a_inner), begin(z, inner, b_outer, b_inner)
        line_a, line_b = m if transpose_a else k, k if transpose_b else n
        for start in range(0, k, edge):
            load_a(sa, a, p, m, line_a, row, start, k, thread)
            load_b(sb, b, q, n, line_b, col, start, k, thread)
            cuda.syncthreads()
            for kk in range(edge):
                for i in range(EACH):
                    fa[i] = take1(sa, kk * (tall + 1) + i * edge + ty)
                    fb[i] = take1(sb, kk * (tall + 1) + i * edge + tx)
                for i in range(EACH):
                    for j in range(EACH):
                        acc[i * EACH + j] = T(acc[i * EACH + j] + fa[i] * fb[j])
            cuda.syncthreads()
        for i in range(EACH):
            for j in range(EACH):
                r, c = row + i * edge + ty, col + j * edge + tx
                if r < m and c < n:
                    y[(z * int64(m) + r) * n + c] = acc[i * EACH + j]

    letters = "tn"[not transpose_a] + "tn"[not transpose_b]
    name = f"gemm_register_{letters}_{dtype}" + ("" if edge == EDGE else f"_{edge}")
    return Kernel(name, kernel, signature(dtype), (edge, edge, 1))


def catalogue() -> Iterator[Kernel]:
    """The ladder in float32, then what other types use."""
    yield naive("float32", "column", "tanh")
    yield naive("int64")
    yield naive("float32", index="int64")
    yield tiled("float32")
    yield register("float32", False, False)
    yield register("float64", False, True)
    yield register("int32", True, False)
