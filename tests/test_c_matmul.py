"""Products and recurrent cells in C: sizes around tiles, every way through the kernels, threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from contract import watched
from contract_calls import CALLS

import etude

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
TILES = [1, 2, 5, 6, 7, 13, 14, 15, 16, 17, 28, 29, 31, 32, 33, 64, 65]
SIZES = [  # M, K, N: tiles that are full and that are not, few rows, one column, slices of K
    *[(m, k, n) for m, k, n in zip(TILES, reversed(TILES), TILES[5:] + TILES[:5])],
    (1, 700, 100),
    (3, 40, 900),
    (8, 2500, 70),
    (7, 1111, 33),
    (300, 70, 1),
    (1, 5000, 1),
    (20, 3, 20),
    (33, 2049, 35),
    (150, 2100, 40),
    (200, 300, 1030),
    (64, 300, 512),
    (150, 2100, 78),
    (170, 1030, 330),
]
STORED = [(False, False), (False, True), (True, False), (True, True)]
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


@pytest.fixture
def c() -> Any:
    return etude.backends.get("c")


@pytest.fixture
def threads() -> Iterator[Any]:
    before = etude.get_num_threads()
    yield etude.set_num_threads
    etude.set_num_threads(before)


def block(c: Any, x: np.ndarray) -> Any:
    return c.from_host(memoryview(np.ascontiguousarray(x).reshape(-1)), x.shape, str(x.dtype))


def values(c: Any, x: Any) -> np.ndarray:
    return np.array(c.to_host(x), c.dtype(x)).reshape(x.shape)


def draw(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    if dtype.startswith("float"):
        return rng.uniform(-1, 1, shape).astype(dtype)
    return rng.integers(0, 2 if dtype == "bool" else 2**31 - 1, shape).astype(dtype)


def stored(x: np.ndarray, transposed: bool) -> np.ndarray:
    return x.swapaxes(-1, -2) if transposed else x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ta, tb", STORED)
def test_products_within_rounding(c: Any, dtype: str, ta: bool, tb: bool) -> None:
    for m, k, n in SIZES:
        a, b = draw((m, k), dtype), draw((k, n), dtype, 1)
        y = c.matmul(block(c, stored(a, ta)), block(c, stored(b, tb)), ta, tb)
        bound = (k + 2) * EPS[dtype] * (np.abs(a) @ np.abs(b))
        assert np.all(np.abs(values(c, y) - a.astype(np.longdouble) @ b) <= bound), (m, k, n)


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
@pytest.mark.parametrize("ta, tb", STORED)
def test_whole_numbers_wrap_and_bools_are_or_of_ands(
    c: Any, dtype: str, ta: bool, tb: bool
) -> None:
    for m, k, n in ((3, 5, 4), (1, 1, 1), (40, 33, 70)):
        a, b = draw((m, k), dtype), draw((k, n), dtype, 1)
        y = c.matmul(block(c, stored(a, ta)), block(c, stored(b, tb)), ta, tb)
        np.testing.assert_array_equal(values(c, y), a @ b)


@pytest.mark.parametrize(
    "lead_a, lead_b",
    [
        ((4,), ()),
        ((), (4,)),
        ((2, 3), (2, 3)),
        ((2, 1), (1, 3)),
        ((2, 3), (3,)),
        ((1, 1), (5,)),
        ((3, 1, 2), (4, 1)),
        ((0,), ()),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_leading_axes_broadcast(c: Any, lead_a: Any, lead_b: Any, dtype: str) -> None:
    for ta, tb in STORED:
        a, b = draw((*lead_a, 5, 7), dtype), draw((*lead_b, 7, 6), dtype, 1)
        y = values(c, c.matmul(block(c, stored(a, ta)), block(c, stored(b, tb)), ta, tb))
        assert y.shape == (a @ b).shape
        np.testing.assert_allclose(y, a @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("m, k, n", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_no_elements(c: Any, m: int, k: int, n: int) -> None:
    for lead in ((), (2,)):
        a, b = block(c, draw((*lead, m, k))), block(c, draw((k, n)))
        out = c.full((*lead, m, n), 7, "float32")
        assert c.matmul(a, b, out=out) is out
        np.testing.assert_array_equal(values(c, out), np.zeros((*lead, m, n)))


@pytest.mark.parametrize("m, k, n", [(5, 9, 40), (70, 600, 90), (8, 300, 200), (200, 900, 400)])
def test_nan_and_inf_stay_in_their_row_and_column(c: Any, m: int, k: int, n: int) -> None:
    for ta, tb in STORED:
        a, b = draw((m, k)), draw((k, n), seed=1)
        a[m - 1, k // 2], b[k - 1, n - 1] = np.nan, np.inf
        y = values(c, c.matmul(block(c, stored(a, ta)), block(c, stored(b, tb)), ta, tb))
        assert np.all(np.isnan(y[m - 1]))
        assert not np.any(np.isfinite(y[:, n - 1]))
        assert np.all(np.isfinite(y[: m - 1, : n - 1]))


@pytest.mark.parametrize(
    "m, k, n",
    [(64, 784, 128), (150, 2100, 40), (8, 2500, 700), (300, 900, 400), (2100, 70, 150)],
)
def test_any_number_of_threads_gives_the_same_bits(
    c: Any, threads: Any, m: int, k: int, n: int
) -> None:
    x, w, g = block(c, draw((m, k))), block(c, draw((n, k))), block(c, draw((m, n)))
    bias, batch = block(c, draw((n,))), block(c, draw((6, k, 30)))
    results = []
    for count in (1, 2, 5):
        threads(count)
        made = [c.linear(x, w, bias, "tanh"), c.matmul(x, batch), c.matmul(g, x, True)]
        made += c.linear_grad(g, x, w, (True, True, True))
        results.append([values(c, y).tobytes() for y in made])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name",
    ["linear", "linear_grad", "lstm_cell", "lstm_cell_grad", "gru_cell", "gru_cell_grad"],
)
def test_equal_to_the_composition(c: Any, name: str, dtype: str) -> None:
    def make(shape: tuple[int, ...], low: float = -2.0) -> Any:
        x = np.random.default_rng(len(shape)).normal(size=shape)
        return block(c, np.asarray(x if low else np.abs(x) / 5, dtype))

    with watched(c, done=set()):
        for arguments in CALLS[name](make):
            getattr(c, name)(*arguments)


@pytest.mark.parametrize("m, k, n", [(64, 784, 256), (200, 1200, 700), (4, 900, 300)])
def test_large_layers(c: Any, m: int, k: int, n: int) -> None:
    x, w, b, g = draw((m, k)), draw((n, k), seed=1), draw((n,)), draw((m, n), seed=2)
    y = c.linear(block(c, x), block(c, w), block(c, b), "relu")
    near = {"rtol": 1e-4, "atol": 1e-3}
    np.testing.assert_allclose(values(c, y), np.maximum(x @ w.T + b, 0), **near)
    found = c.linear_grad(block(c, g), block(c, x), block(c, w), (True, True, True))
    for got, expected in zip(found, (g @ w, g.T @ x, g.sum(0))):
        np.testing.assert_allclose(values(c, got), expected, **near)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (8, 32, 5), (17, 71, 33), (64, 64, 64)])
@pytest.mark.parametrize("rung", ["naive", "rows", "tiled"])
def test_the_rungs_of_the_ladder_agree(rung: str, sizes: tuple[int, int, int]) -> None:
    from etude.backends.c_library import lib

    m, n, k = sizes
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((m, k), (k, n)))
    engine = etude.backends.get("c")
    x, y = (engine.from_host(memoryview(t), t.shape, "float32") for t in (a, b))
    z = engine.empty((m, n), "float32")
    getattr(lib, f"gemm_{rung}_f32")(m, n, k, x.data, y.data, z.data)
    found = np.array(engine.to_host(z)).reshape(m, n)
    np.testing.assert_allclose(found, a.astype(float) @ b, rtol=2e-5, atol=2e-5)
