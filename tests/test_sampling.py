"""Random numbers: Philox to the letter, the same on every backend, and random enough."""

from __future__ import annotations

import copy
from math import erf, sqrt
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F

BACKENDS = [name for name, why in etude.backends.available().items() if why is None]
# Random123, kat_vectors: counter words, key words, the ciphertext of Philox4x32-10.
KNOWN = [
    ([0x00000000] * 4, [0x00000000] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]
MANY = 100_000


def number(words: list[int]) -> int:
    """One number of 32-bit words, the low ones first."""
    return sum(w << (32 * i) for i, w in enumerate(words))


# the generator ------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("counter, key, expected", KNOWN)
def test_philox_known_answers(backend: str, counter: Any, key: Any, expected: Any) -> None:
    place = etude.Generator(number(key), number(counter))
    u = etude.rand(4, backend=backend, generator=place)
    assert u.tolist() == [(w >> 8) * 2.0**-24 for w in expected]
    place = etude.Generator(number(key), number(counter))
    n = etude.randint(0, 2**31, (4,), backend=backend, generator=place)
    assert n.tolist() == [w >> 1 for w in expected]
    engine = u.backend
    assert engine.to_host(engine.random_bits(number(key), number(counter), 4)).tolist() == expected


@pytest.mark.parametrize("start", [2**32 - 2, 2**64 - 2, 2**96 - 2, 2**128 - 2])
def test_the_counter_carries_into_its_higher_words(start: int) -> None:
    """Blocks before and after the carry are those of their own counters."""
    for name in BACKENDS:
        engine = etude.ones(1, backend=name).backend
        run = engine.to_host(engine.random_bits(7, start, 16)).tolist()
        blocks = [
            engine.to_host(engine.random_bits(7, (start + j) % 2**128, 4)).tolist()
            for j in range(4)
        ]
        assert run == [word for block in blocks for word in block]


def test_seeds_of_64_bits_and_negative_ones() -> None:
    def draw(seed: int) -> Any:
        etude.manual_seed(seed)
        return etude.rand(4).tolist()

    assert draw(1) != draw(2) != draw(2**32 + 1)
    assert draw(1) != draw(2**32 + 1)
    assert draw(-1) == draw(2**64 - 1)
    assert draw(np.int64(5)) == draw(5)


def test_the_state_can_be_kept_and_restored() -> None:
    etude.manual_seed(3)
    etude.randn(5)
    state = etude.get_rng_state()
    first = [etude.rand(3).tolist(), etude.randperm(9).tolist(), etude.randn(4).tolist()]
    etude.set_rng_state(state)
    assert [etude.rand(3).tolist(), etude.randperm(9).tolist(), etude.randn(4).tolist()] == first
    assert state[0] == 3
    etude.set_rng_state([3, state[1]])
    assert etude.rand(3).tolist() == first[0]


def test_a_generator_of_ones_own_leaves_the_default_alone() -> None:
    etude.manual_seed(3)
    before = etude.get_rng_state()
    mine = etude.Generator().manual_seed(3)
    numbers = etude.rand(4, generator=mine).tolist()
    etude.randint(5, (3,), generator=mine)
    etude.randperm(5, generator=mine)
    etude.bernoulli(etude.full((3,), 0.5), generator=mine)
    assert etude.get_rng_state() == before
    assert etude.rand(4).tolist() == numbers
    assert (
        etude.rand(4, generator=copy.copy(mine)).tolist() == etude.rand(4, generator=mine).tolist()
    )


# the same everywhere ------------------------------------------------------------------------------
SHAPES = [(), (0,), (1,), (2,), (7,), (3, 5), (2, 0), (2, 3, 4)]
DRAWS: dict[str, Any] = {
    "rand": lambda shape, dtype: etude.rand(shape, dtype=dtype),
    "randn": lambda shape, dtype: etude.randn(shape, dtype=dtype),
    "randint": lambda shape, dtype: etude.randint(-3, 1000, shape),
    "bernoulli": lambda shape, dtype: etude.bernoulli(etude.full(shape, 0.3, dtype=dtype)),
    "dropout": lambda shape, dtype: F.dropout(etude.ones(shape, dtype=dtype), 0.3),
    "normal": lambda shape, dtype: etude.normal(2.0, 3.0, shape, dtype=dtype),
    "uniform_": lambda shape, dtype: etude.zeros(shape, dtype=dtype).uniform_(-1, 1),
    "normal_": lambda shape, dtype: etude.zeros(shape, dtype=dtype).normal_(1, 2),
    "rand_like": lambda shape, dtype: etude.rand_like(etude.zeros(shape, dtype=dtype)),
    "randn_like": lambda shape, dtype: etude.randn_like(etude.zeros(shape, dtype=dtype)),
    "randperm": lambda shape, dtype: etude.randperm(int(np.prod(shape))),
    "multinomial": lambda shape, dtype: etude.multinomial(etude.ones(9, dtype=dtype), 4),
    "multinomial again": lambda shape, dtype: etude.multinomial(
        etude.ones(9, dtype=dtype), 20, replacement=True
    ),
    "Linear": lambda shape, dtype: etude.nn.Linear(3, 5).weight.detach(),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DRAWS)
def test_one_seed_gives_the_same_numbers_on_every_backend(name: str, dtype: str) -> None:
    results = {}
    for backend in BACKENDS:
        etude.manual_seed(11)
        with etude.use_backend(backend):
            drawn = [DRAWS[name](shape, dtype) for shape in SHAPES]
        results[backend] = [(t.shape, str(t.dtype), t.numpy().tobytes()) for t in drawn]
        results[backend].append(etude.get_rng_state())
    assert len({str(r) for r in results.values()}) == 1


@pytest.mark.parametrize("name", DRAWS)
def test_two_runs_of_one_seed_are_equal_and_two_draws_are_not(name: str) -> None:
    etude.manual_seed(5)
    first, second = (DRAWS[name]((40,), "float32").tolist() for _ in range(2))
    etude.manual_seed(5)
    assert DRAWS[name]((40,), "float32").tolist() == first != second


def test_draws_follow_each_other_without_gap_or_overlap() -> None:
    etude.manual_seed(0)
    parts = [etude.rand(4).tolist(), etude.rand(8).tolist()]
    etude.manual_seed(0)
    assert etude.rand(12).tolist() == [*parts[0], *parts[1]]
    etude.manual_seed(0)
    etude.rand(5)  # takes two blocks of four words
    assert etude.get_rng_state() == (0, 2)
    assert etude.rand(4).tolist() == etude.rand(12, generator=etude.Generator(0)).tolist()[8:]


# distributions ------------------------------------------------------------------------------------
def farthest(values: Any, distribution: Any) -> float:
    """Kolmogorov and Smirnov's distance from the distribution function, times sqrt(n)."""
    x = np.sort(np.asarray(values, np.float64).reshape(-1))
    n = len(x)
    expected = distribution(x)
    above, below = np.arange(1, n + 1) / n - expected, expected - np.arange(n) / n
    return float(max(above.max(), below.max()) * sqrt(n))


def chi_square(counts: Any) -> float:
    """How many standard deviations the counts are from equal ones."""
    counts = np.asarray(counts, np.float64)
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / sqrt(2 * freedom))


