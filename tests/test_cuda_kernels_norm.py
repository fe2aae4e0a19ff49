"""The CUDA backend's softmax, cross-entropy and norms in the simulator, in every form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude
from etude.kernels.cuda import (
    batch_norm,
    batch_norm_grad,
    layer_norm,
    response_norm,
    softmax,
    toolchain,
)
from etude.kernels.cuda.divide import divisor

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(7)
NUMPY = etude.backends.get("numpy")
LABELS = np.array([2, -100, 41])


def launch(kernel: Any, blocks: int, *arguments: Any, block: Any = 32) -> None:
    with toolchain.simulated():
        toolchain.launch(kernel, blocks, *arguments, block=block)


def wide(*arrays: Any) -> list[Any]:
    return [None if x is None else x.astype("f8") for x in arrays]


# softmax ------------------------------------------------------------------------------------------
def forms(kind: str, dtype: str) -> list[tuple[Any, int, int]]:
    """Kernel, blocks and threads for 3 rows of 45."""
    return [
        (softmax.registers(kind, dtype, 32, 2), 3, 32),
        (softmax.registers(kind, dtype, 256, 2), 3, 64),
        (softmax.streaming(kind, dtype), 3, 32),
        (softmax.lines(kind, dtype), 1, 32),
    ]


def logits(dtype: str) -> np.ndarray:
    x = RNG.standard_normal((3, 45)).astype(dtype) * 3
    x[0, :40] = -np.inf
    x[1, 7] = 90.0
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", softmax.FORWARD)
def test_softmax(kind: str, dtype: str) -> None:
    x = logits(dtype)
    f = NUMPY.log_softmax if kind == "log_softmax" else NUMPY.softmax
    expected, losses = f(x.astype("f8"), 1), NUMPY.cross_entropy(x.astype("f8"), LABELS)[0]
    for kernel, blocks, block in forms(kind, dtype):
        y, loss = np.full_like(x, np.nan), np.full(3, np.nan, dtype)
        launch(kernel, blocks, y, x, loss, LABELS, -100, 3, 45, 1, block=block)
        np.testing.assert_allclose(y, expected, 1e-5, 1e-6, err_msg=kernel.name)
        if kind == "cross_entropy":
            np.testing.assert_allclose(loss, losses, 1e-5, err_msg=kernel.name)


@pytest.mark.parametrize("kind", softmax.BACKWARD)
def test_softmax_gradients(kind: str) -> None:
    g, x = RNG.standard_normal((3, 45)).astype("f4"), logits("float64")
    y = NUMPY.log_softmax(x, 1) if kind == "log_softmax_grad" else NUMPY.softmax(x, 1)
    expected = getattr(NUMPY, kind)(g.astype("f8"), y, 1)
    for kernel, blocks, block in forms(kind, "float32"):
        gx = np.full((3, 45), np.nan, "f4")
        launch(kernel, blocks, gx, g, y.astype("f4"), 3, 45, 1, block=block)
        np.testing.assert_allclose(gx, expected, 1e-4, 1e-5, err_msg=kernel.name)


def test_lines_of_softmax_run_along_any_axis() -> None:
    x = RNG.standard_normal((2, 5, 3)).astype("f4")
    y = np.full_like(x, np.nan)
    launch(softmax.lines("softmax", "float32"), 1, y, x, None, None, 0, 6, 5, 3)
    np.testing.assert_allclose(y, NUMPY.softmax(x.astype("f8"), 1), 1e-5)


def test_mean_loss_and_its_gradient() -> None:
    losses, p = np.array([1.5, 7.0, 2.0], "f4"), NUMPY.softmax(RNG.standard_normal((3, 45)), 1)
    mean, count = np.zeros(1, "f4"), np.zeros(1, "f4")
    launch(softmax.mean_loss("float32"), 1, mean, count, losses, LABELS, -100, 3)
    assert (mean[0], count[0]) == (1.75, 2.0)
    p = p.astype("f4")
    for each, g in ((None, np.array([0.7, 0.2, -0.4], "f4")), (count, np.array([0.7], "f4"))):
        gx = np.full_like(p, np.nan)
        kernel = softmax.entropy_grad("float32", each is not None)
        numbers = p.size, 45, *divisor(45)
        launch(kernel, 5, gx, g, each, p, LABELS, -100, *numbers)
        rows = g if each is None else np.full(3, g[0] / 2)
        expected = NUMPY.cross_entropy_grad(*wide(rows, p), LABELS)
        np.testing.assert_allclose(gx, expected, 1e-5, 1e-7)


# batch norm ---------------------------------------------------------------------------------------
EPS = 1e-5


def statistics(module: Any, x: np.ndarray, given: tuple[Any, ...], *forms: bool) -> list[Any]:
    """(first sums, second sums, parts, numbers of a part) by each form that x is for."""
    n, c, length = x.shape
    m, dtype = n * length, str(x.dtype)
    numbers = c, length, m, *divisor(length)
    found = []
    for kernel, blocks, block, parts, each, rest in (
        (module.lines(dtype, *forms), 1, 32, 1, m, (1, *numbers)),
        (module.parts(dtype, *forms), c * -(-m // 512), 32, -(-m // 512), 512, None),
        (module.columns(dtype, *forms), 2 * 2, (2, 2, 1), 2, -(-n // 2), None),
    ):
        if "columns" in kernel.name:
            if length > 1:
                continue
            rest = (2, each, 2, c, n)
        one, two = (np.full((c, parts), np.nan, dtype) for _ in range(2))
        rest = rest or (parts, *numbers)
        launch(kernel, blocks, one, two, *given, *rest, block=block)
        found.append((one, two, parts, each))
    return found


@pytest.mark.parametrize("shape", [(2, 3, 300), (2, 2, 4), (33, 3, 1)])
@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm(shape: tuple[int, int, int], affine: bool) -> None:
    n, c, length = shape
    x = (RNG.standard_normal(shape) * 2 + 5).astype("f4")
    w, b = (RNG.standard_normal(c).astype("f4") if affine else None for _ in range(2))
    r = RNG.standard_normal(shape).astype("f4") if affine else None
    expected = NUMPY.batch_norm_relu(*wide(x, w, b), EPS, *wide(r))
    fours = length % 4 == 0
    for means, squares, parts, each in statistics(batch_norm, x, (x,)):
        mean, var, scale = (np.full(c, np.nan, "f4") for _ in range(3))
        given = mean, var, scale, means, squares, w, EPS, parts, each, c, n * length
        launch(batch_norm.whole("float32", affine), c, *given)
        y = np.full_like(x, np.nan)
        kernel = batch_norm.apply("float32", affine, affine, True, fours)
        numbers = x.size, *divisor(length), *divisor(c), c
        launch(kernel, -(-x.size // (128 if fours else 32)), y, x, mean, scale, b, r, *numbers)
        for got, wanted in zip((y, mean, var), expected):
            np.testing.assert_allclose(got, wanted, 2e-5, 2e-5)


@pytest.mark.parametrize("shape", [(2, 3, 300), (2, 2, 4), (33, 3, 1)])
@pytest.mark.parametrize("relu", [False, True])
def test_batch_norm_gradient(shape: tuple[int, int, int], relu: bool) -> None:
    n, c, length = shape
    x, g, y = (RNG.standard_normal(shape).astype("f4") for _ in range(3))
    w = RNG.standard_normal(c).astype("f4") if relu else None
    _, mean, var = NUMPY.batch_norm(*wide(x), None, None, EPS)
    masked = np.where(y > 0, g, 0) if relu else g
    expected = NUMPY.batch_norm_grad(*wide(masked, x, w), mean, var, EPS)
    mean, var, fours = mean.astype("f4"), var.astype("f4"), length % 4 == 0
    given = g, y if relu else None, x
    for one, two, parts, _ in statistics(batch_norm_grad, x, (*given, mean), relu):
        gw, gb, scale, slope, shift = (np.full(c, np.nan, "f4") for _ in range(5))
        rest = one, two, w, var, EPS, parts, c, n * length
        kernel = batch_norm_grad.whole("float32", w is not None)
        launch(kernel, c, gw, gb, scale, slope, shift, *rest)
        gx = np.full_like(x, np.nan)
        kernel = batch_norm_grad.apply("float32", relu, fours)
        numbers = x.size, *divisor(length), *divisor(c), c
        blocks = -(-x.size // (128 if fours else 32))
        launch(kernel, blocks, gx, *given, mean, scale, slope, shift, *numbers)
        for got, wanted in zip((gx, gw, gb), expected):
            np.testing.assert_allclose(got, wanted, 1e-4, 1e-4)


# layer norm ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("affine", [False, True])
def test_layer_norm(affine: bool) -> None:
    x, g = (RNG.standard_normal((3, 45)).astype("f4") for _ in range(2))
    w, b = (RNG.standard_normal(45).astype("f4") if affine else None for _ in range(2))
    expected = NUMPY.layer_norm(*wide(x, w, b), EPS)
    mean, rstd = (z.astype("f4") for z in expected[1:])
    back = NUMPY.layer_norm_grad(*wide(g, x, w), *expected[1:])
    for name, made_for, blocks, block in (
        ("registers", (32, 2), 3, 32),
        ("registers", (256, 1), 3, 64),
        ("streaming", (), 3, 32),
        ("lines", (), 1, 32),
    ):
        y, m, r = np.full_like(x, np.nan), np.zeros(3, "f4"), np.zeros(3, "f4")
        kernel = getattr(layer_norm, name)("float32", *made_for, affine, affine)
        launch(kernel, blocks, y, m, r, x, w, b, EPS, 3, 45, block=block)
        for got, wanted in zip((y, m, r), expected):
            np.testing.assert_allclose(got, wanted, 2e-5, 2e-6, err_msg=kernel.name)
        gx = np.full_like(x, np.nan)
        kernel = getattr(layer_norm, f"{name}_grad")("float32", *made_for, affine)
        launch(kernel, blocks, gx, g, x, w, mean, rstd, 3, 45, block=block)
        np.testing.assert_allclose(gx, back[0], 1e-4, 1e-5, err_msg=kernel.name)


def test_layer_norm_weights_gradient() -> None:
    x, g = (RNG.standard_normal((7, 5)).astype("f4") for _ in range(2))
    _, mean, rstd = NUMPY.layer_norm(*wide(x), None, None, EPS)
    gw, gb = np.full((2, 5), np.nan, "f4"), np.full((2, 5), np.nan, "f4")
    given = gw, gb, g, x, mean.astype("f4"), rstd.astype("f4"), 4, 3, 7, 5
    launch(layer_norm.weights("float32"), 2 * 3, *given, block=(2, 2, 1))
    _, *expected = NUMPY.layer_norm_grad(*wide(g, x), None, mean, rstd)
    np.testing.assert_allclose((gw.sum(0), gb.sum(0)), expected, 1e-4, 1e-5)


@pytest.mark.parametrize("size", [4, 5])
def test_local_response_norm(size: int) -> None:
    x, g = (RNG.standard_normal((2, 6, 3)).astype("f4") for _ in range(2))
    alpha, beta, k = 0.3, 0.75, 1.5
    expected, spread = NUMPY.local_response_norm(*wide(x), size, alpha, beta, k)
    shape = x.size, 6, 3, *divisor(6), *divisor(3)
    y, s, gx = (np.full_like(x, np.nan) for _ in range(3))
    reach = size // 2, (size - 1) // 2
    given = y, s, x, alpha / size, beta, k, *reach, *shape
    launch(response_norm.forward("float32"), 2, *given)
    np.testing.assert_allclose((y, s), (expected, spread), 1e-5)
    given = gx, g, x, s, 2 * alpha * beta / size, beta, 0.0, *reach[::-1], *shape
    launch(response_norm.backward("float32"), 2, *given)
    expected = NUMPY.local_response_norm_grad(*wide(g, x), spread, size, alpha, beta)
    np.testing.assert_allclose(gx, expected, 1e-4, 1e-6)
