"""Convolution in C: every kernel's ways through it, compared with NumPy's and the python backend.

What the methods promise is checked for every backend by the conformance cases; here are shapes at
which the kernels go another way, at random and by name, and the promises that only C makes.
"""

from __future__ import annotations

from collections.abc import Iterator
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
METHODS = ("conv", "conv_input_grad", "conv_weight_grad")
PLAIN = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
NO_PADDING = ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
# Of the largest result. Winograd's transforms multiply by 2 and 4 and subtract what is near.
TOLERANCE = {"float32": 5e-6, "float64": 1e-13}
WINOGRAD_TOLERANCE = 3e-5


def buffer(x: Any, engine: Any = C) -> Any:
    return engine.from_host(memoryview(np.ascontiguousarray(x)), x.shape, str(x.dtype))


def values(x: Any, engine: Any = C) -> Any:
    return np.array(engine.to_host(x), engine.dtype(x)).reshape(x.shape)


def operands(rng: Any, x_shape: Any, w_shape: Any, geometry: Any, dtype: str) -> dict[str, Any]:
    """The arrays of each method, and what follows them."""
    stride, padding, dilation, _ = geometry
    counts = map(window_count, x_shape[2:], w_shape[2:], stride, padding, dilation)
    g_shape = (x_shape[0], w_shape[0], *counts)
    x, w, g, b = (
        rng.standard_normal(shape).astype(dtype)
        for shape in (x_shape, w_shape, g_shape, w_shape[:1])
    )
    return {
        "conv": (x, w, b),
        "conv_input_grad": (g, w, x_shape),
        "conv_weight_grad": (x, g, w_shape),
    }


def run(engine: Any, name: str, args: Any, geometry: Any) -> Any:
    given_ = [buffer(a, engine) if isinstance(a, np.ndarray) else a for a in args]
    return values(getattr(engine, name)(*given_, *geometry), engine)


def compare(name: str, args: Any, geometry: Any, oracle: Any, tolerance: float) -> None:
    exact = [a.astype("float64") if isinstance(a, np.ndarray) else a for a in args]
    expected = run(oracle, name, exact, geometry)
    got = run(C, name, args, geometry)
    assert got.shape == expected.shape
    assert got.dtype == args[0].dtype
    if got.size:
        assert np.abs(got - expected).max() <= tolerance * max(1, np.abs(expected).max())


def compare_all(rng: Any, x_shape: Any, w_shape: Any, geometry: Any, dtype: str) -> None:
    arguments = operands(rng, x_shape, w_shape, geometry, dtype)
    for name in METHODS:
        compare(name, arguments[name], geometry, NUMPY, TOLERANCE[dtype])


@pytest.fixture
def rng() -> Any:
    return np.random.default_rng(0)


@pytest.fixture
def threads() -> Iterator[None]:
    before = etude.get_num_threads()
    yield
    etude.set_num_threads(before)


AXES = st.tuples(
    st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3),
    st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip


@st.composite
def shapes(draw: Any, most: int = 20) -> Any:
    """x_shape, w_shape and the geometry of a convolution of lines or planes."""
    axes = draw(st.lists(AXES, min_size=1, max_size=2))
    size = tuple(max(n, d * (k - 1) + 1 - lo - hi, 1) for n, k, _, d, lo, hi in axes)
    groups, multiplier, inputs = (
        draw(st.integers(1, 4)),
        draw(st.integers(1, most)),
        draw(st.integers(1, most)),
    )
    if draw(st.booleans()):
        groups, inputs = draw(st.integers(1, most)), 1
    kernel, stride, dilation = (tuple(a[i] for a in axes) for i in (1, 2, 3))
    padding = tuple((a[4], a[5]) for a in axes)
    x_shape = (draw(st.integers(0, 3)), groups * inputs, *size)
    return x_shape, (groups * multiplier, inputs, *kernel), (stride, padding, dilation, groups)


