"""NumPy arrays into the plain-Python backend and back, for its tests."""

from __future__ import annotations

import numpy as np

from etude.backends.python_backend import PythonBackend

B = PythonBackend()
DTYPES = ["float32", "float64", "int32", "int64", "bool"]
NUMERIC = DTYPES[:4]
RNG = np.random.default_rng(0)


def put(a, dtype=None):
    a = np.array(a, dtype=dtype, order="C")
    return B.from_host(memoryview(a), a.shape, a.dtype.name)


def get(x):
    host = np.asarray(B.to_host(x))
    assert host.dtype.name == B.dtype(x)
    return host.reshape(x.shape)


def some(shape, dtype, low=-4, high=5):
    """Small numbers with repeats, exact in every dtype."""
    values = RNG.integers(low, high, shape)
    return np.asarray(values / 2 if dtype.startswith("float") else values).astype(dtype)


def same(actual, expected):
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    assert B.dtype(actual) == expected.dtype.name
    np.testing.assert_array_equal(get(actual), expected)


def into(method, *args):
    """Call twice, once with out=; both must agree and the buffer given must be the one filled."""
    fresh = method(*args)
    out = B.full(fresh.shape, 1, B.dtype(fresh))
    assert method(*args, out=out).data is out.data
    np.testing.assert_array_equal(get(out), get(fresh))
    return fresh


def normal(*shape, dtype=np.float64):
    return RNG.standard_normal(shape).astype(dtype)


def near(x, expected, tolerance=1e-12):
    """Close to an array, or to a torch tensor, of the same dtype and shape."""
    expected = np.asarray(expected.detach() if hasattr(expected, "detach") else expected)
    assert B.dtype(x) == expected.dtype.name
    assert x.shape == expected.shape
    np.testing.assert_allclose(get(x), expected, rtol=tolerance, atol=tolerance)
