"""Layout in C: strided copies and writes, padding; see kernels/c/layout.c.

How a copy walks depends on shapes and strides alone, so it is worked out once and remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .c_base import CBase
from .c_library import ffi
from .c_memory import ITEMSIZE
from .defaults.layout import LayoutDefaults, row_major
from .tier1 import Buffer, Number, Pairs, Shape

PLANS = 4096  # remembered copies
POINTER = {
    "float32": "float *",
    "float64": "double *",
    "int32": "int32_t *",
    "int64": "int64_t *",
    "bool": "uint8_t *",
}
SHORTEST_TILED = 4  # numbers along an axis, below which rows are as good


class Walk(NamedTuple):
    """How layout_copy goes: (n, d, s) for each axis, and where both sides begin."""

    dst_at: int
    src_at: int
    tiled: bool
    axes: int
    plan: Any


@lru_cache(maxsize=PLANS)
def plan_walk(shape: Shape, dst_strides: tuple[int, ...], src_strides: tuple[int, ...]) -> Walk:
    """Turn, sort and merge axes, so that dst is walked forward and in as few loops as possible."""
    axes: list[tuple[int, int, int]] = []
    dst_at = src_at = 0
    for n, d, s in zip(shape, dst_strides, src_strides, strict=True):
        if d < 0 and n > 1:
            dst_at, src_at, d, s = dst_at + (n - 1) * d, src_at + (n - 1) * s, -d, -s
        if n > 1:
            axes.append((d, n, s))
    merged: list[tuple[int, int, int]] = []
    for d, n, s in sorted(axes, reverse=True):
        if merged and merged[-1][0] == n * d and merged[-1][2] == n * s:
            merged[-1] = (d, merged[-1][1] * n, s)
        else:
            merged.append((d, n, s))
    d, n, s = merged[-1] if merged else (1, 1, 1)
    rows = [k for k, (_, m, t) in enumerate(merged) if abs(t) == 1 and m >= SHORTEST_TILED]
    tiled = d == 1 and s not in (-1, 0, 1) and n >= SHORTEST_TILED
    if tiled and rows:
        d, n, s = merged.pop(rows[0])
        if s < 0:
            dst_at, src_at, d, s = dst_at + (n - 1) * d, src_at + (n - 1) * s, -d, -s
        merged.insert(-1, (d, n, s))
    merged = merged or [(1, 1, 1)]
    plan = ffi.new("int64_t[]", [v for d, n, s in merged for v in (n, d, s)])
    return Walk(dst_at, src_at, tiled and bool(rows), len(merged), plan)


@lru_cache(maxsize=PLANS)
def plan_strided(shape: Shape, strides: tuple[int, ...]) -> Walk:
    return plan_walk(shape, tuple(row_major(shape)), strides)


@lru_cache(maxsize=PLANS)
def plan_transpose(shape: Shape, axes: Shape) -> tuple[Shape, Walk]:
    strides = row_major(shape)
    new = tuple(shape[a] for a in axes)
    return new, plan_walk(new, tuple(row_major(new)), tuple(strides[a] for a in axes))


@lru_cache(maxsize=PLANS)
def plan_expand(before: Shape, shape: Shape) -> Walk:
    aligned = (1,) * (len(shape) - len(before)) + before
    strides = tuple(0 if n == 1 else s for n, s in zip(aligned, row_major(aligned), strict=True))
    return plan_walk(shape, tuple(row_major(shape)), strides)


@lru_cache(maxsize=PLANS)
def plan_cat(shapes: tuple[Shape, ...], axis: int) -> tuple[Shape, list[tuple[int, Walk]]]:
    """The result's shape; for each part where it begins, and how it is copied."""
    shape = list(shapes[0])
    shape[axis] = sum(s[axis] for s in shapes)
    strides = tuple(row_major(tuple(shape)))
    start, parts = 0, []
    for part in shapes:
        parts.append((start * strides[axis], plan_walk(part, strides, tuple(row_major(part)))))
        start += part[axis]
    return tuple(shape), parts


