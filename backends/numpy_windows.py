"""Sliding windows in NumPy: element k of all windows is one strided slice of the planes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from .tier1 import Pairs, Shape


def spans(start: Shape, stride: Shape, counts: Shape) -> tuple[slice, ...]:
    """The slices that take `counts` elements from `start` on."""
    return tuple(slice(a, a + s * (m - 1) + 1, s) for a, s, m in zip(start, stride, counts))


def slices(x: Any, kernel: Shape, stride: Shape, dilation: Shape, counts: Shape) -> Iterator[Any]:
    """Views (planes, *counts) of padded planes, one for each window element, in row-major order."""
    for k in product(*map(range, kernel)):
        start = tuple(i * d for i, d in zip(k, dilation))
        yield x[(slice(None), *spans(start, stride, counts))]


def in_planes(x: Any) -> Any:
    """x (n, C, *S) as (n C, *S)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def inside(size: Shape, padding: Pairs) -> tuple[slice, ...]:
    """Where a plane lies in the padded one."""
    return tuple(slice(lo, lo + n) for n, (lo, _) in zip(size, padding))


def pad_planes(x: Any, padding: Pairs, value: Any) -> Any:
    """x (planes, *S) inside `value`; x itself if there is no padding."""
    if not any(map(any, padding)):
        return x
    shape = tuple(n + lo + hi for n, (lo, hi) in zip(x.shape[1:], padding))
    padded = np.full((x.shape[0], *shape), value, x.dtype)
    padded[(slice(None), *inside(x.shape[1:], padding))] = x
    return padded


def stored(y: Any, out: Any) -> Any:
    """y, in `out` if that is given."""
    if out is None:
        return y
    np.copyto(out, y)
    return out
