"""Padding modes and small conveniences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..autograd import apply
from ..errors import ArgumentError, fail
from ..ops.index import index_select
from ..ops.layout import Pad, expand, narrow, reshape
from ..ops.pointwise import clamp

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["clip", "expand_as", "pad", "view"]


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Pad the last axes: (left, right) of the last, then (top, bottom) of the one before, ...

    mode "constant" writes `value`; "reflect" mirrors without repeating the border; "replicate"
    repeats the border (D0's copy-border); "circular" wraps around. Negative numbers crop.
    Source: Goodfellow, Bengio & Courville 2016, section 9.5. Decks: D0, D2, D3, D4.
    """
    pairs = _pairs(input, pad)
    if mode == "constant":
        return _constant(input, pairs, 0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise fail(
            ArgumentError,
            "pad",
            f"expected mode 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}; "
            "use 'constant' for zeros",
        )
    if value is not None:
        raise fail(
            ArgumentError, "pad", f"expected no value in mode {mode!r}, got {value}; leave it out"
        )
    for axis, (lo, hi) in enumerate(pairs):
        if lo or hi:
            input = index_select(input, axis, _border(mode, input.shape[axis], lo, hi))
    return input


def _pairs(x: Tensor, pad: Sequence[int]) -> list[tuple[int, int]]:
    numbers = list(pad)
    if len(numbers) % 2 or len(numbers) > 2 * len(x.shape):
        raise fail(
            ArgumentError,
            "pad",
            f"expected (before, after) for at most {len(x.shape)} axes, "
            f"last axis first, got {tuple(pad)}; "
            "give two numbers for each axis",
        )
    given = [(numbers[i], numbers[i + 1]) for i in range(0, len(numbers), 2)]
    return [(0, 0)] * (len(x.shape) - len(given)) + given[::-1]


def _constant(x: Tensor, pairs: list[tuple[int, int]], value: float) -> Tensor:
    for axis, (lo, hi) in enumerate(pairs):
        keep = x.shape[axis] + min(lo, 0) + min(hi, 0)
        if keep < 0:
            raise fail(
                ArgumentError,
                "pad",
                f"expected to crop at most {x.shape[axis]} elements of axis {axis}, "
                f"got {(lo, hi)}; "
                "crop less",
            )
        x = narrow(x, axis, max(-lo, 0), keep)
    grow = tuple((max(lo, 0), max(hi, 0)) for lo, hi in pairs)
    return apply(Pad(grow, value), x) if any(map(any, grow)) else x


def _border(mode: str, size: int, lo: int, hi: int) -> list[int]:
    """Which element each position of the padded axis shows; circular wraps what is not cropped."""
    first, last = max(-lo, 0), min(size + hi, size)
    kept = last - first
    limit = {"reflect": size - 1, "circular": kept, "replicate": max(lo, hi) if size else 0}[mode]
    if lo + size + hi < 0 or max(lo, hi, 0) > max(limit, 0) or (mode == "circular" and kept < 0):
        raise fail(
            ArgumentError,
            "pad",
            f"expected at most {max(limit, 0)} on each side of an axis of size {size} in mode "
            f"{mode!r}, got {(lo, hi)}; pad less, or use another mode",
        )
    places = range(-lo, size + hi)
    if mode == "circular":
        return [first + (i - first) % kept for i in places]
    if mode == "replicate":
        return [min(max(i, 0), size - 1) for i in places]
    period = max(2 * size - 2, 1)
    return [min(i % period, period - i % period) for i in places]


def clip(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """`clamp` under NumPy's name."""
    return clamp(input, min, max)


def view(input: Tensor, *shape: Any) -> Tensor:
    """`reshape`; tensors here are always contiguous."""
    return reshape(input, *shape)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of another tensor."""
    return expand(input, other.shape)
