"""Layout, indexing, windows and random numbers in C: every way of walking, against NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etude

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
DTYPES = ["float32", "float64", "int32", "int64", "bool"]
N: Any = etude.backends.get("numpy")
C: Any = None if REASON else etude.backends.get("c")
SHAPES = [
    (),
    (0,),
    (1,),
    (5,),
    (3, 0, 2),
    (1, 7, 1),
    (17, 33),
    (130, 300),
    (70_000,),
    (3, 40, 41),
    (2, 3, 2, 3, 2, 3, 2),
]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Give each test the threads that there were."""
    before = etude.get_num_threads()
    yield
    etude.set_num_threads(before)


def random(shape: Any, dtype: str, seed: int = 0) -> Any:
    top = 2 if dtype == "bool" else 1000
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def put(x: Any) -> Any:
    x = np.asarray(x, order="C")
    return C.from_host(memoryview(x), x.shape, str(x.dtype))


def values(x: Any) -> Any:
    return np.array(C.to_host(x), x.dtype).reshape(x.shape)


def same(call: Callable[[], Any], expected: Any) -> None:
    """On one thread and on two the call gives what is expected, to the bit."""
    for threads in (1, 2):
        etude.set_num_threads(threads)
        got = values(call())
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        assert got.tobytes() == np.asarray(expected, order="C").tobytes()


def places(x: Any, view: Any) -> tuple[list[int], int]:
    """Element strides and offset of a view of x."""
    start = view.__array_interface__["data"][0] - x.__array_interface__["data"][0]
    return [s // x.itemsize for s in view.strides], start // x.itemsize if view.size else 0


# copies -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_axes_in_any_order(shape: Any, dtype: str) -> None:
    x = random(shape, dtype)
    order = np.random.default_rng(len(shape))
    for _ in range(3):
        axes = tuple(int(a) for a in order.permutation(len(shape)))
        same(partial(C.transpose, put(x), axes), x.transpose(axes))


@pytest.mark.parametrize("rows, columns", [(1, 5), (15, 17), (16, 16), (257, 65), (2048, 2050)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_matrices_around_tiles_blocks_and_streams(rows: int, columns: int, dtype: str) -> None:
    x = random((rows, columns), dtype)
    same(lambda: C.transpose(put(x), (1, 0)), x.T)
    same(lambda: C.strided(put(x), (columns, rows), (-1, columns), columns - 1), x[:, ::-1].T)


def test_streams_of_whole_lines() -> None:
    x = random((2048, 4096), "float32")
    same(lambda: C.transpose(put(x), (1, 0)), x.T)
    same(lambda: C.strided(put(x), x.shape, (4096, 1), 0), x)


steps = st.sampled_from([1, 2, 3, -1, -2])


@settings(deadline=None)
@given(st.data(), st.lists(st.integers(0, 9), max_size=5), st.sampled_from(DTYPES))
def test_strided_reads_and_writes(data: Any, shape: list[int], dtype: str) -> None:
    x = random(tuple(shape), dtype)
    cut = tuple(slice(None, None, data.draw(steps)) for _ in shape)
    axes = data.draw(st.permutations(range(len(shape))))
    view = (x[cut] if shape else x).transpose(axes)
    strides, offset = places(x, view)
    same(lambda: C.strided(put(x), view.shape, strides, offset), view)
    part = view.copy()
    expected = N.unstrided(part, (x.size,), strides, offset)
    same(lambda: C.unstrided(put(part), (x.size,), strides, offset), expected)
    below = random(tuple(shape), dtype, 1)
    into = put(below)
    C.put_strided(into, put(part), strides, offset)
    N.put_strided(below, part, strides, offset)
    assert values(into).tobytes() == below.tobytes()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=5), st.integers(0, 2))
def test_expand(axes: list[tuple[int, bool]], missing: int) -> None:
    shape = tuple(n for n, _ in axes)
    small = tuple(n if keep else 1 for n, keep in axes)
    while missing and small and small[0] == 1:
        small, missing = small[1:], missing - 1
    x = random(small, "float32")
    same(lambda: C.expand(put(x), shape), np.broadcast_to(x, shape))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_cat(shape: list[int], data: Any) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    parts = [random((*shape[:axis], n, *shape[axis + 1 :]), "int32", n) for n in sizes]
    same(lambda: C.cat([put(p) for p in parts], axis), np.concatenate(parts, axis))


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=5),
    st.sampled_from(DTYPES),
    st.sampled_from([0, 1, -7, float("inf")]),
)
def test_pad(axes: list[tuple[int, int, int]], dtype: str, value: float) -> None:
    if not dtype.startswith("float"):
        value = 1
    x = random(tuple(n for n, _, _ in axes), dtype)
    padding = tuple((lo, hi) for _, lo, hi in axes)
    expected = np.pad(x, padding, constant_values=value) if axes else x
    same(lambda: C.pad(put(x), padding, value), expected)


# rows, windows, random numbers ------------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "rows, length, count", [(1, 1, 3), (50, 1, 40_000), (7, 300, 900), (4, 0, 2)]
)
def test_rows(rows: int, length: int, count: int, dtype: str) -> None:
    x, more = random((rows, length), dtype), random((count, length), dtype, 1)
    if dtype.startswith("float"):
        more = (more / 7).astype(dtype)
    indices = np.random.default_rng(2).integers(-rows, rows, count)
    same(lambda: C.gather(put(x), put(indices)), x[indices])
    expected = np.zeros_like(x)
    np.add.at(expected, indices, more)
    same(lambda: C.scatter_add(put(more), put(indices), rows), expected)


@pytest.mark.parametrize("bad", [3, -4, 1 << 62, -(1 << 63)])
def test_rows_out_of_range(bad: int) -> None:
    indices = put(np.array([0, bad, 99]))
    for call in (
        lambda: C.gather(put(np.zeros((3, 2))), indices),
        lambda: C.scatter_add(put(np.zeros((3, 2))), indices, 3),
    ):
        with pytest.raises(IndexError, match=rf"^index {bad} is out of range -3 \.\.\. 2$"):
            call()


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 3)] * 6), min_size=1, max_size=3), st.sampled_from(DTYPES)
)
def test_windows(axes: list[tuple[int, ...]], dtype: str) -> None:
    """Each axis: size beyond the least, kernel - 1, stride - 1, margins, dilation - 1."""
    kernel = tuple(k + 1 for _, k, *_ in axes)
    stride = tuple(s + 1 for _, _, s, *_ in axes)
    dilation = tuple(d + 1 for *_, d in axes)
    padding = tuple((lo, hi) for *_, lo, hi, _ in axes)
    size = (max(1, k * (d + 1) + 1 - lo - hi) + more for more, k, _, lo, hi, d in axes)
    x = random((2, 3, *size), dtype)
    window = kernel, stride, padding, dilation
    columns = N.unfold(x, *window)
    same(lambda: C.unfold(put(x), *window), columns)
    same(lambda: C.fold(put(columns), x.shape, *window), N.fold(columns, x.shape, *window))


@pytest.mark.parametrize("key, counter", [(0, 0), (1 << 63, (1 << 64) - 5), (7, 1 << 70)])
@pytest.mark.parametrize("count", [0, 1, 6, 255, 258, 8191, 20_001])
def test_random_numbers(key: int, counter: int, count: int) -> None:
    same(lambda: C.random_bits(key, counter, count), N.random_bits(key, counter, count))
    for dtype in ("float32", "float64"):
        for name in ("uniform", "normal", "exponential"):
            args = key, counter, (count,), dtype
            same(partial(getattr(C, name), *args), getattr(N, name)(*args))
