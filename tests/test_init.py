"""Initial weights: their distribution, and that one seed gives the same bits on every backend."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
import pytest

import etude
from etude import nn

init = nn.init
BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


def filled(fill: Any, *shape: int, dtype: Any = "float32", backend: str = "numpy") -> np.ndarray:
    etude.manual_seed(7)
    w = etude.zeros(shape, dtype=dtype, backend=backend, requires_grad=True)
    assert fill(w) is w
    assert w.is_leaf
    return w.detach().numpy()


def deviation(w: np.ndarray) -> float:
    return float(np.sqrt((w.astype(np.float64) ** 2).mean()))


FAN_IN, FAN_OUT = 40 * 6, 50 * 6  # of a weight (50, 40, 2, 3)
SPREADS = [
    (init.uniform_, sqrt(1 / 3)),
    (lambda w: init.uniform_(w, -2.0, 2.0), 2 / sqrt(3)),
    (init.normal_, 1.0),
    (lambda w: init.normal_(w, 0.0, 0.3), 0.3),
    (init.xavier_uniform_, sqrt(2 / (FAN_IN + FAN_OUT))),
    (lambda w: init.xavier_uniform_(w, gain=3.0), 3 * sqrt(2 / (FAN_IN + FAN_OUT))),
    (init.xavier_normal_, sqrt(2 / (FAN_IN + FAN_OUT))),
    (init.lecun_normal_, sqrt(1 / FAN_IN)),
    (lambda w: init.kaiming_normal_(w, nonlinearity="linear"), sqrt(1 / FAN_IN)),
    (init.kaiming_uniform_, sqrt(2 / FAN_IN)),
    (lambda w: init.kaiming_uniform_(w, a=sqrt(5)), sqrt(1 / 3 / FAN_IN)),
    (lambda w: init.kaiming_normal_(w, mode="fan_out"), sqrt(2 / FAN_OUT)),
    (lambda w: init.kaiming_normal_(w, nonlinearity="relu"), sqrt(2 / FAN_IN)),
    (lambda w: init.kumar_normal_(w, "sigmoid"), sqrt(12.8 / FAN_IN)),
    (lambda w: init.kumar_normal_(w, "tanh"), sqrt(1 / FAN_IN)),
    (
        lambda w: init.kumar_normal_(w, "softplus"),
        sqrt(4 / (1 + log(2) ** 2) / FAN_IN),
    ),
    (init.orthogonal_, sqrt(1 / FAN_IN)),
]


@pytest.mark.parametrize("fill, spread", SPREADS)
def test_spread(fill: Any, spread: float) -> None:
    w = filled(fill, 50, 40, 2, 3)
    assert deviation(w) == pytest.approx(spread, rel=0.05)
    assert w.dtype == np.float32


def test_bounds_and_means() -> None:
    w = filled(lambda t: init.uniform_(t, 2.0, 5.0), 3000)
    assert 2.0 <= w.min() < 2.01
    assert 4.99 < w.max() <= 5.0
    assert w.mean() == pytest.approx(3.5, abs=0.1)
    assert filled(lambda t: init.normal_(t, -4.0, 0.1), 1000).mean() == pytest.approx(-4.0, abs=0.1)


def test_constants() -> None:
    assert filled(init.zeros_, 2).tolist() == [0.0, 0.0]
    assert filled(init.ones_, 2).tolist() == [1.0, 1.0]
    assert filled(lambda w: init.constant_(w, 0.25), 2).tolist() == [0.25, 0.25]


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (6, 2, 2, 2), (1, 7), (7, 1)])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("float64", 1e-14)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...], dtype: str, tolerance: float) -> None:
    w = filled(lambda t: init.orthogonal_(t, gain=2.0), *shape, dtype=dtype)
    matrix = w.reshape(shape[0], -1).astype(np.float64) / 2.0
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(len(product)), atol=tolerance * 4)


def test_orthogonal_is_the_factor_with_a_positive_diagonal() -> None:
    """As in torch: Q of a normal matrix, its columns' signs those of R's diagonal."""
    w = filled(init.orthogonal_, 30, 20, dtype="float64")
    etude.manual_seed(7)
    q, r = np.linalg.qr(etude.randn(30, 20, dtype=etude.float64).numpy())
    np.testing.assert_allclose(w, q * np.sign(np.diag(r)), atol=1e-13)


FILLS = {
    "uniform_": lambda w: init.uniform_(w, -0.3, 0.7),
    "normal_": lambda w: init.normal_(w, 0.1, 0.7),
    "xavier_uniform_": init.xavier_uniform_,
    "xavier_normal_": init.xavier_normal_,
    "kaiming_uniform_": lambda w: init.kaiming_uniform_(w, a=sqrt(5)),
    "kaiming_normal_": init.kaiming_normal_,
    "lecun_normal_": init.lecun_normal_,
    "kumar_normal_": init.kumar_normal_,
    "orthogonal_": lambda w: init.orthogonal_(w, 1.3),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FILLS)
def test_one_seed_gives_the_same_bits_on_every_backend(name: str, dtype: str, backend: str) -> None:
    for shape in ((7, 3, 2), (3, 11)):
        expected = filled(FILLS[name], *shape, dtype=dtype)
        got = filled(FILLS[name], *shape, dtype=dtype, backend=backend)
        assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_seed_gives_the_same_model_on_every_backend(backend: str) -> None:
    def weights(name: str) -> list[bytes]:
        etude.manual_seed(3)
        with etude.use_backend(name):
            model = nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(5, 7), nn.Embedding(3, 2)
            )
        return [bytes(t.backend.to_host(t.buffer)) for t in model.state_dict().values()]

    assert weights(backend) == weights("numpy")


def test_a_generator_of_its_own_leaves_the_common_one_alone() -> None:
    state = etude.get_rng_state()
    own = etude.Generator().manual_seed(5)
    first = init.normal_(etude.zeros(3), generator=own).tolist()
    assert init.normal_(etude.zeros(3), generator=own).tolist() != first
    again = etude.Generator().manual_seed(5)
    assert init.normal_(etude.zeros(3), generator=again).tolist() == first
    assert etude.get_rng_state() == state


def test_gains_are_torch_s() -> None:
    torch = pytest.importorskip("torch", reason="the gains are compared with torch's")
    for name in init.GAINS:
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_the_variance_of_a_deep_relu_net_stays_with_he_and_fades_with_a_plain_sigma() -> None:
    def depth(fill: Any) -> float:
        etude.manual_seed(0)
        x = etude.randn(64, 100)
        for _ in range(20):
            x = (x @ fill(etude.zeros(100, 100)).T).relu()
        return (x * x).mean().item()

    assert 0.1 < depth(lambda w: init.kaiming_normal_(w, nonlinearity="relu")) < 10.0
    assert depth(lambda w: init.normal_(w, 0.0, 0.1)) < 1e-3


def test_weights_are_drawn_anew() -> None:
    layer = nn.Linear(3, 2)
    before = layer.weight.tolist()
    layer.reset_parameters()
    assert layer.weight.tolist() != before
    assert layer.weight.requires_grad
