"""Reductions, sorting and normalisation in C: sizes around vectors, blocks and pieces; threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etude
from etude.backends.base import Backend

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
DTYPES = ["float32", "float64", "int32", "int64", "bool"]
N: Any = etude.backends.get("numpy")
C: Any = None if REASON else etude.backends.get("c")
UFUNC: dict[str, Any] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "any": np.logical_or,
    "all": np.logical_and,
}
CLOSE = {"float32": 3e-6, "float64": 1e-13}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Give each test the threads that there were."""
    before = etude.get_num_threads()
    yield
    etude.set_num_threads(before)


def put(x: Any) -> Any:
    x = np.asarray(x, order="C")
    return C.from_host(memoryview(x), x.shape, str(x.dtype))


def values(x: Any) -> Any:
    return np.array(C.to_host(x), x.dtype).reshape(x.shape)


def on_threads(call: Callable[[], Any]) -> list[Any]:
    """The results, which must be the same to the bit on one thread and on two."""
    found = []
    for threads in (1, 2):
        etude.set_num_threads(threads)
        got = call()
        found.append([values(x) for x in (got if isinstance(got, tuple) else (got,))])
    for one, two in zip(*found, strict=True):
        assert one.tobytes() == two.tobytes()
    return found[0]


def near(got: Any, expected: Any, tolerance: float) -> None:
    """Apart by no more than `tolerance` of the largest value; nan and inf in the same places."""
    assert got.shape == np.shape(expected)
    finite = np.abs(np.where(np.isfinite(expected), expected, 0))
    scale = max(1.0, float(finite.max(initial=0.0)))
    np.testing.assert_allclose(got, expected, 0, tolerance * scale)


