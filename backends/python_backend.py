"""The backend in plain Python: slow, and written to be read and to check the others by."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from math import prod
from typing import Any

from ..kernels.python import (
    elementwise,
    index,
    layout,
    matmul,
    philox,
    reduce,
    sort,
    unfold,
)
from ..kernels.python.store import stored
from ..kernels.scalar import BOOL_RESULT
from .base import Backend, Number, Pairs, Shape, row_major, window_count

TYPECODES = {"float32": "f", "float64": "d", "int32": "i", "int64": "q", "bool": "b"}
FLOATS = ("float32", "float64")


@dataclass(slots=True, eq=False)
class Array:
    """The buffer: numbers in row-major order and how they are to be read."""

    data: array[Any]
    shape: Shape
    dtype: str


class PythonBackend(Backend):
    """Tier 1 over `array.array`; see kernels/python for the loops."""

    name = "python"

    # memory -------------------------------------------------------------------------------------
    def from_host(self, data: memoryview, shape: Shape, dtype: str) -> Array:
        values = array(TYPECODES[dtype])
        values.frombytes(data.tobytes())
        return Array(values, tuple(shape), dtype)

    def to_host(self, x: Array) -> memoryview:
        view: Any = memoryview(x.data).toreadonly()
        if x.dtype == "bool":  # a view of no bytes cannot be cast
            view = view.cast("?") if x.data else memoryview(bytes(1)).cast("?")[:0]
        return view  # type: ignore[no-any-return]

    def dtype(self, x: Array) -> str:
        return x.dtype

    def empty(self, shape: Shape, dtype: str) -> Array:
        return Array(stored(TYPECODES[dtype], [0]) * prod(shape), tuple(shape), dtype)

    def full(self, shape: Shape, value: Number, dtype: str, out: Array | None = None) -> Array:
        out = out or self.empty(shape, dtype)
        out.data[:] = array(out.data.typecode, [self._number(value, dtype)]) * prod(shape)
        return out

    def reshape(self, x: Array, shape: Shape) -> Array:
        return Array(x.data, tuple(shape), x.dtype)

    # layout -------------------------------------------------------------------------------------
    def strided(
        self,
        x: Array,
        shape: Shape,
        strides: Sequence[int],
        offset: int,
        out: Array | None = None,
    ) -> Array:
        out = out or self.empty(shape, x.dtype)
        layout.copy(out.data, x.data, shape, row_major(shape), strides, 0, offset)
        return out

    def put_strided(self, dst: Array, src: Array, strides: Sequence[int], offset: int) -> None:
        layout.copy(dst.data, src.data, src.shape, strides, row_major(src.shape), offset, 0)

    def gather(self, x: Array, indices: Array, out: Array | None = None) -> Array:
        rows, length = x.shape
        out = out or self.empty((*indices.shape, length), x.dtype)
        index.gather(out.data, x.data, indices.data, rows, length)
        return out

    def scatter_add(self, x: Array, indices: Array, rows: int, out: Array | None = None) -> Array:
        length = x.shape[1]
        out = out or self.empty((rows, length), x.dtype)
        index.scatter_add(out.data, x.data, indices.data, rows, length)
        return out

    # elementwise --------------------------------------------------------------------------------
    def unary(self, name: str, x: Array, out: Array | None = None) -> Array:
        table = elementwise.UNARY if x.dtype in FLOATS else elementwise.INTEGER_UNARY
        out = out or self.empty(x.shape, "bool" if name in BOOL_RESULT else x.dtype)
        elementwise.unary(out.data, table[name], x.data)
        return out

    def binary(
        self, name: str, a: Array | Number, b: Array | Number, out: Array | None = None
    ) -> Array:
        dtype, shape = self._common(a, b)
        table = elementwise.BINARY if dtype in FLOATS else elementwise.INTEGER_BINARY
        out = out or self.empty(shape, "bool" if name in BOOL_RESULT else dtype)
        left, right = self._operand(a, dtype, shape), self._operand(b, dtype, shape)
        elementwise.binary(out.data, table[name], left, right)
        return out

    def where(
        self, condition: Array, a: Array | Number, b: Array | Number, out: Array | None = None
    ) -> Array:
        dtype, shape = self._common(a, b)
        shape = broadcast(condition.shape, shape)
        out = out or self.empty(shape, dtype)
        chosen = self._operand(condition, "bool", shape)
        left, right = self._operand(a, dtype, shape), self._operand(b, dtype, shape)
        elementwise.where(out.data, chosen, left, right)
        return out

    def cast(self, x: Array, dtype: str, out: Array | None = None) -> Array:
        out = out or self.empty(x.shape, dtype)
        elementwise.cast(out.data, x.data)
        return out

    # reductions ---------------------------------------------------------------------------------
    def reduce(self, name: str, x: Array, axes: Shape, out: Array | None = None) -> Array:
        kept = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
        out = out or self.empty(kept, x.dtype)
        length = prod(x.shape[axis] for axis in axes)
        reduce.fold(out.data, name, self._moved_last(x, axes).data, length)
        return out

    def arg_reduce(self, name: str, x: Array, axis: int, out: Array | None = None) -> Array:
        out = out or self.empty(x.shape[:axis] + x.shape[axis + 1 :], "int64")
        reduce.arg(out.data, name, self._moved_last(x, (axis,)).data, x.shape[axis])
        return out

    def scan(self, name: str, x: Array, axis: int, out: Array | None = None) -> Array:
        rows = self._moved_last(x, (axis,))
        totals = self.empty(rows.shape, x.dtype)
        reduce.scan(totals.data, name, rows.data, x.shape[axis])
        return self._moved_back(totals, axis, out)

    def argsort(self, x: Array, axis: int, descending: bool, out: Array | None = None) -> Array:
        rows = self._moved_last(x, (axis,))
        order = self.empty(rows.shape, "int64")
        sort.argsort(order.data, rows.data, x.shape[axis], descending)
        return self._moved_back(order, axis, out)

    # the rest -----------------------------------------------------------------------------------
    def matmul(
        self,
        a: Array,
        b: Array,
        transpose_a: bool = False,
        transpose_b: bool = False,
        out: Array | None = None,
    ) -> Array:
        m, k = reversed(a.shape[-2:]) if transpose_a else a.shape[-2:]
        n = b.shape[-2] if transpose_b else b.shape[-1]
        batch = broadcast(a.shape[:-2], b.shape[:-2])
        out = out or self.empty((*batch, m, n), a.dtype)
        starts = self._matrix_starts(a, batch), self._matrix_starts(b, batch)
        matmul.matmul(out.data, a.data, b.data, *starts, m, k, n, transpose_a, transpose_b)
        return out

    def unfold(
        self,
        x: Array,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Array | None = None,
    ) -> Array:
        n, c, *size = x.shape
        table = self._window_table(tuple(size), kernel, stride, padding, dilation)
        length = len(table) // prod(kernel)
        out = out or self.empty((n, c * prod(kernel), length), x.dtype)
        unfold.unfold(out.data, x.data, table, prod(size))
        return out

    def fold(
        self,
        columns: Array,
        shape: Shape,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        out: Array | None = None,
    ) -> Array:
        table = self._window_table(shape[2:], kernel, stride, padding, dilation)
        out = out or self.empty(shape, columns.dtype)
        unfold.fold(out.data, columns.data, table, prod(shape[2:]))
        return out

    def random_bits(self, key: int, counter: int, count: int, out: Array | None = None) -> Array:
        out = out or self.empty((count,), "int64")
        philox.random_bits(out.data, key, counter)
        return out

    # how the kernels want it --------------------------------------------------------------------
    def _number(self, value: Number, dtype: str) -> Number:
        """`value` as an element of dtype would read: 0.1 as a float32 is 0.10000000149..."""
        exact = value if dtype in FLOATS else int(value)
        return stored(TYPECODES[dtype], [exact])[0]  # type: ignore[no-any-return]

    def _common(self, a: Array | Number, b: Array | Number) -> tuple[str, Shape]:
        """Dtype and shape of a computation on two buffers, or on one and a number."""
        if not isinstance(a, Array):
            assert isinstance(b, Array)
            return b.dtype, b.shape
        return a.dtype, broadcast(a.shape, b.shape) if isinstance(b, Array) else a.shape

    def _operand(self, x: Array | Number, dtype: str, shape: Shape) -> Any:
        """One value for each element of `shape`."""
        if not isinstance(x, Array):
            return repeat(self._number(x, dtype))
        return x.data if x.shape == shape else self.expand(x, shape).data

    def _moved_last(self, x: Array, axes: Shape) -> Array:
        order = [axis for axis in range(len(x.shape)) if axis not in axes] + sorted(axes)
        return x if order == list(range(len(order))) else self.transpose(x, tuple(order))

    def _moved_back(self, x: Array, axis: int, out: Array | None) -> Array:
        """x with its last axis moved to `axis`."""
        order = list(range(len(x.shape) - 1))
        order.insert(axis, len(order))
        return self.transpose(x, tuple(order), out)  # type: ignore[no-any-return]

    def _matrix_starts(self, x: Array, batch: Shape) -> list[int]:
        """Where each matrix of x begins in its data, the leading axes broadcast to `batch`."""
        missing = len(batch) + 2 - len(x.shape)
        shape = (1,) * missing + x.shape
        strides = [0 if n == 1 else s for n, s in zip(shape, row_major(shape))][:-2]
        return layout.offsets(batch, strides, 0)  # type: ignore[no-any-return]

    def _window_table(
        self, size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> list[int]:
        counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
        before = [pad[0] for pad in padding]
        table = unfold.window_table(size, kernel, stride, before, counts, dilation)
        return [at for line in table for at in line]


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape that both stretch to."""
    longest = max(len(a), len(b))
    a, b = (1,) * (longest - len(a)) + tuple(a), (1,) * (longest - len(b)) + tuple(b)
    return tuple(y if x == 1 else x for x, y in zip(a, b))
