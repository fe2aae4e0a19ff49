"""The Numba backend's fast kernels at sizes that no conformance case has: blocks, bands, edges."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import etude

if etude.backends.available()["numba"] is not None:
    pytest.skip("numba is not available here", allow_module_level=True)

import numba

from etude.kernels.numba_cpu import launch, toolchain

ENGINE = etude.backends.get("numba")
ORACLE = etude.backends.get("numpy")
ERROR = {"float32": 2e-5, "float64": 1e-12}  # of the largest value


def draw(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def close(got: Any, expected: Any) -> None:
    size = float(np.abs(expected).max(initial=1.0))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got / size, expected / size, 0, ERROR[str(expected.dtype)])


# how work is shared -------------------------------------------------------------------------------
@toolchain.device
def inner(x: Any, factor: Any) -> Any:
    return x * factor


@launch.shared
def multiplied(row: Any, out: Any, x: Any, sizes: Any, factor: Any) -> None:
    """out[row] = factor x[row] + row, x (rows, columns); sizes = (rows, columns)."""
    for j in range(sizes[1]):
        out[row, j] = inner(x[row, j], factor) + row


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 2, 301])
def test_a_shared_body_runs_once_for_each_index(rows: int, threads: bool) -> None:
    x = draw(rows, 7)
    out = np.full_like(x, np.nan)
    multiplied(rows, threads, out, x, x.shape, np.float32(2))  # exact, so rounded once at most
    np.testing.assert_array_equal(out, x * np.float32(2) + np.arange(rows, dtype="f")[:, None])


def test_shared_bodies_keep_their_names_and_types() -> None:
    assert multiplied.py_func.__name__ == "multiplied"
    assert "factor x[row]" in multiplied.__doc__
    wide = np.ones((2, 3))
    multiplied(2, True, wide, wide, wide.shape, 2.0)
    assert wide.tolist() == [[2.0] * 3, [3.0] * 3]


PRODUCTS = [(1, 1000, 1300), (8, 400, 3000), (15, 33, 17), (130, 391, 257), (501, 1031, 530)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m, k, n", PRODUCTS)
def test_products_of_all_transposes(m: int, k: int, n: int, dtype: str) -> None:
    for left, right in product((False, True), (False, True)):
        a = draw(*((k, m) if left else (m, k)), dtype=dtype)
        b = draw(*((n, k) if right else (k, n)), dtype=dtype)
        close(ENGINE.matmul(a, b, left, right), ORACLE.matmul(a, b, left, right))


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh", "gelu"])
def test_a_layer_in_bands(activation: str | None) -> None:
    x, w, b = draw(200, 150), draw(130, 150), draw(130)
    expected = ORACLE.linear(x, w, b, activation)
    close(ENGINE.linear(x, w, b, activation), expected)


# images, channels, height, width; outputs, kernel; stride, padding, dilation, groups
CONVOLUTIONS = [
    ((2, 64, 20, 22), (70, 3), 1, 1, 1, 1),
    ((1, 3, 64, 64), (40, 11), 4, 2, 1, 1),
    ((2, 16, 100, 100), (32, 3), 1, 1, 1, 1),
    ((3, 130, 7, 7), (50, 5), 1, 2, 1, 1),
    ((3, 40, 9, 9), (80, 3), 2, 1, 1, 2),
    ((2, 300, 14, 14), (600, 1), 1, 0, 1, 1),
    ((2, 12, 28, 28), (12, 3), 1, 1, 1, 12),
    ((2, 12, 28, 28), (12, 3), 2, 1, 2, 12),
    ((37, 14, 9, 11), (20, 3), 1, 1, 1, 1),
    ((33, 20, 10, 9), (17, 3), 2, 1, 1, 1),
    ((26, 12, 11, 10), (13, 3), 1, 2, 2, 1),
    ((24, 28, 10, 11), (30, 2), 3, 0, 1, 1),
    ((64, 6, 14, 14), (16, 5), 1, 0, 1, 1),
    ((29, 3, 40, 33), (10, 4), 2, 1, 1, 1),
]


def test_an_infinite_weight_over_the_border_makes_nan() -> None:
    x, w = draw(32, 12, 6, 6), draw(8, 12, 3, 3)
    w[3, 4, 0, 1] = np.inf
    geometry = (1, 1), ((1, 1), (1, 1)), (1, 1), 1
    y = ENGINE.conv(x, w, None, *geometry)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(ORACLE.conv(x, w, None, *geometry)))
    assert np.isnan(y[:, 3, 0]).all()
    assert not np.isnan(y[:, 2]).any()


@pytest.mark.parametrize("x_shape, w_size, stride, pad, dilation, groups", CONVOLUTIONS)
def test_convolutions_and_their_gradients(
    x_shape: Any, w_size: Any, stride: int, pad: int, dilation: int, groups: int
) -> None:
    outputs, size = w_size
    geometry = (stride, stride), ((pad, pad), (pad, pad)), (dilation, dilation), groups
    x, b = draw(*x_shape), draw(outputs)
    w = draw(outputs, x_shape[1] // groups, size, size)
    y = ORACLE.conv(x, w, b, *geometry)
    close(ENGINE.conv(x, w, b, *geometry), y)
    g = draw(*y.shape)
    expected = ORACLE.conv_input_grad(g, w, x.shape, *geometry)
    close(ENGINE.conv_input_grad(g, w, x.shape, *geometry), expected)
    expected = ORACLE.conv_weight_grad(x, g, w.shape, *geometry)
    close(ENGINE.conv_weight_grad(x, g, w.shape, *geometry), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_that_go_past_the_cache(dtype: str) -> None:
    x, b = draw(2101, 1003, dtype=dtype), draw(1003, dtype=dtype)
    for name in ("relu", "tanh"):
        close(ENGINE.bias_activation(x, b, name), ORACLE.bias_activation(x, b, name))
    images, w = draw(3, 2, 601, 603, dtype=dtype), draw(2, dtype=dtype)
    y, mean, var = ORACLE.batch_norm(images, w, w, 1e-5)
    close(ENGINE.batch_norm(images, w, w, 1e-5)[0], y)
    expected = ORACLE.batch_norm_grad(y, images, w, mean, var, 1e-5)
    close(ENGINE.batch_norm_grad(y, images, w, mean, var, 1e-5)[0], expected[0])


@pytest.mark.parametrize("classes", [1, 10, 23, 24, 40])
def test_rows_of_any_length_and_nan_in_one(classes: int) -> None:
    x, labels = draw(50, classes), np.arange(50) % classes
    x[7, classes // 2], labels[3] = np.nan, -100
    for got, expected in zip(ENGINE.cross_entropy(x, labels), ORACLE.cross_entropy(x, labels)):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
        close(np.nan_to_num(got), np.nan_to_num(expected))


@pytest.mark.parametrize("kernel, stride, pad", [(2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0)])
def test_nan_and_infinities_in_pools(kernel: int, stride: int, pad: int) -> None:
    x = draw(2, 3, 37, 41)
    x.reshape(-1)[::11], x.reshape(-1)[3::17], x.reshape(-1)[5::19] = np.nan, -np.inf, np.inf
    given = (kernel,) * 2, (stride,) * 2, ((pad, pad),) * 2, (1, 1)
    for got, expected in zip(ENGINE.max_pool(x, *given), ORACLE.max_pool(x, *given)):
        np.testing.assert_array_equal(got, expected)


def test_positions_and_labels_out_of_range_are_errors() -> None:
    with pytest.raises(IndexError):
        ENGINE.max_pool_grad(draw(1, 1, 1, 1), np.array([[[[9]]]]), (1, 1, 3, 3))
    with pytest.raises(IndexError):
        ENGINE.max_pool_pick(draw(1, 1, 3, 3), np.array([[[[9]]]]))
    for label in (5, -1):
        with pytest.raises(IndexError, match=f"{label} is out of range 0 ... 4"):
            ENGINE.cross_entropy(draw(2, 5), np.array([0, label]))
        with pytest.raises(IndexError):
            ENGINE.cross_entropy_grad(draw(2), draw(2, 5), np.array([0, label]))


def flat(results: Any) -> list[bytes]:
    return [x.tobytes() for x in (results if isinstance(results, tuple) else (results,))]


def stepped(*ps: Any) -> Any:
    """ps after a step of Adam each."""
    lists = [[np.full_like(p, 0.1 * k) for p in ps] for k in range(1, 4)]
    ENGINE.adam_steps(list(ps), *lists, 3, 1e-3, 0.9, 0.999, 1e-8, 0.0, False)
    return ps


ONE = (1, 1), ((1, 1), (1, 1)), (1, 1), 1
CALLS: list[Callable[[], Any]] = [
    lambda: ENGINE.matmul(draw(130, 391), draw(391, 257)),
    lambda: ENGINE.matmul(draw(3, 90, 91), draw(3, 91, 92)),
    lambda: ENGINE.conv(draw(3, 8, 30, 30), draw(9, 8, 3, 3), draw(9), *ONE),
    lambda: ENGINE.conv(draw(40, 12, 9, 9), draw(9, 12, 3, 3), draw(9), *ONE),
    lambda: ENGINE.conv_weight_grad(draw(40, 12, 9, 9), draw(40, 9, 9, 9), (9, 12, 3, 3), *ONE),
    lambda: ENGINE.conv_input_grad(draw(3, 9, 30, 30), draw(9, 8, 3, 3), (3, 8, 30, 30), *ONE),
    lambda: ENGINE.conv_weight_grad(draw(5, 8, 30, 30), draw(5, 9, 30, 30), (9, 8, 3, 3), *ONE),
    lambda: ENGINE.batch_norm(draw(4, 6, 30, 30), draw(6), draw(6), 1e-5),
    lambda: ENGINE.layer_norm_grad(draw(999, 40), draw(999, 40), None, draw(999), draw(999)),
    lambda: ENGINE.cross_entropy(draw(300, 100), np.arange(300) % 100),
    lambda: ENGINE.sum_squares([draw(100_000), draw(7)]),
    lambda: ENGINE.bias_activation(draw(2101, 1003), draw(1003), "relu"),
    lambda: stepped(draw(100, 300), draw(11), draw(7000)),
]


@pytest.mark.parametrize("call", CALLS)
def test_one_thread_and_all_give_the_same_bits(call: Callable[[], Any]) -> None:
    before = numba.get_num_threads()
    many = flat(call())
    try:
        numba.set_num_threads(1)
        assert flat(call()) == many
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (5, 1)])
def test_windows_of_padding_alone(size: tuple[int, int]) -> None:
    x = np.ones((1, 2, *size), np.float32)
    where = ((2, 2), (1, 1), ((1, 1), (1, 1)), (2, 2))
    found, expected = (etude.backends.get(name).max_pool(x, *where) for name in ("numba", "numpy"))
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(a, b)
