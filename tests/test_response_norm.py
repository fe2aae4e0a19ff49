"""Local response norm as kernels: strips of columns, windows wider than the channels, powers."""

from __future__ import annotations

from itertools import product
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
SHAPES = [(1, 1, 1), (0, 3, 2), (2, 7, 3, 2), (3, 5, 129), (2, 33, 16, 17), (1, 300, 7)]
NUMBERS = [(1e-4, 0.75, 1.0), (0.5, 0.75, 2.0), (1.0, 0.5, 1.0), (2.0, 1.0, 0.5)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_its_composition(backend: str, shape: tuple[int, ...], dtype: str) -> None:
    engine = etude.backends.get(backend)
    rng = np.random.default_rng(0)

    def make() -> Any:
        return engine.from_host(
            memoryview(np.asarray(rng.standard_normal(shape), dtype)), shape, dtype
        )

    x, g = make(), make()
    for size, (alpha, beta, k) in product((1, 2, 5, 8), NUMBERS):
        with watched(engine, 3.0, set()):
            _, s = engine.local_response_norm(x, size, alpha, beta, k)
            engine.local_response_norm_grad(g, x, s, size, alpha, beta)


@pytest.mark.parametrize("backend", BACKENDS)
def test_infinite_and_zero_sums_go_through(backend: str) -> None:
    engine = etude.backends.get(backend)
    values = np.array([[[0.0, 1.0, np.inf, np.nan, 3.0]]], np.float32)
    x = engine.from_host(memoryview(values), (1, 1, 5), "float32")
    with watched(engine, done=set()):
        engine.local_response_norm(x, 3, 1.0, 0.75, 0.0)
