"""Fills and copies on CUDA: by fours, by tiles through shared memory, or number by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..kernels.cuda import layout
from ..kernels.cuda.elementwise import EACH
from .cuda_plans import copy_plan, cut
from .cuda_runtime import empty, launch
from .defaults.layout import LayoutDefaults
from .tier1 import Buffer, Number, Shape


def copy(dst: Any, src: Any, shape: Shape, to: Any, of: Any, places: tuple[int, int]) -> None:
    """dst[places[0] + ...] = src[places[1] + ...] over `shape`, by strides to and of, or None."""
    aligned = places[0] % EACH == 0 and places[1] % EACH == 0
    plan = copy_plan(dst.dtype, tuple(shape), to, of, aligned)
    given = (*plan.before, dst, src, *places, *plan.after)
    launch(plan.kernel, plan.blocks, *given, block=plan.block)


def fill(y: Any, value: Number) -> Any:
    """y, filled."""
    if y.size:
        blocks, block = cut(-(-y.size // EACH))
        launch(layout.fill(y.dtype), blocks, y.size, y, value, block=block)
    return y


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