@given(shapes(), st.sampled_from(["float32", "float64"]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_any_shape_agrees_with_numpy(shape: Any, dtype: str, seed: int) -> None:
    compare_all(np.random.default_rng(seed), *shape, dtype)


@given(shapes(most=3), st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_any_shape_agrees_with_python(shape: Any, seed: int) -> None:
    x_shape, w_shape, geometry = shape
    arguments = operands(np.random.default_rng(seed), x_shape, w_shape, geometry, "float64")
    for name in METHODS:
        compare(name, arguments[name], geometry, PYTHON, 1e-13)


NAMED = {
    "images as they are": ((3, 40, 6, 7), (70, 40, 1, 1), ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)),
    "one element, many images": ((9, 40, 7, 7), (70, 40, 1, 1), NO_PADDING),
    "many channels, wide tiles": ((2, 150, 9, 9), (30, 150, 2, 2), PLAIN),
    "rows in blocks": ((1, 20, 90, 80), (9, 20, 5, 5), PLAIN),
    "several images in a chunk": ((40, 8, 5, 5), (12, 8, 3, 3), PLAIN),
    "few outputs, wide rows": ((2, 3, 30, 90), (2, 3, 5, 5), PLAIN),
    "few channels and outputs": ((19, 1, 32, 32), (6, 1, 5, 5), NO_PADDING),
    "few, blocks of rows": ((2, 4, 12, 403), (7, 4, 3, 3), PLAIN),
    "few, uneven padding": ((3, 3, 20, 21), (3, 3, 4, 5), (PLAIN[0], ((2, 0), (1, 3)), *PLAIN[2:])),
    "large stride": ((2, 3, 40, 40), (16, 3, 11, 11), ((4, 4), ((2, 2), (2, 2)), (1, 1), 1)),
    "stride beyond the window": ((2, 3, 20, 20), (4, 3, 2, 2), ((3, 5), *PLAIN[1:])),
    "many outputs and channels": ((3, 70, 8, 8), (150, 70, 3, 3), ((2, 2), *PLAIN[1:])),
    "large depthwise window": ((2, 5, 30, 30), (5, 1, 9, 9), (*PLAIN[:3], 5)),
    "depthwise, two outputs each": ((2, 5, 30, 30), (10, 1, 3, 3), (*PLAIN[:3], 5)),
    "small images": ((33, 20, 2, 2), (37, 20, 3, 3), PLAIN),
    "small images, large windows": ((8, 16, 4, 3), (70, 16, 5, 4), ((2, 1), *PLAIN[1:])),
    "small images, dilated": ((19, 60, 3, 4), (18, 60, 2, 2), ((1, 2), *PLAIN[1:2], (2, 3), 1)),
    "images in lanes": ((64, 6, 14, 14), (16, 6, 5, 5), NO_PADDING),
    "images in lanes, the last few": ((41, 13, 9, 7), (15, 13, 3, 3), ((2, 1), *PLAIN[1:])),
    "images in lanes, dilated": ((25, 12, 8, 11), (3, 12, 3, 4), (*PLAIN[:2], (2, 3), 1)),
    "lanes, wide border": ((24, 30, 3, 5), (29, 30, 2, 2), ((1, 1), ((9, 2), (1, 4)), (1, 1), 1)),
    "images in lanes, many": ((150, 12, 1, 30), (20, 12, 1, 9), ((1, 2), *NO_PADDING[1:])),
    "more padding than window": ((2, 3, 5, 5), (4, 3, 2, 2), ((1, 1), ((3, 2), (4, 3)), (1, 1), 1)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMED)
def test_each_way_agrees_with_numpy(name: str, dtype: str, rng: Any) -> None:
    compare_all(rng, *NAMED[name], dtype)


WINOGRAD = {
    "many tiles": ((4, 16, 40, 40), (24, 16, 3, 3), PLAIN),
    "few tiles": ((8, 50, 8, 8), (33, 50, 3, 3), PLAIN),
    "ragged tiles": ((3, 17, 23, 18), (19, 17, 3, 3), PLAIN),
    "several blocks": ((9, 70, 13, 15), (90, 70, 3, 3), PLAIN),
    "a tile in each image": ((40, 130, 4, 4), (66, 130, 3, 3), PLAIN),
    "no padding": ((3, 32, 22, 22), (32, 32, 3, 3), ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)),
    "uneven padding": ((3, 16, 22, 22), (16, 16, 3, 3), ((1, 1), ((2, 0), (1, 2)), (1, 1), 1)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", WINOGRAD)
def test_winograd_is_near(name: str, method: str, rng: Any) -> None:
    x_shape, w_shape, geometry = WINOGRAD[name]
    args = operands(rng, x_shape, w_shape, geometry, "float32")[method]
    compare(method, args, geometry, NUMPY, WINOGRAD_TOLERANCE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [*NAMED.values(), *WINOGRAD.values()])
def test_an_activation_is_that_of_unary(shape: Any, dtype: str, rng: Any) -> None:
    x, w, b = operands(rng, *shape, dtype)["conv"]
    b[0], x[0, 0, 0, 0] = -0.0, np.nan
    given_ = [buffer(a) for a in (x, w, b)]
    plain = C.conv(*given_, *shape[2])
    for name in ("relu", "sigmoid", "tanh", "gelu"):
        fused = values(C.conv(*given_, *shape[2], name))
        assert fused.tobytes() == values(C.unary(name, plain)).tobytes()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_not_a_number_stays_in_its_windows(value: float, rng: Any) -> None:
    x_shape, w_shape, geometry = WINOGRAD["many tiles"]
    x, w, b = operands(rng, x_shape, w_shape, geometry, "float32")["conv"]
    x[1, 3, 20, 21] = value
    y = run(C, "conv", (x, w, b), geometry)
    strange = np.argwhere(~np.isfinite(y).all(1))
    assert [tuple(at) for at in strange] == [(1, i, j) for i in (19, 20, 21) for j in (20, 21, 22)]


def test_not_a_number_stays_in_its_weights(rng: Any) -> None:
    x_shape, w_shape, geometry = WINOGRAD["many tiles"]
    x, g, _ = operands(rng, x_shape, w_shape, geometry, "float32")["conv_weight_grad"]
    x[1, 3, 20, 21] = g[0, 5, 0, 0] = np.nan
    gw = run(C, "conv_weight_grad", (x, g, w_shape), geometry)
    strange = {(int(o), int(c)) for o, c, _, _ in np.argwhere(~np.isfinite(gw))}
    assert strange == {(o, 3) for o in range(24)} | {(5, c) for c in range(16)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["small images", "images in lanes, the last few"])
def test_infinity_meets_the_border(name: str, dtype: str, rng: Any) -> None:
    x_shape, w_shape, geometry = NAMED[name]
    arguments = operands(rng, x_shape, w_shape, geometry, dtype)
    arguments["conv"][1][3, 2, 0, 0] = arguments["conv_weight_grad"][1][4, 5, 0, 1] = np.inf
    for method in METHODS:
        got, expected = (run(e, method, arguments[method], geometry) for e in (C, PYTHON))
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("at", [(0, 24), (0, 17), (9, 10)])
def test_infinity_stays_in_its_products(at: Any, dtype: str, rng: Any) -> None:
    """Rows of 21 products: the last vector goes back over places that must not count again."""
    args = operands(rng, (2, 1, 25, 25), (6, 1, 5, 5), NO_PADDING, dtype)["conv_weight_grad"]
    args[0][(0, 0, *at)] = np.inf
    got, expected = (run(e, "conv_weight_grad", args, NO_PADDING) for e in (C, PYTHON))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_other_ranks_and_dtypes_take_the_default(dtype: str, rng: Any) -> None:
    rank = 3 if dtype == "float32" else 2
    x = rng.integers(-3, 4, (2, 4, 5, 5, 5)[: 2 + rank]).astype(dtype)
    w = rng.integers(-3, 4, (6, 2, 2, 2, 2)[: 2 + rank]).astype(dtype)
    geometry = ((1,) * rank, ((0, 1),) * rank, (1,) * rank, 2)
    given_ = (buffer(x), buffer(w), None)
    got, expected = C.conv(*given_, *geometry), Backend.conv(C, *given_, *geometry)
    np.testing.assert_array_equal(values(got), values(expected))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("shape", [*NAMED.values(), *WINOGRAD.values()])
def test_threads_change_nothing(shape: Any, rng: Any) -> None:
    arguments = operands(rng, *shape, "float32")
    ends = []
    for threads in (1, 2):
        etude.set_num_threads(threads)
        ends.append([run(C, name, arguments[name], shape[2]) for name in METHODS])
    for one, two in zip(*ends):
        assert one.tobytes() == two.tobytes()
