"""How arrays of several axes are walked on the device, worked out once for each shape.

A plan is what a launch takes beside its buffers: the kernel, the number of threads, the sizes.
Numbers depend on shapes alone, never on the device, so results do not either.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from ..kernels.cuda import elementwise, layout
from ..kernels.cuda.divide import divisor
from ..kernels.cuda.elementwise import BLOCK, EACH, FULL, SINGLE, Chain, Step
from ..kernels.cuda.spec import Kernel
from ..kernels.cuda.toolchain import threads, warps
from .axes import merged_axes
from .defaults.layout import row_major
from .tier1 import Shape

PLANS = 4096  # remembered of each kind
NARROW, AREA = 4, 512  # an axis, and a transpose, that are not worth tiles if they are smaller
MOST = 2**31 - 1  # numbers up to which kernels count in 32 bits
GRID = 2**31 - 1  # blocks of a launch


def cut(count: int) -> tuple[int, int]:
    """(blocks, threads of each) for a thread each of `count` pieces of work."""
    block = threads(count, BLOCK)
    return -(-count // block), block


def cut_lanes(count: int) -> tuple[int, int]:
    """(blocks, threads of each) for `count` lanes of warps that work together."""
    block = warps(BLOCK)
    return -(-count // block), block


def index_type(*numbers: int) -> str:
    """The type in which a kernel counts: its count of work, sizes and strides are to fit."""
    return "int32" if max(map(abs, numbers)) <= MOST else "int64"


def divisors(sizes: Sequence[int], index: str = "int32") -> tuple[int, ...]:
    """magic, shift and size, for each size."""
    return tuple(n for size in sizes for n in (*divisor(size, index), size))


# elementwise --------------------------------------------------------------------------------------
class Walk(NamedTuple):
    """A chain's launch: kernel, number of elements, pieces of work, the arguments at the end."""

    kernel: Kernel
    size: int
    pieces: int
    rest: tuple[int, ...]


def broadcast_shape(*shapes: Shape) -> Shape:
    """The shape that all stretch to."""
    longest = max(map(len, shapes))
    aligned = [(1,) * (longest - len(s)) + tuple(s) for s in shapes]
    return tuple(max(sizes) if 0 not in sizes else 0 for sizes in zip(*aligned))


@lru_cache(PLANS)
def chain_plan(
    dtypes: tuple[str, ...],
    steps: tuple[Step, ...],
    results: tuple[int, ...],
    numbers: tuple[str, ...],
    shape: Shape,
    shapes: tuple[Shape, ...],
) -> Walk:
    """How a chain over inputs of `shapes`, which broadcast to `shape`, is launched."""
    n = prod(shape)
    axes = merged_axes(shape, shapes)
    sizes, rank = [size for size, _ in axes], len(axes)
    modes, strides = [], []
    for k, own in enumerate(shapes):
        mine = [steps[k] for _, steps in axes]
        if prod(own) == n:
            modes.append(FULL)
        elif not any(mine):
            modes.append(SINGLE)
        else:
            modes.append(sum(1 << axis for axis, s in enumerate(mine) if s))
            strides.append(mine)
    if not strides:
        rank, sizes = 1, [n]
    wide = not strides or (
        sizes[-1] % EACH == 0
        and all(not s[-1] or all(step % EACH == 0 for step in s[:-1]) for s in strides)
    )
    index = index_type(n)  # which is more than any size or stride
    chain = Chain(dtypes, tuple(modes), steps, results, numbers, rank, wide, index == "int64")
    kernel = elementwise.kernel(chain)
    rest = divisors(sizes[1:], index) + tuple(step for s in strides for step in s if step)
    return Walk(kernel, n, -(-n // EACH), rest)


# copies -------------------------------------------------------------------------------------------
class Copy(NamedTuple):
    """A copy's launch: the kernel, blocks, threads, and the arguments around `to` and `of`."""

    kernel: Kernel
    blocks: int
    block: Any
    before: tuple[int, ...]
    after: tuple[int, ...]


def merged(shape: Shape, *strides: Sequence[int]) -> list[tuple[int, ...]]:
    """(size, stride in each array) by axis: ones dropped, and axes joined where all walk on."""
    axes: list[tuple[int, ...]] = []
    for n, *steps in zip(shape, *strides):
        if n == 1:
            continue
        if axes and all(outer == n * inner for outer, inner in zip(axes[-1][1:], steps)):
            axes[-1] = (axes[-1][0] * n, *steps)
        else:
            axes.append((n, *steps))
    return axes or [(1, *(1 for _ in strides))]


@lru_cache(PLANS)
def copy_plan(
    dtype: str,
    shape: Shape,
    dst: tuple[int, ...] | None,
    src: tuple[int, ...] | None,
    aligned: bool,
) -> Copy:
    """How to copy best: by fours, by tiles, or number by number.

    dst and src are strides in elements; None for an array that lies in memory as it is read.
    aligned: both offsets are multiples of four.
    """
    n = prod(shape)
    strides = [tuple(row_major(shape)) if s is None else s for s in (dst, src)]
    axes = sorted(merged(shape, *strides), key=lambda axis: -abs(axis[1]))
    to = [axis for axis in axes if axis[1] == 1]
    of = [axis for axis in axes if axis[2] == 1]
    if to and of and to[0] is not of[0] and worth_tiles(to[0][0], of[0][0]):
        others = [axis for axis in axes if axis is not to[0] and axis is not of[0]]
        return tiled(dtype, others, of[0], to[0])
    last = (to or of or axes)[-1]
    axes.remove(last)
    axes.append(last)
    wide = aligned and last[0] % EACH == 0 and last[1:] == (1, 1)
    wide = wide and not any(step % EACH for axis in axes[:-1] for step in axis[1:])
    index = index_type(n, *(step for axis in axes for step in axis[1:]))
    rest = walk_numbers(axes, index)
    kernel = layout.walk(dtype, len(axes), wide, index)
    blocks, block = cut(-(-n // EACH))
    return Copy(kernel, blocks, block, (n,), rest)


def worth_tiles(width: int, height: int) -> bool:
    """Whether a transpose of planes of this size reads and writes less by tiles."""
    return min(width, height) >= NARROW and width * height >= AREA


def walk_numbers(axes: list[tuple[int, ...]], index: str) -> tuple[int, ...]:
    """What layout.axes_arguments names."""
    magic = divisors([axis[0] for axis in axes[1:]], index)
    return (*magic, *(axis[1] for axis in axes), *(axis[2] for axis in axes))


def tiled(
    dtype: str, others: list[tuple[int, ...]], tall: tuple[int, ...], wide: tuple[int, ...]
) -> Copy:
    """By tiles: `wide` has stride 1 in dst, `tall` in src."""
    height, width = tall[0], wide[0]
    down, across = -(-height // layout.TILE), -(-width // layout.TILE)
    count = prod(axis[0] for axis in others) * down * across
    index = index_type(height, width, count, *(n for axis in others for n in axis))
    numbers = height, width, across, *divisor(across, index), down, *divisor(down, index)
    rest = walk_numbers(others, index) if others else ()
    kernel = layout.tiles(dtype, len(others), index)
    block = layout.TILE, layout.ROWS, 1
    return Copy(kernel, count, block, (), (*numbers, tall[1], wide[2], *rest))
