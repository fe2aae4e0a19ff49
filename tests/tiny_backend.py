"""The smallest backend there can be: Tier 1 and nothing else, each method the shortest way."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from etude.backends.base import Backend, window_count
from etude.kernels import scalar, scalar_integer


def table(name: str, dtype: str) -> dict[str, Any]:
    """The scalar functions of one or two numbers for a dtype."""
    floats, integers = getattr(scalar, name), getattr(scalar_integer, name)
    return floats if dtype.startswith("float") else {**floats, **integers}


def given(y: Any, out: Any, dtype: Any = None) -> Any:
    """y in memory of its own, or in `out`."""
    if out is None:
        return np.array(y, dtype)
    out[...] = y
    return out


def stored(values: list[Any], name: str, dtype: Any) -> Any:
    """The results of a scalar function as an array; what float32 cannot hold is inf there."""
    with np.errstate(over="ignore"):
        return np.array(values, object).astype(bool if name in scalar.BOOL_RESULT else dtype)


class TinyBackend(Backend):
    name = "tiny"

    def from_host(self, data, shape, dtype):
        return np.array(data, dtype).reshape(shape)

    def to_host(self, x):
        return memoryview(x.reshape(-1)).toreadonly()

    def dtype(self, x):
        return str(x.dtype)

    def empty(self, shape, dtype):
        return np.zeros(shape, dtype)

    def full(self, shape, value, dtype, out=None):
        return given(np.full(shape, value, dtype), out)

    def reshape(self, x, shape):
        return x.reshape(shape)

    def places(self, shape, strides, offset):
        grid = np.indices(shape).reshape(len(shape), prod(shape))
        return offset + np.array(strides, int) @ grid

    def strided(self, x, shape, strides, offset, out=None):
        y = x.reshape(-1)[self.places(shape, strides, offset)]
        return given(y.reshape(shape), out)

    def put_strided(self, dst, src, strides, offset):
        dst.reshape(-1)[self.places(src.shape, strides, offset)] = src.reshape(-1)

    def gather(self, x, indices, out=None):
        return given(x[indices], out)

    def scatter_add(self, x, indices, rows, out=None):
        y = np.zeros((rows, x.shape[1]), x.dtype)
        for row, i in zip(x, indices):
            if not -rows <= i < rows:
                raise IndexError(f"index {i} is out of range {-rows} ... {rows - 1}")
            y[i] += row
        return given(y, out)

    def unary(self, name, x, out=None):
        f = table("UNARY", str(x.dtype))[name]
        values = [f(v) for v in x.reshape(-1).tolist()]
        return given(stored(values, name, x.dtype).reshape(x.shape), out)

    def binary(self, name, a, b, out=None):
        dtype = a.dtype if isinstance(a, np.ndarray) else b.dtype
        f = table("BINARY", str(dtype))[name]
        a, b = np.broadcast_arrays(np.asarray(a, dtype), np.asarray(b, dtype))
        values = [f(v, w) for v, w in zip(a.reshape(-1).tolist(), b.reshape(-1).tolist())]
        return given(stored(values, name, dtype).reshape(a.shape), out)

    def where(self, condition, a, b, out=None):
        dtype = a.dtype if isinstance(a, np.ndarray) else b.dtype
        return given(np.where(condition, np.asarray(a, dtype), np.asarray(b, dtype)), out)

    def cast(self, x, dtype, out=None):
        return given(x.astype(dtype), out)

    def reduce(self, name, x, axes, out=None):
        return given(getattr(np, name)(x, axis=axes), out, x.dtype)

    def arg_reduce(self, name, x, axis, out=None):
        return given(getattr(np, name)(x, axis=axis), out)

    def scan(self, name, x, axis, out=None):
        return given(getattr(np, name)(x, axis=axis, dtype=x.dtype), out)

    def argsort(self, x, axis, descending, out=None):
        order = np.argsort(np.flip(x, axis) if descending else x, axis, kind="stable")
        return given(x.shape[axis] - 1 - np.flip(order, axis) if descending else order, out)

    def matmul(self, a, b, transpose_a=False, transpose_b=False, out=None):
        a = np.swapaxes(a, -1, -2) if transpose_a else a
        return given(a @ (np.swapaxes(b, -1, -2) if transpose_b else b), out)

    def windows(self, size, kernel, stride, padding, dilation):
        """For each place of the window in turn, the slices of a padded plane."""
        counts = map(window_count, size, kernel, stride, padding, dilation)
        for place in product(*map(range, counts)):
            starts = [i * s for i, s in zip(place, stride)]
            spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
            yield (..., *(slice(a, a + n, d) for a, n, d in zip(starts, spans, dilation)))

    def unfold(self, x, kernel, stride, padding, dilation, out=None):
        padded = np.pad(x, ((0, 0), (0, 0), *padding))
        rows = (x.shape[0], x.shape[1] * prod(kernel), 1)
        places = self.windows(x.shape[2:], kernel, stride, padding, dilation)
        return given(np.concatenate([padded[w].reshape(rows) for w in places], 2), out)

    def fold(self, columns, shape, kernel, stride, padding, dilation, out=None):
        total = np.pad(np.zeros(shape, columns.dtype), ((0, 0), (0, 0), *padding))
        places = self.windows(shape[2:], kernel, stride, padding, dilation)
        for number, w in enumerate(places):
            total[w] += columns[:, :, number].reshape(total[w].shape)
        inner = (slice(lo, lo + n) for n, (lo, _) in zip(shape[2:], padding))
        return given(total[(..., *inner)], out)

    def random_bits(self, key, counter, count, out=None):
        words = [w for j in range(-(-count // 4)) for w in philox(counter + j, key)]
        return given(np.array(words[:count], np.int64), out)


def philox(counter: int, key: int) -> list[int]:
    """Ten rounds of Philox4x32 (Salmon et al. 2011)."""
    c = [counter >> s & 0xFFFFFFFF for s in (0, 32, 64, 96)]
    k = [key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & 0xFFFFFFFF, p >> 32 ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c
