"""Cases of random numbers: what the seed gives, worked out from Philox's definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case, t
from tiny_backend import philox

import etude
from etude import functional as F

SEED = 2026


def words(count: int, start: int = 0) -> np.ndarray:
    """32-bit words of the seed's sequence, from a block of four on."""
    blocks = [philox(start + j, SEED) for j in range(-(-count // 4))]
    return np.array(blocks, np.int64).reshape(-1)[:count]


def uniform(count: int, start: int = 0) -> np.ndarray:
    """The numbers that float32 gets: 24 bits each."""
    return (words(count, start) >> 8) * 2.0**-24


def uniform64(count: int) -> np.ndarray:
    """The numbers that float64 gets: 27 bits of one word above 26 of the next."""
    pairs = words(2 * count).reshape(count, 2)
    return ((pairs[:, 0] >> 5) * 2.0**26 + (pairs[:, 1] >> 6)) * 2.0**-53


def normal(count: int) -> np.ndarray:
    """Box & Muller: radii from the first half of the words, directions from the second."""
    half = (count + 1) // 2
    w = words(2 * half)
    radius = np.sqrt(-2.0 * np.log((w[:half] + 0.5) * 2.0**-32))
    quarter, rest = np.divmod(w[half:] * 2.0**-30, 1.0)
    angle = (rest - 0.5) * np.pi / 2
    cos, sin = np.cos(angle), np.sin(angle)
    odd, sign = quarter % 2 == 1, np.where(quarter >= 2, -1.0, 1.0)
    x, y = np.where(odd, sin, cos) * sign, np.where(odd, cos, sin) * sign
    return np.concatenate([radius * x, radius * y])[:count]


def seeded(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*inputs: Any, **kwargs: Any) -> Any:
        etude.manual_seed(SEED)
        return function(*inputs, **kwargs)

    return call


def draw(name: str, inputs: Any, oracle: Any, kwargs: Any = None, **more: Any) -> Case:
    function = seeded(lambda *xs, **ks: getattr(F, name.split()[0])(*xs, **ks))
    more = {"torch": None, "dtypes": ("float32",), "grad": False, "random": True, **more}
    return Case(name, inputs, oracle, kwargs or {}, function, **more)


def kept(p: float, count: int) -> np.ndarray:
    """Dropout's factors, from the float64 stream."""
    return np.where(uniform64(count) >= p, 1 / (1 - p), 0.0)


HIGH = {"dtype": "float64"}

CASES = [
    draw("rand", [3, 5], lambda *_: uniform(15).reshape(3, 5), result="float32"),
    draw(
        "rand of float64",
        [3, 5],
        lambda *_, dtype: uniform64(15).reshape(3, 5),
        HIGH,
        result="float64",
    ),
    draw("rand nothing", [0, 5], lambda *_: np.zeros((0, 5))),
    draw("rand a number", [()], lambda _: uniform(1)[0]),
    draw("randn", [3, 5], lambda *_: normal(15).reshape(3, 5), result="float32"),
    draw(
        "randn of float64",
        [3, 5],
        lambda *_, dtype: normal(15).reshape(3, 5),
        HIGH,
        result="float64",
    ),
    draw("randn nothing", [0], lambda _: np.zeros(0)),
    draw(
        "randint",
        [-2, 9, (4, 3)],
        lambda lo, hi, size: (words(12) * 11 // 2**32 - 2).reshape(4, 3),
        result="int64",
    ),
    draw(
        "randint of int32 below a bound",
        [7],
        lambda n, size, dtype: words(5) * n // 2**32,
        {"size": 5, "dtype": "int32"},
        result="int32",
    ),
    draw("randperm", [11], lambda n: np.argsort(words(n), kind="stable"), result="int64"),
    draw("randperm of nothing", [0], lambda n: np.zeros(0)),
    draw("rand_like", [t(3, 2, grad=False)], lambda x: uniform(6).reshape(3, 2)),
    draw("randn_like", [t(3, 2, grad=False)], lambda x: normal(6).reshape(3, 2)),
    draw("randint_like", [t(5, grad=False), 4], lambda x, n: words(5) * n // 2**32),
    draw("normal", [1.5, 2.0, (4,)], lambda m, s, n: 1.5 + 2 * normal(4)),
    draw("bernoulli", [t(40, low=0.0, high=1.0, grad=False)], lambda p: uniform(40) < p),
    draw(
        "dropout",
        [t(4, 9)],
        lambda x, p: x * kept(0.3, 36).reshape(4, 9),
        {"p": 0.3},
        grad=True,
        dtypes=("float64",),
    ),
    draw("dropout in evaluation", [t(4, 9)], lambda x, training: x, {"training": False}, grad=True),
    draw("dropout nothing", [t(4, 9)], lambda x, p: x, {"p": 0.0}, grad=True),
    draw("dropout all", [t(4, 9)], lambda x, p: x * 0, {"p": 1.0}, grad=True),
]
