"""The NumPy backend: BLAS for products, strided windows for convolution, ufuncs for the rest.

Buffers are C-contiguous ndarrays. This file holds Tier 1; faster Tier 2 methods are in
numpy_structured.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .numpy_functions import BINARY, QUIET, UNARY, quiet
from .numpy_structured import NumpyStructured
from .tier1 import Buffer, Number, Pairs, Shape, window_count

REDUCE: dict[str, Any] = {
    "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
    "any": np.logical_or, "all": np.logical_and,
}
PHILOX_M = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
PHILOX_W = (0x9E3779B9, 0xBB67AE85)


class NumpyBackend(NumpyStructured):
    name = "numpy"

    # memory -------------------------------------------------------------------------------------
    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        if prod(shape) == 0:
            return np.empty(shape, dtype)
        return np.frombuffer(data, dtype).reshape(shape).copy()

    def share(self, data: memoryview, shape: Shape, dtype: str) -> Buffer:
        if prod(shape) == 0:
            return np.empty(shape, dtype)
        return np.frombuffer(data, dtype).reshape(shape)

    def to_host(self, x: Buffer) -> memoryview:
        return memoryview(x.reshape(-1)).toreadonly()

    def dtype(self, x: Buffer) -> str:
        return str(x.dtype)

    def empty(self, shape: Shape, dtype: str) -> Buffer:
        return np.empty(shape, dtype)

    def full(self, shape: Shape, value: Number, dtype: str, out: Buffer = None) -> Buffer:
        if out is None:
            return np.zeros(shape, dtype) if value == 0 else np.full(shape, value, dtype)
        out.fill(value)
        return out

    def reshape(self, x: Buffer, shape: Shape) -> Buffer:
        return x.reshape(shape)

    # layout -------------------------------------------------------------------------------------
    def strided(self, x: Buffer, shape: Shape, strides: Sequence[int], offset: int,
                out: Buffer = None) -> Buffer:
        return _store(_window(x, shape, strides, offset), out)

    def put_strided(self, dst: Buffer, src: Buffer, strides: Sequence[int], offset: int) -> None:
        _window(dst, src.shape, strides, offset)[...] = src

    def gather(self, x: Buffer, indices: Buffer, out: Buffer = None) -> Buffer:
        _check_rows(indices, x.shape[0])
        return np.take(x, indices, axis=0, out=out, mode="wrap" if out is not None else "raise")

    def scatter_add(self, x: Buffer, indices: Buffer, rows: int, out: Buffer = None) -> Buffer:
        _check_rows(indices, rows)
        y = self.full((rows, x.shape[1]), 0, str(x.dtype), out)
        if x.shape[1] == 1 and x.dtype == np.float64:
            counted = np.bincount(indices % max(rows, 1), x[:, 0], rows) if rows else 0.0
            np.copyto(y[:, 0], counted)
        else:
            np.add.at(y, indices, x)
        return y

    # elementwise --------------------------------------------------------------------------------
    def unary(self, name: str, x: Buffer, out: Buffer = None) -> Buffer:
        token = QUIET.enter()
        try:
            y = UNARY[name](x, out)
        finally:
            QUIET.leave(token)
        return y if y.__class__ is np.ndarray else np.asarray(y)

    def binary(self, name: str, a: Any, b: Any, out: Buffer = None) -> Buffer:
        token = QUIET.enter()
        try:
            y = BINARY[name](a, b, out)
        finally:
            QUIET.leave(token)
        return y if y.__class__ is np.ndarray else np.asarray(y)

    def where(self, condition: Buffer, a: Any, b: Any, out: Buffer = None) -> Buffer:
        return _store(np.where(condition, a, b), out)

    def cast(self, x: Buffer, dtype: str, out: Buffer = None) -> Buffer:
        with quiet():
            return _store(x.astype(dtype), out)

    # reductions ---------------------------------------------------------------------------------
    def reduce(self, name: str, x: Buffer, axes: Shape, out: Buffer = None) -> Buffer:
        with quiet():
            return np.asarray(REDUCE[name].reduce(x, axis=axes, dtype=x.dtype, out=out))

    def arg_reduce(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        return np.asarray((np.argmax if name == "argmax" else np.argmin)(x, axis=axis, out=out))

    def scan(self, name: str, x: Buffer, axis: int, out: Buffer = None) -> Buffer:
        with quiet():
            return (np.cumsum if name == "cumsum" else np.cumprod)(x, axis, x.dtype, out)

    def argsort(self, x: Buffer, axis: int, descending: bool, out: Buffer = None) -> Buffer:
        if not descending:
            return _store(np.argsort(x, axis, kind="stable"), out)
        order = np.argsort(np.flip(x, axis), axis, kind="stable")
        return _store(np.ascontiguousarray(np.flip(x.shape[axis] - 1 - order, axis)), out)

    # the rest -----------------------------------------------------------------------------------
    def matmul(self, a: Buffer, b: Buffer, transpose_a: bool = False, transpose_b: bool = False,
               out: Buffer = None) -> Buffer:
        with quiet():
            return np.matmul(a.swapaxes(-1, -2) if transpose_a else a,
                             b.swapaxes(-1, -2) if transpose_b else b, out)

    def unfold(self, x: Buffer, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape,
               out: Buffer = None) -> Buffer:
        n, c = x.shape[:2]
        view = self.windows(x, kernel, stride, padding, dilation)
        length = prod(view.shape[2 + len(kernel) :])
        return _store(np.ascontiguousarray(view).reshape(n, c * prod(kernel), length), out)

    def fold(self, columns: Buffer, shape: Shape, kernel: Shape, stride: Shape, padding: Pairs,
             dilation: Shape, out: Buffer = None) -> Buffer:
        counts = tuple(map(window_count, shape[2:], kernel, stride, padding, dilation))
        parts = columns.reshape(*shape[:2], *kernel, *counts)
        return self.overlap_add(parts, shape, kernel, stride, padding, dilation, out)

    def random_bits(self, key: int, counter: int, count: int, out: Buffer = None) -> Buffer:
        blocks = -(-count // 4)
        words = _philox(key, counter, blocks)
        return _store(words.reshape(-1)[:count].copy(), out)


def _store(y: Any, out: Any) -> Any:
    if out is None:
        return y if y.flags.c_contiguous else np.ascontiguousarray(y)
    np.copyto(out, y)
    return out


def _window(x: Any, shape: Shape, strides: Sequence[int], offset: int) -> Any:
    """A view of x by element strides, which the caller has checked."""
    size = x.itemsize
    return np.ndarray(shape, x.dtype, x, offset * size if prod(shape) else 0, [s * size for s in strides])


def _check_rows(indices: Any, rows: int) -> None:
    if indices.size and (indices.max() >= rows or indices.min() < -rows):
        bad = indices[(indices >= rows) | (indices < -rows)][0]
        raise IndexError(f"index {bad} is out of range {-rows} ... {rows - 1}")


def _philox(key: int, counter: int, blocks: int) -> Any:
    """(blocks, 4) words as int64: ten rounds of two 32x32 -> 64-bit products."""
    mask = np.uint64(0xFFFFFFFF)
    index = np.arange(blocks, dtype=np.uint64)
    low = np.uint64(counter & 0xFFFFFFFFFFFFFFFF)
    first = index + low
    carry = (first < low).astype(np.uint64)
    second = np.uint64((counter >> 64) & 0xFFFFFFFFFFFFFFFF) + carry
    shift = np.uint64(32)
    c = [first & mask, first >> shift, second & mask, second >> shift]
    k = [key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF]
    for _ in range(10):
        p, q = PHILOX_M[0] * c[0], PHILOX_M[1] * c[2]
        c = [(q >> shift) ^ c[1] ^ np.uint64(k[0]), q & mask,
             (p >> shift) ^ c[3] ^ np.uint64(k[1]), p & mask]
        k = [(k[0] + PHILOX_W[0]) & 0xFFFFFFFF, (k[1] + PHILOX_W[1]) & 0xFFFFFFFF]
    return np.stack(c, axis=1).astype(np.int64)

