"""DLPack both ways: equal values, and no write that a tensor could see."""

from __future__ import annotations

import numpy as np
import pytest

import etude
from etude.framework.errors import DTypeError, GradError

DTYPES = ["float32", "float64", "int32", "int64", "bool"]
SHAPES = [(), (1,), (0, 3), (2, 3, 4)]


def filled(shape, dtype):
    return np.arange(np.prod(shape), dtype="int64").reshape(shape).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_numpy_both_ways(dtype, shape, backend):
    array = filled(shape, dtype)
    t = etude.from_dlpack(array, backend=backend)
    assert (t.dtype, t.shape, t.backend.name) == (dtype, shape, backend)
    assert np.array_equal(np.from_dlpack(t), array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_both_ways(dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    array = filled((2, 3), dtype)
    t = etude.from_dlpack(torch.tensor(array))
    assert np.array_equal(t.numpy(), array)
    assert np.array_equal(torch.from_dlpack(t).numpy(), array)


def test_transposed_arrays_keep_their_order():
    array = filled((3, 4), "float32").T
    assert np.array_equal(etude.from_dlpack(array).numpy(), array)


def test_a_write_by_the_other_library_is_not_seen():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    t = etude.ones(3)
    other = torch.from_dlpack(t)
    other[0] = 9.0
    assert t.tolist() == [1.0, 1.0, 1.0]
    source = torch.ones(3)
    taken = etude.from_dlpack(source)
    source[0] = 9.0
    assert taken.tolist() == [1.0, 1.0, 1.0]


def test_copy_false_shares_memory_on_request():
    array = np.ones(3, "float32")
    t = etude.from_dlpack(array, copy=False)
    assert np.shares_memory(t.numpy(), array)
    view = np.from_dlpack(t, copy=False)
    assert np.shares_memory(view, array)
    assert not view.flags.writeable


def test_errors_say_what_to_do():
    with pytest.raises(DTypeError, match="expected an object with __dlpack__, got "):
        etude.from_dlpack([1, 2])
    with pytest.raises(GradError, match="detach"):
        np.from_dlpack(etude.ones(2, requires_grad=True))
    with pytest.raises(DTypeError, match="complex"):
        etude.from_dlpack(np.ones(2, "complex64"))


def test_torch_tensor_that_requires_grad():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(DTypeError, match="needs no gradient"):
        etude.from_dlpack(torch.ones(2, requires_grad=True))
