"""Convolution on the CUDA backend: float32 with one or two spatial axes.

What else there is goes by the defaults, as a product with unfolded columns (defaults/conv.py):
float64, three spatial axes, and images, or a layer's weights, of 2^30 numbers and more, which only
64 bits would count. A batch of more pixels than that is done some images at a time.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from math import prod
from typing import Any

from ..kernels.cuda import conv, conv_weight, depthwise, gemm_split, toolchain
from ..kernels.cuda.divide import divisor
from . import cuda_conv_plans as plans
from .cuda_cuts import MULTIPROCESSORS, up
from .cuda_matmul import ACTIVATIONS
from .cuda_runtime import device, empty, from_host, launch, set_recorder, view
from .defaults.conv import ConvDefaults
from .precision import tile_kind
from .tier1 import Buffer, Pairs, Shape, window_count

MOST = 65535  # blocks of a grid along y and z


def device_table(table: plans.Table) -> Any:
    """A table in the device's memory, kept: a shape's is the same in each step."""
    return table_on(device(), table)


@lru_cache(1024)
def table_on(device: Any, table: plans.Table) -> Any:
    """A table in the memory of one device.

    Made at once also while a recorder writes launches down: it is no part of what they do.
    """
    numbers = array("i", table.numbers or (0,))
    recorder = set_recorder(None)
    try:
        return from_host(memoryview(numbers), (len(numbers),), "int32")
    finally:
        set_recorder(recorder)


def run(
    plan: plans.Pass, y: Buffer, x: Buffer, w: Buffer, b: Buffer | None, activation: str
) -> None:
    """All launches of a forward pass or of a gradient for x."""
    whole = plan.parts == 1
    target = y if whole else empty((plan.parts, y.size), "float32")
    bias, act = (b is not None, activation) if whole else (False, "none")
    for image in plan.images:
        table = device_table(image.table)
        groups, depth, rows = image.packed
        packed = empty((groups * depth * rows,), "float32")
        tiles = up(depth, 32), up(rows, 32), groups
        sizes = image.head[0], len(image.offsets.numbers), rows, depth, plan.w_row, plan.w_group
        pack = conv.pack(toolchain.warps(conv.BLOCK, 2) // 32)
        launch(pack, tiles, packed, w, device_table(image.offsets), *sizes)
        kernel = conv.conv(image.size, image.wide, bias, act)
        launch(kernel, image.grid, target, packed, x, b, table, *image.head, *image.tail)
    if not whole:
        line = prod(y.shape[2:])
        add = gemm_split.add("none" if b is None else "row", activation)
        launch(
            add, up(y.size, gemm_split.BLOCK), y, target, b, y.size, plan.parts, line, y.shape[1], 1
        )


def two_axes(shape: Shape) -> Shape:
    """(N, C, L) as (N, C, 1, L)."""
    return tuple(shape) if len(shape) == 4 else (*shape[:2], 1, shape[2])


def widened(stride: Shape, padding: Pairs, dilation: Shape) -> tuple[Shape, Pairs, Shape]:
    """The geometry of one spatial axis as that of two."""
    if len(stride) == 2:
        return tuple(stride), tuple(padding), tuple(dilation)
    return (1, *stride), ((0, 0), *padding), (1, *dilation)


def part(x: Buffer, begin: int, count: int) -> Buffer:
    """Some images of a batch, where they lie."""
    image = tuple(x.shape[1:])
    return view(x, 4 * begin * prod(image), (min(count, x.shape[0] - begin), *image), "float32")


class CudaConv(ConvDefaults):
    """Overrides of the convolutions with one or two spatial axes, in float32."""

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
        counts = tuple(map(window_count, x.shape[2:], w.shape[2:], stride, padding, dilation))
        shape = x.shape[0], w.shape[0], *counts
        count = self._at_once(x, x.shape, shape, w.shape, padding, dilation, groups)
        if not count or activation not in ACTIVATIONS:
            return super().conv(x, w, b, stride, padding, dilation, groups, activation, out)
        y = empty(shape, "float32") if out is None else out
        if count < x.shape[0]:
            for n in range(0, x.shape[0], count):
                given = stride, padding, dilation, groups, activation, part(y, n, count)
                self.conv(part(x, n, count), w, b, *given)
            return y
        geometry, end = widened(stride, padding, dilation), ACTIVATIONS[activation]
        shapes = two_axes(x.shape), two_axes(w.shape)
        if groups == x.shape[1] > 1:
            self._depthwise(y, x, w, b, geometry, end)
        else:
            run(plans.forward_plan(*shapes, *geometry, groups, tile_kind()), y, x, w, b, end)
        return y

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
        count = self._at_once(g, x_shape, g.shape, w.shape, padding, dilation, groups)
        if not count:
            return super().conv_input_grad(g, w, x_shape, stride, padding, dilation, groups, out)
        gx = empty(x_shape, "float32") if out is None else out
        if count < g.shape[0]:
            for n in range(0, g.shape[0], count):
                some, to = part(g, n, count), part(gx, n, count)
                self.conv_input_grad(some, w, to.shape, stride, padding, dilation, groups, to)
            return gx
        geometry = widened(stride, padding, dilation)
        shapes = two_axes(g.shape), two_axes(w.shape), two_axes(x_shape)
        if groups == x_shape[1] > 1:
            sizes = plans.depthwise_plan(shapes[2], shapes[0], shapes[1][2:], *geometry)
            planes, area = x_shape[0] * x_shape[1], prod(x_shape[2:])
            grid = up(area, depthwise.BLOCK), min(planes, MOST)
            given = planes, x_shape[1], g.shape[1] // x_shape[1], *sizes
            divisors = (*divisor(shapes[2][3]), *(d for s in geometry[0] for d in divisor(s)))
            launch(depthwise.input_grad(), grid, gx, g, w, *given, *divisors)
        else:
            plan = plans.input_plan(*shapes, *geometry, groups, tile_kind())
            run(plan, gx, g, w, None, "none")
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
        count = self._at_once(x, x.shape, g.shape, w_shape, padding, dilation, groups)
        if not count:
            return super().conv_weight_grad(x, g, w_shape, stride, padding, dilation, groups, out)
        gw = empty(w_shape, "float32") if out is None else out
        if count < x.shape[0]:
            for n in range(0, x.shape[0], count):
                given = w_shape, stride, padding, dilation, groups, None if n else gw
                more = self.conv_weight_grad(part(x, n, count), part(g, n, count), *given)
                if n:
                    self.binary("add", gw, more, gw)
            return gw
        geometry = widened(stride, padding, dilation)
        shapes = two_axes(x.shape), two_axes(g.shape), two_axes(w_shape)
        if groups == x.shape[1] > 1:
            sizes = plans.depthwise_plan(shapes[0], shapes[1], shapes[2][2:], *geometry)
            each = up(x.shape[0], up(2 * MULTIPROCESSORS, gw.size))
            parts = up(x.shape[0], each)
            target = gw if parts == 1 else empty((parts, gw.size), "float32")
            given = x.shape[0], each, g.shape[1], g.shape[1] // x.shape[1], *sizes
            kernel = depthwise.weight_grad(toolchain.warps(depthwise.BLOCK, 2))
            numbers = *given, *divisor(shapes[1][3])
            launch(kernel, (gw.size, parts), target, x, g, *numbers)
        else:
            plan = plans.weight_plan(*shapes, *geometry, groups, tile_kind())
            parts = plan.grid[1]
            target = gw if parts == 1 else empty((parts, gw.size), "float32")
            kernel = conv_weight.conv_weight(plan.size, plan.wide)
            launch(kernel, plan.grid, target, g, x, device_table(plan.table), *plan.numbers)
        if parts > 1:
            grid = up(gw.size, gemm_split.BLOCK)
            launch(gemm_split.add(), grid, gw, target, None, gw.size, parts, 1, 1, 1)
        return gw

    def _depthwise(
        self, y: Buffer, x: Buffer, w: Buffer, b: Buffer | None, geometry: Any, end: str
    ) -> None:
        shapes = two_axes(x.shape), two_axes(y.shape), two_axes(w.shape)
        sizes = plans.depthwise_plan(shapes[0], shapes[1], shapes[2][2:], *geometry)
        planes, area = y.shape[0] * y.shape[1], prod(y.shape[2:])
        grid = up(area, depthwise.BLOCK), min(planes, MOST)
        given = planes, y.shape[1], y.shape[1] // x.shape[1], *sizes, *divisor(shapes[1][3])
        launch(depthwise.forward(b is not None, end), grid, y, x, w, b, *given)

    def _at_once(self, x: Buffer, *given: Any) -> int:
        """How many images a launch takes; none where the kernels do not do it."""
        if self.dtype(x) != "float32" or len(x.shape) > 4 or not all(map(prod, given[:3])):
            return 0
        return plans.at_once(*given)
