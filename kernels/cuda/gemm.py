"""The product of matrices, from the loop nest to what float64 and integers use.

    for z in range(matrices):
        for i in range(m):
            for j in range(n):
                for kk in range(k):
                    y[z, i, j] += a[z, i, kk] * b[z, kk, j]

The ladder, by what limits it:

    `naive`      a thread for each number of y. Two numbers from memory for each product: 8 bytes
                 for 2 operations, and a device does 20 operations in the time of a byte.
    `tiled`      a block for 16 x 16 numbers of y; 16 x 16 of a and of b are read into shared memory
                 once and used 16 times. Now shared memory is the limit: two loads for each product.
    `register`   a thread for 4 x 4 numbers of y, which lie 16 apart (neighbouring threads read
                 neighbouring numbers): 8 loads for 16 products. float64 and integers use this.
    gemm_tile.gemm   8 x 8 a thread, loads of 128 bits, copies while it multiplies: float32.

Addresses are 64-bit, sizes 32-bit: a matrix has fewer than 2^31 rows and columns. Sums run over the
depth in its order in all of them, in the operands' own type; integers wrap.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .spec import TYPES, Kernel, cuda, int64

EDGE = 16  # of a block of threads
EACH = 4  # numbers of y a thread, down and across
TALL = EDGE * EACH


def signature(dtype: str) -> tuple[str, ...]:
    """(y, a, b, m, n, k, inner, ...): as gemm_tile.gemm's, without a bias or parts of the depth."""
    return (dtype + "*",) * 3 + ("int32",) * 4 + ("int64",) * 4


def begin(z, inner, outer_step, inner_step):
    """Where an operand's matrix number z begins."""
    return z // inner * outer_step + z % inner * inner_step


def naive(dtype: str) -> Kernel:
    """Grid: (columns / 16, rows / 16, matrices); nothing is transposed."""
    T = TYPES[dtype]

    def kernel(y, a, b, m, n, k, inner, a_outer, a_inner, b_outer, b_inner):
        j, i = cuda.grid(2)
        z = cuda.blockIdx.z
        if i < m and j < n:
            p, q = begin(z, inner, a_outer, a_inner), begin(z, inner, b_outer, b_inner)
            total = T(0)
            for kk in range(k):
                total = T(total + a[p + i * int64(k) + kk] * b[q + kk * int64(n) + j])
            y[(z * int64(m) + i) * n + j] = total

    return Kernel(f"gemm_naive_{dtype}", kernel, signature(dtype), (EDGE, EDGE, 1))


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


def loader(along: bool, T: Any) -> Any:
    """Fill a tile of EDGE lines of the depth by TALL, zero outside; `along`: it is stored so."""
    step = EDGE * EDGE

    def load(s, x, at, size, line, first, start, k, thread):
        for place in range(thread, EDGE * TALL, step):
            d = place // TALL if along else place % EDGE
            w = place % TALL if along else place // EDGE
            where = (start + d) * int64(line) + first + w
            if not along:
                where = (first + w) * int64(line) + start + d
            inside = start + d < k and first + w < size
            s[d * (TALL + 1) + w] = x[at + where] if inside else T(0)

    return load


@cache
def register(dtype: str, transpose_a: bool, transpose_b: bool) -> Kernel:
    """Grid: (columns / 64 of all matrices, rows / 64)."""
    T = TYPES[dtype]
    load_a, load_b = loader(transpose_a, T), loader(not transpose_b, T)
    room, own = EDGE * (TALL + 1), EACH * EACH

    def kernel(y, a, b, m, n, k, inner, a_outer, a_inner, b_outer, b_inner):
        sa, sb = cuda.shared.array(room, T), cuda.shared.array(room, T)
        acc, fa, fb = (
            cuda.local.array(own, T),
            cuda.local.array(EACH, T),
            cuda.local.array(EACH, T),
        )
        for i in range(own):
            acc[i] = T(0)
        tx, ty, broad = cuda.threadIdx.x, cuda.threadIdx.y, (n + TALL - 1) // TALL
        z, thread = cuda.blockIdx.x // broad, ty * EDGE + tx
        row, col = cuda.blockIdx.y * TALL, (cuda.blockIdx.x - z * broad) * TALL
        p, q = begin(z, inner, a_outer, a_inner), begin(z, inner, b_outer, b_inner)
        line_a, line_b = m if transpose_a else k, k if transpose_b else n
        for start in range(0, k, EDGE):
            load_a(sa, a, p, m, line_a, row, start, k, thread)
            load_b(sb, b, q, n, line_b, col, start, k, thread)
            cuda.syncthreads()
            for kk in range(EDGE):
                for i in range(EACH):
                    fa[i] = sa[kk * (TALL + 1) + i * EDGE + ty]
                    fb[i] = sb[kk * (TALL + 1) + i * EDGE + tx]
                for i in range(EACH):
                    for j in range(EACH):
                        acc[i * EACH + j] = T(acc[i * EACH + j] + fa[i] * fb[j])
            cuda.syncthreads()
        for i in range(EACH):
            for j in range(EACH):
                r, c = row + i * EDGE + ty, col + j * EDGE + tx
                if r < m and c < n:
                    y[(z * int64(m) + r) * n + c] = acc[i * EACH + j]

    letters = "tn"[not transpose_a] + "tn"[not transpose_b]
    name = f"gemm_register_{letters}_{dtype}"
    return Kernel(name, kernel, signature(dtype), (EDGE, EDGE, 1))


def catalogue() -> Iterator[Kernel]:
    """The ladder in float32, then what other types use."""
    yield naive("float32")
    yield tiled("float32")
    yield register("float32", False, False)
    for flags in ((False, False), (False, True), (True, False)):
        yield register("float64", *flags)
    yield register("int32", False, False)
    yield register("int64", False, True)
