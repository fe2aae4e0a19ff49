"""Faster Tier 2 methods for the NumPy backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Backend
from .tier1 import Pairs, Shape, window_count


class NumpyStructured(Backend):
    def windows(self, x: Any, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Any:
        """A view (N, C, *kernel, *out) of all sliding windows of the zero-padded x."""
        if any(lo or hi for lo, hi in padding):
            x = self.pad(x, ((0, 0), (0, 0), *padding), 0)
        none = tuple((0, 0) for _ in kernel)
        counts = tuple(map(window_count, x.shape[2:], kernel, stride, none, dilation))
        steps = x.strides[2:]
        return np.lib.stride_tricks.as_strided(
            x,
            (*x.shape[:2], *kernel, *counts),
            (*x.strides[:2], *(s * d for s, d in zip(steps, dilation, strict=True)),
             *(s * t for s, t in zip(steps, stride, strict=True))),
            writeable=False,
        )

    def overlap_add(self, parts: Any, shape: Shape, kernel: Shape, stride: Shape, padding: Pairs,
                    dilation: Shape, out: Any = None) -> Any:
        """Add parts (N, C, *kernel, *out) into zeros of `shape`, one kernel position at a time."""
        padded = tuple(n + lo + hi for n, (lo, hi) in zip(shape[2:], padding, strict=True))
        total = np.zeros((*shape[:2], *padded), parts.dtype)
        counts = parts.shape[2 + len(kernel) :]
        for k in np.ndindex(*kernel):
            spots = tuple(
                slice(i * d, i * d + s * (m - 1) + 1, s) if m else slice(0, 0)
                for i, d, s, m in zip(k, dilation, stride, counts, strict=True)
            )
            total[(slice(None), slice(None), *spots)] += parts[(slice(None), slice(None), *k)]
        inner = tuple(slice(lo, lo + n) for n, (lo, _) in zip(shape[2:], padding, strict=True))
        y = total[(slice(None), slice(None), *inner)]
        if out is None:
            return np.ascontiguousarray(y)
        np.copyto(out, y)
        return out
