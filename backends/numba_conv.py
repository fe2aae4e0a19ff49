"""Convolution on the Numba backend: the sizes that its kernels are called with."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numba import config

from ..kernels.numba_cpu import conv, conv_depthwise, conv_weight
from ..kernels.numba_cpu.conv_micro import prepare
from ..kernels.numba_cpu.conv_window import SLACK, Window, pack_weights
from ..kernels.numba_cpu.gemm_micro import MR
from ..kernels.numba_cpu.toolchain import threads
from . import numba_conv_ways
from .defaults.conv import ConvDefaults
from .defaults.layout import LayoutDefaults
from .numba_conv_batch import Call
from .numba_matmul import FLOATS
from .numba_memory import empty
from .tier1 import Buffer, Pairs, Shape, window_count

BLOCK = 320  # products summed at a time
BAND = 1 << 19  # bytes of a source, and of its sums, that one thread works on
FEW_TASKS = 4
CHANNELS = 32  # whose weights' gradient is computed at a time
POSITIONS = 384  # over which it is summed at a time
STRIP = 16  # numbers from column to column of a packed strip, at most
LINE = 64  # bytes of a line of the cache
LOCAL = threading.local()


def workers() -> tuple[int, bool, int]:
    """How kernels are called that cut their work into one part for each thread."""
    count = threads()
    return count, True, count


class Plan(NamedTuple):
    """A product with shifted images: its sizes, its shifts in bytes, the memory it needs."""

    window: Window
    table: Any
    room: int  # numbers for each thread
    packed: int  # numbers of the packed weights
    blocks: int  # of the depth


def rooms(dtype: Any, size: int) -> Any:
    """This thread's memory (threads, at least size): zeros at first, so no number in it is odd.

    Each row begins a line of the cache: a vector that lies in two takes twice as long.
    """
    prepare(FLOATS[dtype.char])
    held: dict[str, Any] = getattr(LOCAL, "held", {})
    if dtype.char not in held or held[dtype.char].shape[1] < size:
        line, most = LINE // dtype.itemsize, vars(config)["NUMBA_NUM_THREADS"]
        width = -(-size // line) * line
        memory = np.zeros(most * width + line, dtype)
        first = -memory.ctypes.data % LINE // dtype.itemsize
        held[dtype.char] = memory[first : first + most * width].reshape(most, width)
        LOCAL.held = held
    return held[dtype.char]


def band_rows(down: int, row_bytes: int, tasks: int) -> int:
    """Rows of positions in a band, all bands nearly equal: by memory, and enough of them."""
    rows = max(1, min(down, BAND // max(row_bytes, 1)))
    bands = max(-(-down // rows), min(down, -(-FEW_TASKS // tasks)))
    return -(-down // bands)


def shifts(window: Window, places: Sequence[Shape], channels: int, itemsize: int) -> Any:
    """The table: for each channel and each place in a window, where the spread image is read."""
    w = window
    area = w.lines * w.line
    table = []
    for c, (i, j) in product(range(channels), places):
        phase = (c * w.phases_h + i % w.stride_h) * w.phases_w + j % w.stride_w
        table.append((phase * area + i // w.stride_h * w.line + j // w.stride_w) * itemsize)
    return np.array(table, np.int64)


def packed_size(window: Window, blocks: int) -> int:
    strips = -(-window.outputs // MR)
    return window.groups * blocks * (strips * window.block + 16) * STRIP + SLACK


def make_plan(
    images: int,
    groups: int,
    channels: int,
    size: Shape,
    outputs: int,
    places: Sequence[Shape],
    taps: int,
    counts: Shape,
    stride: Shape,
    pad: Shape,
    itemsize: int,
) -> Plan:
    """A plan for windows whose elements lie at `places`; blocks of the depth hold whole `taps`."""
    span = [max(axis) for axis in zip(*places)]
    phases = [min(s, n + 1) for s, n in zip(stride, span)]
    extra = [n // s for s, n in zip(stride, span)]
    depth, line = channels * len(places), counts[1] + extra[1]
    planes = channels * phases[0] * phases[1]
    row_bytes = (planes if line == counts[1] else max(planes, outputs)) * line * itemsize
    rows = band_rows(counts[0], row_bytes, images * groups)
    pieces = depth // taps
    blocks = -(-pieces // max(1, BLOCK // taps))
    sizes = (images, groups, channels, *size, outputs, depth, -(-pieces // blocks) * taps)
    grid = (counts[1], counts[0], rows, line, rows + extra[0])
    plane = phases[0] * phases[1] * (rows + extra[0]) * line
    room = channels * plane + outputs * rows * line + 2 * SLACK
    together = max(
        1, min(images // vars(config)["NUMBA_NUM_THREADS"], 2 * BAND // (room * itemsize))
    )
    window = Window._make((*sizes, *grid, *stride, *pad, *phases, together))
    table = shifts(window, places, channels, itemsize)
    blocks = -(-pieces // (window.block // taps))
    return Plan(window, table, together * room, packed_size(window, blocks), blocks)


@lru_cache(512)
def forward_plan(
    x: Shape, w: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int, itemsize: int
) -> Plan:
    places = [(k * dilation[0], q * dilation[1]) for k, q in product(*map(range, w[2:]))]
    counts = tuple(map(window_count, x[2:], w[2:], stride, padding, dilation))
    pad = (padding[0][0], padding[1][0])
    return make_plan(
        x[0], groups, w[1], x[2:], w[0] // groups, places, 1, counts, stride, pad, itemsize
    )


class Back(NamedTuple):
    """The plan of a gradient for x, its classes, and the sizes of kernel and taps."""

    plan: Plan
    classes: Shape
    sizes: Shape


@lru_cache(512)
def back_plan(
    g: Shape,
    w: Shape,
    x: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    itemsize: int,
) -> Back:
    """g is the source; tap u of a class reads it u * dilation places before the position."""
    taps = tuple(-(-k // s) for k, s in zip(w[2:], stride))
    spans = [(t - 1) * d for t, d in zip(taps, dilation)]
    starts = [lo // s for (lo, _), s in zip(padding, stride)]
    rest = [lo - i * s for (lo, _), s, i in zip(padding, stride, starts)]
    counts = tuple((n - 1 + q) // s + 1 for n, q, s in zip(x[2:], rest, stride))
    pad = tuple(span - i for span, i in zip(spans, starts))
    places = [
        tuple(span - u * d for span, u, d in zip(spans, tap, dilation))
        for tap in product(*map(range, taps))
    ]
    outputs = w[1] * prod(stride)
    plan = make_plan(
        g[0], groups, w[0] // groups, g[2:], outputs, places, len(places), counts,
        (1, 1), pad, itemsize,
    )  # fmt: skip
    return Back(plan, (*stride, *rest), (*w[2:], *taps))


class Weights(NamedTuple):
    """How the gradient for the weights is computed."""

    window: Window
    table: Any
    block: int
    rows: int
    chunks: int
    room: int


@lru_cache(512)
def weight_plan(
    x: Shape, w: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int, itemsize: int
) -> Weights:
    window = forward_plan(x, w, stride, padding, dilation, groups, itemsize).window
    channels, extra = w[1], window.lines - window.rows
    block = min(channels, CHANNELS)
    phases = window.phases_h * window.phases_w
    rows = band_rows(window.down, block * phases * window.line * itemsize, FEW_TASKS)
    window = window._replace(rows=rows, lines=rows + extra)
    places = [(k * dilation[0], q * dilation[1]) for k, q in product(*map(range, w[2:]))]
    table = shifts(window, places, channels, itemsize)
    some = max(1, min(rows, POSITIONS // window.across))
    chunks = max(1, min(x[0], 8 // (groups * -(-channels // block))))
    strips = -(-window.outputs // MR) * STRIP
    room = (
        block * phases * window.lines * window.line + some * window.across * (32 + strips)
        + 16 * STRIP + 3 * SLACK
    )  # fmt: skip
    return Weights(window, table, block, some, chunks, room)


class Depthwise(NamedTuple):
    """How planes are spread for a depthwise convolution, and its sizes."""

    window: Window
    sizes: Shape
    room: int


@lru_cache(512)
def depthwise_plan(
    x: Shape, y: Shape, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape
) -> Depthwise:
    """x (N, C, H, W) is the source of y (N, C, down, across)."""
    spans = [(k - 1) * d for k, d in zip(kernel, dilation)]
    lines, line = ((n - 1) * s + span + 1 for n, s, span in zip(y[2:], stride, spans))
    sizes = (x[0], x[1], 1, *x[2:], 1, prod(kernel), 1, y[3], y[2], y[2], line, lines)
    window = Window._make((*sizes, 1, 1, *pad, 1, 1, 1))
    return Depthwise(window, (*y[2:], *kernel, *stride, *dilation), 2 * lines * line + 2 * SLACK)


def is_depthwise(channels: int, w: Shape, stride: Shape, groups: int) -> bool:
    return groups == channels and w[:2] == (groups, 1) and max(stride) <= 2


def two_axes(shape: Shape) -> Shape:
    """(N, C, L) as (N, C, 1, L)."""
    return shape if len(shape) == 4 else (*shape[:2], 1, shape[2])


class NumbaConv(ConvDefaults, LayoutDefaults):
    """Overrides of the convolutions with one or two spatial axes."""

    def conv(
        self,
        x: Buffer,
        w: Buffer,
        b: Buffer | None,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        activation: str | None = None,
        out: Buffer = None,
    ) -> Buffer:
        if x.ndim > 4 or x.size * w.size == 0 or x.dtype.char not in FLOATS:
            return super().conv(x, w, b, stride, padding, dilation, groups, activation, out)
        counts = tuple(map(window_count, x.shape[2:], w.shape[2:], stride, padding, dilation))
        y = empty((x.shape[0], w.shape[0], *counts), x.dtype) if out is None else out
        if y.size == 0:
            return y
        geometry = widened(stride, padding, dilation)
        if is_depthwise(x.shape[1], w.shape, stride, groups):
            depth = depthwise_plan(*map(two_axes, (x.shape, y.shape)), *small(w, *geometry))
            room, flat = rooms(x.dtype, depth.room), w.reshape(-1)
            bias = flat if b is None else b
            given = (x.reshape(-1), flat, bias, b is not None, depth.sizes, False)
            conv_depthwise.weigh(*workers(), y.reshape(-1), *given, depth.window, room)
            return y if activation is None else self.unary(activation, y, y)
        shapes = two_axes(x.shape), two_axes(w.shape), two_axes(y.shape)
        call = Call(self.transpose, rooms, workers())
        if numba_conv_ways.convolve(y, x, w, b, shapes, geometry, groups, call):
            return y if activation is None else self.unary(activation, y, y)
        plan = forward_plan(two_axes(x.shape), two_axes(w.shape), *geometry, groups, x.itemsize)
        room, packed = rooms(x.dtype, plan.room), empty((plan.packed,), x.dtype)
        flat = w.reshape(-1)
        pack_weights(groups * plan.blocks, True, packed, flat, plan.window)
        bias = flat if b is None else b
        arrays = y.reshape(-1), x.reshape(-1), packed, bias, b is not None, plan.table
        conv.forward(*workers(), *arrays, plan.window, room)
        return y if activation is None else self.unary(activation, y, y)

    def conv_input_grad(
        self,
        g: Buffer,
        w: Buffer,
        x_shape: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        out: Buffer = None,
    ) -> Buffer:
        mixed = any(s > 1 and d > 1 for s, d in zip(stride, dilation))
        nothing = g.size * w.size * prod(x_shape) == 0
        if g.ndim > 4 or mixed or nothing or g.dtype.char not in FLOATS:
            return super().conv_input_grad(g, w, x_shape, stride, padding, dilation, groups, out)
        gx = empty(x_shape, g.dtype) if out is None else out
        shapes = two_axes(g.shape), two_axes(w.shape), two_axes(x_shape)
        geometry = widened(stride, padding, dilation)
        if is_depthwise(x_shape[1], w.shape, stride, groups) and max(stride) == 1:
            kernel, _, pad, far = small(w, *geometry)
            before = tuple((k - 1) * d - p for k, d, p in zip(kernel, far, pad))
            depth = depthwise_plan(shapes[0], shapes[2], kernel, (1, 1), before, far)
            room, flat = rooms(g.dtype, depth.room), w.reshape(-1)
            given = (g.reshape(-1), flat, flat, False, depth.sizes, True)
            conv_depthwise.weigh(*workers(), gx.reshape(-1), *given, depth.window, room)
            return gx
        whole, call = (shapes[2], shapes[1], shapes[0]), Call(self.transpose, rooms, workers())
        if numba_conv_ways.input_grad(gx, g, w, whole, geometry, groups, call):
            return gx
        plan, classes, sizes = back_plan(*shapes, *geometry, groups, g.itemsize)
        room, packed = rooms(g.dtype, plan.room), empty((plan.packed,), g.dtype)
        tasks = groups * plan.blocks * -(-plan.window.outputs // MR)
        conv.pack_turned(tasks, True, packed, w.reshape(-1), plan.window, classes, sizes)
        flat, size = (gx.reshape(-1), g.reshape(-1)), shapes[2][2:]
        conv.input_grad(*workers(), *flat, packed, plan.table, plan.window, room, classes, *size)
        return gx

    def conv_weight_grad(
        self,
        x: Buffer,
        g: Buffer,
        w_shape: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int,
        out: Buffer = None,
    ) -> Buffer:
        if g.ndim > 4 or g.size * x.size * prod(w_shape) == 0 or g.dtype.char not in FLOATS:
            return super().conv_weight_grad(x, g, w_shape, stride, padding, dilation, groups, out)
        gw = empty(w_shape, g.dtype) if out is None else out
        shapes = two_axes(x.shape), two_axes(w_shape)
        geometry = widened(stride, padding, dilation)
        if is_depthwise(x.shape[1], w_shape, stride, groups) and max(stride) == 1:
            depth = depthwise_plan(shapes[0], two_axes(g.shape), *small(gw, *geometry))
            room = rooms(g.dtype, depth.room)
            flat = gw.reshape(-1), x.reshape(-1), g.reshape(-1)
            conv_depthwise.weight_grad(*workers(), *flat, depth.sizes, depth.window, room)
            return gw
        whole, call = (*shapes, two_axes(g.shape)), Call(self.transpose, rooms, workers())
        if numba_conv_ways.weight_grad(gw, x, g, whole, geometry, groups, call):
            return gw
        plan = weight_plan(*shapes, *geometry, groups, g.itemsize)
        parts = gw.reshape(1, -1) if plan.chunks == 1 else empty((plan.chunks, gw.size), g.dtype)
        conv_weight.weight_grad(
            *workers(), parts, x.reshape(-1), g.reshape(-1), plan.table, plan.window,
            plan.block, plan.rows, rooms(g.dtype, plan.room),
        )  # fmt: skip
        if plan.chunks > 1:
            conv_weight.add_parts(-(-gw.size // conv_weight.PIECE), True, gw.reshape(-1), parts)
        return gw


def small(w: Any, stride: Shape, padding: Pairs, dilation: Shape) -> tuple[Shape, ...]:
    """Kernel, stride, padding before, dilation."""
    return two_axes(w.shape)[2:], stride, tuple(lo for lo, _ in padding), dilation


def widened(stride: Shape, padding: Pairs, dilation: Shape) -> tuple[Shape, Pairs, Shape]:
    """The geometry of one spatial axis as that of two."""
    if len(stride) == 2:
        return stride, padding, dilation
    return (1, *stride), ((0, 0), *padding), (1, *dilation)