def draw(shape: Any, dtype: str, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    low, high = (0, 2) if dtype == "bool" else (-9, 9)
    return rng.integers(low, high, shape).astype(dtype)


shapes = st.lists(st.integers(1, 6), min_size=1, max_size=7)
LONG = [(1,), (63,), (4097,), (65_536,), (200_003,), (9, 3000), (3000, 9), (700, 2049), (40_000, 3)]


def check_reductions(x: Any, axes: tuple[int, ...]) -> None:
    dtype = str(x.dtype)
    names = ["sum", "max", "min", "prod"] + (["any", "all"] if dtype == "bool" else [])
    for name in names:
        a = np.exp(x * x.dtype.type(0.01)) if name == "prod" and dtype[0] == "f" else x
        wide = a.astype("float64") if dtype[0] == "f" else a
        with np.errstate(all="ignore"):
            expected = np.asarray(UFUNC[name].reduce(wide, axis=axes, dtype=wide.dtype))
        (got,) = on_threads(partial(C.reduce, name, put(a), axes))
        if dtype[0] == "f":
            terms = {"sum": float(np.abs(wide).sum()) ** 0.5, "prod": x.size**0.5}.get(name, 1.0)
            near(got, expected, CLOSE[dtype] * max(1.0, terms))
        else:
            assert got.tobytes() == expected.tobytes()
    if dtype[0] == "f":
        (got,) = on_threads(lambda: C.mean(put(x), axes))
        near(got, x.astype("float64").mean(axes), CLOSE[dtype])


@settings(deadline=None)
@given(shapes, st.sampled_from(DTYPES), st.data())
def test_any_axes(shape: list[int], dtype: str, data: Any) -> None:
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    check_reductions(draw(tuple(shape), dtype), tuple(sorted(axes)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", LONG)
def test_long_lines(shape: Any, dtype: str) -> None:
    x = draw(shape, dtype)
    for axis in range(len(shape)):
        check_reductions(x, (axis,))
        for name in ("argmax", "argmin"):
            (got,) = on_threads(partial(C.arg_reduce, name, put(x), axis))
            assert got.tobytes() == np.asarray(getattr(np, name)(x, axis)).tobytes()
    check_reductions(x, tuple(range(len(shape))))


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape, axis", [((5000,), 0), ((3, 300), 1), ((300, 40), 0)])
def test_special_values(shape: Any, axis: int, special: float) -> None:
    for place in (0, -1, 77):
        x = draw(shape, "float32")
        x.reshape(-1)[place] = special
        for name in ("sum", "max", "min"):
            (got,) = on_threads(partial(C.reduce, name, put(x), (axis,)))
            near(got, UFUNC[name].reduce(x, axis), 1e-4)
        for name in ("argmax", "argmin"):
            (got,) = on_threads(partial(C.arg_reduce, name, put(x), axis))
            np.testing.assert_array_equal(got, getattr(np, name)(x, axis))


def test_sums_of_many_float32_are_as_good_as_numpy_s_in_pairs() -> None:
    x = np.random.default_rng(0).random(3_000_000).astype("float32")
    for shape in (x.shape, (3, 1_000_000), (1_000_000, 3)):
        y = x.reshape(shape)
        axis = int(shape == (3, 1_000_000))
        (got,) = on_threads(partial(C.reduce, "sum", put(y), (axis,)))
        np.testing.assert_allclose(got, y.astype("float64").sum(axis), 3e-7)


@pytest.mark.parametrize("name, empty", [("sum", 0), ("prod", 1), ("any", False), ("all", True)])
def test_over_no_elements(name: str, empty: Any) -> None:
    x = np.zeros((2, 0, 3), bool if name in ("any", "all") else np.float32)
    (got,) = on_threads(lambda: C.reduce(name, put(x), (1,)))
    assert (got == np.full((2, 3), empty)).all()


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.sampled_from(DTYPES), st.data())
def test_running_sums_and_sorting(shape: list[int], dtype: str, data: Any) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = np.round(draw(tuple(shape), dtype), 1) if dtype[0] == "f" else draw(tuple(shape), dtype)
    for descending in (False, True):
        (got,) = on_threads(partial(C.argsort, put(x), axis, descending))
        np.testing.assert_array_equal(got, N.argsort(x, axis, descending))
    for name in ("cumsum", "cumprod"):
        (got,) = on_threads(partial(C.scan, name, put(x), axis))
        expected = getattr(np, name)(x.astype("float64") if dtype[0] == "f" else x, axis, x.dtype)
        np.testing.assert_allclose(got, expected, 1e-4, 1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [40, 41, 3000])
def test_sorting_of_special_values(length: int, dtype: str) -> None:
    x = np.random.default_rng(length).integers(-300, 300, (2, length)).astype(dtype)
    if dtype[0] == "f":
        x[:, ::7], x[:, 1::9], x[:, 2::9] = np.nan, np.inf, -np.inf
        x[:, 3::5], x[:, 4::5] = -0.0, 0.0
    for descending in (False, True):
        (got,) = on_threads(partial(C.argsort, put(x), 1, descending))
        np.testing.assert_array_equal(got, N.argsort(x, 1, descending))


# normalisation ----------------------------------------------------------------------------------
IMAGES = [
    (5, 3),
    (64, 70),
    (300, 2, 1),
    (4, 9, 7, 7),
    (3, 5, 16, 16),
    (2, 9, 257),
    (6, 10, 60, 60),
    (3, 2, 100, 90),
    (2, 10, 300, 300),
]


def wide(x: Any) -> Any:
    return None if x is None else x.astype("float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("far", [0.0, 1000.0])
@pytest.mark.parametrize("shape", IMAGES)
def test_batch_norm(shape: Any, far: float, dtype: str) -> None:
    x, g = draw(shape, dtype) + np.dtype(dtype).type(far), draw(shape, dtype, 1)
    tolerance = (2e-5 if dtype == "float32" else 1e-12) * (30 if far else 1)
    for w, b in [(None, None), (draw(shape[1], dtype, 2), draw(shape[1], dtype, 3))]:
        given_ = [None if v is None else put(v) for v in (w, b)]
        expected = Backend.batch_norm(N, wide(x), wide(w), wide(b), 1e-5)
        got = on_threads(partial(C.batch_norm, put(x), *given_, 1e-5))
        for y, r in zip(got, expected, strict=True):
            near(y, r, tolerance)
        mean, var = got[1], got[2]
        expected = Backend.batch_norm_grad(
            N, wide(g), wide(x), wide(w), wide(mean), wide(var), 1e-5
        )
        args = put(g), put(x), given_[0], put(mean), put(var), 1e-5
        for y, r in zip(on_threads(partial(C.batch_norm_grad, *args)), expected, strict=True):
            near(y, r, 2 * tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 2), (5, 17), (300, 33), (3, 5000), (2000, 128)])
def test_layer_norm(shape: Any, dtype: str) -> None:
    x, g = draw(shape, dtype) + 3, draw(shape, dtype, 1)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    w, b = draw(shape[1], dtype, 2), draw(shape[1], dtype, 3)
    for w_, b_ in [(None, None), (w, None), (None, b), (w, b)]:
        given_ = [None if v is None else put(v) for v in (w_, b_)]
        expected = Backend.layer_norm(N, wide(x), wide(w_), wide(b_), 1e-5)
        got = on_threads(partial(C.layer_norm, put(x), *given_, 1e-5))
        for y, r in zip(got, expected, strict=True):
            near(y, r, tolerance)
        mean, rstd = got[1], got[2]
        expected = Backend.layer_norm_grad(N, wide(g), wide(x), wide(w_), wide(mean), wide(rstd))
        args = put(g), put(x), given_[0], put(mean), put(rstd)
        for y, r in zip(on_threads(partial(C.layer_norm_grad, *args)), expected, strict=True):
            near(y, r, 4 * tolerance)
