"""Sliding windows on CUDA: laid out as columns, and added back."""

from __future__ import annotations

from functools import lru_cache
from math import prod

from ..kernels.cuda import unfold
from ..kernels.cuda.divide import divisor
from .cuda_plans import PLANS, cut, few_enough
from .cuda_runtime import empty, launch
from .tier1 import Buffer, Pairs, Shape, Tier1, window_count


@lru_cache(PLANS)
def windows(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, folding: bool
) -> tuple[Shape, tuple[int, ...]]:
    """The number of windows by axis, and what unfold.arguments names."""
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    numbers: list[int] = []
    for n, k, s, (before, _), d, c in zip(size, kernel, stride, padding, dilation, counts):
        numbers += [n, k, s, before, d, c, *divisor(k), *divisor(s)]
        numbers += divisor(max(1, n if folding else c))
    return counts, tuple(numbers)


class CudaUnfold(Tier1):
    def unfold(
        self,
        x: Buffer,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Buffer = None,
    ) -> Buffer:
        n, c, *size = x.shape
        counts, numbers = windows(tuple(size), kernel, stride, padding, dilation, False)
        shape = n, c * prod(kernel), prod(counts)
        y = empty(shape, x.dtype) if out is None else out
        if few_enough(y.size, "unfolded columns"):
            blocks, block = cut(y.size)
            task = unfold.unfold(x.dtype, len(size))
            launch(task, blocks, y, x, y.size, *numbers, block=block)
        return y

    def fold(
        self,
        columns: Buffer,
        shape: Shape,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Buffer = None,
    ) -> Buffer:
        y = empty(tuple(shape), columns.dtype) if out is None else out
        _, numbers = windows(tuple(shape[2:]), kernel, stride, padding, dilation, True)
        if few_enough(y.size, "a folded image"):
            blocks, block = cut(y.size)
            task = unfold.fold(columns.dtype, len(kernel))
            launch(task, blocks, y, columns, y.size, *numbers, block=block)
        return y
