"""The axes of operands that broadcast together, as few as there can be."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from .tier1 import Shape


def merged_axes(shape: Shape, shapes: Sequence[Shape]) -> list[tuple[int, list[int]]]:
    """Sizes of axes, outermost first, each with the stride of every operand along it.

    shape: to which all broadcast; shapes: theirs, row-major. A stride is 0 where one repeats.
    Neighbouring axes are one where every operand moves through both as through one; axes of one
    element are left out, but for the last.

    >>> merged_axes((8, 3, 5, 5), [(8, 3, 5, 5), (3, 1, 1)])
    [(8, [75, 0]), (3, [25, 1]), (25, [1, 0])]
    """
    padded = [(1,) * (len(shape) - len(own)) + tuple(own) for own in shapes]
    merged: list[tuple[int, list[int]]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        strides = [prod(own[axis + 1 :]) if own[axis] > 1 else 0 for own in padded]
        if merged and merged[-1][1] == [size * stride for stride in strides]:
            size *= merged.pop()[0]
        merged.append((size, strides))
    return merged or [(1, [1] * len(shapes))]
