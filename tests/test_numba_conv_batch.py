"""Convolution with results of few places on the Numba backend, and where it leaves it to others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude

if etude.backends.available()["numba"] is not None:
    pytest.skip("numba is not available here", allow_module_level=True)

import numba

from etude.backends import numba_conv_batch

ENGINE: Any = etude.backends.get("numba")
ORACLE: Any = etude.backends.get("numpy")
PLAIN = ((1, 1), ((1, 1), (1, 1)), (1, 1))


def draw(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def results(engine: Any, x: Any, w: Any, b: Any, g: Any, geometry: Any) -> list[Any]:
    """y and the gradients for x and w."""
    return [
        engine.conv(x, w, b, *geometry, 1),
        engine.conv_input_grad(g, w, x.shape, *geometry, 1),
        engine.conv_weight_grad(x, g, w.shape, *geometry, 1),
    ]


def operands(x: Any, w: Any, y: Any) -> tuple[Any, ...]:
    return draw(*x), draw(*w), draw(w[0]), draw(*y)


# shapes of images, weights and results; stride, padding, dilation
CASES = [
    ((32, 70, 2, 2), (45, 70, 3, 3), (32, 45, 2, 2), *PLAIN),
    ((9, 16, 4, 3), (17, 16, 3, 3), (9, 17, 2, 2), (2, 2), ((1, 0), (1, 1)), (1, 1)),
    ((35, 30, 3, 4), (50, 30, 2, 2), (35, 50, 1, 2), (1, 1), ((0, 0), (0, 0)), (2, 2)),
    ((65, 19, 1, 1), (33, 19, 3, 3), (65, 33, 1, 1), *PLAIN),
]


@pytest.mark.parametrize("x, w, y, stride, padding, dilation", CASES)
def test_results_and_gradients(
    x: Any, w: Any, y: Any, stride: Any, padding: Any, dilation: Any
) -> None:
    given, geometry = operands(x, w, y), (stride, padding, dilation)
    assert numba_conv_batch.fits(x, w, y, 1, given[0].dtype)
    expected = results(ORACLE, *(a.astype("float64") for a in given), geometry)
    before = numba.get_num_threads()
    found = results(ENGINE, *given, geometry)
    for got, true in zip(found, expected):
        assert got.dtype == "float32"
        assert got.shape == true.shape
        assert np.abs(got - true).max() <= 2e-6 * np.abs(true).max()
    try:
        numba.set_num_threads(1)
        alone = results(ENGINE, *given, geometry)
    finally:
        numba.set_num_threads(before)
    assert [a.tobytes() for a in alone] == [a.tobytes() for a in found]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_reaches_what_it_does_elsewhere(odd: float, size: int) -> None:
    x, w, b, g = operands((32, 17, size, size), (18, 17, 3, 3), (32, 18, size, size))
    w[4, 5, 0, 0], g[3, 2, 0, 0] = odd, odd
    pairs = list(zip(results(ENGINE, x, w, b, g, PLAIN), results(ORACLE, x, w, b, g, PLAIN)))
    del pairs[1]  # of the gradient for x: a tap that meets nothing is in no product anywhere
    for got, true in pairs:
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(true))
        assert not np.isfinite(true).all()


def test_what_it_is_not_for() -> None:
    x, w, y = (32, 16, 2, 2), (16, 16, 3, 3), (32, 16, 2, 2)
    single, double = np.dtype("float32"), np.dtype("float64")
    assert numba_conv_batch.fits(x, w, y, 1, single)
    assert not numba_conv_batch.fits(x, w, y, 1, double)
    assert not numba_conv_batch.fits(x, w, y, 2, single)
    assert not numba_conv_batch.fits((7, *x[1:]), w, (7, *y[1:]), 1, single)
    assert not numba_conv_batch.fits(x, (15, *w[1:]), (32, 15, 2, 2), 1, single)
    assert not numba_conv_batch.fits((32, 16, 3, 2), w, (32, 16, 3, 2), 1, single)
