"""CUDA's copies, rows at indices, orders, windows, random numbers and steps beyond 2^31 numbers."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend
from cuda_long import LAST, Sparse, agree, blank, counting_long, sparse_backend

import etude
from etude.backends import cuda_index, cuda_optim, cuda_plans, cuda_reduce
from etude.backends.cuda_runtime import launch
from etude.kernels.cuda import index, optim, scan, simulator

RNG = np.random.default_rng(12)
NUMPY = etude.backends.get("numpy")


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("f4")


# the limit at 1 -----------------------------------------------------------------------------------
@pytest.fixture
def engine() -> Iterator[Any]:
    """A backend that counts in 64 bits, on a device that knows what ran."""
    with cuda_backend(Sparse()) as backend, counting_long():
        yield backend


def launched(least: int) -> None:
    """At least so many kernels with 64-bit divisions ran, and none with others."""
    from etude.backends.cuda_runtime import device

    names = [name for name in device().kernels if not name.startswith(ALWAYS)]
    assert len(names) >= least
    assert [name for name in names if "_long_" not in name] == []


# Kernels that count in 64 bits whatever the size, and chains, whose names tell nothing.
ALWAYS = "fill", "index_check", "scatter_segments", "sort", "chain"


def test_copies(engine: Any) -> None:
    x = floats(3, 20, 32)
    agree(engine, "transpose", x, (0, 2, 1))
    agree(engine, "transpose", floats(3, 3, 8), (2, 1, 0))
    agree(engine, "strided", x, (5, 4), (64, 1), 32)
    agree(engine, "strided", x, (4, 3, 5), (-32, 0, 7), 640)
    agree(engine, "pad", floats(3, 3, 5), ((0, 1), (2, 0), (1, 3)), 0.5)
    launched(5)


def test_chains(engine: Any) -> None:
    for a, b in (((3, 8), (8,)), ((3, 5), (5,)), ((3, 4, 5), (4, 1)), ((2, 3, 4), (2, 1, 4))):
        agree(engine, "binary", "sub", floats(*a), floats(*b))


def test_rows_at_indices(engine: Any) -> None:
    for length in (8, 5):
        x, indices = floats(6, length), np.array([1, -3, 5, 5, -6, 0])
        agree(engine, "gather", x, indices)
        agree(engine, "scatter_add", x, indices, 7)
    launched(4)


def test_windows(engine: Any) -> None:
    for size, *geometry in (
        ((7, 6), (3, 2), (2, 1), ((1, 0), (2, 1)), (2, 1)),
        ((9,), (4,), (3,), ((2, 2),), (1,)),
        ((3, 4, 5), (2, 2, 2), (1, 2, 1), ((0, 1), (1, 0), (0, 0)), (1, 1, 2)),
    ):
        x = floats(2, 3, *size)
        columns = NUMPY.unfold(x, *geometry)
        agree(engine, "unfold", x, *geometry)
        agree(engine, "fold", columns, x.shape, *geometry)
    launched(6)


def test_orders_by_several_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_index, "GRID", 3)
    with cuda_backend(Sparse()) as backend:
        agree(backend, "argsort", RNG.integers(0, 9, (2, 70, 2)), 1, True)
        from etude.backends.cuda_runtime import device

        names = device().kernels
    assert names == ["sort_tile_down_int64"] * 4 + ["sort_merge_down_int64"] * 2


def test_grids_have_blocks_enough_for_the_memory_of_a_device() -> None:
    """Of 2^37 bytes; a thread folds a line where there are too many lines for a block each."""
    shapes = (2**37,), (2**33, 16), (2**32, 16, 2), (16, 2**33), (2, 2**32, 16), (2**15, 2**22)
    for shape in shapes:
        for axis in range(len(shape)):
            for fold in cuda_reduce.reduction_plan("any", "bool", shape, (axis,), False)[1]:
                assert fold.blocks <= cuda_plans.GRID
        strides = tuple(prod(shape[:axis]) for axis in range(len(shape)))  # in the other order
        assert cuda_plans.copy_plan("bool", shape, None, strides, True).blocks <= cuda_plans.GRID
        assert cuda_plans.cut(prod(shape))[0] <= cuda_plans.GRID
    cuda_reduce.reduction_plan.cache_clear()


# more than 2^31 numbers ---------------------------------------------------------------------------
@pytest.fixture
def sparse() -> Iterator[Any]:
    with sparse_backend() as (backend, _):
        yield backend


def test_a_large_array_is_copied_by_strides(sparse: Any) -> None:
    tail = RNG.random((2, 7)) < 0.5
    x = blank(sparse, (2**31 + 64,), tail)
    x.host[:7] = tail[0]
    backwards = sparse.strided(x, x.shape, (-1,), x.size - 1)
    assert backwards.host[-7:].tolist() == tail[0, ::-1].tolist()
    x = blank(sparse, (2, 2**26 + 1, 32), floats(33, 32))
    y = sparse.transpose(x, (0, 2, 1))
    expected = x.host.reshape(x.shape)[-1, -33:].T
    np.testing.assert_array_equal(y.host.reshape(y.shape)[-1, :, -33:], expected)
    assert launched_last() == "copy_tiles1_long_float32"
    assert expected.all()


def launched_last() -> str:
    from etude.backends.cuda_runtime import device

    return device().kernels[-1]


def test_a_large_array_is_filled_and_padded(sparse: Any) -> None:
    assert sparse.full((2**31 + 5,), True, "bool").host[-5:].all()
    tail, padding = floats(1, 2, 3), ((0, 0), (1, 0), (0, 2))
    y = sparse.pad(blank(sparse, (2**28 + 1, 2, 3), tail), padding, 0.5)
    np.testing.assert_array_equal(y.host[-15:], NUMPY.pad(tail, padding, 0.5).reshape(-1))
    assert launched_last() == "pad3_long_float32"


def test_a_large_array_meets_a_row(sparse: Any) -> None:
    for columns in (8, 5):
        tail, row = floats(3, columns), floats(columns)
        x = blank(sparse, (2**29 + 1, columns), tail)
        y = sparse.binary("mul", x, blank(sparse, (columns,), row))
        np.testing.assert_array_equal(y.host[-3 * columns :].reshape(3, columns), tail * row)


def test_rows_of_a_large_array(sparse: Any) -> None:
    row = floats(2048)
    x = blank(sparse, (2**20 + 3, 2048), row)
    y = sparse.gather(x, blank(sparse, (2**20 + 1,), np.array([-1])))
    np.testing.assert_array_equal(y.host[-64:], row[-64:])
    assert launched_last() == "gather4_long_float32"


def test_rows_of_a_large_array_are_added(sparse: Any) -> None:
    x = blank(sparse, (3, 2**30 + 1), floats(8))
    x.host[2**30 - 7 : 2**30 + 1] = floats(8)
    y = sparse.scatter_add(x, blank(sparse, (3,), np.array([1, 0, -1])), 2)
    expected = x.host[2**30 - 7 : 2**30 + 1] + x.host[-8:]
    np.testing.assert_array_equal(y.host[-8:], expected)
    assert launched_last() == "scatter_add_long_float32"
    assert expected.all()


def test_the_ends_of_many_equal_indices(sparse: Any) -> None:
    count, last = 2**31 + 3, np.arange(2**31 - 2, 2**31 + 3)
    order = blank(sparse, (count,), last)
    indices = blank(sparse, (count,), np.array([0, 0, 1, 1, 1]))
    begin, end = sparse.full((4,), 0, "int64"), sparse.full((4,), 0, "int64")
    launch(index.segments(), -(-count // 32), begin, end, indices, order, count, 2, block=32)
    assert (begin.host[1], end.host[0], end.host[1]) == (2**31, 2**31, count)


@pytest.mark.parametrize("lines, length", [(2**31 + 1, 2), (2**28 + 1, 8), (2**25 + 1, 64)])
def test_lines_of_a_large_array(sparse: Any, lines: int, length: int) -> None:
    x = blank(sparse, (lines, length), floats(length))
    line = x.host[-length:]
    for y, expected in (
        (sparse.argsort(x, 1, False), np.argsort(line)),
        (sparse.scan("cumsum", x, 1), np.cumsum(line)),
        (sparse.arg_reduce("argmax", x, 1), np.argmax(line)),
        (sparse.reduce("sum", x, (1,)), np.sum(line)),
    ):
        np.testing.assert_allclose(y.host[-expected.size :], expected, 1e-5, 1e-5)


def test_a_block_for_a_line_of_a_large_array(sparse: Any) -> None:
    lines, length = 2**25 + 1, 64
    x, y = blank(sparse, (lines, length), floats(length)), sparse.empty((lines, length), "float32")
    kernel = scan.blocks("cumsum", "float32")
    place = [(0, 0, lines - 1)]
    simulator.run(kernel, (lines, 1, 1), (32, 1, 1), (y, x, length, 1), places=place)
    np.testing.assert_allclose(y.host[-length:], np.cumsum(x.host[-length:]), 1e-5, 1e-5)


def test_windows_of_a_large_array(sparse: Any) -> None:
    tail, geometry = floats(1, 1, 3, 3), ((2, 2), (1, 1), ((0, 0), (1, 0)), (1, 1))
    columns = NUMPY.unfold(tail, *geometry)
    shape = 2**28 + 1, *tail.shape[1:]
    y = sparse.unfold(blank(sparse, shape, tail), *geometry)
    np.testing.assert_array_equal(y.host[-columns.size :], columns.reshape(-1))
    assert launched_last() == "unfold2_long_float32"
    y = sparse.fold(blank(sparse, (shape[0], *columns.shape[1:]), columns), shape, *geometry)
    expected = NUMPY.fold(columns, tail.shape, *geometry)
    np.testing.assert_allclose(y.host[-9:], expected.reshape(-1), 1e-6)
    assert launched_last() == "fold2_long_float32"


def test_a_large_array_is_drawn(sparse: Any) -> None:
    key, counter, count, last = 77, 2**64 - 3, 2**31 + 40, 40
    place = counter + 2**31 // 4
    y = sparse.random_bits(key, counter, count)
    np.testing.assert_array_equal(y.host[-last:], NUMPY.random_bits(key, place, last))
    for name in ("uniform", "exponential"):
        y = getattr(sparse, name)(key, counter, (count,), "float32")
        expected = getattr(NUMPY, name)(key, place, (last,), "float32")
        np.testing.assert_array_equal(y.host[-last:], expected)
    y = sparse.uniform(key, counter, (count,), "float64")
    expected = NUMPY.uniform(key, counter + 2**31 // 2, (last,), "float64")
    np.testing.assert_array_equal(y.host[-last:], expected)
    y = sparse.normal(key, counter, (count,), "float64")
    radii = np.hypot(y.host[count // 2 - last : count // 2], y.host[-last:])
    words = np.array(NUMPY.random_bits(key, counter + 2**28, 20 + 4))[:20]
    np.testing.assert_allclose(radii[-20:], np.sqrt(-2 * np.log((words + 0.5) / 2**32)), 1e-12)


def test_a_large_parameter_takes_a_step(sparse: Any) -> None:
    shape, few = (2**31 + 7,), 11
    p, g, v = (blank(sparse, shape, floats(few)) for _ in range(3))
    own = [x.host[-few:].copy() for x in (p, g, v)]
    small = blank(sparse, (3,), floats(3))
    rest = 0.1, 0.9, 0.0, 0.01, True
    sparse.sgd_steps([small, p], [small, g], [small, v], *rest)
    NUMPY.sgd_steps(own[:1], own[1:2], own[2:], *rest)
    for x, expected in zip((p, g, v), own, strict=True):
        np.testing.assert_allclose(x.host[-few:], expected, 1e-6)
    (y,) = sparse.scale_all([p], blank(sparse, (1,), np.array([3], "f4")))
    np.testing.assert_array_equal(y.host[-few:], p.host[-few:] * 3)


def test_squares_of_a_large_parameter(sparse: Any) -> None:
    x = blank(sparse, (2**31 + 7,), floats(11))
    ((count, blocks, given, block),) = cuda_optim.groups([(x,)], optim.SQUARES)
    sums = sparse.empty((blocks,), "float32")
    cuda_optim.launch(optim.squares("float32", count), blocks, sums, 0, *given, block=block)
    np.testing.assert_allclose(sums.host[-LAST:].sum(), np.square(x.host[-11:]).sum(), 1e-6)
    assert blocks == -(-x.size // (block * optim.SQUARES))
