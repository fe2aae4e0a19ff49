"""Products of the CUDA backend: which kernel a product is for, and how it is cut into blocks."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

from ..kernels.cuda import gemm, gemm_split, gemm_tile, gemm_way, toolchain
from .cuda_cuts import SHORTEST, TINY, part_for, tile_for, up
from .cuda_plans import index_type
from .cuda_runtime import empty, launch
from .defaults.layout import row_major
from .defaults.linear import LinearDefaults
from .precision import tile_kind
from .tier1 import Buffer, Shape

ACTIVATIONS = {None: "none", "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "gelu": "gelu"}


class Batch(NamedTuple):
    """The leading axes of a product, and where matrices begin: see gemm_tile.gemm."""

    shape: Shape
    inner: int
    steps: tuple[int, int, int, int]


@lru_cache(1024)
def batch_plan(a: Shape, b: Shape) -> Batch | None:
    """How matrices of the operands meet; None if that takes more than two steps for each."""
    longest = max(len(a), len(b)) - 2
    lead = [(1,) * (longest + 2 - len(s)) + s for s in (a, b)]
    shape = tuple(max(p, q) if p and q else 0 for p, q in zip(lead[0][:-2], lead[1][:-2]))
    strides = [[0 if n == 1 else s for n, s in zip(own, row_major(own))] for own in lead]
    axes: list[tuple[int, int, int]] = []  # (size, step of a, step of b), merged where they can be
    for n, p, q in zip(shape, *strides):
        if n == 1:
            continue
        if axes and (axes[-1][1], axes[-1][2]) == (n * p, n * q):
            axes[-1] = axes[-1][0] * n, p, q
        else:
            axes.append((n, p, q))
    if len(axes) > 2:
        return None
    (_, p, q), (inner, r, s) = [(1, 0, 0)] * (2 - len(axes)) + axes
    return Batch(shape, inner, (p, r, q, s))


def by_number(
    y: Buffer,
    a: Buffer,
    b: Buffer,
    sizes: tuple[int, int, int],
    flags: tuple[bool, bool],
    batch: Batch,
    bias: Buffer = None,
    end: tuple[str, str] = ("none", "none"),
) -> bool:
    """y = activation(a b + bias) of any type by a thread for each number, where that is best.

    It is for a product that is soon done, and for one with sides that only 64 bits count: slow, but
    nothing else takes more than 2^31 rows, columns, products of a sum, or matrices.
    """
    m, n, k = sizes
    index = index_type(m, n, k, prod(batch.shape))
    if index == "int32" and (m * n * k > TINY or k > SHORTEST):
        return False
    of_a, of_b = (1, m) if flags[0] else (k, 1), (1, k) if flags[1] else (n, 1)
    block = toolchain.threads(y.size, gemm.BLOCK)
    launch(
        gemm.naive(y.dtype, *end, index), up(y.size, block), y, a, b, bias, m, n, k, batch.inner,
        *batch.steps, *of_a, *of_b, y.size, block=block,
    )  # fmt: skip
    return True


def edge_for(m: int, n: int) -> int:
    """The edge of gemm.register's blocks: small where threads are simulated one by one."""
    if not toolchain.simulating():
        return gemm.EDGE
    return 2 if min(m, n) <= 2 * gemm.EACH else 4


