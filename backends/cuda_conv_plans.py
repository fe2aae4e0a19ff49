"""The sizes and tables that the CUDA kernels of convolutions are called with: plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

from ..kernels.cuda.conv import NOWHERE, WAYS
from ..kernels.cuda.divide import divisor
from ..kernels.cuda.toolchain import simulating
from . import cuda_plans
from .cuda_cuts import MULTIPROCESSORS, part_for, up
from .tier1 import Pairs, Shape, window_count

MOST_PARTS = 64
MOST_GROUPS = 65535  # blocks of a grid along z
FAR = 1 << 15  # rows and columns that a tap lies from its pixel, as a table has them


class Tap(NamedTuple):
    """A number of the depth: where it lies from a pixel's place, and in a row of the weights."""

    offset: int
    row: int
    col: int
    weight: int


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers that a kernel reads, looked up by which table it is, not by what is in it."""

    numbers: tuple[int, ...]


class Image(NamedTuple):
    """A launch of conv.conv: pixels of one class, and everything that its arguments need."""

    size: str  # of the tile
    wide: bool
    grid: tuple[int, int, int]
    table: Table
    offsets: Table  # in a row of the weights, as conv.pack reads them
    packed: tuple[int, int, int]  # groups, depth, rows of the packed weights
    head: tuple[int, ...]  # m, pixels, k, part
    tail: tuple[int, ...]  # the arguments after them


class Pass(NamedTuple):
    """A forward pass, or a gradient for x: its launches, and how its weights lie."""

    images: tuple[Image, ...]
    w_row: int
    w_group: int
    parts: int


def at_once(x: Shape, y: Shape, w: Shape, padding: Pairs, dilation: Shape, groups: int) -> int:
    """How many images of x (N, C, H, W) and y one launch takes; none if one is too large for it.

    Sizes, and places within an image and among the pixels of a launch, are of 32 bits, and tiles
    reach beyond the last; where images and parts of a sum begin in memory is of 64 bits.
    """
    most, depthwise = cuda_plans.MOST // 2, groups == x[1] > 1
    if max(prod(x[1:]), prod(y[1:]), prod(w)) > most:
        return 0
    reach = (max(lo, hi, (k - 1) * d) for (lo, hi), k, d in zip(padding, w[2:], dilation))
    if not depthwise and (groups > MOST_GROUPS or max(reach) >= FAR):
        return 0
    return min(x[0], most // max(prod(x[2:]), prod(y[2:])))


def entry(tap: Tap) -> tuple[int, int]:
    """A tap as conv.py's table has it."""
    return tap.offset, tap.row * 65536 + (tap.col & 0xFFFF)


def tile_for(m: int, pixels: int, kind: str) -> str:
    """Of 128 pixels by as many channels as there are; on tensor cores if `kind` names one."""
    if simulating() and not kind:
        return "tiny"  # every number of a tile takes its time, also where nothing is to be computed
    if min(m, pixels) <= 32 and max(m, pixels) <= 64:
        return "small"
    if kind and m > 32:
        return f"{kind}_128"
    if m > 64 and up(m, 128) * up(pixels, 128) >= MULTIPROCESSORS:
        return "c128"
    return "c64" if m > 32 else "c32"


def image(
    m: int,
    groups: int,
    taps: Sequence[Tap],
    pixels: tuple[int, int, int],
    source: tuple[int, ...],
    target: tuple[int, ...],
    parts: int,
    kind: str,
) -> Image:
    """pixels: images, rows, columns; source and target: conv.conv's arguments for x and for y."""
    down, across = pixels[1:]
    size = tile_for(m, prod(pixels), kind)
    tile = WAYS[size].tile
    k = up(len(taps), tile.depth) * tile.depth
    part = up(up(k, parts), tile.depth) * tile.depth
    table = [number for tap in taps for number in entry(tap)]
    table += [0, NOWHERE] * (k - len(taps))
    y_image, _, _, y_down, y_across, _, _ = target
    wide = (y_down, y_across) == (across, 1) and down * across % 4 == 0 and y_image % 4 == 0
    tiles = up(m, tile.rows) * up(prod(pixels), tile.cols)
    return Image(
        size,
        wide,
        (tiles, parts, groups),
        Table(tuple(table)),
        Table(tuple(tap.weight for tap in taps)),
        (groups, k, up(m, tile.rows) * tile.rows),
        (m, prod(pixels), k, part),
        (*source, down * across, *divisor(down * across), across, *divisor(across), *target),
    )


