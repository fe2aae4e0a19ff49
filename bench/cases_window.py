"""Pooling over windows, forward and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import references
from .case import Case, Step, Work, uniform

Shape = tuple[int, ...]
NONE = ((0, 0), (0, 0))


def max_forward(rng: np.random.Generator, shape: Shape, kernel: int, stride: int) -> Work:
    """Maxima and their positions."""
    k, s = (kernel, kernel), (stride, stride)
    return Work(
        [uniform(rng, *shape)],
        ours=lambda backend, x: lambda: backend.max_pool(x, k, s, NONE, (1, 1)),
        torch=lambda torch, x: lambda: torch._C._nn.max_pool2d_with_indices(x, kernel, stride),
        reference=lambda x: references.max_pool(x, kernel, stride),
    )


def max_backward(rng: np.random.Generator, shape: Shape, kernel: int, stride: int) -> Work:
    """The gradient for x, from the positions."""
    x = uniform(rng, *shape)
    y, positions = references.max_pool(x, kernel, stride)
    k, s = [kernel] * 2, [stride] * 2

    def in_torch(torch: Any, g: Any, positions: Any) -> Step:
        backward, there = torch.ops.aten.max_pool2d_with_indices_backward.default, torch.tensor(x)
        return lambda: backward(g, there, k, s, [0, 0], [1, 1], False, positions)

    return Work(
        [uniform(rng, *y.shape), positions],
        ours=lambda backend, g, p: lambda: backend.max_pool_grad(g, p, shape),
        torch=in_torch,
        reference=lambda g, p: references.max_pool_grad(g, p, shape),
    )


def average_forward(rng: np.random.Generator, shape: Shape, kernel: int, stride: int) -> Work:
    """Means."""
    k, s, scale = (kernel, kernel), (stride, stride), 1.0 / kernel**2
    return Work(
        [uniform(rng, *shape)],
        ours=lambda backend, x: lambda: backend.sum_pool(x, k, s, NONE, scale),
        torch=lambda torch, x: lambda: torch._C._nn.avg_pool2d(x, kernel, stride),
        reference=lambda x: references.windows(x, kernel, stride).mean(axis=-1),
    )


def average_backward(rng: np.random.Generator, shape: Shape, kernel: int, stride: int) -> Work:
    """The gradient for x."""
    k, s, scale = (kernel, kernel), (stride, stride), 1.0 / kernel**2

    def in_torch(torch: Any, g: Any) -> Step:
        backward, like = torch.ops.aten.avg_pool2d_backward.default, torch.empty(shape)
        return lambda: backward(g, like, k, s, [0, 0], False, True, None)

    size = (references.out_size(n, kernel, stride, 0) for n in shape[2:])
    return Work(
        [uniform(rng, *shape[:2], *size)],
        ours=lambda backend, g: lambda: backend.sum_pool_grad(g, shape, k, s, NONE, scale),
        torch=in_torch,
        reference=lambda g: references.sum_pool_grad(scale * g, shape, kernel, stride),
    )


KINDS = {
    ("max", "forward"): max_forward,
    ("max", "gradient"): max_backward,
    ("average", "forward"): average_forward,
    ("average", "gradient"): average_backward,
}
POOLS = [("max", 2, 2), ("max", 3, 2), ("average", 2, 2)]
SHAPE = (32, 64, 56, 56)

CASES = [
    Case(
        f"{kind} pool {kernel}x{kernel} s{stride} 32x64x56x56 {name}",
        "pool",
        KINDS[kind, name],
        (SHAPE, kernel, stride),
        ((2, 3, 11, 13), kernel, stride),
    )
    for kind, kernel, stride in POOLS
    for name in ("forward", "gradient")
]
