"""CUDA's softmax, norms, pooling, products and convolutions where 32 bits do not count far enough.

The limit is set to 1 for the 64-bit variants on small arrays; arrays that are really that large lie
on a device of which only the last blocks run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend
from cuda_long import counting_long, sparse_backend

import etude
from etude.backends import (
    cuda_group_norm,
    cuda_matmul,
    cuda_norm,
    cuda_plans,
    cuda_pool,
    cuda_softmax,
)

RNG = np.random.default_rng(11)
NUMPY = etude.backends.get("numpy")


@pytest.fixture(params=["threads", "warps"])
def engine(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A backend that counts in 64 bits, in the forms of the simulator and in those of a device."""
    with pytest.MonkeyPatch.context() as patch, cuda_backend() as backend:
        if request.param == "warps":
            patch.setattr(cuda_softmax, "SIMULATED", 4)
            patch.setattr(cuda_norm, "SIMULATED", 4)
            patch.setattr(cuda_norm, "ROWS", 8)
        with counting_long():
            yield backend


def up(backend: Any, x: Any) -> Any:
    if not isinstance(x, np.ndarray):
        return x
    return backend.from_host(memoryview(np.ascontiguousarray(x)), x.shape, str(x.dtype))


def agree(backend: Any, name: str, *arguments: Any) -> list[np.ndarray]:
    """A method's results, which are NumPy's."""
    got = getattr(backend, name)(*(up(backend, a) for a in arguments))
    expected = getattr(NUMPY, name)(*arguments)
    if not isinstance(expected, tuple):
        got, expected = (got,), (expected,)
    for y, z in zip(got, expected, strict=True):
        own = np.array(backend.to_host(y), y.dtype).reshape(y.shape)
        np.testing.assert_allclose(own, z, 2e-4, 2e-5, err_msg=name)
    return list(expected)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("f4")


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of kernels of this file's families that are launched."""
    names: list[str] = []
    for module in (cuda_softmax, cuda_norm, cuda_group_norm, cuda_pool, cuda_matmul):

        def noted(kernel: Any, *given: Any, launch: Any = module.launch, **more: Any) -> None:
            names.append(kernel.name)
            launch(kernel, *given, **more)

        monkeypatch.setattr(module, "launch", noted)
    return names


def all_long(names: list[str], count: int) -> None:
    assert len(names) == count
    assert [name for name in names if "_long_" not in name] == []


# the limit at 1 -----------------------------------------------------------------------------------
def test_softmax(engine: Any, launched: list[str]) -> None:
    labels = np.array([2, -100, 41])
    for name in ("softmax", "log_softmax"):
        for x in (floats(3, 45), floats(2, 9, 2)):
            (y,) = agree(engine, name, x, 1)
            agree(engine, f"{name}_grad", floats(*x.shape), y, 1)
    _, p = agree(engine, "cross_entropy", floats(3, 45), labels)
    agree(engine, "cross_entropy_grad", floats(3), p, labels)
    _, p, count = agree(engine, "cross_entropy_mean", floats(3, 45), labels)
    agree(engine, "cross_entropy_mean_grad", np.array(0.7, "f4"), p, labels, count)
    all_long(launched, 13)


def test_norms(engine: Any, launched: list[str]) -> None:
    for shape in ((2, 3, 40), (2, 3, 11), (20, 5)):
        x, w, b, g = floats(*shape), floats(shape[1]), floats(shape[1]), floats(*shape)
        y, mean, var = agree(engine, "batch_norm_relu", x, w, b, 1e-5, floats(*shape))
        agree(engine, "batch_norm_relu_grad", g, y, x, w, mean, var, 1e-5)
    x, w, g = floats(18, 45), floats(45), floats(18, 45)
    _, mean, rstd = agree(engine, "layer_norm", x, w, floats(45), 1e-5)
    agree(engine, "layer_norm_grad", g, x, w, mean, rstd)
    x = floats(2, 6, 3)
    _, spread = agree(engine, "local_response_norm", x, 5, 0.3, 0.75, 1.5)
    agree(engine, "local_response_norm_grad", floats(2, 6, 3), x, spread, 5, 0.3, 0.75)
    all_long(launched, 23)


