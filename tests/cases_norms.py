"""Cases of the norms besides batch norm: layer, group, instance, RMS, local response, normalize."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from case import Case, exactly, t

from etude import functional as F


def standard(x: Any, axes: Any, eps: float = 1e-5) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def affine(y: Any, w: Any = None, b: Any = None) -> Any:
    """w y + b along axis 1."""
    shape = (1, -1, *(1,) * (y.ndim - 2))
    y = y if w is None else y * w.reshape(shape)
    return y if b is None else y + b.reshape(shape)


def layer_norm(x: Any, shape: Any, w: Any = None, b: Any = None, eps: float = 1e-5) -> Any:
    y = standard(x, tuple(range(-len(shape), 0)), eps)
    y = y if w is None else y * w
    return y if b is None else y + b


def group_norm(x: Any, groups: int, w: Any = None, b: Any = None, eps: float = 1e-5) -> Any:
    rows = x.reshape(x.shape[0], groups, prod(x.shape[1:]) // groups)
    return affine(standard(rows, -1, eps).reshape(x.shape), w, b)


def instance_norm(
    x: Any, mean: Any, var: Any, w: Any = None, b: Any = None, use: bool = True, eps: float = 1e-5
) -> Any:
    if use:
        return affine(standard(x, tuple(range(2, x.ndim)), eps), w, b)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    return affine((x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + eps), w, b)


def rms_norm(x: Any, shape: Any, w: Any = None, eps: float = 0.0) -> Any:
    axes = tuple(range(-len(shape), 0))
    y = x / np.sqrt((x * x).mean(axes, keepdims=True) + eps)
    return y if w is None else y * w


def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    sums = np.zeros_like(x)
    for c in range(x.shape[1]):
        low, high = max(c - size // 2, 0), min(c + (size - 1) // 2, x.shape[1] - 1)
        sums[:, c] = (x[:, low : high + 1] ** 2).sum(1)
    return x / (k + alpha / size * sums) ** beta


def normalize(x: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    size = abs(x)
    if p == np.inf:
        return x / np.maximum(size.max(dim, keepdims=True), eps)
    return x / np.maximum((size**p).sum(dim, keepdims=True) ** (1 / p), eps)


def running(functional: Any) -> Any:
    """The statistics that instance norm keeps."""

    def function(x: Any, mean: Any, var: Any) -> Any:
        functional.instance_norm(x, mean, var, momentum=0.3)
        return mean, var

    return function


def moved(x: Any, mean: Any, var: Any) -> Any:
    axes = tuple(range(2, x.ndim))
    fresh = x.mean(axes).mean(0), x.var(axes, ddof=1).mean(0)
    return mean * 0.7 + fresh[0] * 0.3, var * 0.7 + fresh[1] * 0.3


def torch_running(*xs: Any) -> Any:
    import torch

    return running(torch.nn.functional)(*xs)


IMAGE = t(2, 6, 3, 2)
MEAN, VAR = t(6, grad=False), t(6, low=0.5, grad=False)
SHIFTED = t(8, 5, low=100.0, high=101.0, grad=False)
STRONG = {"alpha": 0.5, "beta": 0.6, "k": 2.0}

LAYER = [
    Case("layer_norm", [t(3, 5), (5,), t(5), t(5)], layer_norm),
    Case("layer_norm over two axes", [t(2, 3, 4), (3, 4), t(3, 4), t(3, 4)], layer_norm),
    Case("layer_norm without affine", [t(2, 3, 4), (4,)], layer_norm),
    Case("layer_norm with weight only", [t(3, 4), (4,), t(4)], layer_norm, {"eps": 0.1}),
    Case("layer_norm with bias only", [t(3, 4), (4,), None, t(4)], layer_norm),
    Case("layer_norm of one row", [t(4), (4,)], layer_norm),
    Case("layer_norm of nothing", [t(0, 4), (4,), t(4), t(4)], layer_norm),
    Case("layer_norm of ones", [t(3, 1), (1,), t(1), t(1)], layer_norm),
    Case("layer_norm far from 0", [SHIFTED, (5,)], layer_norm, grad=False, loose=50),
    Case("rms_norm", [t(3, 5), (5,), t(5)], rms_norm),
    Case("rms_norm over two axes", [t(2, 3, 4), (3, 4), None, 0.1], rms_norm),
    Case("rms_norm of nothing", [t(0, 4), (4,), t(4)], rms_norm),
]

GROUP = [
    Case("group_norm", [IMAGE, 2, t(6), t(6)], group_norm),
    Case("group_norm in one group", [IMAGE, 1], group_norm),
    Case("group_norm by channel", [IMAGE, 6, t(6)], group_norm),
    Case("group_norm of vectors", [t(4, 6), 3, t(6), t(6)], group_norm, {"eps": 0.1}),
    Case("group_norm of nothing", [t(0, 6, 2), 3, t(6), t(6)], group_norm),
    Case("instance_norm", [IMAGE, None, None, t(6), t(6)], instance_norm),
    Case("instance_norm of signals", [t(3, 6, 5), None, None], instance_norm, loose=10),
    Case("instance_norm of volumes", [t(1, 2, 2, 3, 2), None, None, t(2)], instance_norm, loose=4),
    Case(
        "instance_norm by running statistics", [IMAGE, MEAN, VAR, t(6), t(6), False], instance_norm
    ),
    Case(
        "instance_norm statistics",
        [IMAGE, MEAN, VAR],
        moved,
        function=running(F),
        torch=torch_running,
        grad=False,
        in_place=(1, 2),
    ),
]

RESPONSE = [
    Case("local_response_norm", [t(2, 7, 3, 2), 5], local_response_norm),
    Case("local_response_norm strong", [t(2, 7, 3), 3], local_response_norm, STRONG),
    Case("local_response_norm even", [t(2, 5, 3), 4], local_response_norm, STRONG),
    Case("local_response_norm wide", [t(1, 3, 2, 2, 2), 8], local_response_norm, STRONG),
    Case("local_response_norm alone", [t(2, 3, 2), 1], local_response_norm, STRONG),
    Case("local_response_norm of nothing", [t(0, 3, 2), 3], local_response_norm),
    Case("normalize", [t(3, 5)], normalize),
    Case("normalize first axis", [t(3, 4), 2.0, 0], normalize),
    Case("normalize two axes", [t(2, 3, 4), 2.0, (1, 2)], normalize),
    Case("normalize city block", [t(3, 5), 1.0, -1], normalize),
    Case("normalize largest", [t(3, 5), float("inf")], normalize),
    Case("normalize nothing", [exactly([[0.0, 0.0], [1e-14, 0.0]])], normalize, smooth=False),
    Case("normalize zeros", [exactly(np.zeros((2, 3)))], normalize, smooth=False),
]

CASES = [*LAYER, *GROUP, *RESPONSE]
