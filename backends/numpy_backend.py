"""The NumPy backend: BLAS for products, strided windows for convolution, ufuncs for the rest.

Buffers are C-contiguous ndarrays. This file holds Tier 1; faster Tier 2 methods are in the files
numpy_<family>.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .base import Backend
from .numpy_conv import NumpyConv
from .numpy_functions import BINARY, UNARY, enter_quiet, leave_quiet, quietly, select
from .numpy_fused import NumpyFused
from .numpy_memory import LARGE, keep_freed_memory, room
from .numpy_norm import NumpyNorm
from .numpy_optim import NumpyOptim
from .numpy_pool import NumpyPool
from .numpy_products import ones, product
from .numpy_random import NumpyRandom
from .numpy_recurrent import NumpyRecurrent
from .numpy_replay import load
from .numpy_softmax import NumpySoftmax
from .numpy_windows import in_planes, inside, pad_planes, slices, stored
from .program import Loadable, Runner
from .tier1 import Buffer, Number, Pairs, Shape, window_count

REDUCE: dict[str, Any] = {
    "sum": np.add.reduce,
    "prod": np.multiply.reduce,
    "max": np.maximum.reduce,
    "min": np.minimum.reduce,
    "any": np.logical_or.reduce,
    "all": np.logical_and.reduce,
}
FEW = 1 << 10  # elements, up to which np.where is faster than bits


class NumpyBackend(
    NumpyConv,
    NumpyFused,
    NumpyNorm,
    NumpyPool,
    NumpySoftmax,
    NumpyOptim,
    NumpyRandom,
    NumpyRecurrent,
    Backend,
):
    name = "numpy"

    def __init__(self) -> None:
        keep_freed_memory()

    # memory -------------------------------------------------------------------------------------
    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        y = room(shape, dtype)
        np.copyto(y, self.share(data, shape, dtype))
        return y

    def share(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        if prod(shape) == 0:
            return np.empty(shape, dtype)
        return np.frombuffer(data, dtype).reshape(shape)

    def to_host(self, x: Buffer) -> memoryview:
        return memoryview(x.reshape(-1)).toreadonly()

    def dtype(self, x: Buffer) -> str:
        return str(x.dtype)

    def empty(self, shape: Shape, dtype: str) -> Buffer:
        return room(shape, dtype)

    def full(self, shape: Shape, value: Number, dtype: str, out: Buffer = None) -> Buffer:
        y = room(shape, dtype) if out is None else out
        y.fill(value)
        return y

    def reshape(self, x: Buffer, shape: Shape) -> Buffer:
        return x.reshape(shape)

    def arena(self, size: int) -> Any:
        return room((max(size, LARGE),), np.int8)

    def load(self, program: Loadable) -> Runner:
        return load(self, program)

    def in_arena(self, arena: Any, offset: int, shape: Shape, dtype: str) -> Buffer:
        return np.ndarray(shape, dtype, arena, offset)

    # layout -------------------------------------------------------------------------------------
    def strided(
        self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int, out: Buffer = None
    ) -> Buffer:
        y = room(shape, x.dtype) if out is None else out
        np.copyto(y, _window(x, shape, strides, offset))
        return y

    def put_strided(self, dst: Buffer, src: Buffer, strides: Sequence[int], offset: int) -> None:
        np.copyto(_window(dst, src.shape, strides, offset), src)

    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        _check_rows(indices, x.shape[0])
        return np.take(x, indices, axis=0, out=out, mode="wrap")

    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        """np.add.at is fast for single elements only, so the rows are cut into them."""
        _check_rows(indices, rows)
        length = x.shape[1]
        y = self.full((rows, length), 0, str(x.dtype), out)
        places = indices if length == 1 else indices[:, None] * length + np.arange(length)
        if length > 1:
            places = np.where(places < 0, places + rows * length, places)
        np.add.at(y.reshape(-1), places.reshape(-1), x.reshape(-1))
        return y

    # elementwise --------------------------------------------------------------------------------
    def unary(self, name: str, x: Buffer, out: Buffer = None) -> Buffer:
        token = enter_quiet()
        try:
            y = UNARY[name](x) if out is None else UNARY[name](x, out)
        finally:
            leave_quiet(token)
        return y if y.__class__ is np.ndarray else np.asarray(y)

    def binary(self, name: str, a: Any, b: Any, out: Buffer = None) -> Buffer:
        token = enter_quiet()
        try:
            y = BINARY[name](a, b) if out is None else BINARY[name](a, b, out)
        finally:
            leave_quiet(token)
        return y if y.__class__ is np.ndarray else np.asarray(y)

    def where(self, condition: Buffer, a: Any, b: Any, out: Buffer = None) -> Buffer:
        if condition.size > FEW:
            return select(condition, a, b, out)
        dtype = (a if isinstance(a, np.ndarray) else b).dtype
        return stored(np.where(condition, a, b).astype(dtype, copy=False), out)

    @quietly
    def cast(self, x: Buffer, dtype: str, out: Buffer = None) -> Buffer:
        return stored(x.astype(dtype), out)

    # reductions ---------------------------------------------------------------------------------
    @quietly
    def reduce(self, name: str, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        if name == "sum" and x.dtype.kind == "f" and x.size > FEW:
            x, axes = _sum_lines(x, axes)
        return np.asarray(REDUCE[name](x, axis=axes, dtype=x.dtype, out=out))

    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return np.asarray((np.argmax if name == "argmax" else np.argmin)(x, axis=axis, out=out))

    @quietly
    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return (np.cumsum if name == "cumsum" else np.cumprod)(x, axis, x.dtype, out)

    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        if not descending:
            return stored(np.argsort(x, axis, kind="stable"), out)
        order = np.argsort(np.flip(x, axis), axis, kind="stable")
        return stored(np.ascontiguousarray(np.flip(x.shape[axis] - 1 - order, axis)), out)

    # the rest -----------------------------------------------------------------------------------
    @quietly
    def matmul(
        self,
        a: Buffer,
        b: Buffer,
        transpose_a: bool = False,
        transpose_b: bool = False,
        out: Buffer = None,
    ) -> Buffer:
        left = a.swapaxes(-1, -2) if transpose_a else a
        right = b.swapaxes(-1, -2) if transpose_b else b
        if b.ndim > 2 or a.ndim == 2 or transpose_a:
            return np.matmul(left, right, out)
        shape = (*a.shape[:-1], right.shape[-1])  # one matrix on the right: one product for all
        y = room(shape, a.dtype) if out is None else out
        rows = prod(shape[:-1])
        np.matmul(a.reshape(rows, a.shape[-1]), right, y.reshape(rows, shape[-1]))
        return y

    @quietly
    def linear(
        self,
        x: Buffer,
        w: Buffer,
        b: Buffer | None,
        activation: str | None = None,
        out: Buffer = None,
    ) -> Buffer:
        y = product(x, w.T, out)
        if b is not None:
            np.add(y, b, y)
        return y if activation is None else UNARY[activation](y, y)

    @quietly
    def linear_grad(
        self, g: Buffer, x: Buffer, w: Buffer, needs: tuple[bool, bool, bool]
    ) -> tuple[Buffer | None, Buffer | None, Buffer | None]:
        gx = product(g, w) if needs[0] else None
        gw = product(g.T, x) if needs[1] else None
        gb = np.dot(ones(len(g), g.dtype), g) if needs[2] else None
        return gx, gw, gb

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
        counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
        y = np.empty((n, c * prod(kernel), prod(counts)), x.dtype) if out is None else out
        columns = y.reshape(n * c, prod(kernel), *counts)
        padded = pad_planes(in_planes(x), padding, 0)
        for k, part in enumerate(slices(padded, kernel, stride, dilation, counts)):
            np.copyto(columns[:, k], part)
        return y

    @quietly
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
        y = self.full(shape, 0, str(columns.dtype), out)
        counts = tuple(map(window_count, shape[2:], kernel, stride, padding, dilation))
        parts = columns.reshape(shape[0] * shape[1], prod(kernel), *counts)
        total = pad_planes(in_planes(y), padding, 0)
        for k, place in enumerate(slices(total, kernel, stride, dilation, counts)):
            np.add(place, parts[:, k], out=place)
        if any(map(any, padding)):
            np.copyto(in_planes(y), total[(slice(None), *inside(shape[2:], padding))])
        return y


def _sum_lines(x: Any, axes: Shape) -> tuple[Any, Shape]:
    """x with the axes at its end already summed by BLAS, and the axes that are left.

    Not over longer lines: BLAS adds one after the other, NumPy in pairs, which rounds less.
    """
    rest = x.ndim
    while rest - 1 in axes:
        rest -= 1
    length = prod(x.shape[rest:])
    if not 16 <= length <= 4096:
        return x, axes
    lines = x.reshape(-1, length)
    summed = np.dot(lines, np.ones(length, x.dtype)).reshape(x.shape[:rest])
    return summed, tuple(axis for axis in axes if axis < rest)


def _window(x: Any, shape: Shape, strides: Sequence[int], offset: int) -> Any:
    """A view of x by element strides, which the caller has checked."""
    size = x.itemsize
    start = offset * size if prod(shape) else 0
    return np.ndarray(shape, x.dtype, x, start, [s * size for s in strides])


def _check_rows(indices: Any, rows: int) -> None:
    if indices.size and (indices.max() >= rows or indices.min() < -rows):
        bad = indices[(indices >= rows) | (indices < -rows)][0]
        raise IndexError(f"index {bad} is out of range {-rows} ... {rows - 1}")
