"""Convolution with results of few places, on Numba: for which shapes, its tables, its calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..kernels.numba_cpu import conv_batch as kernels
from ..kernels.numba_cpu.conv_batch import CHANNELS, Batch
from ..kernels.numba_cpu.gemm_micro import MR, NV
from ..kernels.numba_cpu.gemm_vector import VECTOR
from .numba_conv_lanes import meets
from .numba_memory import empty
from .tier1 import Pairs, Shape

Geometry = tuple[Shape, Pairs, Shape]
Turn = Callable[..., Any]
PLACES, IMAGES, LEAST = 4, 8, 16  # at most of a result, at least in a batch, at least channels
WIDE, LANES = NV * VECTOR // 4, VECTOR // 4


def fits(x: Shape, w: Shape, y: Shape, groups: int, dtype: Any) -> bool:
    """Few places, enough images for vectors: shapes of the forward pass, with two axes."""
    return (
        groups == 1
        and prod(y[2:]) <= PLACES
        and prod(x[2:]) <= 4 * PLACES
        and x[0] >= IMAGES
        and min(w[:2]) >= LEAST
        and bool(dtype.char == "f")
    )


class AllPairs(NamedTuple):
    """(place of y, place of x, tap) of each pair, by places of y; the same for the way back."""

    forward: Any
    back: Any
    all_taps: bool  # whether each is in a pair: else nobody would see that one is infinite


@lru_cache(256)
def all_pairs(x: Shape, w: Shape, y: Shape, geometry: Geometry) -> AllPairs:
    """The places that windows join."""
    stride, padding, dilation = geometry
    axes = zip(x[2:], y[2:], w[2:], stride, [lo for lo, _ in padding], dilation)
    rows, columns = (meets(*axis) for axis in axes)
    found = [
        (i * y[3] + j, rows[i, k] * x[3] + columns[j, q], k * w[3] + q)
        for i, j, k, q in np.ndindex(y[2], y[3], w[2], w[3])
        if rows[i, k] >= 0 and columns[j, q] >= 0
    ]
    table = np.array(found, np.int64).reshape(-1, 3)
    back = np.ascontiguousarray(table[:, [1, 0, 2]])
    return AllPairs(table, back, len(np.unique(table[:, 2])) == prod(w[2:]))


def whole(count: int) -> int:
    """Rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def turned(turn: Turn, x: Any, shape: Shape, axes: Shape) -> Any:
    """x of a shape with its axes in another order, flat, and a vector or two behind it."""
    memory = empty((x.size + WIDE,), x.dtype)
    turn(x.reshape(shape), axes, memory[: x.size].reshape([shape[a] for a in axes]))
    return memory


class Call(NamedTuple):
    """What the kernels are called with besides their arrays."""

    turn: Turn  # a backend's transpose
    rooms: Callable[[Any, int], Any]
    workers: tuple[int, bool, int]


def convolve(y: Any, x: Any, w: Any, b: Any, pairs: Any, call: Call, back: bool = False) -> bool:
    """y = the convolution of x, or with `back` of a gradient x; False if one is no number."""
    images, inputs, outputs = x.shape[0], x.shape[1], y.shape[1]
    sources, places, taps = prod(x.shape[2:]), prod(y.shape[2:]), prod(w.shape[2:])
    s = Batch(images, inputs, outputs, sources, places, taps, back)
    block = LANES * (LANES + MR)
    sizes = whole(inputs * taps * whole(MR)) + block, whole(MR * places * images)
    rest = whole(MR * places) * (images + LANES) + block
    room = call.rooms(x.dtype, sum(sizes) + rest)
    source = turned(call.turn, x, (images, inputs * sources), (1, 0))
    strange, bias = np.zeros(call.workers[0], x.dtype), w.reshape(-1) if b is None else b
    given = y.reshape(-1), source, w.reshape(-1), bias, b is not None, pairs, s, sizes
    kernels.convolve(*call.workers, *given, strange, room)
    return not strange.any()


def weight_grad(gw: Any, x: Any, g: Any, pairs: Any, call: Call) -> bool:
    """gw = the gradient for the weights; False if one is no number."""
    (images, inputs), outputs = x.shape[:2], g.shape[1]
    sources, places, taps = prod(x.shape[2:]), prod(g.shape[2:]), prod(gw.shape[2:])
    s = Batch(images, inputs, outputs, sources, places, taps, False)
    size = whole(CHANNELS * taps * WIDE)
    room = call.rooms(x.dtype, size + whole(CHANNELS * taps) * (WIDE + LANES))
    source = turned(call.turn, x, (images, inputs * sources), (1, 0))
    grads = turned(call.turn, g, (images, outputs, places), (2, 0, 1))
    strange = np.zeros(call.workers[0], x.dtype)
    kernels.weight_grad(*call.workers, gw.reshape(-1), source, grads, pairs, s, size, strange, room)
    return not strange.any()
