"""Convolution with windows of one element: the images are the matrices, and no columns are made.

y[n] = w x[n],   gx[n] = w^T g[n],   gw = sum_n g[n] x[n]^T        one GEMM for each image
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .tier1 import Pairs, Shape

PRODUCT_BYTES = 1 << 20  # of the products of several images, before they are summed


def is_pointwise(w_shape: Shape, padding: Pairs) -> bool:
    """Whether each window is one element of the image."""
    return prod(w_shape[2:]) == 1 and not any(map(any, padding))


def every(x: Any, stride: Shape) -> Any:
    """The elements of x where windows stand, a view."""
    return x[(..., *(slice(None, None, s) for s in stride))]


def per_group(x: Any, groups: int) -> Any:
    """x (n, C, ...) as matrices (n, groups, C/groups, L)."""
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)


def pointwise(x: Any, w: Any, b: Any, stride: Shape, groups: int, y: Any) -> Any:
    """y = w x for each image."""
    weight = w.reshape(1, groups, w.shape[0] // groups, -1)
    np.matmul(weight, per_group(every(x, stride), groups), out=per_group(y, groups))
    return y if b is None else np.add(y, b.reshape(-1, *(1,) * len(stride)), out=y)


def pointwise_input_grad(g: Any, w: Any, stride: Shape, groups: int, gx: Any) -> Any:
    """gx = w^T g, and 0 where no window stands."""
    weight = w.reshape(1, groups, w.shape[0] // groups, -1).swapaxes(2, 3)
    if set(stride) == {1}:
        np.matmul(weight, per_group(g, groups), out=per_group(gx, groups))
        return gx
    gx.fill(0)
    place = every(gx, stride)
    place[...] = np.matmul(weight, per_group(g, groups)).reshape(place.shape)
    return gx


def pointwise_weight_grad(x: Any, g: Any, stride: Shape, groups: int) -> Any:
    """gw = sum_n g[n] x[n]^T, as many images at once as the products of each may take room for."""
    xs, gs = per_group(every(x, stride), groups).swapaxes(2, 3), per_group(g, groups)
    each = x.shape[1] // groups * g.shape[1] * x.itemsize
    step = max(1, PRODUCT_BYTES // each)
    total: Any = 0
    for at in range(0, len(x), step):
        total += np.matmul(gs[at : at + step], xs[at : at + step]).sum(0)
    return total
