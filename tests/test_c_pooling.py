"""Pooling in C: at random shapes it agrees with NumPy and python; positions are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etude
from etude.backends import get
from etude.backends.base import Backend, window_count

if etude.backends.available()["c"]:
    pytest.skip("the C kernels are not built", allow_module_level=True)

C: Any = get("c")
NUMPY: Any = get("numpy")
PYTHON: Any = get("python")
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def buffer(x: Any, engine: Any) -> Any:
    return engine.from_host(memoryview(np.ascontiguousarray(x)), x.shape, str(x.dtype))


def run(engine: Any, name: str, *args: Any) -> Any:
    """A method of a backend on arrays; the default of NumPy's, which is the oracle."""
    given_ = [buffer(a, engine) if isinstance(a, np.ndarray) else a for a in args]
    method = getattr(Backend if engine is NUMPY else type(engine), name)
    results = method(engine, *given_)
    results = results if isinstance(results, tuple) else (results,)
    return [np.array(engine.to_host(r), engine.dtype(r)).reshape(r.shape) for r in results]


def agree(oracle: Any, tolerance: float, name: str, *args: Any) -> None:
    for got, expected in zip(run(C, name, *args), run(oracle, name, *args)):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(got, expected, tolerance, tolerance)


@st.composite
def windows(draw: Any, most: int = 40) -> Any:
    """Size, kernel, stride, padding and dilation of a line or plane."""
    axes = []
    for _ in range(draw(st.integers(1, 2))):
        k, d = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        lo, hi = draw(st.integers(0, k // 2)), draw(st.integers(0, k // 2))
        least = max(1, d * (k - 1) + 1 - lo - hi)
        axes.append(
            (draw(st.integers(least, least + most)), k, draw(st.integers(1, 4)), (lo, hi), d)
        )
    if draw(st.booleans()):
        axes = [(max(n, 2), 2, 2, (0, 0), 1) for n, *_ in axes]
    return tuple(tuple(axis[i] for axis in axes) for i in range(5))


def check(window: Any, dtype: str, seed: int, oracle: Any, planes: tuple[int, int]) -> None:
    size, kernel, stride, padding, dilation = window
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (*planes, *size)).astype(dtype)  # with ties
    x[rng.random(x.shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
    y, positions = run(C, "max_pool", x, kernel, stride, padding, dilation)
    agree(oracle, 0, "max_pool", x, kernel, stride, padding, dilation)
    g = rng.standard_normal(y.shape).astype(dtype)
    agree(oracle, TOLERANCE[dtype], "max_pool_grad", g, positions, x.shape)
    agree(oracle, 0, "max_pool_pick", x, positions)
    agree(oracle, TOLERANCE[dtype], "sum_pool", x, kernel, stride, padding, 0.3)
    ones = (1,) * len(size)
    counts = map(window_count, size, kernel, stride, padding, ones)
    g = rng.standard_normal((*planes, *counts)).astype(dtype)
    agree(oracle, TOLERANCE[dtype], "sum_pool_grad", g, x.shape, kernel, stride, padding, 0.3)


@given(windows(), st.sampled_from(["float32", "float64"]), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_any_window_agrees_with_numpy(window: Any, dtype: str, seed: int) -> None:
    check(window, dtype, seed, NUMPY, (2, 3))


@given(windows(most=8), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_any_window_agrees_with_python(window: Any, seed: int) -> None:
    check(window, "float64", seed, PYTHON, (1, 2))


@pytest.mark.parametrize("size", [(28, 28), (10, 10), (33, 17), (2, 70)])
def test_windows_side_by_side(size: tuple[int, int]) -> None:
    two, none, ones = (2, 2), ((0, 0), (0, 0)), (1, 1)
    check((size, two, two, none, ones), "float32", 0, NUMPY, (3, 40))


def test_the_window_is_the_plane() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 9))
    agree(NUMPY, 1e-13, "sum_pool", x, (7, 9), (1, 1), ((0, 0), (0, 0)), 1 / 63)


@pytest.mark.parametrize("method", ["max_pool_grad", "max_pool_pick"])
@pytest.mark.parametrize("bad", [18, -19, 1 << 62])
def test_positions_out_of_range_are_errors(method: str, bad: int) -> None:
    values = np.ones((1, 2, 2, 2), "float32")
    positions = np.zeros((1, 2, 2, 2), "int64")
    positions[0, 0, 1, 0] = bad
    x = np.ones((1, 2, 3, 3), "float32")
    args = (values, positions, x.shape) if method == "max_pool_grad" else (x, positions)
    with pytest.raises(IndexError):
        run(C, method, *args)


@pytest.mark.parametrize("position", [-1, 9, 17])
def test_a_position_may_name_another_plane_as_in_the_default(position: int) -> None:
    values = np.arange(8, dtype="float32").reshape(1, 2, 2, 2)
    positions = np.zeros((1, 2, 2, 2), "int64")
    positions[0, 0, 1, 0] = position
    agree(NUMPY, 0, "max_pool_grad", values, positions, (1, 2, 3, 3))


def test_threads_change_nothing() -> None:
    x = np.random.default_rng(0).standard_normal((4, 9, 30, 31)).astype("float32")
    before, ends = etude.get_num_threads(), []
    for threads in (1, 2):
        etude.set_num_threads(threads)
        y, at = run(C, "max_pool", x, (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))
        sums = run(C, "sum_pool", x, (3, 3), (2, 2), ((1, 1), (1, 1)), 0.2)
        ends.append([y, at, *sums, *run(C, "max_pool_grad", y, at, x.shape)])
    etude.set_num_threads(before)
    assert [a.tobytes() for a in ends[0]] == [a.tobytes() for a in ends[1]]
