"""Shape arithmetic: one place for each size formula and the checks that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index
from typing import Any

from etude.backends.base import Pairs, Shape, row_major, window_count

from .errors import ArgumentError, IndexOutOfRange, ShapeError, fail

MOST = 2**47  # elements; more than the address space of today's machines

__all__ = [
    "broadcast",
    "check_axes",
    "check_axis",
    "check_size",
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


def check_axis(op: str, axis: Any, ndim: int) -> int:
    """A non-negative axis from one that may count from the end."""
    try:
        i = index(axis)
    except TypeError:
        raise fail(ArgumentError, op, f"expected an axis number, got {axis!r}") from None
    span = max(ndim, 1)
    if not -span <= i < span:
        raise fail(
            IndexOutOfRange,
            op,
            f"axis {i} is out of range for {ndim} dimensions; use {-span} ... {span - 1}",
        )
    return i + span if i < 0 else i


def check_axes(op: str, axes: int | Sequence[int] | None, ndim: int) -> Shape:
    """Sorted non-negative axes; None and () mean all of them, as in torch."""
    if axes is None or (isinstance(axes, (tuple, list)) and not axes):
        return tuple(range(ndim))
    given = [axes] if isinstance(axes, int) else list(axes)
    found = [check_axis(op, a, ndim) for a in given]
    if len(set(found)) != len(found):
        raise fail(ArgumentError, op, f"axes {tuple(given)} name an axis twice; give each once")
    return tuple(sorted(found)) if ndim else ()


def _not_whole(op: str, size: Any) -> ArgumentError:
    given = size[0] if len(size) == 1 else tuple(size)
    return ArgumentError(
        f"[{op}] expected a shape of whole numbers, got {given!r}; convert each size with int(...)"
    )


def check_size(op: str, size: Sequence[Any]) -> Shape:
    """A shape from f(2, 3) or f((2, 3)): whole numbers, none negative."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    try:
        shape = tuple(index(n) for n in size)
    except TypeError:
        raise _not_whole(op, size) from None
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
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    try:
        new = [index(n) for n in size]
    except TypeError:
        raise _not_whole(op, size) from None
    total = prod(old)
    if new.count(-1) > 1 or any(n < -1 for n in new):
        raise fail(
            ArgumentError, op, f"shape {tuple(new)} may hold one -1 and no other negative size"
        )
    if -1 in new:
        rest = -prod(new)
        if rest == 0 or total % rest:
            raise fail(
                ShapeError,
                op,
                f"cannot fit {total} elements of shape {old} into {tuple(new)}; "
                "the sizes besides -1 must divide the number of elements",
            )
        new[new.index(-1)] = total // rest
    if prod(new) != total:
        raise fail(
            ShapeError,
            op,
            f"cannot fit {total} elements of shape {old} into {tuple(new)} "
            f"({prod(new)} elements); use -1 for one size to have it worked out",
        )
    return tuple(new)


def int_tuple(op: str, name: str, value: Any, n: int, least: int) -> Shape:
    """An argument given once or per spatial axis, as n whole numbers >= least."""
    try:
        values = (
            tuple(index(v) for v in value)
            if isinstance(value, (tuple, list))
            else ((index(value),) * n)
        )
    except TypeError:
        raise fail(
            ArgumentError, op, f"expected {name} as a whole number or {n} of them, got {value!r}"
        ) from None
    if len(values) == 1:
        values *= n
    if len(values) != n or any(v < least for v in values):
        raise fail(
            ArgumentError,
            op,
            f"expected {name} as one or {n} whole numbers >= {least}, got {value!r}",
        )
    return values


def normalize_padding(
    op: str, padding: Any, kernel: Shape, stride: Shape, dilation: Shape
) -> Pairs:
    """(before, after) per axis from a number, one number an axis, "valid" or "same"."""
    if padding == "valid":
        return tuple((0, 0) for _ in kernel)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise fail(
                ArgumentError,
                op,
                f"padding='same' needs stride 1, got {stride}; give the padding as numbers",
            )
        spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((s // 2, s - s // 2) for s in spans)
    if isinstance(padding, str):
        raise fail(
            ArgumentError, op, f"expected padding 'same', 'valid' or numbers, got {padding!r}"
        )
    return tuple((p, p) for p in int_tuple(op, "padding", padding, len(kernel), 0))


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
            f"a window of {span} (kernel {kernel}, dilation {dilation}) does not "
            f"fit the padded input {padded}; use a smaller kernel or more padding",
        )
    return counts
