"""NumPy both ways: arrays of tensors, and operators between the two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude


@pytest.fixture(params=["numpy", "python"])
def backend(request: pytest.FixtureRequest) -> Any:
    with etude.use_backend(request.param):
        yield request.param


def test_numpy_takes_tensors(backend: str) -> None:
    t = etude.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.asarray(t).dtype == np.float32
    assert np.asarray(t, dtype="f8").dtype == np.float64
    assert np.array(t).tolist() == t.tolist()
    assert np.sin(np.asarray(t)).shape == (2, 2)
    assert np.stack([t, t]).shape == (2, 2, 2)
    assert np.zeros((0, 2)).shape == etude.zeros(0, 2).numpy().shape


def test_the_array_of_a_tensor_cannot_be_written_or_is_a_copy(backend: str) -> None:
    t = etude.ones(2)
    with pytest.raises(ValueError, match="read-only"):
        t.numpy()[0] = 5
    mine = np.asarray(t)
    mine[0] = 5
    assert t.tolist() == [1, 1]


def test_a_cast_without_a_copy_is_refused() -> None:
    with pytest.raises(ValueError, match="expected no copy"):
        np.asarray(etude.ones(2), dtype="f8", copy=False)
    assert not np.asarray(etude.ones(2), copy=False).flags.writeable


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a**b,
        lambda a, b: a @ b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: a < b,
        lambda a, b: a >= b,
        lambda a, b: a == b,
        lambda a, b: a != b,
    ],
)
def test_arrays_and_tensors_mix_in_either_order(operation: Any, backend: str) -> None:
    a, b = np.array([1.5, 2.0, 4.0]), np.array([2.0, 3.0, 0.5])
    t = etude.tensor(b)
    for left, right, x, y in ((a, t, a, b), (t, a, b, a)):
        result = operation(left, right)
        assert isinstance(result, etude.Tensor)
        np.testing.assert_allclose(result.numpy(), operation(x, y), rtol=1e-12)


@pytest.mark.parametrize("number", [np.float64(2.0), np.float32(2.0), np.int64(2), np.array(2.0)])
def test_a_numpy_number_on_the_left_keeps_the_gradient(number: Any, backend: str) -> None:
    x = etude.tensor([1.0, 2.0], requires_grad=True)
    ((number * x) + (np.ones(2, "f4") - x)).sum().backward()
    assert x.grad.tolist() == [1, 1]
