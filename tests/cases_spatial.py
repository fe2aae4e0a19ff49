"""Cases of windows, resampled images, sampled grids, and pooling beside the plain kinds."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from case import NUMBERS, Case, apart, exactly, ints, t


def nearest(x: Any, size: Any) -> Any:
    for axis, m in enumerate(size, x.ndim - len(size)):
        x = np.take(x, np.arange(m) * x.shape[axis] // m, axis)
    return x


def enlarged(x: Any, scale_factor: int) -> Any:
    for axis in range(2, x.ndim):
        x = np.repeat(x, scale_factor, axis)
    return x


def pixel_shuffle(x: Any, r: int) -> Any:
    n, c, h, w = x.shape
    y = x.reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // r**2, h * r, w * r)


def pixel_unshuffle(x: Any, r: int) -> Any:
    n, c, h, w = x.shape
    y = x.reshape(n, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4)
    return y.reshape(n, c * r**2, h // r, w // r)


def channel_shuffle(x: Any, groups: int) -> Any:
    n, c, *size = x.shape
    return x.reshape(n, groups, c // groups, *size).swapaxes(1, 2).reshape(x.shape)


def adaptive_max_pool2d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    h, w = x.shape[-2:]
    p, q = (output_size,) * 2 if isinstance(output_size, int) else output_size
    p, q = p or h, q or w
    y = np.zeros((*x.shape[:-2], p, q))
    at = np.zeros(y.shape, np.int64)
    for i, j in product(range(p), range(q)):
        rows = slice(i * h // p, -(-(i + 1) * h // p))
        columns = slice(j * w // q, -(-(j + 1) * w // q))
        patch = x[..., rows, columns]
        flat = patch.reshape(*x.shape[:-2], -1)
        k = flat.argmax(-1)
        y[..., i, j] = flat.max(-1)
        at[..., i, j] = (
            (rows.start + k // patch.shape[-1]) * w + columns.start + k % patch.shape[-1]
        )
    return (y, at) if return_indices else y


def max_unpool1d(x: Any, index: Any, kernel: int, stride: Any = None, padding: int = 0) -> Any:
    size = (x.shape[-1] - 1) * (stride or kernel) - 2 * padding + kernel
    y = np.zeros((*x.shape[:-1], size))
    np.put_along_axis(y, index, x, -1)
    return y


def grid(*shape: int, mode: str) -> Any:
    return apart(*shape, low=-1.3, high=1.27, grad=mode != "nearest")


IMAGE = t(2, 3, 5, 6)
SMALL = t(1, 2, 3, 4)
VOLUME = t(1, 2, 2, 3, 4)
LINE = t(2, 3, 7)
POSITIVE = t(2, 3, 6, 7, low=0.2, high=2.0)

PLACES = exactly([[[0, 4, 6], [1, 3, 7]]], "int64", False)
PLANES = exactly([[[[0, 3], [9, 14]]]], "int64", False)

WINDOWS = [
    Case("unfold", [IMAGE, 2], None),
    Case(
        "unfold of everything",
        [IMAGE, (3, 2)],
        None,
        {"dilation": (1, 2), "padding": (2, 1), "stride": (2, 3)},
    ),
    Case("unfold one image", [t(2, 4, 4), 3], None, {"padding": 1}),
    Case("unfold no image", [t(0, 2, 4, 4), 2], None),
    Case("fold", [t(2, 12, 20), (5, 6), (2, 2)], None),
    Case(
        "fold of everything",
        [t(1, 12, 8), (5, 6), (3, 2)],
        None,
        {"dilation": (1, 2), "padding": (2, 1), "stride": (2, 3)},
        second=True,
    ),
    Case("fold one image", [t(8, 9), (4, 4), 2], None),
]

RESAMPLED = [
    Case("interpolate", [SMALL, (5, 3)], nearest, dtypes=("float32", "float64")),
    Case("interpolate by 2", [SMALL], enlarged, {"scale_factor": 2}),
    Case("interpolate a line", [LINE, (4,)], nearest),
    Case("interpolate a volume", [VOLUME, (3, 2, 6)], nearest),
    Case("interpolate by 1.7", [SMALL], None, {"scale_factor": 1.7}),
    Case("interpolate by pairs", [SMALL], None, {"scale_factor": (0.5, 1.5), "mode": "bilinear"}),
    Case(
        "interpolate recomputed",
        [SMALL],
        None,
        {"scale_factor": 1.7, "mode": "bilinear", "recompute_scale_factor": True},
    ),
    Case("interpolate nearest-exact", [SMALL, (5, 3)], None, {"mode": "nearest-exact"}),
    Case("interpolate area", [SMALL, (2, 3)], None, {"mode": "area"}),
    *(
        Case(
            f"interpolate {mode} to {size} {corners}",
            [x, size],
            None,
            {"mode": mode, "align_corners": corners},
            loose=4,
        )
        for mode, x, sizes in (
            ("linear", t(1, 2, 5), (8, 3)),
            ("bilinear", SMALL, ((6, 7), (2, 9), (1, 1), (3, 4))),
            ("bicubic", SMALL, ((6, 7), (2, 3))),
            ("trilinear", VOLUME, ((3, 5, 2),)),
        )
        for size in sizes
        for corners in (False, True)
    ),
    *(
        Case(
            f"interpolate {mode} antialias to {size}",
            [t(1, 1, 7, 8), size],
            None,
            {"mode": mode, "antialias": True},
            loose=10,
        )
        for mode in ("bilinear", "bicubic")
        for size in ((3, 4), (9, 2))
    ),
    Case("pixel_shuffle", [t(2, 8, 2, 3), 2], pixel_shuffle, dtypes=NUMBERS),
    Case("pixel_unshuffle", [t(2, 2, 4, 6), 2], pixel_unshuffle, dtypes=NUMBERS),
    Case("pixel_shuffle nothing", [t(0, 4, 2, 2), 2], pixel_shuffle, grad=False),
    Case("channel_shuffle", [t(2, 6, 2, 2), 3], channel_shuffle),
]

SAMPLED = [
    *(
        Case(f"affine_grid {size} {corners}", [theta, size], None, {"align_corners": corners})
        for theta, size in ((t(2, 2, 3), (2, 1, 3, 4)), (t(1, 3, 4), (1, 1, 2, 1, 3)))
        for corners in (False, True)
    ),
    *(
        Case(
            f"grid_sample {mode} {padding} {corners}",
            [SMALL, grid(1, 2, 3, 2, mode=mode)],
            None,
            {"mode": mode, "padding_mode": padding, "align_corners": corners},
            loose=10,
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for corners in (False, True)
    ),
    *(
        Case(
            f"grid_sample of a volume {mode} {padding}",
            [t(1, 2, 2, 3, 3), grid(1, 2, 1, 2, 3, mode=mode)],
            None,
            {"mode": mode, "padding_mode": padding, "align_corners": False},
            loose=10,
        )
        for mode in ("bilinear", "nearest")
        for padding in ("zeros", "border", "reflection")
    ),
]

POOLED = [
    Case("adaptive_max_pool2d", [apart(2, 2, 4, 6), 2], adaptive_max_pool2d),
    Case(
        "adaptive_max_pool2d ragged",
        [apart(1, 2, 5, 7), (3, 4)],
        adaptive_max_pool2d,
        {"return_indices": True},
    ),
    Case(
        "adaptive_max_pool2d larger",
        [apart(1, 1, 2, 3), (3, None)],
        adaptive_max_pool2d,
        {"return_indices": True},
    ),
    Case("adaptive_max_pool2d one image", [apart(2, 4, 4), 3], adaptive_max_pool2d),
    Case("adaptive_max_pool2d to nothing", [apart(1, 2, 4, 4), 0], None, grad=False),
    Case("adaptive_max_pool1d", [apart(2, 2, 7), 3], None, {"return_indices": True}),
    Case("adaptive_max_pool3d", [apart(1, 2, 3, 4, 5), (2, 3, 2)], None, {"return_indices": True}),
    Case(
        "lp_pool2d",
        [POSITIVE, 2, 2],
        lambda x, p, k: np.sqrt((x[:, :, :6, :6].reshape(2, 3, 3, 2, 3, 2) ** 2).sum((3, 5))),
    ),
    Case("lp_pool2d of negative numbers", [t(1, 2, 4, 4), 2, 2], None),
    Case("lp_pool2d overlapping", [POSITIVE, 3, (3, 2)], None, {"stride": (1, 2)}),
    Case("lp_pool2d ceil_mode", [POSITIVE, 1, 3], None, {"ceil_mode": True}),
    Case("lp_pool1d", [t(2, 3, 7, low=0.2), 3, 2], None, {"stride": 1}),
    Case("lp_pool3d", [t(1, 2, 4, 4, 4, low=0.2), 2, 2], None),
    Case("max_pool1d_with_indices", [apart(2, 2, 7), 2], None),
    Case("max_pool2d_with_indices", [apart(2, 2, 5, 6), 2], None, {"padding": 1}),
    Case("max_pool3d_with_indices", [apart(1, 2, 4, 4, 4), 2], None),
    Case("max_unpool1d", [t(1, 2, 3), PLACES, 3], max_unpool1d),
    Case("max_unpool1d with stride", [t(1, 2, 3), PLACES, 4, 2], max_unpool1d),
    Case("max_unpool2d", [t(1, 1, 2, 2), PLANES, 2], None),
    Case("max_unpool2d to a size", [t(1, 1, 2, 2), PLANES, 2], None, {"output_size": (5, 5)}),
    Case("max_unpool2d one image", [t(2, 1, 2), ints(2, 1, 2, high=1), 2], None, grad=False),
    Case("max_unpool3d", [t(1, 1, 1, 2, 1), exactly([[[[[2], [5]]]]], "int64", False), 2], None),
]

CASES = WINDOWS + RESAMPLED + SAMPLED + POOLED
