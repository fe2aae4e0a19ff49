"""The CUDA backend's pooling and optimizer steps, in the simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude
from etude.backends import cuda_optim
from etude.backends.cuda_pool import divisors, planes, windows
from etude.kernels.cuda import optim, pool, toolchain
from etude.kernels.cuda.divide import divisor

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(8)
NUMPY = etude.backends.get("numpy")


def launch(kernel: Any, blocks: int, *arguments: Any, block: Any = 32) -> None:
    with toolchain.simulated():
        toolchain.launch(kernel, blocks, *arguments, block=block)


def blocks_for(n: int) -> int:
    return -(-n // 32)


# pooling ------------------------------------------------------------------------------------------
GEOMETRIES = [
    ((2, 2, 7, 6), (3, 2), (2, 1), ((1, 1), (0, 1))),
    ((1, 3, 5, 5), (2, 2), (3, 3), ((0, 0), (0, 0))),
    ((2, 3, 11), (4,), (2,), ((2, 1),)),
]


@pytest.mark.parametrize("shape, kernel, stride, padding", GEOMETRIES)
@pytest.mark.parametrize("dilation", [1, 2])
def test_maxima_and_their_gradients(
    shape: Any, kernel: Any, stride: Any, padding: Any, dilation: int
) -> None:
    x = RNG.integers(-3, 3, shape).astype("f4")  # many ties
    x.reshape(-1)[3] = np.nan
    apart = (dilation,) * len(kernel)
    expected = NUMPY.max_pool(x, kernel, stride, padding, apart)
    out, numbers = windows(shape, kernel, stride, padding, apart)
    y, positions = np.full(out, np.inf, "f4"), np.full(out, -7)
    rest = y.size, *(1, *apart)[-2:], *numbers, *divisors(numbers, 8, 9)
    launch(pool.max_pool("float32"), blocks_for(y.size), y, positions, x, *rest)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_array_equal(positions, expected[1])
    g = RNG.standard_normal(out).astype("f4")
    np.testing.assert_allclose(
        spread(g, positions, shape), NUMPY.max_pool_grad(g, positions, shape), 1e-5, 1e-6
    )


def test_a_window_in_the_padding_has_the_lowest_number() -> None:
    for dtype, lowest in (("float32", -np.inf), ("int64", -(2**63)), ("bool", False)):
        x, geometry = np.ones((1, 1, 3, 3), dtype), ((1, 1), (1, 1), ((0, 0), (1, 0)), (1, 1))
        out, numbers = windows(x.shape, *geometry)
        y, positions = np.ones(out, dtype), np.full(out, -7)
        rest = y.size, 1, 1, *numbers, *divisors(numbers, 8, 9)
        launch(pool.max_pool(dtype), 1, y, positions, x, *rest)
        assert (y[0, 0, 1].tolist(), positions[0, 0, 1].tolist()) == (
            [lowest, 1, 1, 1],
            [0, 3, 4, 5],
        )


def spread(g: np.ndarray, positions: np.ndarray, shape: Any) -> np.ndarray:
    """The gradient, by both kernels."""
    gx, words = np.full(shape, np.nan, "f4"), np.full(4, 1 << 40)
    (h, w), (down, across) = planes(shape), planes(g.shape)
    numbers = h, w, down, across
    rest = *divisor(w), *divisor(across), *divisor(down)
    launch(pool.reach(), blocks_for(g.size), words, positions, g.size, *numbers, *rest)
    given = gx, g, positions, words, gx.size, *numbers, *divisor(w), *divisor(h)
    launch(pool.spread("float32"), blocks_for(gx.size), *given)
    return gx


def test_any_positions_are_found() -> None:
    shape, g = (2, 1, 6, 7), RNG.standard_normal((2, 1, 4, 3)).astype("f4")
    positions = RNG.integers(0, 42, g.shape)
    expected = NUMPY.max_pool_grad(g, positions, shape)
    np.testing.assert_allclose(spread(g, positions, shape), expected, 1e-5, 1e-6)
    x, y = RNG.standard_normal(shape).astype("f4"), np.full(g.shape, np.nan, "f4")
    launch(pool.pick("float32"), 1, y, x, positions, y.size, 42, *divisor(12))
    np.testing.assert_array_equal(y, NUMPY.max_pool_pick(x, positions))


@pytest.mark.parametrize("shape, kernel, stride, padding", GEOMETRIES)
def test_sums_and_their_gradients(shape: Any, kernel: Any, stride: Any, padding: Any) -> None:
    x, ones = RNG.standard_normal(shape), (1,) * len(kernel)
    expected = NUMPY.sum_pool(x, kernel, stride, padding, 0.3)
    out, numbers = windows(shape, kernel, stride, padding, ones)
    y, gx = np.full(out, np.nan), np.full(shape, np.nan)
    rest = y.size, 0.3, *numbers, *divisors(numbers, 8, 9)
    launch(pool.sum_pool("float64"), blocks_for(y.size), y, x, *rest)
    np.testing.assert_allclose(y, expected, 1e-12, 1e-12)
    rest = 0.3, *divisors(numbers, 4, 5), *numbers, *divisors(numbers, 0, 1)
    launch(pool.sum_pool_grad("float64"), blocks_for(gx.size), gx, y, gx.size, *rest)
    expected = NUMPY.sum_pool_grad(y, shape, kernel, stride, padding, 0.3)
    np.testing.assert_allclose(gx, expected, 1e-12, 1e-12)


# optimizers ---------------------------------------------------------------------------------------
SIZES = (7, 300, 4, *[3] * 15)  # more than a group


def drawn(sizes: tuple[int, ...]) -> list[np.ndarray]:
    return [RNG.uniform(0.5, 1.5, n).astype("f4") for n in sizes]


def run(name: str, lists: list[Any], numbers: Any) -> None:
    with toolchain.simulated():
        for count, blocks, given, block in cuda_optim.groups(lists, optim.EACH):
            kernel = optim.step(name, "float32", count)
            toolchain.launch(kernel, blocks, *numbers, *given, block=block)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_all_parameters_step_in_a_launch(nesterov: bool, decay: float) -> None:
    ps, gs, vs = drawn(SIZES), drawn(SIZES), drawn(SIZES)
    twins = [[x.astype("f8") for x in xs] for xs in (ps, gs, vs)]
    run("sgd_velocity", list(zip(ps, gs, vs)), (0.1, 0.9, 0.7, decay, float(nesterov)))
    NUMPY.sgd_steps(*twins, 0.1, 0.9, 0.3, decay, nesterov)
    for got, wanted in zip(ps + vs, twins[0] + twins[2]):
        np.testing.assert_allclose(got, wanted, 2e-6)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_and_its_kin(decoupled: bool) -> None:
    numbers = 3, 0.1, 0.9, 0.99, 1e-8, 0.2, decoupled
    for name, step, count in (("adam", NUMPY.adam_step, 4), ("amsgrad", NUMPY.amsgrad_step, 5)):
        arrays = drawn((37,) * count)
        twins = [x.astype("f8") for x in arrays]
        run(name, [arrays], cuda_optim.adam_numbers(*numbers))
        step(*twins, *numbers)
        for got, wanted in zip(arrays, twins):
            np.testing.assert_allclose(got, wanted, 5e-6, err_msg=name)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("velocity", [False, True])
def test_rmsprop_and_adagrad(mean: bool, velocity: bool) -> None:
    p, g, square, m, v = drawn((37,) * 5)
    state = [square + 2, 0.1 * m if mean else None, v if velocity else None]
    twins = [None if x is None else x.astype("f8") for x in (p, g, *state)]
    name = "rmsprop" + {(1, 0): "_mean", (0, 1): "_velocity", (1, 1): "_both"}.get(
        (mean, velocity), ""
    )
    arrays = [x for x in (p, g, *state) if x is not None]
    run(name, [arrays], (0.1, 0.9, 1.0 - 0.9, 1e-8, 0.2, 0.8))
    NUMPY.rmsprop_step(*twins, 0.1, 0.9, 1e-8, 0.2, 0.8)
    for got, wanted in zip(arrays, [x for x in twins if x is not None]):
        np.testing.assert_allclose(got, wanted, 5e-6)
    p, g, total = drawn((5,) * 3)
    twins = [x.astype("f8") for x in (p, g, total)]
    run("adagrad", [[p, g, total]], (0.1, 1e-10, 0.2))
    NUMPY.adagrad_step(*twins, 0.1, 1e-10, 0.2)
    np.testing.assert_allclose((p, total), (twins[0], twins[2]), 5e-6)


def test_clipping_sums_and_scales_all() -> None:
    xs = drawn((700, *SIZES))
    lists = [(x,) for x in xs]
    parts, begin = np.full(40, np.nan, "f4"), 0
    with toolchain.simulated():
        for count, blocks, given, block in cuda_optim.groups(lists, optim.SQUARES):
            kernel = optim.squares("float32", count)
            toolchain.launch(kernel, blocks, parts, begin, *given, block=block)
            begin += blocks
        ys = [np.full_like(x, np.nan) for x in xs]
        for count, blocks, given, block in cuda_optim.groups(list(zip(ys, xs)), optim.EACH):
            kernel = optim.scale("float32", count)
            toolchain.launch(kernel, blocks, np.array([0.3], "f4"), *given, block=block)
    total = sum((x.astype("f8") ** 2).sum() for x in xs)
    np.testing.assert_allclose(parts[:begin].sum(), total, 1e-5)
    for x, y in zip(xs, ys):
        np.testing.assert_array_equal(y, x * np.float32(0.3))
