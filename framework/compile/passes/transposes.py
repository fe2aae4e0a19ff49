"""Copies that need not be made.

copies      before    %1 = transpose(%0, (1, 0))      after    %3 = relu(%0)
                      %2 = transpose(%1, (1, 0))
                      %3 = relu(%2)

Each way to read an array by strides (transpose, expand, strided) is a window: a shape, the strides
and a beginning. A window on a window is one window; one that shows the whole array as it lies is
the array, or a reshape of it. A copy that is returned stays if its source is seen from outside.

transposes  before    %1 = transpose(%0, (1, 0))      after    %2 = matmul(%3, %0, transpose_b=True)
                      %2 = matmul(%3, %1)

A product reads either operand stored the other way round. A backend may take another kernel for
that, which adds in another order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from etude.backends.base import IN_PLACE, Instruction, Shape, Value, row_major

from ...graph.lives import Memory, out_of, writes
from ...graph.program import Program
from .dead import dead
from .rewrite import Names, rewritten

Window = tuple[Value, Shape, tuple[int, ...], int]  # source, shape, strides, offset


def copies(program: Program) -> Program:
    """Windows on windows and reshapes of reshapes become one; what changes nothing is dropped."""
    facts = Memory(program)
    windows: dict[Value, Window] = {}
    flat: dict[Value, Value] = {}  # the source of a reshape
    wide: dict[Value, Value] = {}  # the source of an expand

    def rule(i: Instruction, names: Names) -> Iterable[Instruction]:
        if i.method in ("binary", "where"):
            return (_narrow(i, wide),)
        if i.method == "expand" and facts.root[i.arguments[0]] not in facts.changed:
            wide[i.outputs[0]] = i.arguments[0]
        if i.method == "reshape":
            return reshaped(i, i.arguments[0], names)
        if i.method == "cat" and len(i.arguments[0]) == 1:
            return dropped(i, i.arguments[0][0], names)
        found = window(i)
        if found is None:
            return (i,)
        inner = windows.get(found[0])
        if inner is not None and facts.root[inner[0]] not in facts.changed:
            found = composed(inner, found) or found
        source, shape, strides, offset = found
        windows[i.outputs[0]] = found
        whole = offset == 0 and prod(shape) == prod(source.shape or ())
        if whole and in_order(shape, strides, row_major(shape)):
            return dropped(i, source, names)
        if source is i.arguments[0]:
            return (i,)
        return (replace(i, method="strided", arguments=(source, shape, strides, offset)),)

    def reshaped(i: Instruction, x: Value, names: Names) -> Iterable[Instruction]:
        x = flat.get(x, x)
        y = i.outputs[0]
        flat[y] = x
        if x.shape == y.shape:
            names[y] = x
            return ()
        reads = (x, y.shape)
        return (i if x is i.arguments[0] else replace(i, method="reshape", arguments=reads),)

    def dropped(i: Instruction, x: Value, names: Names) -> Iterable[Instruction]:
        y = i.outputs[0]
        if not facts.merge(y, x):
            return (i,)
        if y.shape != x.shape:
            return reshaped(i, x, names)
        names[y] = x
        return ()

    found = rewritten(program, rule)
    return found if found is program else dead(found)


def _narrow(i: Instruction, wide: dict[Value, Value]) -> Instruction:
    """A function that broadcasts an operand itself, if another has the full shape anyway."""
    for a in i.arguments:
        if isinstance(a, Value) and a in wide:
            rest = [v for v in i.inputs if v is not a]
            if any(v.shape == i.outputs[0].shape and v not in wide for v in rest):
                i = replace(i, arguments=tuple(wide[a] if b is a else b for b in i.arguments))
    return i


def window(i: Instruction) -> Window | None:
    """What a copy by strides reads, or None for other instructions."""
    if i.method == "strided":
        x, shape, strides, offset = i.arguments[:4]
        return x, tuple(shape), tuple(strides), offset
    if out_of(i) is not None or i.method not in ("transpose", "expand"):
        return None
    x, given = i.arguments[:2]
    if i.method == "transpose":
        lying = row_major(x.shape)
        return x, i.outputs[0].shape or (), tuple(lying[a] for a in given), 0
    aligned = (1,) * (len(given) - len(x.shape)) + x.shape
    strides = [0 if n == 1 else s for n, s in zip(aligned, row_major(aligned), strict=True)]
    return x, tuple(given), tuple(strides), 0


def in_order(shape: Shape, strides: Sequence[int], lying: Sequence[int]) -> bool:
    """Whether two sets of strides walk an array alike; along one element, any do."""
    return all(n == 1 or s == t for n, s, t in zip(shape, strides, lying, strict=True))


def composed(inner: Window, outer: Window) -> Window | None:
    """The window on a window, or None if no strides describe it.

    A step of `outer` is written in the digits of inner's shape: one step along each axis of it.
    That holds for the whole walk if no axis is left on the way.
    """
    source, size, steps, start = inner
    if not prod(size):
        return None
    lying = row_major(size)
    reach = [0] * len(size)

    def digits(flat: int) -> list[int]:
        found = []
        for n, unit in zip(size, lying, strict=True):
            found.append(flat // unit if n > 1 else 0)
            flat -= found[-1] * unit
        return found if flat == 0 else [-1]

    strides = []
    first = digits(outer[3]) if outer[3] >= 0 else [-1]
    for n, stride in zip(outer[1], outer[2], strict=True):
        along = digits(stride) if stride >= 0 else [-1]
        if -1 in along or -1 in first:
            return None
        reach = [r + d * (n - 1) for r, d in zip(reach, along, strict=True)]
        strides.append(sum(d * s for d, s in zip(along, steps, strict=True)))
    if any(f + r >= n for f, r, n in zip(first, reach, size, strict=True)):
        return None
    offset = start + sum(d * s for d, s in zip(first, steps, strict=True))
    return source, outer[1], tuple(strides), offset


def transposes(program: Program) -> Program:
    """Let a product read the source of a transposed operand, with its flag turned over."""
    facts = Memory(program)
    swapped: dict[Value, Value] = {}

    def rule(i: Instruction, names: Names) -> Iterable[Instruction]:
        if i.method in IN_PLACE:
            _forget(swapped, {facts.root[v] for v in writes(i)}, facts)
        elif i.method == "matmul":
            return (_turned(i, swapped),)
        found = window(i)
        if found and _swaps(found) and facts.root[i.outputs[0]] not in facts.changed:
            swapped[i.outputs[0]] = found[0]
        return (i,)

    found = rewritten(program, rule)
    return found if found is program else dead(found)


def _forget(swapped: dict[Value, Value], roots: set[Value], facts: Memory) -> None:
    """Transposes of what changes now are no longer its transposes."""
    for y in [y for y, x in swapped.items() if facts.root[x] in roots]:
        del swapped[y]


def _swaps(found: Window) -> bool:
    """Whether a window swaps the last two axes and nothing else."""
    x, shape, strides, offset = found
    size = x.shape or ()
    if len(size) < 2 or shape != (*size[:-2], size[-1], size[-2]) or offset:
        return False
    *lead, row, column = row_major(size)
    return in_order(shape, strides, (*lead, column, row))


def _turned(i: Instruction, swapped: dict[Value, Value]) -> Instruction:
    a, b, ta, tb, *_ = (*i.arguments, False, False)
    if a not in swapped and b not in swapped:
        return i
    ta, tb = ta != (a in swapped), tb != (b in swapped)
    return replace(i, arguments=(swapped.get(a, a), swapped.get(b, b), ta, tb))
