"""The NumPy backend's own ways: blocks of every size, shortcuts, and where they must not be taken.

What each method promises is checked for every backend by the conformance cases; here are the sizes
at which an override goes another way, compared with the defaults that it overrides.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from etude.backends import get, numpy_conv, numpy_memory, numpy_norm, numpy_optim, numpy_pool
from etude.backends.base import Backend, window_count
from etude.backends.numpy_functions import (
    BINARY,
    UNARY,
    by_context_variable,
    by_errstate,
    keep_where,
    quietly,
    select,
)
from etude.kernels import scalar, scalar_integer

B: Any = get("numpy")
PYTHON: Any = get("python")
RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "float64") -> Any:
    return RNG.standard_normal(shape).astype(dtype)


def near(got: Any, expected: Any, tolerance: float = 1e-12) -> None:
    assert got.dtype == expected.dtype
    assert got.flags.c_contiguous
    np.testing.assert_allclose(got, expected, tolerance, tolerance)


def compare(name: str, *args: Any, tolerance: float = 1e-12) -> Any:
    """The override, as it is and into `out`, gives what the default gives; the default's result."""
    expected = getattr(Backend, name)(B, *args)
    got = getattr(B, name)(*args)
    if isinstance(expected, tuple):
        for g, e in zip(got, expected, strict=True):
            near(g, e, tolerance)
    else:
        near(got, expected, tolerance)
        out = np.full_like(expected, 7)
        getattr(B, name)(*args, out=out)
        near(out, expected, tolerance)
    return expected


# windows ----------------------------------------------------------------------------------------
def geometry(rank: int, same: bool) -> tuple[Any, ...]:
    """A random size, kernel, stride, padding and dilation; `same`: stride and dilation 1."""
    while True:
        size, kernel, stride, dilation = (
            tuple(int(v) for v in RNG.integers(low, high, rank))
            for low, high in ((1, 7), (1, 4), (1, 3), (1, 3))
        )
        if same:
            stride = dilation = (1,) * rank
        padding = tuple((int(a), int(b)) for a, b in RNG.integers(0, 3, (rank, 2)))
        if RNG.random() < 0.3:
            padding = ((0, 0),) * rank
        if min(map(window_count, size, kernel, stride, padding, dilation)) > 0:
            return size, kernel, stride, padding, dilation


