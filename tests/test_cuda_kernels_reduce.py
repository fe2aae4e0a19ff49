"""The CUDA backend's reductions, running sums, extremes and orders, in the simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from etude.backends import cuda_reduce
from etude.kernels.cuda import reduce, scan, sort, toolchain

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(6)
NUMPY = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all}


def launch(kernel: Any, blocks: int, *arguments: Any, block: Any = 32) -> None:
    with toolchain.simulated():
        toolchain.launch(kernel, blocks, *arguments, block=block)


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype.startswith("float"):
        return RNG.uniform(0.7, 1.3, shape).astype(dtype)
    return RNG.integers(0, 3, shape).astype(dtype)


def folded(name: str, x: np.ndarray, axis: int) -> np.ndarray:
    """In float64, or in integers that wrap."""
    if x.dtype.kind == "f":
        return NUMPY[name](x.astype("f8"), axis)
    if name in ("sum", "prod") and x.dtype.kind == "i":
        return NUMPY[name](x, axis, dtype=x.dtype)
    return NUMPY[name](x, axis).astype(x.dtype)


CASES = [(name, "float32") for name in NUMPY if name not in ("any", "all")]
CASES += [("sum", "float64"), ("prod", "int32"), ("max", "int64"), ("all", "bool"), ("sum", "bool")]


@pytest.mark.parametrize("name, dtype", CASES)
def test_rows_and_columns_fold(name: str, dtype: str) -> None:
    x = values((3, 44), dtype)
    expected, like = folded(name, x, 1), {"rtol": 1e-5 if dtype == "float32" else 1e-12}
    for lanes in (8, 32):
        y = np.empty(3, dtype)
        launch(reduce.rows_lanes(name, dtype, lanes), -(-3 * lanes // 32), y, x, 3, 44)
        np.testing.assert_allclose(y, expected, **like)
    for wide in (False, True):  # three cuts: two are full, one has 12 numbers for 64 threads
        parts = np.empty((3, 3), dtype)
        launch(reduce.rows_block(name, dtype, wide), 9, parts, x, 44, 3, 16, block=64)
        np.testing.assert_allclose(folded(name, parts, 1), expected, **like)
    x = values((2, 9, 5), dtype)
    y = np.empty((2, 5), dtype)
    launch(reduce.lines(name, dtype), 1, y, x, 10, 9, 5)
    np.testing.assert_allclose(y, folded(name, x, 1), **like)
    parts = np.empty((2, 2, 5), dtype)  # two cuts, of five and of four rows
    launch(reduce.columns(name, dtype), 8, parts, x, 9, 5, 2, 2, 5, block=(4, 2, 1))
    np.testing.assert_allclose(folded(name, parts, 1), folded(name, x, 1), **like)


def test_nan_is_the_maximum_and_the_minimum() -> None:
    x = np.array([[1, np.nan, 3, 2] * 4, [-np.inf] * 16], "f4")
    for name in ("max", "min"):
        y = np.empty(2, "f4")
        launch(reduce.rows_lanes(name, "float32", 8), 1, y, x, 2, 16)
        np.testing.assert_array_equal(y, [np.nan, -np.inf])


@pytest.mark.parametrize(
    "shape, axes",
    [((70, 1000), (0, 1)), ((40000,), (0,)), ((6, 5, 4, 3), (1, 3)), ((3000, 7), (0,))],
)
def test_plans_cut_and_merge_axes(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    """What plans say is run by NumPy, for long axes are too much for the simulator."""
    x = RNG.integers(0, 9, shape)
    kept, steps = cuda_reduce.reduction_plan("sum", "int64", shape, axes, False)
    source = x.reshape(-1)
    for step in steps:
        source = by_numpy(step, source)
    np.testing.assert_array_equal(source.reshape(kept), x.sum(axes))


def by_numpy(step: Any, x: np.ndarray) -> np.ndarray:
    name, numbers = step.kernel.name, step.numbers
    if "lines" in name:
        lines, length, inner = numbers
        return x.reshape(lines // inner, length, inner).sum(1).reshape(-1)
    if "lanes" in name:
        return x.reshape(numbers).sum(1)
    if "block" in name:
        length, cuts, each = numbers
        rows = x.reshape(-1, length)
        return np.stack([rows[:, c * each : (c + 1) * each].sum(1) for c in range(cuts)], 1).ravel()
    length, inner, across, cuts, each = numbers
    assert across == -(-inner // 32)
    assert step.blocks % (across * cuts) == 0
    planes = x.reshape(-1, length, inner)
    return np.stack([planes[:, c * each : (c + 1) * each].sum(1) for c in range(cuts)], 1).ravel()


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_running_sums_carry(dtype: str) -> None:
    x = RNG.integers(0, 3, (2, 70, 2)).astype(dtype)
    for name, f in (("cumsum", np.cumsum), ("cumprod", np.cumprod)):
        expected = f(x, 1).astype(dtype)
        for kernel, blocks, block, first in (
            (scan.lines(name, dtype), 1, 32, (4,)),
            (scan.blocks(name, dtype), 4, 64, ()),
        ):
            y = np.empty_like(x)
            launch(kernel, blocks, y, x, *first, 70, 2, block=block)
            np.testing.assert_array_equal(y, expected)


def order(x: np.ndarray, descending: bool) -> list[int]:
    """The stable order, nan being the largest."""

    def key(i: int) -> tuple[bool, float]:
        nan = bool(x[i] != x[i])
        value = 0.0 if nan else float(x[i])
        return (not nan, -value) if descending else (nan, value)

    return sorted(range(len(x)), key=key)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize("descending", [False, True])
def test_orders_are_stable(dtype: str, descending: bool) -> None:
    n, inner, run = 41, 2, 8
    x = RNG.integers(0, 9, (2, n, inner)).astype(dtype)
    if dtype == "float32":
        x[0, 5] = x[0, 7] = np.nan
        x[1, 3] = np.inf
    y, other = np.zeros(x.shape, "i8"), np.zeros(x.shape, "i8")
    tiles = -(-n // run)
    kernel = sort.tile(dtype, descending)
    launch(kernel, 2 * inner * tiles, y, x, n, inner, tiles, 0, block=run)
    while run < n:
        launch(sort.merge(dtype, descending), -(-x.size // 32), other, y, x, x.size, n, inner, run)
        y, other, run = other, y, 2 * run
    for o in range(2):
        for j in range(inner):
            assert y[o, :, j].tolist() == order(x[o, :, j], descending)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_the_first_extreme_is_found(dtype: str) -> None:
    x = RNG.integers(0, 5, (2, 45, 2)).astype(dtype)
    if dtype == "float32":
        x[0, 5, 0] = x[0, 40, 0] = np.nan
        x[1, :, 1] = -np.inf
    for name, f in (("argmax", np.argmax), ("argmin", np.argmin)):
        y = np.zeros((2, 2), "i8")
        launch(sort.arg_lines(name, dtype), 1, y, x, 4, 45, 2)
        np.testing.assert_array_equal(y, f(x, 1))
        y = np.zeros((2, 2), "i8")
        launch(sort.arg_block(name, dtype), 4, y, x, 45, 2)
        np.testing.assert_array_equal(y, f(x, 1))
