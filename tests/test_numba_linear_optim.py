"""A layer's weights that step while their gradient is made, on Numba: the bits of two calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude

if etude.backends.available()["numba"] is not None:
    pytest.skip("numba is not available here", allow_module_level=True)

import numba

from etude.backends.defaults.linear_optim import LinearOptimDefaults

ENGINE: Any = etude.backends.get("numba")
SGD, ADAM = (0.1, 0.9, 0.1, 0.01), (3, 0.1, 0.9, 0.99, 1e-8, 0.01, True)
RULES = [
    ("linear_grad_sgd", 0, (*SGD, False)),
    ("linear_grad_sgd", 1, (*SGD, False)),
    ("linear_grad_sgd", 1, (*SGD, True)),
    ("linear_grad_adam", 2, ADAM),
]


def draw(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def bits(method: Any, sizes: Any, needs: Any, kept: int, rule: Any) -> list[bytes | None]:
    """Gradients, weights and what the optimizer keeps, after one call."""
    batch, inputs, outputs = sizes
    g, x, w = draw(batch, outputs), draw(batch, inputs), draw(outputs, inputs)
    more = [abs(w) + k for k in range(kept)] or [None]
    found = method(g, x, w, needs, *more, *rule)
    return [a if a is None else a.tobytes() for a in (*found, w, *more)]


@pytest.mark.parametrize("name, kept, rule", RULES)
@pytest.mark.parametrize("sizes", [(64, 130, 257), (3, 33, 5), (129, 20, 30)])
@pytest.mark.parametrize("needs", [(True, True, True), (False, True, False)])
def test_together_as_one_after_the_other(
    name: str, kept: int, rule: Any, sizes: Any, needs: Any
) -> None:
    apart = getattr(LinearOptimDefaults, name).__get__(ENGINE)
    expected, before = bits(apart, sizes, needs, kept, rule), numba.get_num_threads()
    assert bits(getattr(ENGINE, name), sizes, needs, kept, rule) == expected
    try:
        numba.set_num_threads(1)
        assert bits(getattr(ENGINE, name), sizes, needs, kept, rule) == expected
    finally:
        numba.set_num_threads(before)