@lru_cache(maxsize=PLANS)
def plan_pad(shape: Shape, padding: Pairs) -> tuple[Shape, int, Any]:
    """The result's shape, how many axes, and (n, before, after) for each; some axes are merged."""
    merged: list[tuple[int, int, int]] = []
    for n, (lo, hi) in zip(shape, padding, strict=True):
        if merged and (lo, hi) == (0, 0) == merged[-1][1:]:
            merged[-1] = (merged[-1][0] * n, 0, 0)
        else:
            merged.append((n, lo, hi))
    if len(merged) > 1 and merged[-1][1:] == (0, 0):
        n, (m, lo, hi) = merged.pop()[0], merged.pop()
        merged.append((m * n, lo * n, hi * n))
    merged = merged or [(1, 0, 0)]
    new = tuple(n + lo + hi for n, (lo, hi) in zip(shape, padding, strict=True))
    return new, len(merged), ffi.new("int64_t[]", [v for axis in merged for v in axis])


class CLayout(CBase, LayoutDefaults):
    """Strided copies and what is made of them."""

    def strided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        y = self.empty(shape, x.dtype) if out is None else out
        if y.size:
            self._copy(y, 0, x, offset, plan_strided(tuple(shape), tuple(strides)))
        return y

    def put_strided(self, dst: Buffer, src: Buffer, strides: Sequence[int], offset: int) -> None:
        if src.size:
            walk = plan_walk(src.shape, tuple(strides), tuple(row_major(src.shape)))
            self._copy(dst, offset, src, 0, walk)

    def unstrided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        y = self.empty(shape, x.dtype) if out is None else out
        if x.size < y.size:
            self.c.layout_zero(y.data, y.nbytes)
        self.put_strided(y, x, strides, offset)
        return y

    def transpose(self, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        shape, walk = plan_transpose(x.shape, axes)
        y = self.empty(shape, x.dtype) if out is None else out
        if y.size:
            self._copy(y, 0, x, 0, walk)
        return y

    def expand(self, x: Buffer, shape: Shape, out: Buffer = None) -> Buffer:
        y = self.empty(shape, x.dtype) if out is None else out
        if y.size:
            self._copy(y, 0, x, 0, plan_expand(x.shape, shape))
        return y

    def cat(self, xs: Sequence[Buffer], axis: int, out: Buffer = None) -> Buffer:
        shape, parts = plan_cat(tuple([x.shape for x in xs]), axis)
        y = self.empty(shape, xs[0].dtype) if out is None else out
        for x, (start, walk) in zip(xs, parts):
            if x.size:
                self._copy(y, start, x, 0, walk)
        return y

    def pad(self, x: Buffer, padding: Pairs, value: Number, out: Buffer = None) -> Buffer:
        shape, axes, plan = plan_pad(x.shape, padding)
        y = self.empty(shape, x.dtype) if out is None else out
        exact = value if x.dtype in ("float32", "float64") else int(value)
        number = ffi.new(POINTER[x.dtype], exact)
        self.c.layout_pad(y.data, x.data, number, ITEMSIZE[x.dtype], axes, plan)
        return y

    def assign(self, dst: Buffer, src: Buffer) -> None:
        if src.size:
            self._copy(dst, 0, src, 0, plan_walk((src.size,), (1,), (1,)))

    def _copy(self, dst: Buffer, dst_at: int, src: Buffer, src_at: int, walk: Walk) -> None:
        """Move what `walk` says, between places that begin at dst_at and src_at."""
        self.c.layout_copy(
            dst.data,
            dst_at + walk.dst_at,
            src.data,
            src_at + walk.src_at,
            ITEMSIZE[src.dtype],
            walk.tiled,
            walk.axes,
            walk.plan,
        )
