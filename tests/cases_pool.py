"""Cases of pooling. The oracles look at one window after the other."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from case import NUMBERS, Case, apart, exactly, t
from cases_conv import spread


def windows(
    x: Any, rank: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Any:
    """The number of places, and for each the slices of x and the size of the padded window."""
    ks, ds, ps = spread(kernel, rank), spread(dilation, rank), spread(padding, rank)
    ss = ks if stride is None else spread(stride, rank)
    counts = []
    for n, k, s, p, d in zip(x.shape[-rank:], ks, ss, ps, ds):
        room = n + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        counts.append(count)
    found = []
    for place in product(*map(range, counts)):
        at, size = [], 1
        for i, n, k, s, p, d in zip(place, x.shape[-rank:], ks, ss, ps, ds):
            start = i * s - p
            at.append([j for j in range(start, start + k * d, d) if 0 <= j < n])
            size *= min(start + k, n + p) - start
        found.append((place, at, size))
    return counts, found


def max_pool(rank: int) -> Any:
    def oracle(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        counts, places = windows(x, rank, kernel_size, stride, padding, dilation, ceil_mode)
        y = np.zeros((*x.shape[:-rank], *counts))
        where = np.zeros(y.shape, np.int64)
        plane = np.arange(np.prod(x.shape[-rank:])).reshape(x.shape[-rank:])
        for place, at, _ in places:
            patch = x[(..., *np.ix_(*at))].reshape(*x.shape[:-rank], len(list(product(*at))))
            which = patch.argmax(-1)
            y[(..., *place)] = np.take_along_axis(patch, which[..., None], -1)[..., 0]
            where[(..., *place)] = plane[np.ix_(*at)].ravel()[which]
        return (y, where) if return_indices else y

    return oracle


def avg_pool(rank: int) -> Any:
    def oracle(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        counts, places = windows(x, rank, kernel_size, stride, padding, 1, ceil_mode)
        y = np.zeros((*x.shape[:-rank], *counts))
        for place, at, size in places:
            patch = x[(..., *np.ix_(*at))].reshape(*x.shape[:-rank], len(list(product(*at))))
            inside = size if count_include_pad else patch.shape[-1]
            y[(..., *place)] = patch.sum(-1) / (divisor_override or inside)
        return y

    return oracle


def adaptive_avg_pool(rank: int) -> Any:
    def oracle(x: Any, output_size: Any) -> Any:
        sizes = [n if m is None else m for n, m in zip(x.shape[-rank:], spread(output_size, rank))]
        y = np.zeros((*x.shape[:-rank], *sizes))
        for place in product(*map(range, sizes)):
            at = [
                slice(i * n // m, -(-(i + 1) * n // m))
                for i, n, m in zip(place, x.shape[-rank:], sizes)
            ]
            y[(..., *place)] = x[(..., *at)].mean(tuple(range(-rank, 0)))
        return y

    return oracle


X = apart(2, 3, 5, 6)
TIES = exactly(np.array([1, 1, 0, 1, 1, 0, 0, 0, 0], float).reshape(1, 1, 3, 3))
NAN = exactly(np.array([1, np.nan, 0, 2, 1, 0, 0, 0, 3], float).reshape(1, 1, 3, 3))
MAX1, MAX2, MAX3 = max_pool(1), max_pool(2), max_pool(3)
AVG1, AVG2, AVG3 = avg_pool(1), avg_pool(2), avg_pool(3)
GLOBAL2 = adaptive_avg_pool(2)

CASES = [
    Case("max_pool2d", [X, 2], MAX2),
    Case("max_pool2d overlapping", [X, 3], MAX2, {"stride": 2}),
    Case("max_pool2d padding", [X, 3], MAX2, {"stride": 2, "padding": 1}),
    Case("max_pool2d pairs", [X, (2, 3)], MAX2, {"stride": (1, 2), "padding": (1, 0)}),
    Case("max_pool2d dilation", [X, 2], MAX2, {"stride": 1, "dilation": (2, 3)}),
    Case("max_pool2d ceil_mode", [X, 2], MAX2, {"stride": 3, "ceil_mode": True}),
    Case("max_pool2d ceil_mode and padding", [X, 2], MAX2, {"padding": 1, "ceil_mode": True}),
    Case("max_pool2d indices", [X, 2], MAX2, {"return_indices": True}),
    Case(
        "max_pool2d indices under padding",
        [X, 3],
        MAX2,
        {"stride": 2, "padding": 1, "return_indices": True},
    ),
    Case(
        "max_pool2d of ties", [TIES, 2], MAX2, {"stride": 1, "return_indices": True}, smooth=False
    ),
    Case("max_pool2d of nan", [NAN, 2], MAX2, {"stride": 1, "return_indices": True}, grad=False),
    Case("max_pool2d of one image", [apart(2, 4, 5), 2], MAX2),
    Case("max_pool2d of no image", [t(0, 2, 4, 5), 2], MAX2),
    Case(
        "max_pool2d of negative numbers",
        [apart(1, 1, 3, 3, low=-9, high=-1), 3],
        MAX2,
        {"padding": 1, "stride": 2},
    ),
    Case(
        "max_pool2d of whole numbers", [apart(1, 2, 4, 4), 2], MAX2, {"padding": 1}, dtypes=NUMBERS
    ),
    Case("max_pool1d", [apart(2, 3, 7), 3], MAX1, {"stride": 2, "padding": 1}),
    Case("max_pool3d", [apart(1, 2, 3, 4, 3), 2], MAX3, {"stride": 1, "padding": 1}),
    Case("avg_pool2d", [X, 2], AVG2),
    Case("avg_pool2d overlapping", [X, 3], AVG2, {"stride": 2}),
    Case("avg_pool2d padding", [X, 3], AVG2, {"stride": 2, "padding": 1}),
    Case(
        "avg_pool2d without the padding",
        [X, 3],
        AVG2,
        {"stride": 2, "padding": 1, "count_include_pad": False},
    ),
    Case("avg_pool2d ceil_mode", [X, 2], AVG2, {"stride": 3, "ceil_mode": True}),
    Case(
        "avg_pool2d ceil_mode and padding",
        [X, 3],
        AVG2,
        {"stride": 2, "padding": 1, "ceil_mode": True},
    ),
    Case(
        "avg_pool2d ceil_mode without the padding",
        [X, 3],
        AVG2,
        {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    ),
    Case("avg_pool2d divisor", [X, (2, 3)], AVG2, {"divisor_override": 4}),
    Case("avg_pool2d of one image", [t(2, 4, 5), 2], AVG2),
    Case("avg_pool2d of no image", [t(0, 2, 4, 5), 2], AVG2),
    Case("avg_pool1d", [t(2, 3, 7), 3], AVG1, {"stride": 2, "padding": 1}),
    Case("avg_pool3d", [t(1, 2, 3, 4, 3), 2], AVG3, {"stride": 1, "padding": 1}),
    Case("adaptive_avg_pool1d", [t(2, 3, 7), 3], adaptive_avg_pool(1)),
    Case("adaptive_avg_pool2d", [t(2, 3, 5, 7), (3, 2)], GLOBAL2),
    Case("adaptive_avg_pool2d dividing", [t(2, 3, 4, 6), (2, 3)], GLOBAL2),
    Case("adaptive_avg_pool2d global", [t(2, 3, 5, 7), 1], GLOBAL2),
    Case("adaptive_avg_pool2d keeping", [t(2, 3, 5, 7), (None, 2)], GLOBAL2),
    Case("adaptive_avg_pool2d growing", [t(1, 2, 3, 2), (4, 5)], GLOBAL2),
    Case("adaptive_avg_pool2d of one image", [t(3, 5, 7), 2], GLOBAL2),
    Case("adaptive_avg_pool3d", [t(1, 2, 3, 4, 5), (2, 2, 3)], adaptive_avg_pool(3)),
]
