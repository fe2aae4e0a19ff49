"""The CUDA backend's copies, windows, rows at indices and random numbers, in the simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend

import etude
from etude.backends.cuda_layout import pad_plan
from etude.backends.cuda_plans import copy_plan
from etude.backends.cuda_unfold import windows
from etude.kernels.cuda import index, layout, pad, philox, toolchain, unfold
from etude.kernels.cuda.divide import divisor

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(4)
NUMPY = etude.backends.get("numpy")
NONE = 1 << 62


def launch(kernel: Any, blocks: int, *arguments: Any, block: Any = 32) -> None:
    with toolchain.simulated():
        toolchain.launch(kernel, blocks, *arguments, block=block)


# copies -------------------------------------------------------------------------------------------
def copied(
    dst: np.ndarray, src: np.ndarray, shape: Any, to: Any, of: Any, places: tuple[int, int] = (0, 0)
) -> str:
    """Copy, and the name of the kernel that did."""
    with toolchain.simulated():
        aligned = places[0] % 4 == 0 and places[1] % 4 == 0
        plan = copy_plan(str(src.dtype), shape, to, of, aligned)
    given = *plan.before, dst, src, *places, *plan.after
    launch(plan.kernel, plan.blocks, *given, block=plan.block)
    return plan.kernel.name


def strides_of(x: np.ndarray) -> tuple[int, ...]:
    return tuple(s // x.itemsize for s in x.strides)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_fills_end_where_they_should(dtype: str) -> None:
    y = np.zeros(39, dtype)
    launch(layout.fill(dtype), 1, 38, y, 1)
    assert y.tolist() == [1] * 38 + [0]


@pytest.mark.parametrize(
    "view, kernel",
    [
        (lambda x: x, "copy_wide1"),
        (lambda x: x[:, ::-1, :, 1:5], "copy_walk4"),
        (lambda x: x[:, 1:3, :, 4:], "copy_wide3"),
        (lambda x: np.broadcast_to(x[:, :1], x.shape), "copy_wide3"),
        (lambda x: x[:, 0, 0], "copy_wide2"),
        (lambda x: x[..., 3], "copy_walk1"),
        (lambda x: x.transpose(0, 3, 1, 2), "copy_walk3"),
        (lambda x: x.transpose(3, 2, 1, 0), "copy_walk4"),
    ],
)
def test_reads_by_any_strides(view: Any, kernel: str) -> None:
    x = RNG.standard_normal((4, 5, 3, 8)).astype("float32")
    y = view(x)
    place = (y.__array_interface__["data"][0] - x.__array_interface__["data"][0]) // 4
    out = np.full(y.shape, np.nan, "f4")
    name = copied(out, x, y.shape, None, strides_of(y), (0, place))
    assert name == f"{kernel}_float32"
    np.testing.assert_array_equal(out, y)


def test_writes_by_any_strides() -> None:
    for view in (lambda x: x[1:, ::2], lambda x: x.T, lambda x: x[:, 4:]):
        dst, expected = np.zeros((6, 8), "f4"), np.zeros((6, 8), "f4")
        src = RNG.standard_normal(view(dst).shape).astype("f4")
        view(expected)[...] = src
        y = view(dst)
        place = (y.__array_interface__["data"][0] - dst.__array_interface__["data"][0]) // 4
        copied(dst, src, src.shape, strides_of(y), None, (place, 0))
        np.testing.assert_array_equal(dst, expected)


@pytest.mark.parametrize(
    "shape, axes, kernel",
    [
        ((37, 33), (1, 0), "copy_tiles0"),
        ((2, 18, 34), (0, 2, 1), "copy_tiles1"),
        ((34, 2, 2, 16), (3, 2, 1, 0), "copy_tiles2"),
    ],
)
def test_tiles_have_ragged_edges(shape: Any, axes: Any, kernel: str) -> None:
    x = RNG.standard_normal(shape).astype("f4")
    view = x.transpose(axes)
    y = np.full(view.shape, np.nan, "f4")
    assert copied(y, x, y.shape, None, strides_of(view)) == f"{kernel}_float32"
    np.testing.assert_array_equal(y, view)


def test_copies_count_beyond_two_to_the_31() -> None:
    plan = copy_plan("bool", (2, 3, 1 << 30), (3 << 31, 1 << 31, 1), None, True)
    assert plan.kernel.name == "copy_wide2_long_bool"
    x, y = np.arange(24, dtype="i4").reshape(2, 3, 4), np.zeros((4, 2, 3), "i4")
    kernel = layout.walk("int32", 3, index="int64")
    sizes = [n for size in (2, 3) for n in (*divisor(size, "int64"), size)]
    launch(kernel, 1, 24, y, x, 0, 0, *sizes, 6, 3, 1, 1, 12, 4)
    np.testing.assert_array_equal(y, x.transpose(2, 0, 1))


def test_whole_numbers_may_come_as_floats() -> None:
    with cuda_backend() as backend:
        y = backend.pad(backend.full((2,), 3.0, "int32"), ((1, 0),), -2.0)
        assert list(backend.to_host(y)) == [-2, 3, 3]


@pytest.mark.parametrize(
    "padding, rank",
    [
        (((0, 0), (0, 0), (0, 0)), 1),
        (((0, 0), (2, 1), (0, 3)), 3),
        (((1, 0), (0, 0), (0, 0)), 1),
        (((0, 0), (0, 2), (0, 0)), 2),
    ],
)
def test_pads_are_written_once(padding: Any, rank: int) -> None:
    x = RNG.standard_normal((2, 3, 5)).astype("f4")
    shape, axes, index, numbers = pad_plan(x.shape, padding)
    y = np.full(shape, np.nan, "f4")
    assert (axes, index) == (rank, "int32")
    launch(pad.pad("float32", rank), -(-y.size // 32), y.size, y, x, -2.5, *numbers)
    np.testing.assert_array_equal(y, np.pad(x, padding, constant_values=-2.5))


# windows ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "geometry",
    [
        ((7, 6), (3, 2), (2, 1), ((1, 0), (2, 1)), (2, 1)),
        ((9,), (4,), (3,), ((2, 2),), (1,)),
        ((3, 4, 5), (2, 2, 2), (1, 2, 1), ((0, 1), (1, 0), (0, 0)), (1, 1, 2)),
    ],
)
def test_windows_unfold_and_fold(geometry: Any) -> None:
    size, axes = geometry[0], len(geometry[0])
    x = RNG.standard_normal((2, 3, *size))
    expected = NUMPY.unfold(x, *geometry[1:])
    columns = np.full(expected.shape, np.nan)
    numbers = windows(x.shape, *geometry[1:], False)[2]
    kernel = unfold.unfold("float64", axes)
    launch(kernel, -(-columns.size // 32), columns, x, columns.size, *numbers)
    np.testing.assert_array_equal(columns, expected)
    back = np.full(x.shape, np.nan)
    kernel, numbers = unfold.fold("float64", axes), windows(x.shape, *geometry[1:], True)[2]
    launch(kernel, -(-x.size // 32), back, columns, x.size, *numbers)
    np.testing.assert_allclose(back, NUMPY.fold(expected, x.shape, *geometry[1:]), 1e-12, 1e-12)


# rows at indices ----------------------------------------------------------------------------------
def test_the_first_bad_index_is_found() -> None:
    indices = np.array([1, -3, 2, 5, 99, -6, 0])
    for skip, place in ((99, 3), (5, 4)):
        word = np.array([NONE])
        launch(index.check(), 1, word, indices, 7, -3, 3, skip)
        assert word[0] == place


@pytest.mark.parametrize("length", [8, 5])
def test_rows_are_gathered_and_bad_ones_left_alone(length: int) -> None:
    x, indices = RNG.standard_normal((6, length)).astype("f4"), np.array([1, -3, 9, 5, -6, -7])
    y = np.full((6, length), 7, "f4")
    given = y, x, indices, y.size, 6, length, *divisor(length)
    launch(index.gather("float32", length % 4 == 0), 2, *given)
    expected = x[[1, -3, 0, 5, -6, 0]]
    expected[[2, 5]] = 7
    np.testing.assert_array_equal(y, expected)


def test_rows_are_added_in_their_order() -> None:
    count, length, rows = 40, 3, 7
    indices, x = RNG.integers(-rows, rows, count), RNG.standard_normal((count, length))
    x = x.astype("f4")
    order = np.argsort(indices, kind="stable")
    begin, end = np.zeros(2 * rows, "i8"), np.zeros(2 * rows, "i8")
    launch(index.segments(), 2, begin, end, indices, order, count, rows)
    y, expected = np.full((rows, length), np.nan, "f4"), np.zeros((rows, length), "f4")
    given = y, x, order, begin, end, y.size, rows, length, *divisor(length)
    launch(index.scatter_add("float32"), 1, *given)
    np.add.at(expected, indices, x)
    np.testing.assert_array_equal(y, expected)


# random numbers -----------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_numbers_are_the_other_backends(dtype: str) -> None:
    key, counter, count = 0xFEDCBA9876543210, (5 << 64) - 2, 23
    whole = philox.one_word("random_bits", "int64"), 4, "int64", None
    uniform = (philox.two_words(), 2) if dtype == "float64" else (None, 4)
    kernels = {
        "random_bits": whole[:2],
        "uniform": (uniform[0] or philox.one_word("uniform", dtype), uniform[1]),
        "normal": (philox.normal(dtype), 2),
        "exponential": (philox.one_word("exponential", dtype), 4),
    }
    for name, (kernel, each) in kernels.items():
        y = np.zeros(count, "int64" if name == "random_bits" else dtype)
        place = key, counter & (1 << 64) - 1, counter >> 64
        launch(kernel, -(-count // (32 * each)), y, *place, count)
        if name == "random_bits":
            expected = NUMPY.random_bits(key, counter, count)
        else:
            expected = getattr(NUMPY, name)(key, counter, (count,), dtype)
        assert y.tobytes() == expected.tobytes(), name
