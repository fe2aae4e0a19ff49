"""Softmax, cross-entropy and steps in C: lines of all lengths, wrong labels, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from case import TOLERANCE

import etude

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
# Lines beside each other or not, around the width of vectors, short ones and such that are not.
SHAPES = [((5, 1), 1), ((64, 10), 1), ((33, 64), 1), ((19, 65), 1), ((3, 1000), 1), ((70, 300), 1)]
SHAPES += [((4, 7, 1), 1), ((3, 5, 17), 1), ((2, 40, 3, 11), 1), ((9, 33), 0), ((130, 70, 2), 1)]


@pytest.fixture
def c() -> Iterator[Any]:
    before = etude.get_num_threads()
    yield etude.backends.get("c")
    etude.set_num_threads(before)


def block(c: Any, x: Any) -> Any:
    x = np.ascontiguousarray(x)
    return c.from_host(memoryview(x.reshape(-1)), x.shape, str(x.dtype))


def values(c: Any, x: Any) -> np.ndarray:
    return np.array(c.to_host(x), c.dtype(x)).reshape(x.shape)


def draw(shape: Any, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def on_any_threads(c: Any, function: Callable[[], list[Any]]) -> list[np.ndarray]:
    """The results of a function, which are the same to the bit on 1, 2 and 3 threads."""
    found = []
    for count in (1, 2, 3):
        etude.set_num_threads(count)
        found.append([values(c, x) for x in function()])
    assert len({b"".join(x.tobytes() for x in results) for results in found}) == 1
    return found[0]


def close(got: np.ndarray, expected: Any) -> None:
    rtol, atol = TOLERANCE[str(got.dtype)]
    np.testing.assert_allclose(got, expected, rtol, atol)


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x.astype(np.float64) - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


@pytest.mark.parametrize("shape, axis", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_and_its_gradient(c: Any, dtype: str, shape: Any, axis: int) -> None:
    x, g = draw(shape, dtype), draw(shape, dtype, 1)
    p = softmax(x, axis)
    inner = (g * p).sum(axis, keepdims=True)
    blocks = block(c, g), block(c, p.astype(dtype))
    got = on_any_threads(c, lambda: [c.softmax(block(c, x), axis), c.softmax_grad(*blocks, axis)])
    close(got[0], p)
    close(got[1], p * (g - inner))


@pytest.mark.parametrize("shape, axis", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_softmax_and_its_gradient(c: Any, dtype: str, shape: Any, axis: int) -> None:
    x, g = draw(shape, dtype), draw(shape, dtype, 1)
    y = np.log(softmax(x, axis))
    blocks = block(c, g), block(c, y.astype(dtype))
    expected = g - np.exp(y) * g.sum(axis, keepdims=True, dtype=np.float64)
    got = on_any_threads(
        c, lambda: [c.log_softmax(block(c, x), axis), c.log_softmax_grad(*blocks, axis)]
    )
    close(got[0], y)
    close(got[1], expected)


@pytest.mark.parametrize("n, classes", [(1, 1), (64, 10), (17, 64), (5, 65), (300, 129)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy(c: Any, dtype: str, n: int, classes: int) -> None:
    x, g = draw((n, classes), dtype), draw(n, dtype, 1)
    labels = np.random.default_rng(0).integers(0, classes, n)
    labels[::3] = -100
    counts = labels >= 0
    p, hot = softmax(x, 1), np.eye(classes)[np.where(counts, labels, 0)]
    losses = np.where(counts, -np.log((p * hot).sum(1)), 0.0)
    each = np.where(counts, g, 0.0)[:, None] * (p - hot)
    marks, q = block(c, labels), block(c, p.astype(dtype))

    def run() -> list[Any]:
        found = [*c.cross_entropy(block(c, x), marks), *c.cross_entropy_mean(block(c, x), marks)]
        return [*found, c.cross_entropy_grad(block(c, g), q, marks)]

    got = on_any_threads(c, run)
    with np.errstate(invalid="ignore"):
        mean = losses.sum() / np.float64(counts.sum())
    for result, expected in zip(got, [losses, p, mean, p, counts.sum(), each], strict=True):
        close(result, expected)


@pytest.mark.parametrize("bad", [4, -1, 1 << 40, -(1 << 62)])
def test_a_wrong_label_is_refused_before_it_is_read(c: Any, bad: int) -> None:
    x, g = block(c, draw((3, 4))), block(c, draw(3))
    labels = block(c, np.array([0, -100, bad]))
    for call in (
        lambda: c.cross_entropy(x, labels),
        lambda: c.cross_entropy_mean(x, labels),
        lambda: c.cross_entropy_grad(g, x, labels),
        lambda: c.cross_entropy_mean_grad(g, x, labels, g),
    ):
        with pytest.raises(IndexError, match=rf"index {bad} is out of range 0 \.\.\. 3"):
            call()


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("length", [3, 64, 200])
def test_special_values_stay_in_their_line(c: Any, length: int, special: float) -> None:
    x = draw((6, length))
    x[2, length // 2] = special
    with np.errstate(invalid="ignore"):
        expected = softmax(x, 1)
    close(values(c, c.softmax(block(c, x), 1)), expected)
    close(values(c, c.softmax(block(c, x.T), 0)), expected.T)


def test_steps_over_many_parameters(c: Any) -> None:
    shapes = [(3,), (0,), (8192,), (8193,), (100, 300), ()]

    def run() -> list[Any]:
        p, g, m, v = ([block(c, draw(s, seed=k) ** 2) for s in shapes] for k in range(4))
        c.adam_steps(p, g, m, v, 2, 0.01, 0.9, 0.99, 1e-8, 0.1, False)
        c.sgd_steps(p, g, [*m[:3], None, None, None], 0.1, 0.9, 0.1, 0.1, True)
        return [*p, *m, *v, *c.scale_all(p, block(c, draw(()))), c.sum_squares(g)]

    got = on_any_threads(c, run)
    close(got[-1], sum((draw(s, seed=1).astype(np.float64) ** 4).sum() for s in shapes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_velocities_without_gradients_end_at_zero(c: Any, dtype: str) -> None:
    """Rounding would leave them at a few units of the smallest number, where all is slow."""
    tiny = np.finfo(dtype).tiny
    p, g, v = (block(c, np.full(9000, x, dtype)) for x in (1.0, 0.0, 4 * tiny))
    for _ in range(20):
        c.sgd_steps([p], [g], [v], 0.1, 0.9, 0.0, 0.0, False)
    assert not values(c, v).any()
    assert (values(c, p) == 1.0).all()
    one = block(c, np.full(3, tiny / 2, dtype))  # and the mode is as before
    assert (values(c, c.binary("mul", one, 1.0)) == tiny / 2).all()
