"""Windows, strides, pads and dilations that nobody thought of, judged by the python backend."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from case import TOLERANCE
from hypothesis import given, settings
from hypothesis import strategies as st

import etude
from etude.backends.base import Backend, window_count

pytestmark = pytest.mark.no_cover  # other tests reach the same lines, and tracing doubles the time

JUDGE = "python"
OTHERS = [name for name, why in etude.backends.available().items() if not why and name != JUDGE]
draws = settings(deadline=None, derandomize="CI" in os.environ, max_examples=60)


def filled(shape: tuple[int, ...], seed: int, dtype: str) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(-1.0, 1.0, shape)
    return np.asarray(values, dtype)


def on(backend: Backend, x: np.ndarray) -> Any:
    return backend.from_host(memoryview(np.ascontiguousarray(x)), x.shape, str(x.dtype))


def same(backend: Backend, got: Any, expected: np.ndarray, what: str) -> None:
    values = np.array(backend.to_host(got)).reshape(got.shape)
    assert values.shape == expected.shape, what
    rtol, atol = TOLERANCE[str(expected.dtype)]
    np.testing.assert_allclose(values, expected, 8 * rtol, 8 * atol, err_msg=what)


def agree(method: str, *arguments: Any) -> Any:
    """Every backend's result of a method equals the judge's, which is returned as arrays."""

    def call(name: str) -> tuple[Backend, Any]:
        backend = etude.backends.get(name)
        given = [on(backend, a) if isinstance(a, np.ndarray) else a for a in arguments]
        return backend, getattr(backend, method)(*given)

    judge, result = call(JUDGE)
    parts = result if isinstance(result, tuple) else (result,)
    expected = [np.array(judge.to_host(part)).reshape(part.shape) for part in parts]
    for name in OTHERS:
        backend, found = call(name)
        for part, right in zip(found if isinstance(found, tuple) else (found,), expected):
            same(backend, part, right, f"{name}.{method}")
    return expected if isinstance(result, tuple) else expected[0]


@st.composite
def windows(draw: st.DrawFn, most_axes: int = 3) -> dict[str, Any]:
    """Sizes, kernel, stride, padding and dilation that leave at least one window."""
    axes = draw(st.integers(1, most_axes))
    found: dict[str, list[Any]] = {k: [] for k in ("size", "kernel", "stride", "padding", "dil")}
    for _ in range(axes):
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        pad = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        least = max(1, dilation * (kernel - 1) + 1 - sum(pad))
        size = draw(st.integers(least, least + (9 if axes < 3 else 3)))
        for key, value in zip(found, (size, kernel, draw(st.integers(1, 4)), pad, dilation)):
            found[key].append(value)
    found["dtype"] = draw(st.sampled_from(["float32", "float64"]))
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


@given(w=windows(), n=st.integers(0, 3), groups=st.integers(1, 3), data=st.data())
@draws
def test_convolution(w: dict[str, Any], n: int, groups: int, data: Any) -> None:
    c, o = (groups * data.draw(st.integers(1, 5)) for _ in "co")
    x = filled((n, c, *w["size"]), 0, w["dtype"])
    weight = filled((o, c // groups, *w["kernel"]), 1, w["dtype"])
    bias = data.draw(st.sampled_from([None, filled((o,), 2, w["dtype"])]))
    how = (w["stride"], w["padding"], w["dil"], groups)
    y = agree("conv", x, weight, bias, *how)
    g = filled(y.shape, 3, w["dtype"])
    agree("conv_input_grad", g, weight, x.shape, *how)
    agree("conv_weight_grad", x, g, weight.shape, *how)


@given(w=windows(), n=st.integers(0, 2), c=st.integers(1, 4))
@draws
def test_pooling(w: dict[str, Any], n: int, c: int) -> None:
    # Padding of at most half a window, so that each window holds an element.
    half = tuple(
        (min(lo, (k - 1) * d // 2), min(hi, (k - 1) * d // 2))
        for (lo, hi), k, d in zip(w["padding"], w["kernel"], w["dil"])
    )
    size = tuple(
        max(s, d * (k - 1) + 1 - lo - hi)
        for s, k, d, (lo, hi) in zip(w["size"], w["kernel"], w["dil"], half)
    )
    x = filled((n, c, *size), 0, w["dtype"])
    y, positions = agree("max_pool", x, w["kernel"], w["stride"], half, w["dil"])
    agree("max_pool_grad", filled(y.shape, 1, w["dtype"]), positions, x.shape)
    agree("max_pool_pick", x, positions)
    if all(d == 1 for d in w["dil"]):
        rest = (w["kernel"], w["stride"], half, 0.5)
        sums = agree("sum_pool", x, *rest)
        agree("sum_pool_grad", filled(sums.shape, 1, w["dtype"]), x.shape, *rest)


@given(w=windows(), n=st.integers(0, 2), c=st.integers(1, 3))
@draws
def test_unfold_and_fold(w: dict[str, Any], n: int, c: int) -> None:
    x = filled((n, c, *w["size"]), 0, w["dtype"])
    how = (w["kernel"], w["stride"], w["padding"], w["dil"])
    columns = agree("unfold", x, *how)
    counts = tuple(map(window_count, w["size"], *how))
    assert columns.shape[2] == int(np.prod(counts))
    agree("fold", columns, x.shape, *how)


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64", "int32", "int64", "bool"]))
@draws
def test_strided_copies(data: Any, dtype: str) -> None:
    x = (filled((data.draw(st.integers(1, 200)),), 0, "float64") * 100).astype(dtype)
    shape = tuple(data.draw(st.lists(st.integers(0, 6), max_size=5)))
    strides = [data.draw(st.integers(-9, 9)) for _ in shape]
    if all(shape):
        reach = [s * (n - 1) for s, n in zip(strides, shape)]
        low, high = sum(min(r, 0) for r in reach), sum(max(r, 0) for r in reach)
        x = np.resize(x, max(len(x), high - low + 1))
        offset = data.draw(st.integers(-low, len(x) - 1 - high))
    else:
        offset = 0
    agree("strided", x, shape, strides, offset)


@given(data=st.data())
@draws
def test_products(data: Any) -> None:
    m, k, n = (data.draw(st.integers(0, 40)) for _ in "mkn")
    swap_a, swap_b = data.draw(st.booleans()), data.draw(st.booleans())
    dtype = data.draw(st.sampled_from(["float32", "float64", "int32", "int64"]))
    batch_a, batch_b = data.draw(
        st.sampled_from([((), ()), ((2,), ()), ((2,), (2,)), ((2, 1), (3,)), ((1,), (4,))])
    )
    scale = 9 if dtype.startswith("int") else 1
    a = filled(batch_a + ((k, m) if swap_a else (m, k)), 0, "float64") * scale
    b = filled(batch_b + ((n, k) if swap_b else (k, n)), 1, "float64") * scale
    agree("matmul", a.astype(dtype), b.astype(dtype), swap_a, swap_b)


@pytest.mark.parametrize("name", ["sum", "max", "min", "prod"])
@given(data=st.data())
@draws
def test_reductions(name: str, data: Any) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)))
    axes = data.draw(st.lists(st.sampled_from(range(len(shape))), min_size=1, unique=True))
    x = filled(shape, 0, data.draw(st.sampled_from(["float32", "float64"])))
    agree("reduce", name, x, tuple(sorted(axes)))