@pytest.fixture(params=[1 << 19, 1000])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The usual size of a block, and one that a single image, channel or plane exceeds."""
    for module in (numpy_conv, numpy_norm, numpy_pool):
        monkeypatch.setattr(module, "BLOCK_BYTES", request.param)
    numpy_conv.make_plan.cache_clear()
    yield
    numpy_conv.make_plan.cache_clear()


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolutions_of_all_sizes(rank: int, same: bool, block_bytes: Any) -> None:
    for _ in range(25):
        size, kernel, *rest = geometry(rank, same)
        n, groups, c, o = (int(v) for v in RNG.integers(1, 5, 4))
        if RNG.random() < 0.2:
            kernel, rest[1] = (1,) * rank, ((0, 0),) * rank
        x, w = normal(n, groups * c, *size), normal(groups * o, c, *kernel)
        compare("conv", x, w, normal(groups * o), *rest, groups)
        g = normal(*compare("conv", x, w, None, *rest, groups).shape)
        compare("conv_input_grad", g, w, x.shape, *rest, groups)
        compare("conv_weight_grad", x, g, w.shape, *rest, groups)


@pytest.mark.parametrize("x_shape, w_shape", [((0, 2, 4), (3, 2, 2)), ((2, 0, 4), (3, 0, 2))])
def test_convolutions_of_nothing(x_shape: Any, w_shape: Any) -> None:
    rest = ((1,), ((1, 0),), (1,), 1)
    y = compare("conv", normal(*x_shape), normal(*w_shape), normal(3), *rest)
    compare("conv_input_grad", y, normal(*w_shape), x_shape, *rest)
    compare("conv_weight_grad", normal(*x_shape), y, w_shape, *rest)


def test_a_nan_stays_where_its_windows_are() -> None:
    x, w = normal(1, 1, 4, 5), normal(1, 1, 3, 3)
    x[0, 0, 3, 4] = np.nan
    y = B.conv(x, w, None, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    assert np.isnan(y[0, 0]).tolist() == [[i >= 2 and j >= 3 for j in range(5)] for i in range(4)]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pooling_of_all_sizes(rank: int, block_bytes: Any) -> None:
    for i in range(30):
        size, kernel, stride, _, dilation = geometry(rank, i % 2 == 0)
        if i % 3 == 0:
            stride = kernel
        padding = tuple((k // 2, (k - 1) // 2) for k in kernel) if i % 4 else ((0, 0),) * rank
        if min(map(window_count, size, kernel, stride, padding, dilation)) <= 0:
            continue
        x = RNG.integers(-3, 4, (2, 3, *size)).astype(["float64", "int64"][i % 5 == 0])
        y, positions = compare("max_pool", x, kernel, stride, padding, dilation)
        compare(
            "max_pool_grad", RNG.permutation(y.reshape(-1)).reshape(y.shape), positions, x.shape
        )
        compare("max_pool_pick", x, positions)
        if x.dtype == "float64":
            g = normal(*compare("sum_pool", x, kernel, stride, padding, 0.3).shape)
            compare("sum_pool_grad", g, x.shape, kernel, stride, padding, 0.3)


def test_pooling_of_whole_planes_and_of_none() -> None:
    none = ((0, 0), (0, 0))
    for n in (2, 0):
        y = compare("sum_pool", normal(n, 3, 4, 5), (4, 5), (4, 5), none, 0.05)
        compare("sum_pool_grad", y, (n, 3, 4, 5), (4, 5), (4, 5), none, 0.05)
        y, positions = compare("max_pool", normal(n, 3, 4, 5), (2, 2), (2, 2), none, (1, 1))
        compare("max_pool_grad", y, positions, (n, 3, 4, 5))


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_max_pool_of_special_values(value: float) -> None:
    x = normal(2, 2, 6, 6)
    x[RNG.random(x.shape) < 0.5] = value
    compare("max_pool", x, (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))


def test_max_pool_of_windows_beyond_a_byte() -> None:
    x = normal(1, 1, 20, 20)
    y, positions = B.max_pool(x, (20, 20), (1, 1), ((0, 0), (0, 0)), (1, 1))
    assert y[0, 0, 0, 0] == x.max()
    assert positions[0, 0, 0, 0] == x.argmax()


# batch norm, softmax, cross-entropy ---------------------------------------------------------------
@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (2, 7, 16), (5, 4), (2, 3, 2, 2), (0, 3, 4, 4)])
@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, False)])
def test_batch_norm(shape: Any, affine: tuple[bool, bool], block_bytes: Any) -> None:
    x, g = normal(*shape) * 3 + 5, normal(*shape)
    w, b = (normal(shape[1]) if given else None for given in affine)
    _, mean, var = compare("batch_norm", x, w, b, 1e-5)
    compare("batch_norm_grad", g, x, w, mean, var, 1e-5, tolerance=1e-9)


def test_batch_norm_in_float32_is_as_good_as_float64s_rounded() -> None:
    x, g = normal(64, 3, 32, 32) * 2 + 3, normal(64, 3, 32, 32)
    w, b = normal(3), normal(3)
    true = B.batch_norm(x, w, b, 1e-5)
    grads = B.batch_norm_grad(g, x, w, true[1], true[2], 1e-5)
    x, g, w, b, mean, var = (a.astype("float32") for a in (x, g, w, b, true[1], true[2]))
    for got, expected in zip(B.batch_norm(x, w, b, 1e-5), true):
        near(got, expected.astype("float32"), 1e-5)
    gx, gw, gb = B.batch_norm_grad(g, x, w, mean, var, 1e-5)
    near(gx, grads[0].astype("float32"), 1e-5)
    near(gw / 256, (grads[1] / 256).astype("float32"), 1e-5)
    near(gb / 256, (grads[2] / 256).astype("float32"), 1e-5)


@pytest.mark.parametrize("shape, axis", [((3, 4), 1), ((3, 4), 0), ((2, 3, 4), 1), ((3, 0), 1)])
def test_softmax(shape: Any, axis: int) -> None:
    compare("softmax", normal(*shape) * 30, axis)
    compare("log_softmax", normal(*shape) * 30, axis)


@pytest.mark.parametrize("ignore", [-100, 1, 7])
def test_cross_entropy(ignore: int) -> None:
    x, labels = normal(6, 4) * 5, np.array([0, 1, 3, ignore, 2, ignore])
    _, p = compare("cross_entropy", x, labels, ignore)
    g = normal(6)
    g[3] = np.nan  # of a row that does not count
    gx = compare("cross_entropy_grad", g, p, labels, ignore)
    assert not gx[3].any()


@pytest.mark.parametrize("bad", [4, -1, 2**62, -(2**62)])
def test_cross_entropy_of_a_wrong_label(bad: int) -> None:
    with pytest.raises(IndexError, match=f"index {bad} is out of range 0 ... 3"):
        B.cross_entropy(normal(2, 4), np.array([0, bad]))


# optimizer steps ----------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [3, 7, 20])
def test_optimizer_steps_in_blocks(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_optim, "BLOCK", 8)
    monkeypatch.setattr(numpy_optim, "SMALL", 4)
    for options in [(0.0, 0.0, 0.0, False), (0.9, 0.1, 0.0, False), (0.9, 0.0, 0.2, True)]:
        state = [normal(size), normal(size), normal(size) if options[0] else None]
        step_equal("sgd_step", state, (0.1, *options))
    for decay, decoupled in [(0.0, False), (0.1, False), (0.1, True)]:
        state = [normal(size), normal(size), normal(size), normal(size) ** 2]
        step_equal("adam_step", state, (3, 0.1, 0.9, 0.99, 1e-8, decay, decoupled))


def step_equal(name: str, state: list[Any], options: Any) -> None:
    copies = [None if x is None else x.copy() for x in state]
    getattr(Backend, name)(B, *copies, *options)
    getattr(B, name)(*state, *options)
    for got, expected in zip(state, copies):
        if got is not None:
            near(got, expected)


# elementwise --------------------------------------------------------------------------------------
def test_the_tables_hold_every_function() -> None:
    assert set(UNARY) == set(scalar.UNARY)
    assert set(BINARY) == set(scalar.BINARY)


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv", "lgamma", "digamma"])
def test_special_functions_follow_the_scalar_ones(name: str) -> None:
    ends = [0.0, -0.0, 0.5, 1.0, 2.0, 10.5, -1.0, -2.0, np.inf, -np.inf, np.nan, 1e300, 1e-300]
    spread = np.concatenate([np.linspace(-30, 30, 4001), np.linspace(-1, 1, 999), ends])
    expected = np.array([scalar.UNARY[name](float(x)) for x in spread])
    np.testing.assert_allclose(B.unary(name, spread), expected, 1e-11, 1e-13)
    with np.errstate(over="ignore"):
        spread = spread.astype("float32")
        expected = np.array([scalar.UNARY[name](float(x)) for x in spread], "float32")
    near(B.unary(name, spread), expected, 2e-7)


def test_lgamma_keeps_its_digits_at_its_zeros() -> None:
    for x, slope in ((1.0, -0.57721566490153286), (2.0, 0.42278433509846714)):
        got = B.unary("lgamma", np.array([x + 1e-9, x - 1e-9]))
        np.testing.assert_allclose(got, [slope * 1e-9, -slope * 1e-9], 1e-6)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "pow", "maximum"])
def test_integers_follow_the_scalar_functions(name: str, dtype: str) -> None:
    values = np.arange(-4, 5, dtype=dtype)
    a, b = (x.reshape(-1) for x in np.meshgrid(values, values))
    function = scalar_integer.BINARY.get(name, scalar.BINARY[name])
    expected = np.array([function(int(x), int(y)) for x, y in zip(a, b)], dtype)
    near(B.binary(name, a, b), expected, 0)
    near(B.binary(name, a, b, np.zeros_like(a)), expected, 0)
    for number in (-3, 0, 2):
        near(B.binary(name, a, number), B.binary(name, a, np.full_like(a, number)), 0)
        near(B.binary(name, number, a), B.binary(name, np.full_like(a, number), a), 0)


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round"])
def test_integers_are_their_own_rounding(name: str) -> None:
    x = np.array([-3, 2**31 - 1], "int32")
    y = B.unary(name, x)
    near(y, x, 0)
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool"])
@pytest.mark.parametrize("size", [0, 5, 5000])
def test_where_by_bits_and_by_branches(dtype: str, size: int) -> None:
    c = RNG.random(size) < 0.5
    a, b = (RNG.integers(0, 2, size).astype(dtype) for _ in range(2))
    if dtype.startswith("float") and size:
        a[0], b[-1] = np.nan, np.inf
    for left, right in ((a, b), (a, 1), (1, b), (a[:1], b), (np.array(1, dtype), b)):
        expected = np.where(c, left, right).astype(dtype)
        for got in (B.where(c, left, right), select(c, left, right)):
            near(got, expected, 0)
        for alias in (left, right):
            if getattr(alias, "shape", None) == expected.shape:
                kept = alias.copy()
                near(select(c, left, right, alias), expected, 0)
                alias[...] = kept


def test_a_mask_lets_no_nan_through() -> None:
    x = np.array([np.nan, np.inf, -1.0], "float32")
    near(keep_where(np.array([False, False, True]), x), np.array([0, 0, -1], "float32"), 0)
    near(B.binary("relu_grad", x, np.array([0, -1, 2], "float32")), np.array([0, 0, -1], "float32"))
    near(B.binary("relu_grad", np.array(np.nan), np.array(-1.0)), np.array(0.0))
    near(B.binary("relu_grad", x, 1.0), x)


def test_derivatives_of_numbers() -> None:
    x = np.array([-1.0, 0.5])
    for name in ("relu_grad", "tanh_grad", "sigmoid_grad", "softplus_grad", "gelu_grad"):
        function = scalar.BINARY[name]
        near(B.binary(name, 2.0, x), np.array([function(2.0, v) for v in x]))
        near(B.binary(name, x, 0.5), np.array([function(v, 0.5) for v in x]))


@pytest.mark.filterwarnings("error")
def test_no_exception_of_floating_point_warns() -> None:
    zero = np.zeros(3)
    B.binary("div", zero, zero)
    B.unary("log", zero - 1)
    B.cast(np.array([np.nan, 1e300]), "int32")
    B.matmul(np.full((2, 2), np.inf), np.full((2, 2), -np.inf))
    with pytest.warns(RuntimeWarning, match="divide by zero"):  # NumPy's own settings are untouched
        np.ones(1) / np.zeros(1)


@pytest.mark.parametrize("way", [by_errstate, by_context_variable])
def test_both_ways_of_being_quiet(way: Any) -> None:
    before = np.geterr()
    enter, leave = way()
    token = enter()
    assert set(np.geterr().values()) == {"ignore"}
    leave(token)
    assert np.geterr() == before
    assert quietly(math.sqrt)(4.0) == 2.0


# the rest -----------------------------------------------------------------------------------------
def test_strided_copies_even_what_is_together() -> None:
    x = np.arange(6.0)
    assert not np.shares_memory(B.strided(x, (3,), (1,), 2), x)


def test_rows_added_from_the_end() -> None:
    x, indices = normal(5, 3), np.array([0, -1, 2, -1, -3])
    expected = np.zeros((4, 3))
    np.add.at(expected, indices, x)
    near(B.scatter_add(x, indices, 4), expected)
    near(B.scatter_add(x[:, :1].copy(), indices, 4), expected[:, :1].copy())
    for method, bad in ((B.gather, [-6]), (B.gather, [5])):
        with pytest.raises(IndexError, match=r"out of range -5 ... 4"):
            method(x, np.array(bad))


def test_one_matrix_for_a_batch() -> None:
    a, b = normal(2, 3, 4, 5), normal(5, 6)
    near(B.matmul(a, b), np.matmul(a, b))
    near(B.matmul(a, b.T.copy(), False, True, np.empty((2, 3, 4, 6))), np.matmul(a, b))
    near(B.matmul(a.swapaxes(2, 3).copy(), b, True), np.matmul(a, b))
    near(B.matmul(normal(0, 4, 5), b), np.zeros((0, 4, 6)))


@pytest.mark.parametrize("count", [0, 3, 40_000])
def test_random_numbers_are_the_python_backends(count: int) -> None:
    key, counter = 0x123456789ABCDEF0, 2**64 - 3
    bits = B.random_bits(key, counter, count)
    assert bits.tolist() == PYTHON.random_bits(key, counter, count).data.tolist()
    for dtype in ("float32", "float64"):
        expected = PYTHON.uniform(key, counter, (count,), dtype).data.tolist()
        assert B.uniform(key, counter, (count,), dtype).tolist() == expected


def test_memory_is_kept_unless_somebody_decided_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = numpy_memory.keep_freed_memory()
    assert kept in (True, False)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert numpy_memory.keep_freed_memory() is False


def test_memory_is_left_alone_without_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(_: Any) -> Any:
        raise OSError

    monkeypatch.setattr(numpy_memory.ctypes, "CDLL", no_library)
    assert numpy_memory.keep_freed_memory() is False
