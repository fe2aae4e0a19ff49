"""The CUDA backend's recurrent cells and layers, simulated, beside NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from etude.backends.base import Backend
from etude.kernels.cuda import toolchain

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(9)
N, H, T = 3, 5, 2


@pytest.fixture(scope="module")
def backends() -> Any:
    """(simulated CUDA, NumPy)."""
    from etude.backends.cuda_backend import CudaBackend
    from etude.backends.numpy_backend import NumpyBackend

    with toolchain.simulated():
        yield CudaBackend(), NumpyBackend()


def normal(*shape: int, dtype: str = "float32") -> np.ndarray:
    return RNG.standard_normal(shape).astype(dtype)


def both(backends: Any, method: str, *arguments: Any) -> None:
    """All results of the method agree."""
    mine, want = (results(backend, method, arguments) for backend in backends)
    for x, y in zip(mine, want, strict=True):
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=0, atol=2e-6)


def results(backend: Backend, method: str, arguments: Any) -> list[np.ndarray]:
    given = [
        backend.from_host(memoryview(x), x.shape, str(x.dtype)) if isinstance(x, np.ndarray) else x
        for x in arguments
    ]
    made = getattr(backend, method)(*given)
    return [
        np.asarray(backend.to_host(y)).reshape(tuple(y.shape))
        for y in (made if isinstance(made, tuple) else (made,))
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cells(backends: Any, dtype: str) -> None:
    def some(*shape: int) -> np.ndarray:
        return normal(*shape, dtype=dtype)

    both(backends, "lstm_cell", some(N, 4 * H), some(N, H))
    act = np.abs(np.tanh(some(N, 4 * H)))
    both(backends, "lstm_cell_grad", some(N, H), some(N, H), act, some(N, H), some(N, H))
    both(backends, "gru_cell", some(N, 3 * H), some(N, 3 * H), some(N, H))
    both(backends, "gru_cell_grad", some(N, H), act, some(N, H))


def test_layers_over_time(backends: Any) -> None:
    w, h, c = normal(4 * H, H), normal(N, H), normal(N, H)
    both(backends, "lstm", normal(T, N, 4 * H), w, h, c)
    states = normal(T, N, H), normal(T, N, H), np.abs(np.tanh(normal(T, N, 4 * H)))
    both(backends, "lstm_grad", normal(T, N, H), normal(N, H), *states, w, h, c)
    both(backends, "gru", normal(T, N, 3 * H), w[: 3 * H], normal(3 * H), h)
    both(backends, "rnn", normal(T, N, H), w[:H], h, "tanh")


def test_a_layer_of_no_steps(backends: Any) -> None:
    w, h, c = normal(4 * H, H), normal(N, H), normal(N, H)
    both(backends, "lstm", normal(0, N, 4 * H), w, h, c)
