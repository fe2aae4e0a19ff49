"""Matrix products: squares, and the long, flat and skinny ones of real layers.

The letters say how the operands are stored: N as they are used, T transposed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .case import Case, Step, Work, uniform

SQUARES = [(n, n, n) for n in (32, 64, 96, 128, 256, 512, 1024, 2048)]
LAYERS = [
    (64, 784, 128),
    (64, 128, 784),
    (784, 64, 128),
    (8, 25088, 4096),
    (64, 576, 50176),
    (256, 2304, 196),
]
NARROW = [(64, 84, 10), (64, 10, 84), (10, 64, 84), (4096, 64, 10)]
BLOCK = 2048  # of the sum, in the reference: float64 copies of the operands stay small


def product(rng: np.random.Generator, m: int, k: int, n: int, stored: str) -> Work:
    """(M, K) times (K, N)."""
    ta, tb = (letter == "T" for letter in stored)
    a = uniform(rng, *((k, m) if ta else (m, k)))
    b = uniform(rng, *((n, k) if tb else (k, n)))

    def views(x: Any, y: Any) -> tuple[Any, Any]:
        return x.T if ta else x, y.T if tb else y

    def in_torch(torch: Any, x: Any, y: Any) -> Step:
        u, v = views(x, y)
        return lambda: torch.mm(u, v)

    def in_numpy(np: Any, x: Any, y: Any) -> Step:
        u, v = views(x, y)
        return lambda: np.matmul(u, v)

    return Work(
        [a, b],
        ours=lambda backend, x, y: lambda: backend.matmul(x, y, ta, tb),
        torch=in_torch,
        numpy=in_numpy,
        reference=lambda x, y: by_blocks(*views(x, y)),
        flops=2.0 * m * k * n,
        widen=False,
    )


def by_blocks(a: Any, b: Any) -> Any:
    """The product in float64, of any float dtype, without a float64 copy of the whole."""
    total = np.zeros((a.shape[0], b.shape[1]))
    for start in range(0, a.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        total += a[:, part].astype(np.float64) @ b[part].astype(np.float64)
    return total


def batched(rng: np.random.Generator, batch: int, m: int, k: int, n: int) -> Work:
    """As many products as there are in the batch."""
    return Work(
        [uniform(rng, batch, m, k), uniform(rng, batch, k, n)],
        ours=lambda backend, x, y: lambda: backend.matmul(x, y),
        torch=lambda torch, x, y: lambda: torch.bmm(x, y),
        numpy=lambda np, x, y: lambda: np.matmul(x, y),
        reference=np.matmul,
        flops=2.0 * batch * m * k * n,
    )


def layer(rng: np.random.Generator, m: int, k: int, n: int) -> Work:
    """relu(x W^T + b): a fully connected layer with its activation."""

    def in_torch(torch: Any, x: Any, w: Any, b: Any) -> Step:
        wt = w.t()
        return lambda: torch.addmm(b, x, wt).relu_()

    def in_numpy(np: Any, x: Any, w: Any, b: Any) -> Step:
        def step() -> Any:
            y = np.matmul(x, w.T)
            y += b
            return np.maximum(y, 0, out=y)

        return step

    return Work(
        [uniform(rng, m, k), uniform(rng, n, k), uniform(rng, n)],
        ours=lambda backend, x, w, b: lambda: backend.linear(x, w, b, "relu"),
        torch=in_torch,
        numpy=in_numpy,
        reference=lambda x, w, b: np.maximum(x @ w.T + b, 0),
        flops=2.0 * m * k * n,
    )


def less(*sizes: int) -> tuple[int, ...]:
    """Small sizes that no tile divides."""
    return tuple(min(size, 19 + 2 * place) for place, size in enumerate(sizes))


CASES = [
    Case(f"matmul {m}x{k}x{n} {stored}", "matmul", product, (m, k, n, stored),
         (*less(m, k, n), stored))
    for m, k, n in SQUARES + LAYERS + NARROW
    for stored in ("NN", "NT", "TN")
] + [
    Case(f"matmul batch {b}x{m}x{k}x{n}", "matmul", batched, (b, m, k, n), (3, *less(m, k, n)))
    for b, m, k, n in ((96, 128, 64, 128), (512, 32, 32, 32))
] + [
    Case(f"linear+relu {m}x{k}x{n}", "linear", layer, (m, k, n), less(m, k, n))
    for m, k, n in ((64, 784, 256), (64, 400, 120), (512, 1024, 1024))
]  # fmt: skip
