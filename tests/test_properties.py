"""Shapes, axes and keys that nobody thought of: drawn by hypothesis, judged by NumPy."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from case import TOLERANCE
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as shapes

import etude

BACKENDS = [name for name, why in etude.backends.available().items() if why is None]
# Each example runs on every backend. CI tries the same examples each time.
draws = settings(deadline=None, derandomize="CI" in os.environ, max_examples=60)
BINARY = {"add": np.add, "mul": np.multiply, "maximum": np.maximum, "hypot": np.hypot}
SHAPES = shapes.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)


def numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).uniform(-2.0, 2.0, shape))


def same(got: Any, expected: Any) -> None:
    values = got.detach().numpy()
    assert values.shape == np.shape(expected)
    rtol, atol = TOLERANCE["float64"]
    np.testing.assert_allclose(values, expected, rtol, atol)


@pytest.mark.parametrize("name", BINARY)
@given(pair=shapes.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3, min_side=0))
@draws
def test_broadcasting(name: str, pair: Any) -> None:
    a, b = (numbers(shape, seed) for seed, shape in enumerate(pair.input_shapes))
    for backend in BACKENDS:
        x = etude.tensor(a, backend=backend, requires_grad=True)
        y = etude.tensor(b, backend=backend, requires_grad=True)
        z = getattr(etude, name)(x, y)
        same(z, BINARY[name](a, b))
        z.sum().backward()
        assert x.grad is not None
        assert y.grad is not None
        assert (x.grad.shape, y.grad.shape) == (a.shape, b.shape)
        if name == "add":
            same(x.grad, np.full(a.shape, z.numel() / max(a.size, 1)))


@given(
    shapes=shapes.mutually_broadcastable_shapes(
        signature="(m?,k),(k,n?)->(m?,n?)", max_dims=2, max_side=3, min_side=0
    )
)
@draws
def test_matmul_of_any_shapes(shapes: Any) -> None:
    a, b = (numbers(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    for backend in BACKENDS:
        got = etude.matmul(etude.tensor(a, backend=backend), etude.tensor(b, backend=backend))
        same(got, np.matmul(a, b))


@given(data=st.data())
@draws
def test_reductions_over_any_axes(data: Any) -> None:
    shape = data.draw(shapes.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3))
    axes = data.draw(shapes.valid_tuple_axes(len(shape), min_size=1))
    keepdim = data.draw(st.booleans())
    x = numbers(shape, 0)
    for backend in BACKENDS:
        t = etude.tensor(x, backend=backend)
        same(t.sum(axes, keepdim=keepdim), x.sum(axes, keepdims=keepdim))
        same(t.amax(axes, keepdim=keepdim), x.max(axes, keepdims=keepdim))
        same(t.var(axes, correction=0, keepdim=keepdim), x.var(axes, keepdims=keepdim))


@given(data=st.data())
@draws
def test_any_key(data: Any) -> None:
    shape = data.draw(SHAPES)
    key = data.draw(
        shapes.basic_indices(shape, allow_newaxis=True)
        | (shapes.integer_array_indices(shape) if 0 not in shape and shape else st.just(...))
    )
    x = numbers(shape, 0)
    for backend in BACKENDS:
        t = etude.tensor(x, backend=backend, requires_grad=True)
        y = t[key]
        same(y, x[key])
        y.sum().backward()
        expected = np.zeros(shape)
        np.add.at(expected, key, 1.0)
        same(t.grad, expected)


@given(data=st.data())
@draws
def test_writing_to_any_key(data: Any) -> None:
    shape = data.draw(SHAPES)
    key = data.draw(shapes.basic_indices(shape))
    x = numbers(shape, 0)
    expected = x.copy()
    expected[key] = 7.0
    for backend in BACKENDS:
        t = etude.tensor(x, backend=backend)
        t[key] = 7.0
        same(t, expected)


@given(data=st.data())
@draws
def test_any_order_of_axes(data: Any) -> None:
    shape = data.draw(SHAPES)
    order = data.draw(st.permutations(range(len(shape))))
    x = numbers(shape, 0)
    for backend in BACKENDS:
        t = etude.tensor(x, backend=backend)
        same(t.permute(*order) if order else t, x.transpose(order))
        same(t.permute(*order).reshape(-1) if order else t.reshape(-1), x.transpose(order).ravel())
