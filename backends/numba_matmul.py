"""Products of the Numba backend: which kernel of gemm.py a product is for."""

from __future__ import annotations

import threading
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numba import config

from ..kernels.numba_cpu import gemm
from ..kernels.numba_cpu.gemm_block import ROOM, prepare
from ..kernels.numba_cpu.stream import prepare as prepare_stream
from .defaults.linear import LinearDefaults
from .numba_memory import empty
from .numba_plans import broadcast_shape, stretched
from .tier1 import Buffer, Shape

FLOATS = {"f": np.float32, "d": np.float64}
FEW = 1 << 14  # numbers that one thread changes faster than two
LOCAL = threading.local()


def workspace(kind: str) -> Any:
    """This thread's memory for packed operands; to ask for it makes a type's routines ready."""
    try:
        return LOCAL.rooms[kind]
    except (AttributeError, KeyError):
        prepare(FLOATS[kind])
        rooms = getattr(LOCAL, "rooms", {})
        memory = next(iter(rooms.values()), None)
        if memory is None:
            memory = np.empty(vars(config)["NUMBA_NUM_THREADS"] * ROOM, np.uint8)
        LOCAL.rooms = {**rooms, kind: memory}
        return memory


def multiply(y: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
    """y = a b for matrices of floats."""
    work = y.size * (a.shape[0] if transpose_a else a.shape[1])
    if work == 0:
        y.fill(0)
        return y
    gemm.product(y, a, b, transpose_a, transpose_b, workspace(a.dtype.char))
    return y


@lru_cache(64)
def batch_plan(a: Shape, b: Shape) -> tuple[Shape, Any]:
    """The leading axes of a product, and where the operands of each matrix of it begin."""
    shape = broadcast_shape(a[:-2], b[:-2])
    starts = np.zeros((2, *shape), np.int64)
    for line, operand in zip(starts, (a, b)):
        each = prod(operand[-2:])
        for axis, stride in enumerate(stretched(operand[:-2], shape)):
            steps = np.arange(shape[axis], dtype=np.int64) * (stride * each)
            line += steps.reshape(-1, *(1,) * (len(shape) - axis - 1))
    return shape, starts.reshape(2, -1)


class NumbaMatmul(LinearDefaults):
    """Tier 1's product, and the overrides of the affine layer."""

    def matmul(
        self,
        a: Buffer,
        b: Buffer,
        transpose_a: bool = False,
        transpose_b: bool = False,
        out: Buffer = None,
    ) -> Buffer:
        real = a.dtype.char in FLOATS
        if real and a.ndim == 2 and b.ndim == 2:
            shape = (a.shape[transpose_a], b.shape[not transpose_b])
            y = empty(shape, a.dtype) if out is None else out
            return multiply(y, a, b, transpose_a, transpose_b)
        if real and b.ndim == 2 and not transpose_a:  # one matrix on the right: one product
            shape = (*a.shape[:-1], b.shape[not transpose_b])
            y = empty(shape, a.dtype) if out is None else out
            left = a.reshape(prod(shape[:-1]), a.shape[-1])
            multiply(y.reshape(prod(shape[:-1]), shape[-1]), left, b, False, transpose_b)
            return y
        (m, k), n = a.shape[-2:], b.shape[-2 if transpose_b else -1]
        a_row, a_col = k, 1
        if transpose_a:
            m, k, a_row, a_col = k, m, 1, k
        b_row, b_col = (1, k) if transpose_b else (n, 1)
        leading, starts = batch_plan(a.shape, b.shape)
        y = empty((*leading, m, n), a.dtype) if out is None else out
        if y.size * k == 0:
            y.fill(0)
            return y
        sizes = (m, n, k, a_row, a_col, b_row, b_col)
        flat = y.reshape(-1), a.reshape(-1), b.reshape(-1)
        if real:
            gemm.batch(*flat, starts, sizes, workspace(a.dtype.char))
        else:
            gemm.rows(starts.shape[1] * m, True, *flat, starts, *sizes)
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
        if plain or x.dtype.char not in FLOATS or activation not in gemm.ACTIVATIONS:
            return super().linear(x, w, b, activation, out)
        y = empty((x.shape[0], w.shape[0]), x.dtype) if out is None else out
        if y.size == 0 or x.size == 0:
            return super().linear(x, w, b, activation, y)
        code, bias = gemm.ACTIVATIONS[activation], w.reshape(-1) if b is None else b
        gemm.linear(y, x, w, bias, b is not None, code, workspace(x.dtype.char))
        return y

    def bias_activation(self, x: Buffer, b: Buffer, name: str, out: Buffer = None) -> Buffer:
        if x.dtype.char not in FLOATS or name not in gemm.ACTIVATIONS or x.size == 0:
            return super().bias_activation(x, b, name, out)
        y = empty(x.shape, x.dtype) if out is None else out
        lines = max(1, FEW // x.shape[1])
        prepare_stream(FLOATS[x.dtype.char])
        gemm.bias_activation(-(-len(x) // lines), True, y, x, b, gemm.ACTIVATIONS[name], lines)
        return y
