"""The rest: gather and scatter-add of rows, the LSTM cell, random bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import references
from .case import Case, Step, Work, uniform

KEY, COUNTER = 0x0123456789ABCDEF, 5


def gather(rng: np.random.Generator, rows: int, size: int, count: int) -> Work:
    """Rows at random places: what an embedding does."""
    return Work(
        [uniform(rng, rows, size), rng.integers(0, rows, count)],
        ours=lambda backend, x, at: lambda: backend.gather(x, at),
        torch=lambda torch, x, at: lambda: torch.index_select(x, 0, at),
        numpy=lambda np, x, at: lambda: x.take(at, 0),
        reference=lambda x, at: x[at],
        bytes=4.0 * 2 * count * size + 8.0 * count,
    )


def scatter_add(rng: np.random.Generator, rows: int, size: int, count: int) -> Work:
    """Its gradient: rows are added up at random places."""

    def reference(x: Any, at: Any) -> Any:
        y = np.zeros((rows, size))
        np.add.at(y, at, x)
        return y

    def in_torch(torch: Any, x: Any, at: Any) -> Step:
        return lambda: torch.zeros(rows, size).index_add_(0, at, x)

    return Work(
        [uniform(rng, count, size), rng.integers(0, rows, count)],
        ours=lambda backend, x, at: lambda: backend.scatter_add(x, at, rows),
        torch=in_torch,
        reference=reference,
        flops=1.0 * count * size,
    )


def lstm_cell(rng: np.random.Generator, n: int, h: int) -> Work:
    """h and c after one time step, from the summed gates (N, 4H) and c (N, H)."""

    def in_torch(torch: Any, gates: Any, c: Any) -> Step:
        def step() -> Any:
            i, f, g, o = gates.chunk(4, 1)
            after = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(after), after

        return step

    return Work(
        [uniform(rng, n, 4 * h, low=-3, high=3), uniform(rng, n, h)],
        ours=lambda backend, gates, c: lambda: backend.lstm_cell(gates, c)[:2],
        torch=in_torch,
        reference=lambda gates, c: references.lstm_cell(gates, c)[:2],
    )


def random_bits(rng: np.random.Generator, count: int) -> Work:
    """32-bit words by Philox4x32-10. Others do not make these, so there is no peer."""
    return Work(
        [],
        ours=lambda backend: lambda: backend.random_bits(KEY, COUNTER, count),
        reference=lambda: references.philox(KEY, COUNTER, count),
    )


CASES = [
    Case("gather 8192 of 50000x128", "index", gather, (50_000, 128, 8192), (17, 5, 9)),
    Case("scatter-add 8192 to 50000x128", "index", scatter_add, (50_000, 128, 8192), (17, 5, 9)),
    Case("LSTM cell 32x128", "recurrent", lstm_cell, (32, 128), (3, 7)),
    Case("LSTM cell 256x512", "recurrent", lstm_cell, (256, 512), (3, 7)),
    Case("philox 1M words", "random", random_bits, (1 << 20,), (11,)),
]
