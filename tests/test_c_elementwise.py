"""Elementwise kernels in C: sizes around vectors, pieces and blocks; aliases; shapes; threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import etude
from etude.kernels.scalar import BINARY, UNARY

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
SIZES = [0, 1, 15, 16, 17, 1023, 8191, 8193, 16384, 16385, 40_000]
HUGE = (8 << 20) // 4 + 37  # float32 beyond which results go around the cache
DTYPES = ["float32", "float64", "int32", "int64", "bool"]
NUMPY = {"add": np.add, "mul": np.multiply, "maximum": np.maximum, "lt": np.less}
SHAPES = [
    ((3, 1), (1, 4)),
    ((2, 3, 4, 5), (3, 1, 1)),
    ((2, 1, 4, 1), (1, 3, 1, 5)),
    ((7, 300), (300,)),
    ((300, 7), (300, 1)),
    ((), (5, 2)),
    ((1, 1), (1,)),
    ((0, 3), (1, 3)),
    ((2, 9000), (2, 1)),
    ((40_000, 2), (2,)),
    ((2, 3, 2, 3, 2, 3), (2, 1, 2, 1, 2, 1)),
]


@pytest.fixture
def c() -> Any:
    return etude.backends.get("c")


@pytest.fixture
def two_thread_counts(c: Any) -> Iterator[list[int]]:
    before = etude.get_num_threads()
    yield [1, 2]
    etude.set_num_threads(before)


def block(c: Any, x: np.ndarray) -> Any:
    return c.from_host(memoryview(np.ascontiguousarray(x).reshape(-1)), x.shape, str(x.dtype))


def values(c: Any, x: Any) -> np.ndarray:
    return np.array(c.to_host(x), c.dtype(x)).reshape(x.shape)


def draw(size: Any, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).uniform(-4.0, 4.0, size)
    return np.asarray(x > 0 if dtype == "bool" else x, dtype)


def test_every_function_of_the_tables_exists_for_floats() -> None:
    from etude.backends.c_elementwise import BINARY as CODES_2
    from etude.backends.c_elementwise import UNARY as CODES_1

    for dtype in ("float32", "float64"):
        assert set(UNARY) <= set(CODES_1[dtype])
        assert set(BINARY) <= set(CODES_2[dtype])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sizes(c: Any, dtype: str, size: int) -> None:
    a, b = draw(size, dtype), draw(size, dtype, 1)
    for name, function in NUMPY.items():
        got = values(c, c.binary(name, block(c, a), block(c, b)))
        np.testing.assert_array_equal(got, function(a, b))
    got = values(c, c.where(block(c, a > 0), block(c, a), block(c, b)))
    np.testing.assert_array_equal(got, np.where(a > 0, a, b))
    for other in DTYPES:
        np.testing.assert_array_equal(values(c, c.cast(block(c, a), other)), a.astype(other))
    np.testing.assert_array_equal(values(c, c.full((size,), 1, dtype)), np.ones(size, dtype))


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_broadcasting(c: Any, dtype: str, shapes: Any) -> None:
    a, b = draw(shapes[0], dtype), draw(shapes[1], dtype, 1)
    for left, right in ((a, b), (b, a)):
        got = values(c, c.binary("maximum", block(c, left), block(c, right)))
        np.testing.assert_array_equal(got, np.maximum(left, right))
        condition = draw(shapes[0], "bool", 2)
        got = values(c, c.where(block(c, condition), block(c, left), block(c, right)))
        np.testing.assert_array_equal(got, np.where(condition, left, right))


@pytest.mark.parametrize("dtype", DTYPES)
def test_plain_numbers_on_either_side(c: Any, dtype: str) -> None:
    x = draw(100, dtype)
    for number in (1, 0):
        n = np.asarray(number, dtype)
        got = values(c, c.binary("lt", block(c, x), number))
        np.testing.assert_array_equal(got, x < n)
        np.testing.assert_array_equal(values(c, c.binary("lt", number, block(c, x))), n < x)
        got = values(c, c.where(block(c, x > 0), number, block(c, x)))
        np.testing.assert_array_equal(got, np.where(x > 0, n, x))
    assert np.signbit(values(c, c.binary("mul", block(c, np.ones(3, "float32")), -0.0))).all()


@pytest.mark.parametrize("size", [17, 1023, 40_000, HUGE])
def test_out_may_be_an_operand(c: Any, size: int) -> None:
    a, b = draw(size), draw(size, seed=1)
    expected = a - b
    for place in (0, 1):
        operands = [block(c, a), block(c, b)]
        assert c.binary("sub", *operands, operands[place]) is operands[place]
        np.testing.assert_array_equal(values(c, operands[place]), expected)
    x = block(c, a)
    c.unary("relu", x, x)
    np.testing.assert_array_equal(values(c, x), np.maximum(a, 0))


def test_results_around_the_cache(c: Any) -> None:
    a, b = draw(HUGE), draw(HUGE, seed=1)
    np.testing.assert_array_equal(values(c, c.binary("add", block(c, a), block(c, b))), a + b)
    rows, columns = draw((3001, 701)), draw(701)
    y = values(c, c.bias_activation(block(c, rows), block(c, columns), "relu"))
    np.testing.assert_array_equal(y, np.maximum(rows + columns, 0))
    y = values(c, c.binary("add", block(c, rows), block(c, columns)))
    np.testing.assert_array_equal(y, rows + columns)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [96, 100, 8200])  # whole vectors; a rest; pieces of a row
def test_bias_and_relu_around_the_cache(c: Any, dtype: str, columns: int) -> None:
    rows = HUGE // columns + 1
    x = np.linspace(-1, 1, rows * columns).astype(dtype).reshape(rows, columns)
    x[0, :4] = x[-1, -4:] = np.nan, np.inf, -np.inf, -0.0
    b = np.linspace(0, 0.5, columns).astype(dtype)
    expected = x + b
    expected[expected <= 0] = 0
    y = values(c, c.bias_activation(block(c, x), block(c, b), "relu"))
    np.testing.assert_array_equal(y, expected)
    assert not np.signbit(y[y == 0]).any()


@pytest.mark.parametrize("name", ["exp", "gelu", "relu", "sin"])
@pytest.mark.parametrize("size", [16_385, 100_003, HUGE])
def test_threads_change_no_bit(c: Any, two_thread_counts: Any, name: str, size: int) -> None:
    if name == "sin" and size == HUGE:
        size = 200_000
    x = block(c, draw(size))
    found = []
    for count in two_thread_counts:
        etude.set_num_threads(count)
        found.append(values(c, c.unary(name, x)).tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_wrap_and_divide_by_anything(c: Any, dtype: str) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    a = np.array([low, low, low, high, 7, -7, 7, -7, 0, 5], dtype)
    b = np.array([-1, 0, 3, high, -2, 2, 2, -2, 0, low], dtype)
    with np.errstate(all="ignore"):
        for name, function in (
            ("add", np.add),
            ("mul", np.multiply),
            ("floor_divide", np.floor_divide),
            ("remainder", np.remainder),
            ("fmod", np.fmod),
        ):
            got = values(c, c.binary(name, block(c, a), block(c, b)))
            np.testing.assert_array_equal(got, function(a, b), err_msg=name)
    bases, powers = np.array([2, -1, -1, 1, 3, 0, 2], dtype), np.array([62, -3, -2, -9, 41, -1, 0])
    got = values(c, c.binary("pow", block(c, bases), block(c, powers.astype(dtype))))
    with np.errstate(all="ignore"):
        positive = np.power(bases, np.maximum(powers, 0).astype(dtype))
    signs = np.array([0, -1, 1, 1, 0, 0, 0], dtype)
    np.testing.assert_array_equal(got, np.where(powers < 0, signs, positive))
    x = block(c, np.array([low, -3], dtype))
    assert values(c, c.unary("neg", x)).tolist() == [low, 3]
    assert values(c, c.unary("abs", x)).tolist() == [low, 3]


def test_floats_out_of_range_become_the_lowest_integer(c: Any) -> None:
    x = block(c, np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 2.9, -2.9], "float32"))
    for dtype in ("int32", "int64"):
        low = np.iinfo(dtype).min
        assert values(c, c.cast(x, dtype)).tolist() == [low] * 5 + [2, -2]