normal_distribution = np.vectorize(lambda v: 0.5 * (1 + erf(v / sqrt(2))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_uniform_numbers(dtype: str, seed: int) -> None:
    etude.manual_seed(seed)
    u = etude.rand(MANY, dtype=dtype).numpy().astype(np.float64)
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    assert abs(u.mean() - 0.5) < 4 * sqrt(1 / 12 / MANY)
    assert abs(u.var() - 1 / 12) < 4 * sqrt(1 / 180 / MANY)
    assert farthest(u, lambda x: x) < 1.63
    for lag in (1, 2, 3, 4, 7):
        assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) < 4 / sqrt(MANY)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_normal_numbers(dtype: str, seed: int) -> None:
    etude.manual_seed(seed)
    z = etude.randn(MANY, dtype=dtype).numpy().astype(np.float64)
    assert abs(z.mean()) < 4 / sqrt(MANY)
    assert abs(z.var() - 1) < 4 * sqrt(2 / MANY)
    assert abs((z**3).mean()) < 4 * sqrt(15 / MANY)
    assert abs((z**4).mean() - 3) < 4 * sqrt(96 / MANY)
    assert farthest(z, normal_distribution) < 1.63
    half = MANY // 2  # partners in Box & Muller's method
    assert abs(np.corrcoef(z[:half], z[half:])[0, 1]) < 4 / sqrt(half)
    assert abs(np.corrcoef(z[:half] ** 2, z[half:] ** 2)[0, 1]) < 4 / sqrt(half)


def test_every_bit_is_balanced_and_independent_of_its_neighbours() -> None:
    engine = etude.ones(1).backend
    words = np.asarray(engine.to_host(engine.random_bits(1, 0, MANY)))
    bits = (words[:, None] >> np.arange(32)) & 1
    assert np.abs(bits.mean(0) - 0.5).max() < 4.5 * 0.5 / sqrt(MANY)
    others = np.asarray(engine.to_host(engine.random_bits(2, 0, MANY)))
    same = 1 - ((words ^ others)[:, None] >> np.arange(32)) & 1
    assert np.abs(same.mean(0) - 0.5).max() < 4.5 * 0.5 / sqrt(MANY)


@pytest.mark.parametrize("low, high", [(0, 2), (0, 10), (-5, 5), (3, 4), (0, 1000)])
def test_whole_numbers(low: int, high: int) -> None:
    etude.manual_seed(0)
    n = etude.randint(low, high, (MANY,)).numpy()
    assert (n.min(), n.max() + 1) == (low, high)
    if high - low > 1:
        assert abs(chi_square(np.bincount(n - low, minlength=high - low))) < 4


def test_torchs_forms_of_randint() -> None:
    etude.manual_seed(0)
    first = etude.randint(10, (2, 3)).tolist()
    etude.manual_seed(0)
    assert etude.randint(0, 10, (2, 3)).tolist() == first
    assert etude.randint(10).shape == ()
    assert etude.randint(0, 10, 4, dtype="int32").dtype is etude.int32
    assert etude.randint_like(etude.zeros(2, 2, dtype="int32"), 5).shape == (2, 2)


def test_orders_are_uniform() -> None:
    """All 24 orders of four come equally often, and each is an order."""
    etude.manual_seed(0)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(6000):
        order = tuple(etude.randperm(4).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert abs(chi_square(list(counts.values()))) < 4
    assert sorted(etude.randperm(1000).tolist()) == list(range(1000))
    assert (etude.randperm(0).tolist(), etude.randperm(1).tolist()) == ([], [0])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_bernoulli_and_dropout(p: float) -> None:
    etude.manual_seed(0)
    hits = etude.bernoulli(etude.full((MANY,), p)).mean().item()
    assert abs(hits - p) <= 4 * sqrt(p * (1 - p) / MANY)
    kept = F.dropout(etude.ones(MANY), p).numpy()
    assert abs((kept == 0).mean() - p) <= 4 * sqrt(p * (1 - p) / MANY)
    assert set(np.unique(kept)) <= {0.0, np.float32(1 / (1 - p)) if p < 1 else 0.0}
    assert F.dropout(etude.ones(9), p, training=False).tolist() == [1] * 9


def test_the_gradient_of_dropout_is_its_mask() -> None:
    etude.manual_seed(0)
    x = etude.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.4)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_multinomial_follows_its_weights() -> None:
    etude.manual_seed(0)
    weights = np.array([1.0, 2.0, 0.0, 5.0])
    n = etude.multinomial(etude.tensor(weights), 40_000, replacement=True).numpy()
    shares = np.bincount(n, minlength=4) / len(n)
    expected = weights / weights.sum()
    assert (np.abs(shares - expected) <= 4 * np.sqrt(expected * (1 - expected) / len(n))).all()
    rows = etude.multinomial(etude.tensor(np.tile(weights, (2000, 1))), 3).numpy()
    assert all(sorted(row) == [0, 1, 3] for row in rows.tolist())
    first = np.bincount(rows[:, 0], minlength=4) / len(rows)
    assert (np.abs(first - expected) <= 4 * np.sqrt(expected * (1 - expected) / len(rows))).all()


def test_gradients_may_be_asked_of_random_leaves() -> None:
    x = etude.rand(3, requires_grad=True)
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    assert etude.randn(2, requires_grad=True).requires_grad
