"""Matrix product, one after the other over a batch.

    for i in range(m):
        for j in range(n):
            out[i, j] = 0
            for l in range(k):
                out[i, j] += a[i, l] * b[l, j]

Both operands are first cut into lists: a into its rows, b into its columns. Then the inner loop is
one call, `sumprod(row, column)`, in which no index is computed and no element is converted from C
again; the sum is in double precision (extended, from Python 3.12 on) and rounded when stored.
"""

from __future__ import annotations

from operator import mul

from .store import stored

try:
    from math import sumprod
except ImportError:  # Python 3.11

    def sumprod(row, column):
        """The sum of row[i] * column[i]."""
        return sum(map(mul, row, column))


def lines(x, start, count, length, crossed):
    """The rows of a (count, length) matrix, or the columns of a (length, count) one if crossed."""
    if crossed:
        end = start + count * length
        return [x[start + i : end : count].tolist() for i in range(count)]
    return [x[start + i * length : start + (i + 1) * length].tolist() for i in range(count)]


def matmul(out, a, b, a_starts, b_starts, m, k, n, transpose_a, transpose_b):
    """out[p] = a[p] b[p]: matrix p of a (m, k) begins at a_starts[p], that of b (k, n) likewise."""
    at = 0
    for a_start, b_start in zip(a_starts, b_starts):
        rows = lines(a, a_start, m, k, transpose_a)
        columns = lines(b, b_start, n, k, not transpose_b)
        products = [sumprod(row, column) for row in rows for column in columns]
        out[at : at + m * n] = stored(out.typecode, products)
        at += m * n
