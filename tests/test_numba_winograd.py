"""Winograd's convolution on the Numba backend, and where it leaves the work to others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude

if etude.backends.available()["numba"] is not None:
    pytest.skip("numba is not available here", allow_module_level=True)

import numba

from etude.backends import numba_winograd

ENGINE: Any = etude.backends.get("numba")
ORACLE: Any = etude.backends.get("numpy")
TOLERANCE = 3e-5  # of the largest result
PADDED = ((1, 1), (1, 1))


def draw(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def results(engine: Any, x: Any, w: Any, b: Any, g: Any, padding: Any) -> list[Any]:
    """y and the gradients for x and w."""
    geometry = (1, 1), padding, (1, 1), 1
    return [
        engine.conv(x, w, b, *geometry),
        engine.conv_input_grad(g, w, x.shape, *geometry),
        engine.conv_weight_grad(x, g, w.shape, *geometry),
    ]


# images, channels, height, width; outputs, padding: many tiles and few, whole ones and not,
# blocks of channels that are whole and not, padding on one side alone
CASES = [
    ((3, 17, 29, 50), 35, PADDED),
    ((7, 20, 12, 12), 16, PADDED),
    ((32, 150, 4, 4), 70, PADDED),
    ((2, 16, 22, 23), 90, ((0, 0), (0, 0))),
    ((1, 33, 40, 27), 18, ((2, 0), (0, 2))),
    ((4, 16, 14, 15), 16, ((3, 2), (2, 3))),
]


def counts(shape: Any, padding: Any) -> tuple[int, ...]:
    return tuple(n + lo + hi - 2 for n, (lo, hi) in zip(shape[2:], padding))


@pytest.mark.parametrize("shape, outputs, padding", CASES)
def test_results_and_gradients(shape: Any, outputs: int, padding: Any) -> None:
    x, w, b = draw(*shape), draw(outputs, shape[1], 3, 3), draw(outputs)
    g = draw(shape[0], outputs, *counts(shape, padding))
    assert numba_winograd.pays(x, w, g.shape, (1, 1), padding, (1, 1), 1)
    expected = results(ORACLE, *(a.astype("float64") for a in (x, w, b, g)), padding)
    for got, true in zip(results(ENGINE, x, w, b, g, padding), expected):
        assert got.dtype == "float32"
        assert got.shape == true.shape
        assert np.abs(got - true).max() <= TOLERANCE * np.abs(true).max()


@pytest.mark.parametrize("shape, outputs", [((9, 17, 29, 30), 35), ((33, 40, 4, 4), 130)])
def test_one_thread_and_all_give_the_same_bits(shape: Any, outputs: int) -> None:
    x, w, b = draw(*shape), draw(outputs, shape[1], 3, 3), draw(outputs)
    g, before = draw(shape[0], outputs, *shape[2:]), numba.get_num_threads()
    many = results(ENGINE, x, w, b, g, PADDED)
    try:
        numba.set_num_threads(1)
        alone = results(ENGINE, x, w, b, g, PADDED)
    finally:
        numba.set_num_threads(before)
    assert [a.tobytes() for a in many] == [a.tobytes() for a in alone]


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_stays_in_its_window(odd: float) -> None:
    x, w, b = draw(2, 17, 16, 16), draw(18, 17, 3, 3), draw(18)
    g = draw(2, 18, 16, 16)
    x[1, 3, 5, 6], g[0, 17, 0, 15] = odd, odd
    expected = results(ORACLE, x, w, b, g, PADDED)
    for got, true in zip(results(ENGINE, x, w, b, g, PADDED), expected):
        finite = np.isfinite(true)
        np.testing.assert_array_equal(np.isfinite(got), finite)
        assert finite.any()
        assert not finite.all()
        near = np.abs(got[finite] - true[finite]).max()
        assert near <= TOLERANCE * np.abs(true[finite]).max()


@pytest.mark.parametrize(
    "shape, outputs, stride, dtype",
    [
        ((32, 16, 8, 8), 16, 2, "float32"),
        ((32, 16, 8, 8), 16, 1, "float64"),
        ((32, 15, 8, 8), 16, 1, "float32"),
        ((32, 16, 2, 2), 16, 1, "float32"),
        ((7, 16, 8, 8), 16, 1, "float32"),
    ],
)
def test_what_it_is_not_for(shape: Any, outputs: int, stride: int, dtype: str) -> None:
    x, w = draw(*shape).astype(dtype), draw(outputs, shape[1], 3, 3).astype(dtype)
    size = tuple(-(-n // stride) for n in shape[2:])
    given = (stride, stride), PADDED, (1, 1), 1
    assert not numba_winograd.pays(x, w, (shape[0], outputs, *size), *given)
