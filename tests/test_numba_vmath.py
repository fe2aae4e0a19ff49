"""The errors of the vectorised functions, in units in the last place, against extended precision.

float32 is compared with float64, float64 with long double, which has 11 bits more; where the
platform's has not, float64 is compared with float32 only in so far as both are one source.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import etude

if (why := etude.backends.available()["numba"]) is not None:
    pytest.skip(why, allow_module_level=True)

B: Any = etude.backends.get("numba")
RNG = np.random.default_rng(0)
EXTENDED = np.finfo(np.longdouble).nmant >= 63
DTYPES = [
    "float32",
    pytest.param("float64", marks=[] if EXTENDED else pytest.mark.skip(reason="no long double")),
]


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(-abs(x))) + np.maximum(x, 0)


# What a result may be off, in units of its last place, and the reference.
BOUNDS: dict[str, tuple[float, Callable[[Any], Any]]] = {
    "exp": (1.0, np.exp),
    "exp2": (1.0, np.exp2),
    "expm1": (2.0, np.expm1),
    "log": (1.0, np.log),
    "log2": (2.0, np.log2),
    "log10": (3.0, np.log10),
    "log1p": (2.0, np.log1p),
    "tanh": (3.0, np.tanh),
    "sigmoid": (3.0, lambda x: 1 / (1 + np.exp(-x))),
    "softplus": (3.0, softplus),
}


def arguments(name: str, dtype: str) -> Any:
    """Where functions are used, where they overflow, at their ends, and beyond."""
    kind = np.finfo(dtype)
    x = np.concatenate(
        [
            RNG.uniform(-4, 4, 40_000),
            RNG.uniform(-100, 100, 20_000),
            RNG.uniform(-750, 750, 5_000),
            np.exp(RNG.uniform(-80, 80, 20_000)),
            RNG.uniform(-1e-3, 1e-3, 5_000),
            1 + RNG.uniform(-1e-3, 1e-3, 5_000),
            [0.0, -0.0, 1.0, 2.0, 1024.0, np.inf, kind.max, kind.tiny, kind.tiny / 8],
        ]
    ).astype(dtype)
    if name == "log1p":
        return np.where(x < -1, -x, x)
    return abs(x) if name.startswith("log") else np.concatenate([x, -x[-9:]])


def units(got: Any, expected: Any, dtype: str) -> Any:
    """The error of finite results, in units in the last place (of normal numbers)."""
    rounded = expected.astype(dtype)
    place = np.spacing(np.maximum(abs(rounded), np.finfo(dtype).tiny)).astype(np.longdouble)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(got[~finite], rounded[~finite])
    return abs(got - expected)[finite] / place[finite]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_errors_are_bounded(name: str, dtype: str) -> None:
    bound, reference = BOUNDS[name]
    x = arguments(name, dtype)
    with np.errstate(all="ignore"):
        wide = reference(x.astype(np.longdouble if dtype == "float64" else np.float64))
        assert units(B.unary(name, x), np.asarray(wide, np.longdouble), dtype).max() <= bound


@pytest.mark.parametrize("dtype, bound", [("float32", 3.0), ("float64", 3.0)])
def test_errors_of_erf_are_bounded(dtype: str, bound: float) -> None:
    x = np.concatenate([RNG.uniform(-7, 7, 20_000), RNG.uniform(-1e-3, 1e-3, 999)]).astype(dtype)
    expected = np.array([math.erf(v) for v in x], np.longdouble)
    assert units(B.unary("erf", x), expected, dtype).max() <= bound


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*BOUNDS, "erf", "gelu", "sqrt", "rsqrt", "reciprocal"])
def test_nan_stays_nan(name: str, dtype: str) -> None:
    for sign in (1.0, -1.0):
        x = np.copysign(np.full(40, np.nan, dtype), sign)
        assert np.isnan(B.unary(name, x)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_denormal_results_are_not_zero(dtype: str) -> None:
    kind = np.finfo(dtype)
    x = np.log(np.array([kind.tiny / 4, kind.tiny / 100], np.float64)).astype(dtype)
    np.testing.assert_allclose(B.unary("exp", x), np.exp(x.astype(np.longdouble)), 1e-2)
    exact = np.array([-kind.minexp + 3.0, -kind.minexp + 1.0], dtype)
    np.testing.assert_array_equal(B.unary("exp2", -exact), np.exp2(-exact))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_values(dtype: str) -> None:
    powers = np.arange(-100, 101).astype(dtype)
    np.testing.assert_array_equal(B.unary("exp2", powers), np.exp2(powers))
    np.testing.assert_array_equal(B.unary("log2", np.exp2(powers)), powers)
    for name in ("tanh", "erf", "expm1", "log1p"):
        assert B.unary(name, np.zeros(20, dtype)).tolist() == [0.0] * 20
        small = np.full(20, 1e-20, dtype)
        np.testing.assert_allclose(
            B.unary(name, small) / small, 2 / math.sqrt(math.pi) if name == "erf" else 1, 1e-6
        )
