"""Winograd's convolution on Numba: which shapes it is for, its plans, its calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..kernels.numba_cpu import winograd as kernels
from ..kernels.numba_cpu import winograd_weight as weight
from ..kernels.numba_cpu.conv_weight import PIECE, add_parts
from ..kernels.numba_cpu.winograd import DEPTH, PANEL, Tiles
from ..kernels.numba_cpu.winograd_image import SLACK, Side
from ..kernels.numba_cpu.winograd_points import BYTES, GROUP, POINTS, RESULTS, TAPS, prepare
from .numba_memory import empty
from .tier1 import Pairs, Shape

Rooms = Callable[[Any, int], Any]
Workers = tuple[int, bool, int]
PLAIN = (1, 1)
BLOCK = 56  # tiles at a time, four strips of the product
MANY = 8  # blocks
FEW, SHARES = 2, 4  # panels of outputs that are too few to share; blocks that are not
LARGEST = 1 << 24  # places of an image, for 32-bit offsets in bytes
SIDE = 64  # channels of a step of a gradient for weights
TILES, FEWEST_TILES = 64, 32  # of its steps, of its chunks
TASKS = 16  # into which it is cut at least, if there are images enough


def pays(
    x: Any, w: Any, y: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int
) -> bool:
    """3 x 3 windows side by side, enough channels, few tiles over the border; y: the results."""
    if w.shape[2:] != (3, 3) or stride != PLAIN or dilation != PLAIN or groups > 1:
        return False
    tiles = -(-y[2] // 4) * -(-y[3] // 4)
    if min(w.shape[:2]) < GROUP or x.shape[0] * tiles < 32 or x.dtype.char != "f":
        return False
    return 10 * y[2] * y[3] > 7 * 16 * tiles and prod(x.shape[2:]) < LARGEST


def tile_places(size: Shape, counts: Shape, side: int, before: Shape) -> Any:
    """Where the numbers of each tile of an image lie, in bytes; beyond it, at a place of zeros."""
    axes = [
        np.arange(-(-n // 4))[:, None] * 4 + np.arange(side) - lo for n, lo in zip(counts, before)
    ]
    inside = [(at >= 0) & (at < n) for at, n in zip(axes, size)]
    place = axes[0][:, None, :, None] * size[1] + axes[1][None, :, None, :]
    there = inside[0][:, None, :, None] & inside[1][None, :, None, :]
    zeros = size[0] * size[1] + SLACK - 1
    return (np.where(there, place, zeros).reshape(-1) * BYTES).astype(np.int32)


def side_of(shape: Shape, top: int, numbers: int, counts: Shape, line: int, tiles: int) -> Side:
    """Images of a shape, of which `tiles` are transformed at a time; counts: (rows, columns)."""
    _, channels, height, width = shape
    across, down = -(-counts[1] // 4), -(-counts[0] // 4)
    sizes = channels, height * width, height, width, top, numbers
    return Side._make((*sizes, across * down, across, line, tiles * line + GROUP))


def turned_size(side: Side) -> int:
    return (side.size + SLACK) * GROUP


class Plan(NamedTuple):
    """What winograd.convolve wants to know, and the memory it needs."""

    side: Side
    sizes: Tiles
    places: Any
    taps: Any
    tasks: int  # that make the points
    size: int  # numbers of a block of them
    points: int  # numbers of all, and of the tasks' memory
    room: int  # numbers for each thread


@lru_cache(64)
def make_plan(x: Shape, y: Shape, padding: Pairs, back: bool) -> Plan:
    """x and y: shapes of what is read and written; `back`: from a gradient to that of x."""
    inputs, (outputs, *counts) = x[1], y[1:]
    before = tuple(2 - lo if back else lo for lo, _ in padding)
    tiles, panels = x[0] * -(-counts[0] // 4) * -(-counts[1] // 4), -(-outputs // PANEL)
    blocks = -(-tiles // BLOCK)
    many = blocks >= MANY or panels <= FEW
    block = -(-tiles // (max(blocks + blocks % 2, SHARES) if many else blocks))
    blocks, groups = -(-tiles // block), -(-inputs // GROUP)
    line = groups * GROUP + (GROUP if groups % GROUP == 0 else 0)
    side = side_of(x, before[0], POINTS, tuple(counts), line, block)
    steps = (TAPS, TAPS * outputs) if back else (TAPS * inputs, TAPS)
    sizes = Tiles._make((outputs, *counts, tiles, block, *steps, many))
    weights = POINTS * ((inputs if many else min(inputs, DEPTH)) * PANEL + GROUP)
    sums, gathered = POINTS * (block * PANEL + GROUP), GROUP * GROUP * (TAPS + 1)
    image = POINTS * side.step
    if many:
        tasks, size, rest = panels, weights, panels * gathered
        room = sums + image + turned_size(side)
    else:
        tasks, size, rest = blocks * groups, image, blocks * groups * turned_size(side)
        room = blocks * sums + weights + gathered
    taps = (np.arange(TAPS)[:: -1 if back else 1] * BYTES).astype(np.int32)
    places = tile_places(x[2:], tuple(counts), 6, before)
    points = (panels if many else blocks) * size + rest
    return Plan(side, sizes, places, taps, tasks, size, points, room + GROUP + GROUP * RESULTS)


def convolve(
    y: Any,
    x: Any,
    w: Any,
    b: Any,
    padding: Pairs,
    rooms: Rooms,
    workers: Workers,
    back: bool = False,
) -> bool:
    """y = the convolution of x, or with `back` of a gradient x; False if a result is no number."""
    prepare()
    plan = make_plan(x.shape, y.shape, padding, back)
    memory, points = rooms(x.dtype, plan.room), empty((plan.points,), x.dtype)
    bias = np.zeros(-(-y.shape[1] // PANEL) * PANEL, x.dtype)
    if b is not None:
        bias[: y.shape[1]] = b
    strange, weights = np.zeros(workers[0], x.dtype), w.reshape(-1)
    source, given = x.reshape(-1), (plan.places, plan.taps, plan.side, plan.sizes)
    kernels.make_points(plan.tasks, True, points, source, weights, *given, plan.size)
    kernels.convolve(
        *workers, y.reshape(-1), source, weights, points, plan.size, bias, *given, strange, memory
    )
    return not strange.any()


class WeightPlan(NamedTuple):
    """What winograd_weight.weight_grad wants to know, and the memory it needs."""

    x_places: Any
    g_places: Any
    x: Side
    g: Side
    blocks: weight.Blocks
    room: int  # numbers for each thread


def block_width(channels: int) -> int:
    """Channels of a step: whole groups, all steps nearly equal."""
    groups, blocks = -(-channels // GROUP), -(-channels // SIDE)
    return -(-groups // blocks) * GROUP


@lru_cache(64)
def weight_plan(x: Shape, g: Shape, padding: Pairs) -> WeightPlan:
    """x and g: shapes of the images and of the gradient."""
    counts, before = g[2:], tuple(lo for lo, _ in padding)
    across = -(-counts[1] // 4)
    each = across * -(-counts[0] // 4)
    lines = block_width(x[1]), block_width(g[1])
    blocks = -(-x[1] // lines[0]) * -(-g[1] // lines[1])
    chunks = max(1, min(x[0], x[0] * each // FEWEST_TILES, TASKS // blocks))
    together = -(-x[0] // chunks)
    width = TILES // each * each if each <= TILES else max(1, TILES // across) * across
    width = min(width, together * each)
    xs = side_of(x, before[0], POINTS, counts, lines[0], width)
    gs = side_of(g, 0, RESULTS, counts, lines[1], width)
    step = lines[0] * lines[1] + GROUP
    sizes = weight.Blocks(x[0], together, -(-x[0] // together), width, step)
    room = POINTS * (xs.step + gs.step + step) + max(turned_size(xs), turned_size(gs)) + GROUP
    places = tile_places(x[2:], counts, 6, before), tile_places(counts, counts, 4, (0, 0))
    return WeightPlan(*places, xs, gs, sizes, room)


def weight_grad(gw: Any, x: Any, g: Any, padding: Pairs, rooms: Rooms, workers: Workers) -> bool:
    """gw = the gradient for the weights; False if a result is no number."""
    prepare()
    *plan, room = weight_plan(x.shape, g.shape, padding)
    chunks = plan[-1].chunks
    memory, strange = rooms(x.dtype, room), np.zeros(workers[0], x.dtype)
    parts = gw.reshape(1, -1) if chunks == 1 else empty((chunks, gw.size), x.dtype)
    weight.weight_grad(*workers, parts, x.reshape(-1), g.reshape(-1), *plan, strange, memory)
    if chunks > 1:
        add_parts(-(-gw.size // PIECE), gw.size > PIECE, gw.reshape(-1), parts)
    return not strange.any()
