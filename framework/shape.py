"""Shape arithmetic: one place for each size formula and the checks that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index
from typing import Any

from etude.backends.base import Pairs, Shape, row_major, window_count

from .errors import ArgumentError, IndexOutOfRange, ShapeError, fail, nearest
from .guard import came, wrong_type

MOST = 2**47  # elements; more than the address space of today's machines

__all__ = [
    "broadcast",
    "check_axes",
    "check_axis",
    "check_place",
    "check_size",
    "check_whole",
    "int_tuple",
    "normalize_padding",
    "resolve_reshape",
    "row_major",
    "window_counts",
]


def broadcast(op: str, a: Shape, b: Shape) -> Shape:
    """NumPy's rule: align at the right; sizes must agree or one of them be 1."""
    if a == b:
        return a
    n = max(len(a), len(b))
    left, right = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    for axis, (p, q) in enumerate(zip(left, right, strict=True)):
        if p != q and p != 1 and q != 1:
            raise fail(
                ShapeError,
                op,
                f"shapes {a} and {b} do not broadcast: sizes {p} and {q} meet at axis {axis - n}; "
                "expected equal sizes or 1; reshape or unsqueeze one of them",
            )
    return tuple(q if p == 1 else p for p, q in zip(left, right, strict=True))


def check_whole(op: str, label: str, value: Any) -> int:
    """A whole number, of Python or NumPy."""
    try:
        return int(index(value))
    except TypeError:
        raise wrong_type(op, label, int, value) from None


def check_place(op: str, place: Shape, value: Shape) -> None:
    """Raise unless a value of one shape can be written, broadcast, into a place of another."""
    lead = len(place) - len(value)
    if lead < 0 or any(v not in (1, p) for v, p in zip(value, place[lead:], strict=True)):
        raise fail(
            ShapeError,
            op,
            f"expected a value that broadcasts to {place}, got {value}; reshape or slice the value",
        )


def check_axis(op: str, axis: Any, ndim: int) -> int:
    """A non-negative axis from one that may count from the end."""
    try:
        i = index(axis)
    except TypeError:
        raise fail(
            ArgumentError, op, f"expected an axis number, got {came(axis)}; use 0 for the first"
        ) from None
    span = max(ndim, 1)
    if not -span <= i < span:
        raise fail(
            IndexOutOfRange,
            op,
            f"expected an axis in {-span} ... {span - 1} for {ndim} dimensions, got {i}; "
            "count the axes from 0",
        )
    return i + span if i < 0 else i


def check_axes(op: str, axes: int | Sequence[int] | None, ndim: int) -> Shape:
    """Sorted non-negative axes; None and () mean all of them, as in torch."""
    if axes is None or (isinstance(axes, (tuple, list)) and not axes):
        return tuple(range(ndim))
    given = axes if isinstance(axes, (tuple, list)) else (axes,)
    found = [check_axis(op, a, ndim) for a in given]
    if len(set(found)) != len(found):
        raise fail(
            ArgumentError, op, f"expected different axes, got {tuple(given)}; give each axis once"
        )
    return tuple(sorted(found)) if ndim else ()


def _whole_sizes(op: str, size: Any) -> Shape:
    """The sizes of f(2, 3) or f((2, 3)) as plain ints, whatever their sign."""
    if not isinstance(size, (tuple, list)):
        size = (size,)
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    try:
        return tuple(int(index(n)) for n in size)
    except TypeError:
        given = came(size[0] if len(size) == 1 else tuple(size))
        raise fail(
            ArgumentError,
            op,
            f"expected a shape of whole numbers, got {given}; convert each size with int(...)",
        ) from None


def check_size(op: str, size: Sequence[Any]) -> Shape:
    """A shape from f(2, 3) or f((2, 3)): whole numbers, none negative."""
    shape = _whole_sizes(op, size)
    if any(n < 0 for n in shape):
        raise fail(
            ArgumentError, op, f"expected sizes >= 0, got shape {shape}; make every size 0 or more"
        )
    if prod(n for n in shape if n) >= MOST:
        raise fail(
            ArgumentError,
            op,
            f"expected a shape that fits into memory, got {shape}; use smaller sizes",
        )
    return shape


def resolve_reshape(op: str, old: Shape, size: Sequence[Any]) -> Shape:
    """The new shape, with one -1 worked out."""
    new = list(_whole_sizes(op, size))
    total = prod(old)
    if prod(new) == total and (not new or min(new) >= 0):
        return tuple(new)
    if new.count(-1) > 1 or any(n < -1 for n in new):
        raise fail(
            ArgumentError,
            op,
            f"expected one -1 and no other negative size, got {tuple(new)}; "
            "work the other sizes out",
        )
    if -1 in new:
        rest = -prod(new)
        if rest == 0 or total % rest:
            raise fail(
                ShapeError,
                op,
                f"expected a shape for {total} elements {old}, got {tuple(new)}; "
                + (
                    f"use sizes whose product divides {total} besides -1"
                    if rest
                    else "give every size, for beside 0 any would do in place of -1"
                ),
            )
        new[new.index(-1)] = total // rest
    if prod(new) != total:
        raise fail(
            ShapeError,
            op,
            f"expected a shape for {total} elements {old}, got {tuple(new)} for {prod(new)}; "
            "use -1 for one size to have it worked out",
        )
    return tuple(new)


def int_tuple(op: str, name: str, value: Any, n: int, least: int) -> Shape:
    """An argument given once or per spatial axis, as n whole numbers >= least."""
    given = value if isinstance(value, (tuple, list)) else (value,)
    try:
        values = tuple(int(index(v)) for v in given)
    except TypeError:
        values = ()
    if len(values) == 1:
        values *= n
    if len(values) != n or any(not least <= v < 2**31 for v in values):
        several = "a whole number" if n == 1 else f"one or {n} whole numbers"
        raise fail(
            ArgumentError,
            op,
            f"expected {name} as {several} >= {least}, got {came(value)}; "
            + (f"use {max(least, 1)}" if n == 1 else "give one for all axes, or one for each"),
        )
    return values


def normalize_padding(
    op: str, padding: Any, kernel: Shape, stride: Shape, dilation: Shape
) -> Pairs:
    """(before, after) per axis from a number, one number an axis, "valid" or "same"."""
    if not isinstance(padding, str):
        return tuple((p, p) for p in int_tuple(op, "padding", padding, len(kernel), 0))
    if padding == "valid":
        return tuple((0, 0) for _ in kernel)
    if padding != "same":
        raise fail(
            ArgumentError,
            op,
            f"expected padding 'same', 'valid' or numbers, got {padding!r}; "
            f"{nearest(padding, ['same', 'valid'])}",
        )
    if any(s != 1 for s in stride):
        raise fail(
            ArgumentError,
            op,
            f"expected stride 1 with padding='same', got {stride}; give the padding as numbers",
        )
    spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((s // 2, s - s // 2) for s in spans)


def window_counts(
    op: str, size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Shape:
    """Output sizes of a sliding window; an error if a window does not fit."""
    counts = tuple(map(window_count, size, kernel, stride, padding, dilation))
    if any(n <= 0 for n in counts):
        padded = tuple(n + lo + hi for n, (lo, hi) in zip(size, padding, strict=True))
        span = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        raise fail(
            ShapeError,
            op,
            f"expected a window of {span} (kernel {kernel}, dilation {dilation}) to fit the "
            f"input, got {padded} with its padding; use a smaller kernel or more padding",
        )
    return counts
