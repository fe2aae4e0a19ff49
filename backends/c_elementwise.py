"""Elementwise methods in C: which function, where the operands lie, whose memory the result is.

An eager step of a small network is made of calls for ten numbers, so the way to C is short: the
function's number is found by two dictionaries, equal shapes are passed as they are, the result is
allocated in the same call, and how other shapes broadcast is worked out once.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from math import prod
from typing import Any

from ..kernels.scalar import BOOL_RESULT
from .c_base import CBase
from .c_library import ffi, lib
from .c_memory import Block
from .defaults.linear import LinearDefaults
from .defaults.loss import LossDefaults
from .tier1 import Buffer, Number, Shape

TYPES = {"float32": 0, "float64": 1, "int32": 2, "int64": 3, "bool": 4}
NULL = ffi.NULL
Table = dict[str, dict[str, tuple[int, str]]]


def table(operands: int) -> Table:
    """By dtype and name: the function's code and the dtype of its result."""
    names = ffi.string(lib.elementwise_names(operands)).decode().split()
    return {
        dtype: {
            name: (code, "bool" if name in BOOL_RESULT else dtype)
            for name, code in zip(names, count(number, len(TYPES)), strict=False)
            if lib.elementwise_exists(operands, code)
        }
        for dtype, number in TYPES.items()
    }


UNARY, BINARY = table(1), table(2)
BINARY["bool"]["add"] = BINARY["bool"]["logical_or"]  # 1 + 1 is 1


@lru_cache(4096)
def plan(*shapes: Shape) -> tuple[Shape, int, Any]:
    """The broadcast shape, its size, and the C kernel's plan (elementwise.c) of the operands.

    Neighbouring axes become one where every operand moves through both as through one.
    """
    axes = max(map(len, shapes))
    padded = [(1,) * (axes - len(shape)) + shape for shape in shapes]
    shape = tuple(max(sizes) if 0 not in sizes else 0 for sizes in zip(*padded, strict=True))
    merged: list[tuple[int, list[int]]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        strides = [prod(own[axis + 1 :]) if own[axis] > 1 else 0 for own in padded]
        if merged and merged[-1][1] == [size * stride for stride in strides]:
            size *= merged.pop()[0]
        merged.append((size, strides))
    length, steps = merged.pop() if merged else (1, [1] * len(shapes))
    numbers = [length, sum((step > 0) << k for k, step in enumerate(steps)), len(merged)]
    numbers += [size for size, _ in merged]
    for k in range(len(shapes)):
        numbers += [strides[k] for _, strides in merged]
    return shape, prod(shape), ffi.new("int64_t[]", numbers)


class CElementwise(CBase, LinearDefaults, LossDefaults):
    """Tier 1's elementwise methods, and the fused ones."""

    def unary(self, name: str, x: Buffer, out: Buffer = None) -> Buffer:
        code, dtype = UNARY[x.dtype][name]
        if out is None:
            data = self.c.elementwise_unary(code, NULL, x.data, x.size)
            return self.result(data, x.shape, x.size, dtype)
        self.c.elementwise_unary(code, out.data, x.data, x.size)
        return out

    def binary(self, name: str, a: Any, b: Any, out: Buffer = None) -> Buffer:
        if a.__class__ is not Block:
            return self._with_number(name, b, a, 2, out)
        if b.__class__ is not Block:
            return self._with_number(name, a, b, 1, out)
        code, dtype = BINARY[a.dtype][name]
        shape, size = a.shape, a.size
        to = NULL if out is None else out.data
        if shape == b.shape:
            data = self.c.elementwise_binary(code, to, a.data, b.data, size, 3)
        else:
            shape, size, how = plan(shape, b.shape)
            if size == 0:
                return self.empty(shape, dtype) if out is None else out
            data = self.c.elementwise_broadcast(code, to, a.data, b.data, how)
        return self.result(data, shape, size, dtype) if out is None else out

    def _with_number(self, name: str, x: Buffer, number: Number, side: int, out: Buffer) -> Buffer:
        """`binary` of x, which is operand `side`, and a plain number."""
        code, dtype = BINARY[x.dtype][name]
        real, whole = (number, 0) if x.dtype in ("float32", "float64") else (0.0, int(number))
        to = NULL if out is None else out.data
        data = self.c.elementwise_number(code, to, x.data, real, whole, x.size, side)
        return self.result(data, x.shape, x.size, dtype) if out is None else out

    def where(
        self, condition: Buffer, a: Buffer | Number, b: Buffer | Number, out: Buffer = None
    ) -> Buffer:
        dtype = (a if a.__class__ is Block else b).dtype  # type: ignore[union-attr]
        left: Any = a if a.__class__ is Block else self.full((), a, dtype)
        right: Any = b if b.__class__ is Block else self.full((), b, dtype)
        shape, size, how = plan(condition.shape, left.shape, right.shape)
        if size == 0:
            return self.empty(shape, dtype) if out is None else out
        to = NULL if out is None else out.data
        data = self.c.elementwise_where(
            TYPES[dtype], to, condition.data, left.data, right.data, how
        )
        return self.result(data, shape, size, dtype) if out is None else out

    def cast(self, x: Buffer, dtype: str, out: Buffer = None) -> Buffer:
        to = NULL if out is None else out.data
        data = self.c.elementwise_cast(TYPES[x.dtype], TYPES[dtype], to, x.data, x.size)
        return self.result(data, x.shape, x.size, dtype) if out is None else out

    def full(self, shape: Shape, value: Number, dtype: str, out: Buffer = None) -> Buffer:
        size = prod(shape)
        y = self.empty(shape, dtype) if out is None else out
        real, whole = (value, 0) if dtype in ("float32", "float64") else (0.0, int(value))
        self.c.elementwise_full(TYPES[dtype], y.data, real, whole, size)
        return y

    def bias_activation(self, x: Buffer, b: Buffer, name: str, out: Buffer = None) -> Buffer:
        code, dtype = UNARY[x.dtype][name]
        if dtype != x.dtype:
            return super().bias_activation(x, b, name, out)
        to = NULL if out is None else out.data
        data = self.c.elementwise_bias(code, to, x.data, b.data, *x.shape)
        return self.result(data, x.shape, x.size, dtype) if out is None else out

    def binary_cross_entropy(self, x: Buffer, t: Buffer, out: Buffer = None) -> Buffer:
        return self.binary("binary_cross_entropy", x, t, out)
