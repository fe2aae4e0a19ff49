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

from etude.backends.base import Instruction, Shape, Value, row_major

from ...graph.lives import Memory, out_of
from ...graph.program import Program
from ...graph.rewrite import Names, finished, rewritten
from .dead import dead

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
        if i.method == "cat" and len(i.arguments[0]) == 1:
            return same(i, i.arguments[0][0], names)
        if i.method == "reshape":
            return same(i, i.arguments[0], names)
        found = window(i)
        if found is None:
            return (i,)
        inner = windows.get(found[0])
        if inner is not None and facts.root[inner[0]] not in facts.changed:
            found = composed(inner, found) or found
        windows[i.outputs[0]] = source, shape, strides, offset = found
        whole = offset == 0 and prod(shape) == prod(source.shape or ())
        if whole and in_order(shape, strides, row_major(shape)):
            return same(i, source, names)
        return (i if source is i.arguments[0] else replace(i, method="strided", arguments=found),)

    def same(i: Instruction, x: Value, names: Names) -> Iterable[Instruction]:
        """Nothing, or a reshape, for what has the elements of x in their order."""
        y = i.outputs[0]
        if i.method != "reshape" and not facts.merge(y, x):
            return (i,)
        if y.shape != x.shape or i.method == "reshape":
            flat[y] = x = flat.get(x, x)
        if y.shape != x.shape:
            reads = (x, y.shape)
            return (i if x is i.arguments[0] else replace(i, method="reshape", arguments=reads),)
        names[y] = x
        return ()

    found = rewritten(program, rule)
    return found if found is program else dead(found)


def _narrow(i: Instruction, wide: dict[Value, Value]) -> Instruction:
    """A function that broadcasts an operand itself, if another has the full shape anyway."""
    for a in i.inputs:
        full = [v for v in i.inputs if v is not a and v not in wide]
        if a in wide and any(v.shape == i.outputs[0].shape for v in full):
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
    walk = (outer[3], *outer[2])
    if not prod(size) or min(walk) < 0:
        return None
    digits: list[list[int]] = []
    for flat in walk:
        digits.append([])
        for n, unit in zip(size, row_major(size), strict=True):
            digits[-1].append(flat // unit if n > 1 else 0)
            flat -= digits[-1][-1] * unit
        if flat:
            return None
    for n, first, *along in zip(size, *digits, strict=True):
        if first + sum(d * (m - 1) for d, m in zip(along, outer[1], strict=True)) >= n:
            return None
    offset, *strides = (sum(d * s for d, s in zip(one, steps, strict=True)) for one in digits)
    return source, outer[1], tuple(strides), start + offset


def transposes(program: Program) -> Program:
    """Let a product read the source of a transposed operand, with its flag turned over."""
    facts = Memory(program)
    made = [_turned(i, facts) if i.method == "matmul" else i for i in program.instructions]
    found = finished(program, made, {})
    return found if found is program else dead(found)


def _turned(i: Instruction, facts: Memory) -> Instruction:
    """A product that reads what its operands are transposes of."""
    a, b, ta, tb, *_ = (*i.arguments, False, False)
    x, y = _source(a, i, facts), _source(b, i, facts)
    if x is a and y is b:
        return i
    return replace(i, arguments=(x, y, ta != (x is not a), tb != (y is not b)))


def _source(v: Value, reader: Instruction, facts: Memory) -> Value:
    """What v swaps the last two axes of and nothing else, if that is the same when it is read."""
    if v not in facts.maker or facts.root[v] in facts.changed:
        return v
    made, now = facts.maker[v], facts.maker[reader.outputs[0]]
    found = window(facts.instructions[made])
    if found is None or facts.between(facts.changes, found[:1], made, now):
        return v
    x, shape, strides, offset = found
    size = x.shape or ()
    if len(size) < 2 or shape != (*size[:-2], size[-1], size[-2]) or offset:
        return v
    *lead, row, column = row_major(size)
    return x if in_order(shape, strides, (*lead, column, row)) else v