def test_group_norm(engine: Any, launched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, b = floats(2, 4, 3, 4), floats(4), floats(4)
    for most, count in ((32, 1), (0, 3)):
        monkeypatch.setattr(cuda_group_norm, "MOST", most)
        _, mean, rstd = agree(engine, "group_norm", x, w, b, 2, 1e-5)
        all_long(launched, count)
        launched.clear()
    agree(engine, "group_norm_grad", floats(2, 4, 3, 4), x, w, mean, rstd)
    all_long(launched, 3)


def test_pooling(engine: Any, launched: list[str]) -> None:
    for shape, kernel, stride, padding in (
        ((2, 2, 7, 6), (3, 2), (2, 1), ((1, 1), (0, 1))),
        ((2, 3, 11), (4,), (2,), ((2, 1),)),
    ):
        x, ones = floats(*shape), (1,) * len(kernel)
        y, positions = agree(engine, "max_pool", x, kernel, stride, padding, ones)
        agree(engine, "max_pool_grad", floats(*y.shape), positions, shape)
        agree(engine, "max_pool_pick", x, positions)
        agree(engine, "sum_pool", x, kernel, stride, padding, 0.3)
        agree(engine, "sum_pool_grad", floats(*y.shape), shape, kernel, stride, padding, 0.3)
    all_long(launched, 12)


def test_products(engine: Any, launched: list[str]) -> None:
    for a, b, *flags in (
        (floats(3, 4), floats(4, 5), False, False),
        (floats(4, 3), floats(5, 4), True, True),
        (floats(2, 3, 4), floats(4, 5), False, False),
        (floats(2, 1, 3, 4), floats(3, 4, 5), False, False),
    ):
        agree(engine, "matmul", a, b, *flags)
        agree(engine, "matmul", a.astype("f8"), b.astype("f8"), *flags)
    agree(engine, "linear", floats(3, 4), floats(5, 4), floats(5), "relu")
    all_long(launched, 9)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("most", [1, 90])
def test_convolutions(groups: int, most: int) -> None:
    """By the defaults where an image is too large for the kernels, or two images at a time."""
    x, w, b = floats(3, 2, 5, 4), floats(2, 2 // groups, 3, 3), floats(2)
    geometry = (1, 1), ((1, 1), (1, 1)), (1, 1), groups
    with cuda_backend() as engine, counting_long(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_plans, "MOST", most)
        (y,) = agree(engine, "conv", x, w, b, *geometry, "relu")
        agree(engine, "conv_input_grad", y, w, x.shape, *geometry)
        agree(engine, "conv_weight_grad", x, y, w.shape, *geometry)


# more than 2^31 numbers ---------------------------------------------------------------------------
def blank(backend: Any, shape: tuple[int, ...], last: np.ndarray) -> Any:
    """A buffer of zeros but for the last numbers."""
    x = backend.empty(shape, str(last.dtype))
    x.host[-last.size :] = last.reshape(-1)
    return x


def test_softmax_of_many_rows() -> None:
    with sparse_backend() as (backend, device):
        row = floats(1, 8)
        x = blank(backend, (2**28 + 1, 8), row)
        y = backend.softmax(x, 1)
        np.testing.assert_allclose(y.host[-8:], NUMPY.softmax(row, 1)[0], 1e-5)
        labels = blank(backend, (2**28 + 1,), np.array([3]))
        losses, p = backend.cross_entropy(x, labels)
        gx = backend.cross_entropy_grad(blank(backend, labels.shape, floats(1) + 5), p, labels)
    expected, p = NUMPY.cross_entropy(row, np.array([3]))
    np.testing.assert_allclose(losses.host[-1], expected[0], 1e-5)
    assert gx.host[-5] < 0 < gx.host[-1]
    assert not gx.host[-9]
    assert {"softmax_lines_long_float32", "cross_entropy_grad_long_float32"} <= {*device.kernels}


def test_batch_norm_of_many_channels() -> None:
    with sparse_backend() as (backend, device):
        plane = floats(1, 1, 32)
        x = blank(backend, (1, 2**26 + 1, 32), plane)
        y, mean, var = backend.batch_norm(x, None, None, 1e-5)
        expected = NUMPY.batch_norm(plane, None, None, 1e-5)
        for got, want in zip((y, mean, var), expected):
            np.testing.assert_allclose(got.host[-want.size :], want.reshape(-1), 1e-4, 1e-5)
    assert all("_long_" in name for name in device.kernels)


def test_group_norm_of_many_examples() -> None:
    x, w, b = floats(1, 8, 8), floats(8), floats(8)
    with sparse_backend() as (backend, device):
        given = blank(backend, (2**25 + 1, 8, 8), x), up(backend, w), up(backend, b)
        found = backend.group_norm(*given, 2, 1e-5)
        expected = NUMPY.group_norm(x, w, b, 2, 1e-5)
        for got, want in zip(found, expected):
            np.testing.assert_allclose(got.host[-want.size :], want.reshape(-1), 1e-4, 1e-5)
    assert device.kernels == ["group_norm_32x1_w_b_long_float32"]


def test_pooling_of_many_planes() -> None:
    shape, plane = (2**20 + 1, 2, 32, 32), floats(1, 1, 32, 32)
    geometry = (2, 2), (1, 1), ((1, 0), (1, 0))
    expected, positions = NUMPY.max_pool(plane, *geometry, (1, 1))
    g = floats(*plane.shape)
    with sparse_backend() as (backend, _):
        y, found = backend.max_pool(blank(backend, shape, plane), *geometry, (1, 1))
        np.testing.assert_array_equal(y.host[-64:], expected.reshape(-1)[-64:])
        np.testing.assert_array_equal(found.host[-64:], positions.reshape(-1)[-64:])
        known = blank(backend, shape, positions)
        gx = backend.max_pool_grad(blank(backend, shape, g), known, shape)
    expected = NUMPY.max_pool_grad(g, positions, plane.shape)
    np.testing.assert_allclose(gx.host[-64:], expected.reshape(-1)[-64:], 1e-5, 1e-6)


def test_the_gradient_of_pooling_a_long_line() -> None:
    """Few numbers, but the length times the count of windows is what is divided."""
    x = floats(1, 1, 70016)
    _, positions = NUMPY.max_pool(x, (3,), (2,), ((1, 1),), (1,))
    g = floats(*positions.shape)
    with sparse_backend() as (backend, _):
        gx = backend.max_pool_grad(up(backend, g), up(backend, positions), x.shape)
    expected = NUMPY.max_pool_grad(g, positions, x.shape)
    np.testing.assert_allclose(gx.host[-64:], expected[0, 0, -64:], 1e-5, 1e-6)


def test_products_of_many_rows() -> None:
    """More rows than 32 bits count, and fewer of more numbers, by tiles."""
    with sparse_backend() as (backend, device):
        b = floats(1, 2)
        row = floats(1, 1)
        y = backend.matmul(blank(backend, (2**31 + 3, 1), row), up(backend, b))
        np.testing.assert_array_equal(y.host[-2:], (row @ b)[0])
        row, b = floats(1, 9), floats(9, 33)
        y = backend.matmul(blank(backend, (2**26, 9), row), up(backend, b))
        np.testing.assert_allclose(y.host[-33:], (row @ b)[0], 1e-4, 1e-4)
        row, b = row[:, :5].astype("f8"), b[:5].astype("f8")
        y = backend.matmul(blank(backend, (2**27, 5), row), up(backend, b))
        np.testing.assert_allclose(y.host[-17:], (row @ b)[0, -17:], 1e-12)
    assert device.kernels == [
        "gemm_naive_long_float32",
        "gemm_nn_128x128_odd",
        "gemm_register_nn_float64_4",
    ]


def test_cells_of_many_gates() -> None:
    """Their kernels count in 64 bits always."""
    gates, c = floats(1, 16), floats(1, 4)
    with sparse_backend() as (backend, _):
        given = blank(backend, (2**27 + 1, 16), gates), blank(backend, (2**27 + 1, 4), c)
        found = backend.lstm_cell(*given)
    for got, want in zip(found, NUMPY.lstm_cell(gates, c)):
        np.testing.assert_allclose(got.host[-want.size :], want[0], 1e-5, 1e-6)
