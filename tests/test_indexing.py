"""x[key] and x[key] = value are NumPy's, for every kind of key."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices

import etude
from etude import functional as F
from etude.framework.errors import EtudeError, IndexOutOfRange

BACKENDS = ["numpy", "python"]
draws = settings(deadline=None, derandomize="CI" in os.environ)
X = np.arange(60.0).reshape(3, 4, 5)
MASK = X % 7 < 3
ROWS = np.array([True, False, True])
KEYS: list[Any] = [
    0,
    -1,
    (1, 2),
    (1, 2, 3),
    np.int64(2),
    (np.int32(1), -1),
    slice(None),
    slice(1, 3),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(2, None, -1),
    slice(-2, None),
    slice(5, 9),
    slice(2, 1),
    (slice(None), slice(1, 4, 2)),
    (slice(None), slice(None), slice(4, None, -2)),
    None,
    (None, 0),
    (0, None, slice(None), None),
    Ellipsis,
    (Ellipsis, 0),
    (0, Ellipsis),
    (0, Ellipsis, 1),
    (Ellipsis, None),
    (slice(1, 2), Ellipsis, slice(0, 3)),
    (),
    [0, 2],
    [0, 0, -1],
    [[0, 1], [2, 0]],
    [],
    (slice(None), []),
    (slice(None), [0, 3]),
    (Ellipsis, [1, 1, 4]),
    ([0, 2], [1, 3]),
    ([0, 2], slice(None), [1, 3]),
    (slice(None), [0, 1], [2, 3]),
    ([0, 2], slice(1, 3)),
    (0, [1, 2]),
    ([0, 1], 2),
    (0, slice(None), [1, 2]),
    ([0], None, [1]),
    (None, [0, 1]),
    (slice(None), None, [0, 2]),
    ([[0], [2]], [[1, 3]]),
    (np.array([0, 2]), slice(None), np.array([[1], [4]])),
    ROWS,
    MASK,
    (ROWS, 0),
    (ROWS, slice(1, 3)),
    (slice(None), np.array([True, False, True, True])),
    (ROWS, [1, 2]),
    (0, MASK[0]),
    (Ellipsis, np.array([True, False, False, True, True])),
    np.zeros(3, bool),
    np.zeros((3, 4, 5), bool),
    True,
    False,
    (True, 0),
    [True, False, True],
    np.array(1),
    (np.array(1), [0, 2]),
]


def as_tensors(key: Any) -> Any:
    """The key with its arrays as tensors."""
    if isinstance(key, tuple):
        return tuple(map(as_tensors, key))
    return etude.tensor(key) if isinstance(key, np.ndarray) else key


def names(key: Any) -> str:
    return str(key).replace("\n", "").replace(" ", "")[:40]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    with etude.use_backend(request.param):
        yield request.param


@pytest.mark.parametrize("key", KEYS, ids=names)
def test_reading_is_numpys(key: Any, backend: str) -> None:
    expected = X[key]
    for k in (key, as_tensors(key)):
        y = etude.tensor(X)[k]
        assert y.shape == np.shape(expected)
        np.testing.assert_array_equal(y.numpy(), expected)


@pytest.mark.parametrize("key", KEYS, ids=names)
def test_writing_is_numpys(key: Any, backend: str) -> None:
    shape = X[key].shape
    for value in (-1.0, np.arange(-1.0, -1.0 - np.prod(shape), -1.0).reshape(shape)):
        expected, t = X.copy(), etude.tensor(X)
        expected[key] = value
        t[as_tensors(key)] = value if isinstance(value, float) else etude.tensor(value)
        np.testing.assert_array_equal(t.numpy(), expected)


@pytest.mark.parametrize("key", KEYS, ids=names)
def test_the_gradient_goes_where_the_value_came_from(key: Any, backend: str) -> None:
    x = etude.tensor(X, requires_grad=True)
    y = x[as_tensors(key)]
    weights = np.arange(1.0, y.numel() + 1).reshape(y.shape)
    (y * etude.tensor(weights)).sum().backward()
    expected = np.zeros_like(X)
    np.add.at(expected, key, weights)
    np.testing.assert_array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize(
    "value, key",
    [
        (etude.tensor([1.0, 2, 3, 4, 5]), (slice(None), 0)),
        (np.ones((4, 1)), 0),
        (np.ones((1, 1, 4, 5)), 0),
        ([7.0, 8.0], (0, 0, slice(0, 2))),
        (3, [0, 2]),
        (True, (0, 0, 0)),
        (etude.tensor(2), Ellipsis),
    ],
)
def test_values_broadcast_and_convert(value: Any, key: Any, backend: str) -> None:
    expected, t = X.copy(), etude.tensor(X)
    plain = np.asarray(value)
    expected[key] = plain.reshape(plain.shape[-expected[key].ndim :]) if plain.ndim else plain
    t[key] = etude.tensor(plain) if isinstance(value, etude.Tensor) else value
    np.testing.assert_array_equal(t.numpy(), expected)


def test_of_equal_positions_the_last_value_stays(backend: str) -> None:
    t = etude.zeros(3)
    t[[1, 1, 1, 0]] = etude.tensor([1.0, 2.0, 3.0, 4.0])
    assert t.tolist() == [4, 3, 0]


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float32"])
def test_writing_keeps_the_dtype(dtype: str, backend: str) -> None:
    t = etude.zeros(3, dtype=dtype)
    t[1] = 1.0
    assert (t.dtype, t.tolist()) == (dtype, [0, 1, 0])


def test_writing_through_a_row_does_not_reach_the_matrix(backend: str) -> None:
    t = etude.zeros(2, 2)
    row = t[0]
    row[0] = 5.0
    assert t.tolist() == [[0, 0], [0, 0]]


def test_writing_to_itself(backend: str) -> None:
    t = etude.arange(4.0)
    t[1:] = t[:-1]
    assert t.tolist() == [0, 0, 1, 2]
    t[t > 0] *= 10
    assert t.tolist() == [0, 0, 10, 20]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (1, 0, 2)])
def test_empty_tensors(shape: Any, backend: str) -> None:
    x = np.zeros(shape)
    for key in (slice(None), Ellipsis, None, slice(None, None, -1), x > 0, []):
        assert etude.tensor(x)[as_tensors(key)].shape == x[key].shape


def test_a_0d_tensor(backend: str) -> None:
    x = etude.tensor(5.0)
    assert x[()].item() == x[...].item() == 5
    assert x[None].shape == (1,)
    assert x[True].shape == (1,)
    assert x[etude.tensor(False)].shape == (0,)
    x[...] = 3.0
    assert x.item() == 3


# random keys --------------------------------------------------------------------------------------
@st.composite
def shapes_and_keys(draw: Any) -> tuple[tuple[int, ...], Any]:
    shape = draw(array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5))
    return shape, draw(basic_indices(shape, max_dims=6, allow_newaxis=True))


@given(shapes_and_keys())
@settings(draws, max_examples=200)
def test_any_basic_key(drawn: Any) -> None:
    shape, key = drawn
    x = np.arange(float(np.prod(shape))).reshape(shape)
    expected = x[key]
    assert etude.tensor(x)[key].tolist() == expected.tolist()
    written, t = x.copy(), etude.tensor(x)
    written[key] = -1.0
    t[key] = -1.0
    assert t.tolist() == written.tolist()


@st.composite
def mixed_keys(draw: Any) -> tuple[tuple[int, ...], Any]:
    """A key with index arrays that broadcast together, slices, numbers and new axes."""
    shape = draw(array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    common = draw(array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    key: list[Any] = []
    for size in shape:
        if draw(st.booleans()) and draw(st.booleans()):
            key.append(None)
        kind = draw(st.sampled_from(["array", "slice", "number", "all"]))
        if kind == "array":
            part = tuple(n if draw(st.booleans()) else 1 for n in common)
            numbers = draw(
                st.lists(
                    st.integers(-size, size - 1),
                    min_size=int(np.prod(part)),
                    max_size=int(np.prod(part)),
                )
            )
            key.append(np.array(numbers, np.int64).reshape(part))
        elif kind == "slice":
            key.append(draw(st.slices(size)))
        elif kind == "number":
            key.append(draw(st.integers(-size, size - 1)))
        else:
            key.append(slice(None))
    return shape, tuple(key)


@given(mixed_keys())
@settings(draws, max_examples=300)
def test_any_mixed_key(drawn: Any) -> None:
    shape, key = drawn
    x = np.arange(float(np.prod(shape))).reshape(shape)
    expected = x[key]
    y = etude.tensor(x)[as_tensors(key)]
    assert y.shape == expected.shape
    assert y.tolist() == expected.tolist()


@given(array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
@settings(draws, max_examples=200)
def test_an_index_out_of_range_is_never_read(shape: Any, data: Any) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    beyond = data.draw(
        st.one_of(st.integers(shape[axis], 2**40), st.integers(-(2**40), -shape[axis] - 1))
    )
    x = etude.zeros(shape)
    lead = (slice(None),) * axis
    for key in (beyond, [0, beyond], etude.tensor([beyond])):
        with pytest.raises(IndexOutOfRange):
            x[(*lead, key)]
        with pytest.raises(IndexOutOfRange):
            x[(*lead, key)] = 1.0
    with pytest.raises(EtudeError):
        x.index_select(axis, [beyond])
    assert x.sum().item() == 0


# functions that take indices ----------------------------------------------------------------------
READERS: dict[str, tuple[int, Any]] = {
    "gather": (5, lambda x, i: x.gather(0, i)),
    "gather row": (5, lambda x, i: x.reshape(1, 5).gather(1, i.reshape(1, -1))),
    "index_select": (5, lambda x, i: x.index_select(0, i)),
    "scatter": (5, lambda x, i: x.scatter(0, i, 1.0)),
    "scatter_add": (5, lambda x, i: x.scatter_add(0, i, i.float())),
    "scatter_reduce": (5, lambda x, i: x.scatter_reduce(0, i, i.float(), "sum")),
    "index_add": (5, lambda x, i: x.index_add(0, i, i.float())),
    "index_copy": (5, lambda x, i: x.index_copy(0, i, i.float())),
    "index_fill": (5, lambda x, i: x.index_fill(0, i, 1.0)),
    "embedding": (5, lambda x, i: F.embedding(i, x.reshape(5, 1))),
    "one_hot": (5, lambda x, i: F.one_hot(i, 5)),
    "cross_entropy": (5, lambda x, i: F.cross_entropy(x.expand(i.numel(), 5), i)),
    "cross_entropy weighted": (5, lambda x, i: F.cross_entropy(x.expand(i.numel(), 5), i, x)),
    "cross_entropy smoothed": (
        5, lambda x, i: F.cross_entropy(x.expand(i.numel(), 5), i, label_smoothing=0.1)),
    "nll_loss": (5, lambda x, i: F.nll_loss(x.expand(i.numel(), 5), i)),
    "multi_margin_loss": (5, lambda x, i: F.multi_margin_loss(x.expand(i.numel(), 5), i)),
    "max_unpool1d": (
        4, lambda x, i: F.max_unpool1d(x[: i.numel()].reshape(1, -1), i.reshape(1, -1), 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("beyond", [0, 1, 1000, 2**31, 2**40, -(2**40)])
def test_no_function_reads_or_writes_out_of_range(name: str, beyond: int, backend: str) -> None:
    """Neither just past the end nor far from it, nor where 32 bits would wrap into range."""
    size, function = READERS[name]
    x = etude.ones(5)
    with pytest.raises(IndexOutOfRange):
        function(x, etude.tensor([1, size + beyond if beyond >= 0 else beyond]))
    function(x, etude.tensor([1, size - 1]))
    assert x.tolist() == [1] * 5
