"""Convolution in NumPy: windows copied into a block of columns, one matrix product for each block.

    for each block of images:
        padded[c, n, :]     = channel c of image n between zeros
        columns[c, k, n, p] = padded[c, n, p * stride + k * dilation]      one strided copy
        y[o, n, p]          = sum_{c, k} w[o, c, k] columns[c, k, n, p]    one GEMM
        out[n, o, p]        = y[o, n, p] + b[o]

A block is as many images as keep the columns in the second-level cache: all columns of a ResNet's
first layer take 38 MB, and to write and read those in memory costs as much as the product.

With stride 1, p runs over whole *padded* rows. Then element k of every window is the flat image
shifted by one number, so each row of the columns is one long run in place of many short ones. The
positions between the end of a row and its padding mean nothing: they are computed and dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .defaults.conv import ConvDefaults
from .numpy_functions import quietly
from .numpy_pointwise import (
    is_pointwise,
    pointwise,
    pointwise_input_grad,
    pointwise_weight_grad,
)
from .numpy_windows import stored
from .tier1 import Buffer, Pairs, Shape, window_count

BLOCK_BYTES = 1 << 19
FOLD_BYTES = 1 << 21  # to fold takes longer runs
LARGEST_WASTE = 1.5  # positions computed over positions kept, for the sake of long runs
FOLDING_COST = 2.5  # of adding an element of a column back, over copying one


class Plan(NamedTuple):
    """The sizes of one convolution, and where its windows lie."""

    groups: int
    kernel: Shape
    padded: Shape  # of an image with its padding
    inside: tuple[slice, ...]  # the image in it
    counts: Shape  # of window positions
    grid: Shape  # of positions computed: the counts, or more in long runs
    kept: tuple[slice, ...]  # the counts in the grid
    walk: Shape  # the grid as it is walked: itself, or one run of numbers
    taps: Shape  # numbers between one element of a window and the next, per axis
    steps: Shape  # numbers between one position of the walk and the next, per axis
    images: int  # in a block


@lru_cache(maxsize=512)
def make_plan(
    x_shape: Shape,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    itemsize: int,
    block_bytes: int,
) -> Plan:
    """Decide how the windows are walked and how many images make a block."""
    n, channels, *size = x_shape
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    padded = tuple(m + lo + hi for m, (lo, hi) in zip(size, padding))
    rows = [prod(padded[axis + 1 :]) for axis in range(len(padded))]
    grid, walk, steps = counts, counts, tuple(r * s for r, s in zip(rows, stride))
    long = (counts[0], *padded[1:])
    if set(stride) == {1} and prod(long) <= LARGEST_WASTE * prod(counts):
        grid, steps = long, (1,)
        walk = (1 + sum((m - 1) * r for m, r in zip(counts, rows)),)
    blocks = max(1, round(n * channels * prod(kernel) * prod(grid) * itemsize / block_bytes))
    return Plan(
        groups=groups,
        kernel=kernel,
        padded=padded,
        inside=tuple(slice(lo, lo + m) for m, (lo, _) in zip(size, padding)),
        counts=counts,
        grid=grid,
        kept=tuple(slice(0, m) for m in counts),
        walk=walk,
        taps=tuple(r * d for r, d in zip(rows, dilation)),
        steps=steps,
        images=-(-n // min(n, blocks)),
    )


class Columns:
    """The columns of one block of images, and the padded images that they are copied from."""

    def __init__(self, plan: Plan, channels: int, images: int, dtype: Any) -> None:
        self.plan = plan
        self.data: Any = np.empty((channels, *plan.kernel, images, prod(plan.grid)), dtype)
        walked = prod(plan.walk)
        self.data[..., walked:] = 0  # dropped later, but a nan would spread
        self.target: Any = self.data[..., :walked].reshape(*self.data.shape[:-1], *plan.walk)
        padded: Any = np.zeros((images, channels, *plan.padded), dtype)
        self.padded, self.inside = padded, padded[(..., *plan.inside)]
        self.source: Any = windows(plan, self.padded)

    def fill(self, x: Any) -> Any:
        """The columns of images x (n, C, *S), as matrices (groups, C/groups * K, n * grid)."""
        if x.shape == self.padded.shape:
            np.copyto(self.target, windows(self.plan, x))
        else:
            np.copyto(self.inside, x)
            np.copyto(self.target, self.source)
        return matrices(self.plan, self.data)


def windows(plan: Plan, padded: Any) -> Any:
    """A view (C, *K, n, *walk) of the windows over padded images (n, C, *padded)."""
    images, channels = padded.shape[:2]
    plane = prod(plan.padded)
    numbers = (plane, *plan.taps, channels * plane, *plan.steps)
    shape = (channels, *plan.kernel, images, *plan.walk)
    return np.ndarray(shape, padded.dtype, padded, 0, [m * padded.itemsize for m in numbers])


def matrices(plan: Plan, x: Any) -> Any:
    """x (channels, ..., n, grid) as one matrix for each group."""
    return x.reshape(plan.groups, -1, x.shape[-2] * x.shape[-1])


class Rows:
    """Outputs of one block of images, or gradients: matrices (groups, O/groups, n * grid)."""

    def __init__(self, plan: Plan, channels: int, images: int, dtype: Any) -> None:
        data: Any = np.zeros((channels, images, prod(plan.grid)), dtype)
        self.matrices = matrices(plan, data)
        grid: Any = data.reshape(channels, images, *plan.grid)
        self.kept = grid[(..., *plan.kept)].swapaxes(0, 1)  # (n, O, *counts)


def blocks(
    plan: Plan, images: int, channels: int, outputs: int, dtype: Any
) -> Iterator[tuple[slice, Columns, Rows]]:
    """The images, a block at a time, each with its work space; blocks of one size share it."""
    columns: Any = None
    rows: Any = None
    size = 0
    for at in range(0, images, plan.images):
        part = slice(at, min(at + plan.images, images))
        if part.stop - at != size:
            size = part.stop - at
            columns = Columns(plan, channels, size, dtype)
            rows = Rows(plan, outputs, size, dtype)
        yield part, columns, rows


class NumpyConv(ConvDefaults):
    """Overrides of the convolutions."""

    @quietly
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
        if 0 in x.shape or 0 in w.shape:
            return super().conv(x, w, b, stride, padding, dilation, groups, activation, out)
        n, outputs = x.shape[0], w.shape[0]
        geometry = (stride, padding, dilation, groups)
        plan = make_plan(x.shape, w.shape[2:], *geometry, x.itemsize, BLOCK_BYTES)
        y = np.empty((n, outputs, *plan.counts), x.dtype) if out is None else out
        if is_pointwise(w.shape, padding):
            pointwise(x, w, b, stride, groups, y)
            return y if activation is None else self.unary(activation, y, y)
        weight = w.reshape(groups, outputs // groups, -1)
        bias = None if b is None else b.reshape(-1, *(1,) * len(plan.counts))
        for part, columns, rows in blocks(plan, n, x.shape[1], outputs, x.dtype):
            np.matmul(weight, columns.fill(x[part]), out=rows.matrices)
            if bias is None:
                np.copyto(y[part], rows.kept)
            else:
                np.add(rows.kept, bias, out=y[part])
            if activation is not None:
                self.unary(activation, y[part], y[part])
        return y

    @quietly
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
        """The same columns times g; as columns g^T, which BLAS does faster than g columns^T."""
        if 0 in x.shape or 0 in g.shape:
            return super().conv_weight_grad(x, g, w_shape, stride, padding, dilation, groups, out)
        if is_pointwise(w_shape, padding):
            return stored(pointwise_weight_grad(x, g, stride, groups).reshape(w_shape), out)
        geometry = (stride, padding, dilation, groups)
        plan = make_plan(x.shape, w_shape[2:], *geometry, x.itemsize, BLOCK_BYTES)
        total: Any = 0
        for part, columns, rows in blocks(plan, len(x), x.shape[1], w_shape[0], x.dtype):
            np.copyto(rows.kept, g[part])
            total += np.matmul(columns.fill(x[part]), rows.matrices.swapaxes(1, 2))
        return stored(np.ascontiguousarray(total.swapaxes(1, 2)).reshape(w_shape), out)

    @quietly
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
        """With stride 1 a convolution of g with the turned kernel, unless folding is less work."""
        if 0 in x_shape or 0 in g.shape:
            return super().conv_input_grad(g, w, x_shape, stride, padding, dilation, groups, out)
        gx = np.empty(x_shape, g.dtype) if out is None else out
        if is_pointwise(w.shape, padding):
            return pointwise_input_grad(g, w, stride, groups, gx)
        spans = [d * (k - 1) for d, k in zip(dilation, w.shape[2:])]
        pairs = tuple((s - lo, s - hi) for s, (lo, hi) in zip(spans, padding))
        less = prod(g.shape[1:2] + x_shape[2:]) <= FOLDING_COST * prod(x_shape[1:2] + g.shape[2:])
        if less and set(stride) == {1} and min(map(min, pairs)) >= 0:
            weight = turned(w, groups)
            return self.conv(g, weight, None, stride, pairs, dilation, groups, None, gx)
        geometry = (stride, padding, dilation, groups)
        plan = make_plan(x_shape, w.shape[2:], *geometry, g.itemsize, FOLD_BYTES)
        return fold_product(plan, g, w, gx)


def turned(w: Any, groups: int) -> Any:
    """w (O, C/groups, *K) as (C, O/groups, *K) with the window's axes reversed."""
    outputs, channels, *kernel = w.shape
    grouped = w.reshape(groups, outputs // groups, channels, *kernel).swapaxes(1, 2)
    back = grouped[(..., *(slice(None, None, -1) for _ in kernel))]
    return np.ascontiguousarray(back).reshape(groups * channels, outputs // groups, *kernel)


def fold_product(plan: Plan, g: Any, w: Any, gx: Any) -> Any:
    """gx from the columns w^T g: each is added back to where its windows lie."""
    weight = w.reshape(plan.groups, w.shape[0] // plan.groups, -1).swapaxes(1, 2)
    for part, columns, rows in blocks(plan, len(g), gx.shape[1], g.shape[1], g.dtype):
        np.copyto(rows.kept, g[part])
        np.matmul(weight, rows.matrices, out=matrices(plan, columns.data))
        columns.padded.fill(0)
        for k in product(*map(range, plan.kernel)):
            place = columns.source[(slice(None), *k)]
            np.add(place, columns.target[(slice(None), *k)], out=place)
        np.copyto(gx[part], columns.inside)
    return gx
