"""Convolution with images in the lanes, on Numba: which shapes it is for, its plans, its calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..kernels.numba_cpu import conv_lanes as lanes
from ..kernels.numba_cpu import conv_lanes_weight as weight
from ..kernels.numba_cpu.conv_lanes import GAP, SLACK, Lanes
from ..kernels.numba_cpu.conv_weight import PIECE, add_parts
from ..kernels.numba_cpu.gemm_micro import MR, NV
from ..kernels.numba_cpu.gemm_vector import VECTOR
from .numba_memory import empty
from .tier1 import Pairs, Shape

CHANNELS = 1024
GRAD_CHANNELS = 64  # whose weights' gradients are taken in the lanes
ONLY = "f"  # float32: 3 s to compile the other would not come back
PRODUCTS = 100  # fewer in a sum do not pay for turning images
BYTES = 16 << 20  # of a turned block of images, for each thread
PLACES = 24  # that are turned back together
BAND = 1 << 19  # bytes of turned rows that gradients for weights are made of
CHUNKS = 8  # of images, whose gradients are added in order
MOST_WEIGHTS = 5000  # whose sums leave room in the second-level cache
FEW = 1 << 14  # weights that one thread packs faster than two


class Plan(NamedTuple):
    """What conv_lanes.convolve wants to know, and the memory it needs."""

    sizes: Lanes
    starts: Any
    runs: Any
    reach: Any
    whole: Any
    table: Any
    room: int  # numbers for each thread
    packed: int  # numbers of the packed weights


def fits(images: int, inputs: int, outputs: int, taps: int, sources: int, itemsize: int) -> bool:
    """Many images, of which a block leaves each thread some memory.

    Other kernels put places beside each other in a vector, and small images have few: VGG's layers
    of 512 channels and 2 x 2 places took 15.5 ms, and 5.9 in the lanes; 32 images of 256 x 14 x 14,
    where both fill their vectors, still 26.9 and 23.2.
    """
    block = NV * VECTOR // itemsize
    if images < 3 * block // 4 or outputs < 3 or max(inputs, outputs) > CHANNELS:
        return False
    return taps > 1 and inputs * taps >= PRODUCTS and sources * inputs * NV * VECTOR <= BYTES


def meets(size: int, counts: int, kernel: int, stride: int, pad: int, dilation: int) -> Any:
    """(results, taps): which place of an axis of x a tap of a result meets, -1 if none."""
    at = np.arange(counts)[:, None] * stride - pad + np.arange(kernel) * dilation
    return np.where((at >= 0) & (at < size), at, -1)


def meets_back(size: int, counts: int, kernel: int, stride: int, pad: int, dilation: int) -> Any:
    """(places of x, taps from the last on): which result of an axis has it under that tap."""
    at = np.arange(size)[:, None] + pad - np.arange(kernel)[::-1] * dilation
    return np.where((at >= 0) & (at % stride == 0) & (at // stride < counts), at // stride, -1)


def runs_along(met: Any) -> list[list[int]]:
    """[tap, place, taps] of a result: taps side by side that meet places side by side."""
    runs: list[list[int]] = []
    for tap, place in enumerate(met):
        if place >= 0 and tap and place == met[tap - 1] + 1 and met[tap - 1] >= 0:
            runs[-1][2] += 1
        elif place >= 0:
            runs.append([tap, int(place), 1])
    return runs


def all_runs(rows: Any, columns: Any, width: int) -> tuple[Any, Any]:
    """Where the runs of each result begin, and all runs: (place, tap, taps)."""
    along, taps = [runs_along(met) for met in columns], columns.shape[1]
    starts, runs = [0], []
    for row in rows:
        met = [(k, int(y) * width) for k, y in enumerate(row) if y >= 0]
        for runs_here in along:
            runs += [(y + x, k * taps + q, n) for k, y in met for q, x, n in runs_here]
            starts.append(len(runs))
    return np.array(starts, np.int64), np.array(runs, np.int64).reshape(-1, 3)


def whole_windows(rows: Any, columns: Any, width: int) -> tuple[Any, Any]:
    """The first place of results that meet all taps in the commonest way, else -1; that way."""
    places = rows[:, None, :, None] * width + columns[None, :, None, :]
    complete = (rows >= 0).all(1)[:, None] & (columns >= 0).all(1)
    places = places.reshape(*complete.shape, -1)
    offsets = places - places[..., :1]
    if not complete.any():
        return np.full(complete.size, -1), offsets[0, 0]
    way = offsets[complete][0]
    same = complete & (offsets == way).all(-1)
    return np.where(same, places[..., 0], -1).reshape(-1), way


def reached(rows: Any, width: int) -> Any:
    """For each row of results, from which place of the source to before which it reaches."""
    after = np.maximum.accumulate(rows.max(1) + 1)
    begin = np.where(rows >= 0, rows, after[:, None]).min(1)
    return np.stack([begin, after], 1) * width


@lru_cache(256)
def lanes_plan(
    images: int,
    inputs: int,
    outputs: int,
    x: Shape,
    y: Shape,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    back: bool,
    itemsize: int,
) -> Plan:
    """x, y, kernel: sizes of planes; `back`: from y to x."""
    way, (source, result) = (meets_back, (y, x)) if back else (meets, (x, y))
    axes = zip(x, y, kernel, stride, [lo for lo, _ in padding], dilation)
    rows, columns = (way(*axis) for axis in axes)
    together = min(result[0], -(-PLACES // result[1]))
    wide, sources, taps = NV * VECTOR // itemsize, prod(source), prod(kernel)
    sizes = Lanes(images, inputs, outputs, taps, sources, result[1], result[0], together, wide)
    whole, offsets = whole_windows(rows, columns, source[1])
    step, count = inputs * wide + GAP, together * result[1]
    places = np.concatenate([offsets, np.arange(kernel[1])])
    table = (places[:, None] * step + np.arange(inputs) * wide).reshape(-1) * itemsize
    room = (sources + SLACK) * step + count * (outputs * wide + GAP) + (count + 2 * SLACK) * wide
    return Plan(
        sizes, *all_runs(rows, columns, source[1]), reached(rows, source[1]), whole, table,
        room, outputs * taps * inputs,
    )  # fmt: skip


def convolve(
    y: Any,
    x: Any,
    w: Any,
    b: Any,
    planes: tuple[Shape, Shape, Shape],
    geometry: tuple[Shape, Pairs, Shape],
    room: Callable[[Any, int], Any],
    workers: tuple[int, bool, int],
    back: bool = False,
) -> bool:
    """y = the convolution of x, or with `back` of a gradient x, if it is for these shapes.

    planes: sizes of the images, of the results, and of the kernel, all of the forward pass.
    """
    images, inputs, outputs, taps = x.shape[0], x.shape[1], y.shape[1], prod(planes[2])
    few = not fits(images, inputs, outputs, taps, prod(planes[back]), x.itemsize)
    if x.dtype.char != ONLY or few:
        return False
    flat = w.reshape(-1)
    if not back and any(map(any, geometry[1])) and not lanes.finite(flat):
        return False
    plan = lanes_plan(images, inputs, outputs, *planes, *geometry, back, x.itemsize)
    packed, memory = empty((plan.packed,), x.dtype), room(x.dtype, plan.room)
    by = (taps, taps * outputs) if back else (taps * inputs, taps)
    tasks = taps * -(-outputs // MR)
    lanes.pack(tasks, w.size > FEW, packed, flat, plan.sizes, *by, back)
    bias = flat if b is None else b
    given = y.reshape(-1), x.reshape(-1), packed, bias, b is not None
    tables = plan.starts, plan.runs, plan.reach, plan.whole, plan.table
    lanes.convolve(*workers, *given, *tables, plan.sizes, memory)
    return True


def sum_order(w: Shape) -> Any:
    """The weights in the order in which conv_lanes_weight.add_rows leaves their sums."""
    outputs, channels, rows, columns = w
    numbers = np.arange(prod(w)).reshape(w).transpose(0, 2, 3, 1).reshape(outputs, rows, -1)
    blocks = [
        numbers[o : o + weight.OUTPUTS, k, first : first + weight.LINE].reshape(-1)
        for o in range(0, outputs, weight.OUTPUTS)
        for k in range(rows)
        for first in range(0, columns * channels, weight.LINE)
    ]
    return np.concatenate(blocks)


@lru_cache(256)
def weight_sizes(
    x: Shape, w: Shape, y: Shape, stride: Shape, padding: Pairs, itemsize: int
) -> tuple[weight.Sizes, Any, int, int]:
    """Of a gradient for the weights: sizes, order of sums, chunks, memory of a thread (numbers)."""
    wide, (images, channels, height, width) = VECTOR // itemsize, x
    (down, across), (top, left) = y[2:], (lo for lo, _ in padding)
    line = max((across - 1) * stride[1] + w[3], left + width)
    row = (stride[0] * line * channels + across * w[0]) * VECTOR
    rows = max(1, min(down, (BAND - w[2] * line * channels * VECTOR) // row))
    bands = -(-down // rows)
    rows = -(-down // bands)
    given = images, channels, height, width, w[0], down, across, *w[2:], *stride, top, left
    sizes = weight.Sizes._make((*given, line, rows, wide))
    lines = (rows - 1) * stride[0] + w[2]
    places = (lines * line + wide) * channels + (rows * across + wide) * w[0]
    order, chunks = sum_order(w), min(CHUNKS, -(-images // wide))
    return sizes, order, chunks, (places + prod(w)) * wide


def weight_grad(
    gw: Any,
    x: Any,
    g: Any,
    shapes: tuple[Shape, Shape, Shape],
    stride: Shape,
    padding: Pairs,
    room: Callable[[Any, int], Any],
    workers: tuple[int, bool, int],
) -> bool:
    """gw = the gradient for the weights, if it is for these shapes: of x, weights and g."""
    images, channels, outputs = x.shape[0], x.shape[1], gw.shape[0]
    few = images < 3 * VECTOR // x.itemsize // 2 or outputs < 3
    if x.dtype.char != ONLY or few or max(channels, outputs) > GRAD_CHANNELS:
        return False
    if prod(shapes[1][2:]) == 1 or prod(shapes[1]) > MOST_WEIGHTS:
        return False
    weight.prepare(x.dtype.type)
    sizes, order, chunks, numbers = weight_sizes(*shapes, stride, padding, x.itemsize)
    parts = empty((chunks, gw.size), x.dtype)
    memory = room(x.dtype, numbers)
    weight.weight_grad(*workers, parts, x.reshape(-1), g.reshape(-1), order, sizes, memory)
    add_parts(-(-gw.size // PIECE), gw.size > FEW, gw.reshape(-1), parts)
    return True