def product(
    y: Buffer,
    a: Buffer,
    b: Buffer,
    sizes: tuple[int, int, int],
    flags: tuple[bool, bool],
    batch: Batch,
    bias: Buffer = None,
    end: tuple[str, str] = ("none", "none"),
) -> None:
    """y = activation(a b + bias) in float32; end: where the bias lies, and the activation."""
    if by_number(y, a, b, sizes, flags, batch, bias, end):
        return
    (m, n, k), matrices = sizes, prod(batch.shape)
    size = tile_for(m, n, matrices, tile_kind())
    if size == "small" and toolchain.simulating():
        size = "tiny"
    way = gemm_way.TINY if size == "tiny" else gemm_tile.ALL_WAYS[size]
    tile = way.tile
    tiles = up(m, tile.rows) * up(n, tile.cols) * matrices
    part = part_for(tiles, k, tile.depth, way.blocks)
    parts = up(k, part)
    lines = [n, *batch.steps, *([m] if flags[0] else [])]
    at = [x.address for x in (y, a, b)]  # of 16 bytes, unless it is a view
    wide = all(x % 4 == 0 for x in lines) and all(x % 16 == 0 for x in at)
    kernel = gemm_tile.gemm(size, *flags, wide, *(end if parts == 1 else ("none", "none")))
    target = y if parts == 1 else empty((matrices, parts, m, n), "float32")
    launch(kernel, (tiles, parts), target, a, b, bias, m, n, k, part, batch.inner, *batch.steps)
    if parts > 1:
        grid = up(m * n, gemm_split.BLOCK), min(matrices, 65535)
        launch(gemm_split.add(*end), grid, y, target, bias, m * n, parts, n, m, matrices)


class CudaMatmul(LinearDefaults):
    """Tier 1's product, and the affine layer in one call."""

    def matmul(
        self,
        a: Buffer,
        b: Buffer,
        transpose_a: bool = False,
        transpose_b: bool = False,
        out: Buffer = None,
    ) -> Buffer:
        dtype = self.dtype(a)
        (m, k), n = a.shape[-2:], b.shape[-2 if transpose_b else -1]
        if transpose_a:
            m, k = k, m
        batch = batch_plan(tuple(a.shape), tuple(b.shape))
        if batch is None:
            return self._expanded(a, b, transpose_a, transpose_b, out)
        y = empty((*batch.shape, m, n), dtype) if out is None else out
        if y.size == 0 or k == 0:
            return self.full(y.shape, 0, dtype, y)
        rows, flags = m * prod(batch.shape), (transpose_a, transpose_b)
        if len(b.shape) == 2 and not transpose_a and index_type(rows) == "int32":
            m, batch = rows, Batch((), 1, (0, 0, 0, 0))  # one matrix on the right: one product
        if dtype == "float32":
            product(y, a, b, (m, n, k), flags, batch)
            return y
        if index_type(m, n, k, prod(batch.shape)) == "int64":
            by_number(y, a, b, (m, n, k), flags, batch)
            return y
        edge = edge_for(m, n)
        kernel, tall = gemm.register(dtype, *flags, edge), edge * gemm.EACH
        grid = up(m, tall) * up(n, tall) * prod(batch.shape)
        launch(kernel, grid, y, a, b, m, n, k, batch.inner, *batch.steps)
        return y

    def linear(
        self,
        x: Buffer,
        w: Buffer,
        b: Buffer | None,
        activation: str | None = None,
        out: Buffer = None,
    ) -> Buffer:
        plain = b is None and activation is None
        if plain or self.dtype(x) != "float32" or activation not in ACTIVATIONS or x.size == 0:
            return super().linear(x, w, b, activation, out)
        (m, k), n = x.shape, w.shape[0]
        y = empty((m, n), "float32") if out is None else out
        if n:
            end = "none" if b is None else "column", ACTIVATIONS[activation]
            batch = Batch((), 1, (0, 0, 0, 0))
            product(y, x, w, (m, n, k), (False, True), batch, b, end)
        return y

    def _expanded(
        self, a: Buffer, b: Buffer, transpose_a: bool, transpose_b: bool, out: Buffer
    ) -> Buffer:
        """The product with both operands' leading axes written out."""
        axes = max(len(a.shape), len(b.shape)) - 2
        lead = [(1,) * (axes + 2 - len(x.shape)) + tuple(x.shape) for x in (a, b)]
        shape = tuple(map(max, lead[0][:-2], lead[1][:-2]))
        whole = []
        for x, own in zip((a, b), lead):
            steps = [0 if n == 1 else s for n, s in zip(own, row_major(own))]
            last = own[-2:]
            whole.append(self.strided(x, (*shape, *last), (*steps[:-2], last[1], 1), 0))
        return self.matmul(whole[0], whole[1], transpose_a, transpose_b, out)
