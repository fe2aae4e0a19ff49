"""Images as tiles of 6 x 6 numbers, or of 4 x 4, at the points of Winograd's algorithm.

They are turned over, 16 channels at a time, to [place][channel], as winograd_points.py reads them.
"""

from __future__ import annotations

from typing import NamedTuple

from .gemm_micro import copy_transposed
from .gemm_vector import VECTOR
from .toolchain import device
from .winograd_points import GROUP, POINTS, grad_points, image_points

SLACK = 32  # places behind a turned image: 16 that are written over, and one of zeros


class Side(NamedTuple):
    """Images that are read by tiles, and how their points are written."""

    channels: int
    size: int  # places of an image
    height: int
    width: int
    top: int  # rows of zeros above it
    numbers: int  # of a tile: 36 or 16
    each: int  # tiles of an image
    across: int  # in a row
    line: int  # numbers from tile to tile of the points
    step: int  # from point to point


@device
def turn_image(room, x, image, channel, begin, end, s):
    """room[place, c] of places begin ... end - 1 and 16 channels; beyond the last, any of them."""
    lanes = VECTOR // 4
    for i in range(0, GROUP, lanes):
        c = min(channel + i, s.channels - 1)
        copy_transposed(
            x.dtype, x.ctypes.data + ((image * s.channels + c) * s.size + begin) * 4, s.size,
            room.ctypes.data + (begin * GROUP + i) * 4, GROUP,
            min(lanes, s.channels - c), end - begin,
        )  # fmt: skip


@device
def transform_tiles(points, room, x, places, first, last, channel, s):
    """points[point, tile, c] of tiles first ... last - 1 and 16 channels; points is an address."""
    at = first
    while at < last:
        image, start = at // s.each, at % s.each
        count = min(last - at, s.each - start)
        above = start // s.across * 4 - s.top
        below = (start + count - 1) // s.across * 4 - s.top + 6
        begin, end = max(0, above) * s.width, min(s.height, below) * s.width
        if begin < end:
            turn_image(room, x, image, channel, begin, end, s)
        zeros = (s.size + SLACK - 1) * GROUP
        for i in range(zeros, zeros + GROUP):
            room[i] = 0
        table, to = places.ctypes.data + start * s.numbers * 4, points + (at - first) * s.line * 4
        steps = s.numbers * 4, s.step * 4, s.line * 4
        if s.numbers == POINTS:
            image_points(
                x.dtype, room.ctypes.data, 0, table, steps[0], to, steps[1], steps[2], count
            )
        else:
            grad_points(
                x.dtype, room.ctypes.data, 0, table, steps[0], to, steps[1], steps[2], count
            )
        at += count
