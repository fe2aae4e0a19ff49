"""Recurrent layers as kernels: sizes at which their cuts, tiles and slices end, numbers of threads.

The sizes are larger than those of the contract's calls (contract_calls.py), and the weights
smaller: over many steps, differences of rounding would grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from contract import watched

import etude

BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(why is not None, reason=str(why)))
    for name, why in etude.backends.available().items()
    if name in ("c", "numba")
]
DTYPES = ["float32", "float64"]
SIZES = [  # steps, rows, units
    (1, 1, 1),
    (0, 3, 2),
    (3, 0, 2),
    (2, 3, 0),
    (7, 1, 33),  # one row: threads share steps
    (4, 7, 64),
    (3, 8, 17),  # tasks of rows
    (9, 45, 40),  # of different heights; several slices of rows in the weight's gradient
    (3, 64, 16),
]
WIDE = (2, 9, 330)  # W is too large for a core's cache


def calls(engine: Any, sizes: tuple[int, int, int], dtype: str) -> dict[str, list[Any]]:
    """The arguments of each method."""
    t, n, h = sizes
    rng = np.random.default_rng(0)

    def make(*shape: int, low: float = -0.5) -> Any:
        values = np.asarray(rng.uniform(low, low + 1.0, shape), dtype)
        return engine.from_host(memoryview(values), shape, dtype)

    def weight(gates: int) -> Any:
        values = np.asarray(rng.uniform(-1, 1, (gates * h, h)) / max(h, 1) ** 0.5, dtype)
        return engine.from_host(memoryview(values), values.shape, dtype)

    g, hs, h0, c0 = make(t, n, h), make(t, n, h), make(n, h), make(n, h)
    acts = make(t, n, 4 * h, low=0.0)
    return {
        "rnn tanh": [make(t, n, h), weight(1), h0, "tanh"],
        "rnn relu": [make(t, n, h), weight(1), h0, "relu"],
        "rnn_grad tanh": [g, hs, weight(1), h0, "tanh"],
        "rnn_grad relu": [g, hs, weight(1), h0, "relu"],
        "lstm": [make(t, n, 4 * h), weight(4), h0, c0],
        "lstm_grad": [g, make(n, h), hs, make(t, n, h), acts, weight(4), h0, c0],
        "gru": [make(t, n, 3 * h), weight(3), make(3 * h), h0],
        "gru without a bias": [make(t, n, 3 * h), weight(3), None, h0],
        "gru_grad": [g, hs, acts, weight(3), h0],
    }


def run(engine: Any, name: str, arguments: list[Any]) -> Any:
    return getattr(engine, name.split()[0])(*arguments)


@pytest.fixture
def threads() -> Iterator[Any]:
    before = etude.get_num_threads()
    yield etude.set_num_threads
    etude.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [*SIZES, WIDE], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_layers_are_their_steps(backend: str, sizes: Any, dtype: str) -> None:
    engine = etude.backends.get(backend)
    for name, arguments in calls(engine, sizes, dtype).items():
        with watched(engine, 10.0, set()):
            run(engine, name, arguments)


@pytest.mark.parametrize("sizes", [(7, 1, 130), (4, 33, 70), (9, 45, 40), WIDE], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_threads_gives_the_same_bits(backend: str, sizes: Any, threads: Any) -> None:
    engine = etude.backends.get(backend)
    for name, arguments in calls(engine, sizes, "float32").items():
        found = []
        for count in (1, 2, 5):
            threads(count)
            results = run(engine, name, arguments)
            results = results if isinstance(results, tuple) else (results,)
            found.append([bytes(engine.to_host(x)) for x in results])
        assert found[0] == found[1] == found[2], name


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_nan_stays_in_its_row(backend: str) -> None:
    engine = etude.backends.get(backend)
    for name, arguments in calls(engine, (3, 9, 20), "float32").items():
        if "grad" not in name:
            a = np.array(engine.to_host(arguments[0])).reshape(arguments[0].shape)
            a[1, 4, 5] = np.nan
            given = engine.from_host(memoryview(a), a.shape, "float32")
            results = run(engine, name, [given, *arguments[1:]])
            h = results[0] if isinstance(results, tuple) else results
            bad = np.isnan(np.array(engine.to_host(h)).reshape(3, 9, 20))
            assert bad[1, 4].any(), name
            assert bad[2, 4].all(), name
            bad[1:, 4] = False
            assert not bad.any(), name
