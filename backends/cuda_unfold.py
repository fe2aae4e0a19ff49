"""Sliding windows on CUDA: laid out as columns, and added back."""

from __future__ import annotations

from functools import lru_cache
from math import prod

from ..kernels.cuda import unfold
from ..kernels.cuda.divide import divisor
from .cuda_plans import PLANS, cut, index_type
from .cuda_runtime import empty, launch
from .tier1 import Buffer, Pairs, Shape, Tier1, window_count


@lru_cache(PLANS)
def windows(
    shape: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, folding: bool
) -> tuple[Shape, str, tuple[int, ...]]:
    """The shape of the columns of an image, the type of indices, what unfold.arguments names."""
    size = shape[2:]
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    columns = shape[0], shape[1] * prod(kernel), prod(counts)
    axes = list(zip(size, kernel, stride, [lo for lo, _ in padding], dilation, counts))
    work = prod(shape) if folding else prod(columns)
    index = index_type(work, *(n for axis in axes for n in axis))
    numbers: list[int] = []
    for n, k, s, before, d, c in axes:
        numbers += [n, k, s, before, d, c, *divisor(k, index), *divisor(s, index)]
        numbers += divisor(n if folding else c, index)
    return columns, index, tuple(numbers)


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
        shape, index, numbers = windows(x.shape, kernel, stride, padding, dilation, False)
        y = empty(shape, x.dtype) if out is None else out
        if y.size:
            blocks, block = cut(y.size)
            task = unfold.unfold(x.dtype, len(kernel), index)
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
        _, index, numbers = windows(tuple(shape), kernel, stride, padding, dilation, True)
        if y.size:
            blocks, block = cut(y.size)
            task = unfold.fold(columns.dtype, len(kernel), index)
            launch(task, blocks, y, columns, y.size, *numbers, block=block)
        return y
