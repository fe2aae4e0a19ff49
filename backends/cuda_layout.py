"""Fills and copies on CUDA: by fours, by tiles through shared memory, or number by number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

from ..kernels.cuda import layout
from ..kernels.cuda import pad as pads
from ..kernels.cuda.divide import divisor
from ..kernels.cuda.elementwise import EACH
from .cuda_plans import PLANS, copy_plan, cut, index_type
from .cuda_runtime import empty, launch
from .defaults.layout import LayoutDefaults
from .tier1 import Buffer, Number, Pairs, Shape


def copy(dst: Any, src: Any, shape: Shape, to: Any, of: Any, places: tuple[int, int]) -> None:
    """dst[places[0] + ...] = src[places[1] + ...] over `shape`, by strides to and of, or None."""
    aligned = places[0] % EACH == 0 and places[1] % EACH == 0
    plan = copy_plan(dst.dtype, tuple(shape), to, of, aligned)
    given = (*plan.before, dst, src, *places, *plan.after)
    launch(plan.kernel, plan.blocks, *given, block=plan.block)


def number(value: Number, dtype: str) -> Number:
    """A plain number as kernels over `dtype` take it: an integer where they have no fractions."""
    return int(value) if isinstance(value, float) and not dtype.startswith("float") else value


def fill(y: Any, value: Number) -> Any:
    """y, filled."""
    if y.size:
        blocks, block = cut(-(-y.size // EACH))
        launch(layout.fill(y.dtype), blocks, y.size, y, number(value, y.dtype), block=block)
    return y


@lru_cache(PLANS)
def pad_plan(shape: Shape, padding: Pairs) -> tuple[Shape, int, str, tuple[int, ...]]:
    """The shape of the result, the number of axes, the type of indices, and what pads.pad takes
    after the value."""
    axes: list[tuple[int, int, int]] = []  # size, before, after; merged where nothing is between
    for n, (before, after) in zip(shape, padding, strict=True):
        if axes and not before and not after:
            size, lo, hi = axes.pop()
            axes.append((size * n, lo * n, hi * n))
        else:
            axes.append((n, before, after))
    sizes = [n + lo + hi for n, lo, hi in axes]
    numbers = [v for (n, lo, _), size in zip(axes, sizes) for v in (size, n, lo)]
    index = index_type(prod(sizes), *numbers)
    numbers += [v for size in sizes[1:] for v in divisor(size, index)]
    out = tuple(n + lo + hi for n, (lo, hi) in zip(shape, padding))
    return out, len(axes), index, tuple(numbers)


class CudaLayout(LayoutDefaults):
    def full(self, shape: Shape, value: Number, dtype: str, out: Buffer = None) -> Buffer:
        return fill(empty(tuple(shape), dtype) if out is None else out, value)

    def strided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        y = empty(tuple(shape), x.dtype) if out is None else out
        if y.size:
            copy(y, x, y.shape, None, tuple(strides), (0, offset))
        return y

    def put_strided(self, dst: Buffer, src: Buffer, strides: Sequence[int], offset: int) -> None:
        if src.size:
            copy(dst, src, src.shape, tuple(strides), None, (offset, 0))

    def pad(self, x: Buffer, padding: Pairs, value: Number, out: Buffer = None) -> Buffer:
        shape, rank, index, numbers = pad_plan(x.shape, tuple(map(tuple, padding)))
        if not rank:
            return super().pad(x, padding, value, out)
        y = empty(shape, x.dtype) if out is None else out
        if y.size:
            blocks, block = cut(y.size)
            kernel = pads.pad(x.dtype, rank, index)
            value = number(value, x.dtype)
            launch(kernel, blocks, y.size, y, x, value, *numbers, block=block)
        return y