def parts_for(m: int, pixels: int, groups: int, taps: int, kind: str) -> int:
    """How many blocks share the depth of a tile."""
    way = WAYS[tile_for(m, pixels, kind)]
    tile = way.tile
    blocks = up(m, tile.rows) * up(pixels, tile.cols) * groups
    return up(taps, part_for(blocks, taps, tile.depth, way.blocks)) if taps else 1


@lru_cache(256)
def forward_plan(
    x: Shape, w: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int, kind: str
) -> Pass:
    """y (N, O, U, V) of x (N, C, H, W)."""
    (n, c, high, wide), (o, each, *kernel) = x, w
    down, across = map(window_count, x[2:], kernel, stride, padding, dilation)
    taps = []
    for at, (ch, r, s) in enumerate(product(range(each), *map(range, kernel))):
        row = r * dilation[0] - padding[0][0]
        col = s * dilation[1] - padding[1][0]
        taps.append(Tap((ch * high + row) * wide + col, row, col, at))
    m, area = o // groups, down * across
    parts = parts_for(m, n * area, groups, len(taps), kind)
    source = (high, wide, c * high * wide, each * high * wide, *stride)
    target = (o * area, m * area, area, across, 1, 0, n * o * area)
    made = image(m, groups, taps, (n, down, across), source, target, parts, kind)
    return Pass((made,), len(taps), m * len(taps), parts)


@lru_cache(256)
def input_plan(
    g: Shape,
    w: Shape,
    x: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    kind: str,
) -> Pass:
    """gx (N, C, H, W) of g (N, O, U, V): one launch for each residue class of the stride."""
    (n, o, down, across), (_, each, *kernel) = g, w
    (high, wide), (_, c) = x[2:], x[:2]
    m, size, whole = o // groups, prod(kernel), high * wide
    classes = []
    for first in product(*map(range, stride)):
        rows, cols = (up(max(0, i - f), s) for i, f, s in zip(x[2:], first, stride))
        if rows * cols == 0:
            continue
        down_taps, across_taps = (
            [(k, (f + lo - k * d) // s) for k in range(count) if (f + lo - k * d) % s == 0]
            for f, (lo, _), count, d, s in zip(first, padding, kernel, dilation, stride)
        )
        taps = [
            Tap((ch * down + row) * across + col, row, col, ch * each * size + r * kernel[1] + s)
            for ch, (r, row), (s, col) in product(range(m), down_taps, across_taps)
        ]
        classes.append((taps, (n, rows, cols), first))
    most = max(len(taps) for taps, _, _ in classes)
    parts = parts_for(each, n * whole // len(classes), groups, most, kind)
    source = (down, across, o * down * across, m * down * across, 1, 1)
    images = []
    for taps, pixels, (top, left) in classes:
        place = (c * whole, each * whole, whole, stride[0] * wide, stride[1])
        target = (*place, top * wide + left, n * c * whole)
        images.append(image(each, groups, taps, pixels, source, target, parts, kind))
    return Pass(tuple(images), size, m * each * size, parts)


class Weight(NamedTuple):
    """A launch of conv_weight.conv_weight."""

    size: str
    wide: bool
    grid: tuple[int, int, int]
    table: Table
    numbers: tuple[int, ...]


@lru_cache(256)
def weight_plan(
    x: Shape,
    g: Shape,
    w: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    kind: str,
) -> Weight:
    """gw (O, C / groups, R, S) of x and g."""
    (n, o, down, across), (c, high, wide) = g, x[1:]
    forward = forward_plan(x, w, stride, padding, dilation, groups, kind).images[0]
    m, columns, pixels = o // groups, prod(w[1:]), n * down * across
    size = "small" if max(m, columns) <= 32 else "c32" if m <= 32 else "c64"
    if kind and size == "c64":
        size = f"{kind}_128"
    if simulating() and not kind:
        size = "tiny"
    tile = WAYS[size].tile
    tiles = up(m, tile.rows) * up(columns, tile.cols)
    part = part_for(tiles * groups, pixels, tile.depth, WAYS[size].blocks, MOST_PARTS)
    part = up(part, tile.depth) * tile.depth
    area, whole = down * across, high * wide
    numbers = m, columns, pixels, part, o * area, m * area, c * whole, w[1] * whole
    more = high, wide, *stride, area, *divisor(area), across, *divisor(across)
    grid = tiles, up(pixels, part), groups
    table = Table(forward.table.numbers[: 2 * columns])
    return Weight(size, columns % 4 == 0, grid, table, numbers + more)


@lru_cache(256)
def depthwise_plan(
    x: Shape, y: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> tuple[int, ...]:
    """depthwise.SIZES of x (N, C, H, W) and y (N, O, U, V)."""
    return (*x[2:], *y[2:], *kernel, *stride, *(lo for lo, _ in padding), *dilation)
