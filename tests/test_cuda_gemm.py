"""The CUDA backend's matrix products in the simulator: a tile with ragged edges of each kernel."""

from __future__ import annotations

import numpy as np
import pytest

from etude.kernels.cuda import gemm, gemm_split, gemm_tile, toolchain

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(5)
ENDS = {"none": lambda x: x, "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}


def matrices(count: int, rows: int, cols: int, stored_turned: bool, dtype: str) -> np.ndarray:
    """Small whole numbers for integer types, so that sums are exact."""
    shape = (count, cols, rows) if stored_turned else (count, rows, cols)
    if dtype.startswith("int"):
        return RNG.integers(-9, 10, shape).astype(dtype)
    return RNG.standard_normal(shape).astype(dtype)


def product(a: np.ndarray, b: np.ndarray, turned_a: bool, turned_b: bool) -> np.ndarray:
    a = a.swapaxes(1, 2) if turned_a else a
    b = b.swapaxes(1, 2) if turned_b else b
    return (a.astype("float64") @ b.astype("float64")).astype("float64")


def poisoned(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.full(shape, np.nan if dtype.startswith("float") else -77, dtype)


@pytest.mark.parametrize(
    "size, turned_a, turned_b, m, n, k",
    [
        ("small", False, False, 28, 24, 37),
        ("small", False, True, 31, 24, 33),
        ("small", True, False, 28, 32, 34),
        ("small", True, True, 4, 28, 3),
        ("small", False, False, 29, 23, 37),
        ("small", True, False, 27, 30, 32),
        ("middle", False, True, 63, 60, 19),
        ("large", True, False, 124, 120, 5),
    ],
)
def test_a_tile_multiplies(
    size: str, turned_a: bool, turned_b: bool, m: int, n: int, k: int
) -> None:
    a, b = matrices(1, m, k, turned_a, "float32"), matrices(1, k, n, turned_b, "float32")
    wide = n % 4 == 0 and not (turned_a and m % 4)
    y = poisoned(1, m, n)
    with toolchain.simulated():
        kernel = gemm_tile.gemm(size, turned_a, turned_b, wide)
        toolchain.launch(kernel, 1, y, a, b, None, m, n, k, k, 1, 0, 0, 0, 0)
    np.testing.assert_allclose(y, product(a, b, turned_a, turned_b), rtol=0, atol=2e-5)


def test_tiles_are_walked_in_bands_and_each_is_written_once() -> None:
    m, n, k = 32 * 8 + 1, 3, 1
    a, b, y = (
        matrices(1, m, k, False, "float32"),
        matrices(1, k, n, False, "float32"),
        poisoned(m, n),
    )
    with toolchain.simulated():
        kernel = gemm_tile.gemm("small", False, False, False)
        toolchain.launch(kernel, 9, y, a, b, None, m, n, k, k, 1, 0, 0, 0, 0)
    np.testing.assert_array_equal(y, a[0] * b[0])


@pytest.mark.parametrize("bias, activation", [("column", "relu"), ("row", "none"), ("row", "tanh")])
def test_the_end_of_a_product(bias: str, activation: str) -> None:
    m, n, k = 5, 7, 3
    a, b = matrices(1, m, k, False, "float32"), matrices(1, k, n, False, "float32")
    c = RNG.standard_normal(m if bias == "row" else n).astype("float32")
    y = poisoned(m, n)
    with toolchain.simulated():
        kernel = gemm_tile.gemm("small", False, False, False, bias, activation)
        toolchain.launch(kernel, 1, y, a, b, c, m, n, k, k, 1, 0, 0, 0, 0)
    want = product(a, b, False, False)[0] + (c[:, None] if bias == "row" else c)
    np.testing.assert_allclose(y, ENDS[activation](want), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "bias, activation", [("none", "none"), ("column", "relu"), ("row", "none")]
)
def test_parts_of_the_depth_are_added_in_their_order(bias: str, activation: str) -> None:
    """Batch of 2 x 1 matrices on the left and 1 on the right, the depth in three parts."""
    count, m, n, k, part = 2, 5, 6, 70, 32
    a, b = matrices(count, m, k, False, "float32"), matrices(1, k, n, True, "float32")
    c = RNG.standard_normal(m if bias == "row" else n).astype("float32")
    parts, y = poisoned(count, 3, m, n), poisoned(count, m, n)
    with toolchain.simulated():
        kernel = gemm_tile.gemm("small", False, True, False)
        toolchain.launch(kernel, (count, 3), parts, a, b, None, m, n, k, part, 1, m * k, 0, 0, 0)
        add = gemm_split.add(bias, activation)
        toolchain.launch(add, (1, 1), y, parts, c, m * n, 3, n, m, count)
    want = product(a, b, False, True)
    want = want + (c[:, None] if bias == "row" else c if bias == "column" else 0)
    np.testing.assert_allclose(y, ENDS[activation](want), rtol=0, atol=2e-5)
    if bias == "none":
        np.testing.assert_array_equal(y, (parts[:, 0] + parts[:, 1]) + parts[:, 2])


@pytest.mark.parametrize("turned_a, turned_b", [(False, False), (True, False), (False, True)])
def test_the_naive_kernel(turned_a: bool, turned_b: bool) -> None:
    count, m, n, k = 2, 3, 4, 5
    a, b = matrices(count, m, k, turned_a, "float32"), matrices(1, k, n, turned_b, "float32")
    c, y = RNG.standard_normal(n).astype("float32"), poisoned(count, m, n)
    steps = (1, m) if turned_a else (k, 1), (1, k) if turned_b else (n, 1)
    with toolchain.simulated():
        kernel = gemm.naive("float32", "column", "relu")
        sizes = (m, n, k, 1, m * k, 0, 0, 0, *steps[0], *steps[1], y.size)
        toolchain.launch(kernel, 1, y, a, b, c, *sizes, block=32)
    want = ENDS["relu"](product(a, b, turned_a, turned_b) + c)
    np.testing.assert_allclose(y, want, rtol=0, atol=2e-6)


def test_the_tiled_kernel() -> None:
    m, n, k = 17, 18, 19
    a, b = matrices(2, m, k, False, "float32"), matrices(2, k, n, False, "float32")
    y = poisoned(2, m, n)
    with toolchain.simulated():
        kernel = gemm.tiled("float32")
        toolchain.launch(kernel, (2, 2, 2), y, a, b, m, n, k, 2, 0, m * k, 0, k * n)
    np.testing.assert_allclose(y, product(a, b, False, False), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "dtype, turned_a, turned_b",
    [("float64", False, True), ("int32", True, False), ("int64", False, False)],
)
def test_other_types(dtype: str, turned_a: bool, turned_b: bool) -> None:
    m, n, k = 5, 66, 7
    a, b = matrices(2, m, k, turned_a, dtype), matrices(2, k, n, turned_b, dtype)
    y = poisoned(2, m, n, dtype=dtype)
    with toolchain.simulated():
        kernel = gemm.register(dtype, turned_a, turned_b)
        toolchain.launch(kernel, (4, 1), y, a, b, m, n, k, 1, m * k, 0, n * k, 0)
    np.testing.assert_allclose(y, product(a, b, turned_a, turned_b), rtol=0, atol=1e-12)
