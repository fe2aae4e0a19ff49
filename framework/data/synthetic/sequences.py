"""Sequences: waves to go on with, and symbols to remember."""

from __future__ import annotations

from math import pi
from typing import Any

from ...creation import tensor
from ...errors import ArgumentError, fail
from ..dataset import TensorDataset
from .draws import Draws, check_count

IGNORED = -100  # cross_entropy's ignore_index


def synthetic_sines(
    n: int, length: int = 50, seed: int = 0, noise: float = 0.0, backend: Any = None
) -> TensorDataset:
    """`n` sine waves x (length, 1) and the same one step on, y (length, 1), float32.

    x_t = a sin(2 pi t / p + f), a in 0.5 ... 1, period p in 10 ... 30 steps, any phase f, plus
    uniform noise of up to `noise`. Raises ArgumentError for small numbers.
    """
    import numpy as np

    check_count("synthetic_sines", "n", n, 0)
    check_count("synthetic_sines", "length", length, 1)
    draws = Draws(seed)
    u = draws.array(n, 3)
    scale, period, phase = (u[:, k : k + 1] for k in range(3))
    t = np.arange(length + 1)
    waves = (0.5 + 0.5 * scale) * np.sin(2 * pi * (t / (10 + 20 * period) + phase))
    waves += noise * (2 * draws.array(n, length + 1) - 1)
    waves = waves.astype("float32")[..., None]
    parts = (waves[:, :-1], waves[:, 1:])
    return TensorDataset(*(tensor(part.copy(), backend=backend) for part in parts))


def synthetic_echo(
    n: int, length: int, lag: int, symbols: int = 4, seed: int = 0, backend: Any = None
) -> TensorDataset:
    """`n` random sequences x int64 (length,) and what each was `lag` steps before: y_t = x_(t-lag).

    Before that there is nothing to say: y_t = -100, which `cross_entropy` passes over. Raises
    ArgumentError unless 0 <= lag < length.
    """
    op = "synthetic_echo"
    for name, value, least in (("n", n, 0), ("length", length, 1), ("symbols", symbols, 2)):
        check_count(op, name, value, least)
    if not isinstance(lag, int) or not 0 <= lag < length:
        why = f"expected a lag of 0 ... {length - 1}, got {lag!r}; lengthen the sequences"
        raise fail(ArgumentError, op, why)
    x = (Draws(seed).array(n, length) * symbols).astype("int64")
    y = x.copy()
    y[:, :lag] = IGNORED
    y[:, lag:] = x[:, : length - lag]
    return TensorDataset(tensor(x, backend=backend), tensor(y, backend=backend))


def synthetic_recall(
    n: int, lag: int, symbols: int = 4, seed: int = 0, backend: Any = None
) -> TensorDataset:
    """`n` sequences x int64 (lag + 1,) that begin with what is asked for at their end, y ().

    The first symbol, one of 0 ... symbols - 1, is the label; `lag` others, symbols ... 2 symbols -
    1, distract. In the manner of Hochreiter & Schmidhuber 1997, section 5.2. Decks: D3. Raises
    ArgumentError for small numbers.
    """
    for name, value, least in (("n", n, 0), ("lag", lag, 0), ("symbols", symbols, 2)):
        check_count("synthetic_recall", name, value, least)
    x = (Draws(seed).array(n, lag + 1) * symbols).astype("int64")
    x[:, 1:] += symbols
    return TensorDataset(tensor(x, backend=backend), tensor(x[:, 0].copy(), backend=backend))
