"""Group norm on CUDA."""

from __future__ import annotations

from math import prod
from typing import Any

from ..kernels.cuda import batch_norm, batch_norm_grad, group_norm
from ..kernels.cuda.divide import divisor
from ..kernels.cuda.folding import LANES
from .cuda_norm import sums
from .cuda_plans import cut, cut_lanes, index_type
from .cuda_runtime import empty, launch
from .defaults.norm import NormDefaults
from .tier1 import Buffer

MOST = 32  # numbers that a thread keeps
PLANE = 1 << 12  # numbers of a plane up to which a warp sums one


def sweep(x: Any, groups: int) -> tuple[tuple[bool, str], int, int, tuple[int, ...]]:
    """Whether four numbers at a time, and the type of indices; blocks, threads, and
    group_norm.SWEEP."""
    c, area, index = x.shape[1], prod(x.shape[2:]), index_type(x.size)
    wide = area % 4 == 0
    blocks, block = cut(x.size // 4 if wide else x.size)
    of = (n for size in (area, c, c // groups) for n in divisor(size, index))
    return (wide, index), blocks, block, (x.size, *of, c)


class CudaGroupNorm(NormDefaults):
    """Overrides of group norm."""

    def group_norm(
        self, x: Buffer, w: Buffer | None, b: Buffer | None, groups: int, eps: float
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().group_norm(x, w, b, groups, eps)
        (n, c), dtype, area, index = x.shape[:2], x.dtype, prod(x.shape[2:]), index_type(x.size)
        rows, length, flags = n * groups, x.size // (n * groups), (w is not None, b is not None)
        mean, rstd = empty((n, groups), dtype), empty((n, groups), dtype)
        y = empty(x.shape, dtype)
        for lanes in (LANES, group_norm.BLOCK):
            if length <= lanes * MOST:
                each = 1 << (-(-length // lanes) - 1).bit_length()
                blocks, block = cut_lanes(rows * LANES) if lanes == LANES else (rows, lanes)
                given = y, mean, rstd, x, w, b, eps, rows, length, groups, c // groups
                kernel = group_norm.registers(dtype, lanes, each, *flags, index)
                launch(kernel, blocks, *given, *divisor(area, index), block=block)
                return y, mean, rstd
        of_rows = self.reshape(x, (1, rows, length))
        means, squares, parts, each = sums(batch_norm, (of_rows,), of_rows)
        kernel, (blocks, block) = batch_norm.whole(dtype, False, index), cut_lanes(LANES * rows)
        merged = mean, empty((rows,), dtype), rstd, means, squares, None, eps
        launch(kernel, blocks, *merged, parts, each, rows, length, block=block)
        walk, blocks, block, numbers = sweep(x, groups)
        kernel = group_norm.apply(dtype, *flags, *walk)
        launch(kernel, blocks, y, x, mean, rstd, w, b, *numbers, block=block)
        return y, mean, rstd

    def group_norm_grad(
        self, g: Buffer, x: Buffer, w: Buffer | None, mean: Buffer, rstd: Buffer
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not x.size:
            return super().group_norm_grad(g, x, w, mean, rstd)
        (n, groups), c, dtype, index = mean.shape, x.shape[1], x.dtype, index_type(x.size)
        one, two = self._planes(g, x, mean)
        shift, slope, gws = (
            empty((n, groups), dtype),
            empty((n, groups), dtype),
            empty((n, c), dtype),
        )
        blocks, block = cut_lanes(LANES * n * groups)
        sizes = n * groups, groups, c // groups, x.size // (n * groups)
        kernel = group_norm.whole_grad(dtype, w is not None, index)
        launch(kernel, blocks, shift, slope, gws, one, two, w, rstd, *sizes, block=block)
        gx, (walk, blocks, block, numbers) = empty(x.shape, dtype), sweep(x, groups)
        given = gx, g, x, w, mean, rstd, shift, slope, *numbers
        launch(group_norm.apply_grad(dtype, w is not None, *walk), blocks, *given, block=block)
        return gx, self.reduce("sum", gws, (0,)), self.reduce("sum", one, (0,))

    def _planes(self, g: Any, x: Any, mean: Any) -> tuple[Buffer, Buffer]:
        """sum(g) and sum(g (x - mean)) of each channel of each example, (N, C)."""
        n, c, area = x.shape[0], x.shape[1], prod(x.shape[2:])
        shape, each = (n, c), c // mean.shape[1]
        if area <= PLANE:
            one, two = empty(shape, x.dtype), empty(shape, x.dtype)
            blocks, block = cut_lanes(LANES * n * c)
            kernel = group_norm.planes(x.dtype, index_type(x.size))
            launch(kernel, blocks, one, two, g, x, mean, n * c, area, each, block=block)
            return one, two
        centres = self.strided(mean, (mean.size, each), (1, 0), 0)
        flat = self.reshape(x, (1, n * c, area))
        one, two, parts, _ = sums(batch_norm_grad, (g, None, x, centres), flat, False)
        if parts > 1:
            one, two = self.reduce("sum", one, (1,)), self.reduce("sum", two, (1,))
        return self.reshape(one, shape), self.reshape(two, shape)
