"""The vector functions of the C backend stay within their stated errors, on every build."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import etude

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
TINY = float(np.finfo(np.float32).tiny)
EDGES = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, -1e-45, TINY, -TINY, TINY / 2, 3.4e38]
EDGES += [-3.4e38, 1.0, -1.0, 0.5, -0.5, 88.72, 88.73, -87.3, -103.97, -104.0, 10.06, 13.3, 1e30]


def each(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of plain numbers on an array of float64."""
    return lambda x: np.fromiter(map(function, x.tolist()), np.float64, x.size)


def sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


# The function, its reference in float64, and its largest error in units of the last place.
FUNCTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "exp": (np.exp, 1.0),
    "expm1": (np.expm1, 1.5),
    "log": (np.log, 1.0),
    "log1p": (np.log1p, 1.5),
    "sigmoid": (sigmoid, 2.5),
    "tanh": (np.tanh, 2.5),
    "softplus": (lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0), 2.5),
    "erf": (each(math.erf), 1.5),
    "erfc": (each(math.erfc), 5.0),
}


def builds() -> list[str]:
    """The instruction sets that were built and that this processor runs."""
    if REASON is not None:
        return []
    from etude.backends.c_library import built

    return [isa for isa, module in built().items() if module.lib.cpu_runs(isa.encode())]


def run(isa: str, name: str, x: np.ndarray) -> np.ndarray:
    """A unary function of float32 by one build."""
    from etude.backends.c_library import built

    module: Any = built()[isa]
    names = module.ffi.string(module.lib.elementwise_names(1)).decode().split()
    y = np.empty_like(x)
    given = module.ffi.from_buffer(y), module.ffi.from_buffer(x), x.size
    module.lib.elementwise_unary(names.index(name) * 5, *given)
    return y


def everywhere() -> np.ndarray:
    """float32 of all magnitudes and signs, the interesting ones more densely, and edges."""
    bits = np.arange(0, 1 << 32, 76_543, dtype=np.uint64).astype(np.uint32).view(np.float32)
    lines = [np.linspace(low, high, 40_001) for low, high in ((-110, 100), (-6, 6), (0.4, 1.6))]
    near = np.geomspace(1e-8, 1.0, 5_001)
    parts = [bits, *lines, near, -near, np.array(EDGES)]
    return np.concatenate([part.astype(np.float32) for part in parts])


def units(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The error in units of the last place of the expected float32; 0 where both are not finite."""
    with np.errstate(all="ignore"):
        rounded = expected.astype(np.float32)
        error = np.abs(got.astype(np.float64) - expected) / np.spacing(np.abs(rounded))
    alike = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(alike, 0.0, np.where(np.isfinite(got) & np.isfinite(rounded), error, np.inf))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("isa", builds())
def test_the_error_is_within_its_bound(isa: str, name: str) -> None:
    reference, bound = FUNCTIONS[name]
    x = everywhere()
    with np.errstate(all="ignore"):
        expected = reference(x.astype(np.float64))
    error = units(run(isa, name, x), expected)
    worst = int(error.argmax())
    assert error[worst] <= bound, f"{name}({x[worst]!r}) is {error[worst]:.2f} units off"


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("isa", builds())
def test_zeros_keep_their_sign(isa: str, name: str) -> None:
    x = np.array([0.0, -0.0], np.float32)
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name][0](x.astype(np.float64))
    assert np.signbit(run(isa, name, x)).tolist() == np.signbit(expected).tolist()


@pytest.mark.parametrize("isa", builds())
def test_gelu_keeps_the_digits_of_its_tail(isa: str) -> None:
    x = np.linspace(-13.0, 20.0, 100_001).astype(np.float32)
    wide = x.astype(np.float64)
    expected = 0.5 * wide * each(math.erfc)(-wide * math.sqrt(0.5))
    bound = 8.0 + np.where(x < 0, 2.0 * wide * wide, 0.0)
    assert (units(run(isa, "gelu", x), expected) <= bound).all()
    ends = run(isa, "gelu", np.array([np.inf, -np.inf, np.nan, 0.0], np.float32))
    np.testing.assert_array_equal(ends, np.array([np.inf, np.nan, np.nan, 0.0], np.float32))


@pytest.mark.parametrize("isa", builds())
def test_an_element_does_not_depend_on_its_place(isa: str) -> None:
    x = np.linspace(-5.0, 5.0, 37).astype(np.float32)
    for name in ("exp", "tanh", "gelu", "sigmoid"):
        whole = run(isa, name, x)
        alone = [run(isa, name, x[i : i + 1].copy())[0] for i in range(x.size)]
        assert whole.tolist() == [float(y) for y in alone]
