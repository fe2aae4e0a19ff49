"""The plain-Python backend against NumPy: matrix product, windows, random bits and numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from python_buffers import NUMERIC, RNG, B, get, into, put, same, some

from etude.backends.base import words_per_number

# matrix product


@pytest.mark.parametrize("dtype", NUMERIC)
@pytest.mark.parametrize(
    "m, k, n", [(3, 4, 5), (1, 1, 1), (2, 0, 3), (0, 2, 3), (2, 3, 0), (7, 1, 2)]
)
def test_matmul(m, k, n, dtype):
    batches = [((), ()), ((2,), (2,)), ((2, 1), (3,)), ((), (2, 3)), ((0,), (1,)), ((1,), ())]
    for (left, right), ta, tb in itertools.product(batches, (False, True), (False, True)):
        a, b = some((*left, m, k), dtype), some((*right, k, n), dtype)
        x = put(a.swapaxes(-1, -2) if ta else a)
        y = put(b.swapaxes(-1, -2) if tb else b)
        same(into(B.matmul, x, y, ta, tb), a @ b)


# windows


WINDOWS = [
    ((7,), (3,), (2,), ((1, 0),), (2,)),
    ((5,), (1,), (3,), ((0, 0),), (1,)),
    ((5, 6), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    ((5, 6), (3, 2), (2, 3), ((2, 1), (0, 3)), (1, 2)),
    ((4, 4), (4, 4), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    ((1, 1), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    ((3, 4, 5), (2, 3, 2), (1, 2, 1), ((1, 0), (0, 2), (1, 1)), (2, 1, 3)),
]


def naive_columns(a, kernel, stride, padding, dilation):
    padded = np.pad(a, ((0, 0), (0, 0), *padding))
    counts = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, s, d in zip(padded.shape[2:], kernel, stride, dilation)
    ]
    windows = [
        padded[
            (slice(None), slice(None))
            + tuple(
                slice(i * d, i * d + (c - 1) * s + 1, s)
                for i, d, c, s in zip(at, dilation, counts, stride)
            )
        ]
        for at in itertools.product(*map(range, kernel))
    ]
    stacked = np.stack(windows, 2)
    return stacked.reshape(a.shape[0], -1, math.prod(counts))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("size, kernel, stride, padding, dilation", WINDOWS)
@pytest.mark.parametrize("n, c", [(2, 3), (1, 1), (0, 2)])
def test_unfold_and_fold(n, c, size, kernel, stride, padding, dilation, dtype):
    a = some((n, c, *size), dtype)
    geometry = (kernel, stride, padding, dilation)
    if n:
        same(into(B.unfold, put(a), *geometry), naive_columns(a, *geometry))
    columns = B.unfold(put(a), *geometry)
    weights = some(columns.shape, dtype)
    back = into(B.fold, put(weights), a.shape, *geometry)
    places = np.arange(1, math.prod(size) + 1).reshape(1, 1, *size)
    which = get(B.unfold(put(places), *geometry))[0] if n else None
    expected = np.zeros((n, c, math.prod(size) + 1), dtype)
    for i, j in itertools.product(range(n), range(c)):
        rows = slice(j * math.prod(kernel), (j + 1) * math.prod(kernel))
        np.add.at(expected[i, j], which, weights[i, rows])
    same(back, expected[..., 1:].reshape(a.shape))


@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 1), (2, 2)), ((1, 2), (0, 1))])
@pytest.mark.parametrize("stride, dilation", [((1, 1), (1, 1)), ((2, 1), (1, 2))])
def test_unfold_and_fold_are_torch_s(stride, dilation, padding):
    functional = pytest.importorskip("torch.nn.functional")
    torch = pytest.importorskip("torch")
    a = RNG.standard_normal((2, 3, 7, 6))
    top, left = padding
    x = torch.tensor(a, requires_grad=True)
    padded = functional.pad(x, (*left, *top))
    expected = functional.unfold(padded, (3, 2), stride=stride, dilation=dilation)
    columns = B.unfold(put(a), (3, 2), stride, padding, dilation)
    same(columns, expected.detach().numpy())
    g = RNG.standard_normal(columns.shape)
    expected.backward(torch.tensor(g))
    back = B.fold(put(g), a.shape, (3, 2), stride, padding, dilation)
    np.testing.assert_allclose(get(back), x.grad.numpy(), rtol=1e-14, atol=1e-14)


# random bits


@pytest.mark.parametrize(
    "counter, key, words",
    [
        (0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (2**128 - 1, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            0x0370734413198A2E85A308D3243F6A88,
            0x299F31D0A4093822,
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_random_bits_are_the_published_vectors(counter, key, words):
    bits = into(B.random_bits, key, counter, 4)
    assert [f"{word:08x}" for word in B.to_host(bits)] == words.split()


def test_random_bits_count_from_any_block():
    start = 2**32 - 2
    bits = get(B.random_bits(5, start, 18))
    assert bits.dtype == np.int64
    for block in range(5):
        alone = get(B.random_bits(5, start + block, 4))
        np.testing.assert_array_equal(bits[4 * block : 4 * block + 4], alone[: 18 - 4 * block])
    assert get(B.random_bits(5, 2**128 - 1, 8))[4:].tolist() == get(B.random_bits(5, 0, 4)).tolist()
    assert B.random_bits(1, 2, 0).shape == (0,)


# sampling


def test_uniform_uses_the_words_it_says():
    words = get(B.random_bits(3, 8, 24))
    same(into(B.uniform, 3, 8, (4, 6), "float32"), (words // 256 / 2**24).astype("f").reshape(4, 6))
    high, low = words[::2] // 32, words[1::2] // 64
    same(into(B.uniform, 3, 8, (12,), "float64"), (high * 2**26 + low) / 2**53)
    assert [words_per_number("uniform", d) for d in ("float32", "float64")] == [1, 2]
    assert {words_per_number("normal", d) for d in ("float32", "float64")} == {1}
    assert B.uniform(0, 0, (0, 3), "float32").shape == (0, 3)


def test_normal_is_box_and_muller():
    for count in (0, 1, 2, 7, 64):
        half = (count + 1) // 2
        words = get(B.random_bits(5, 9, 2 * half)).astype(float)
        radius = np.sqrt(-2 * np.log((words[:half] + 0.5) / 2**32))
        quarter, part = np.divmod(words[half:], 2**30)
        angle = (part / 2**30 - 0.5) * np.pi / 2
        angle = np.where(quarter % 2, np.pi / 2 - angle, angle) + np.pi * (quarter >= 2)
        expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
        actual = get(into(B.normal, 5, 9, (count,), "float64"))
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)
        single = get(B.normal(5, 9, (count,), "float32"))
        np.testing.assert_array_equal(single, actual.astype(np.float32))


def test_normal_is_normally_distributed():
    n = 100_000
    x = np.sort(get(B.normal(2024, 0, (n // 4, 4), "float64")).ravel())
    assert abs(x.mean()) < 4 / math.sqrt(n)
    assert abs(x.var() - 1) < 4 * math.sqrt(2 / n)
    cdf = 0.5 * (1 + np.array([math.erf(v / math.sqrt(2)) for v in x]))
    steps = np.arange(n + 1) / n
    distance = max(abs(cdf - steps[1:]).max(), abs(cdf - steps[:-1]).max())
    assert distance < 1.95 / math.sqrt(n), "Kolmogorov-Smirnov at 0.1 %"
