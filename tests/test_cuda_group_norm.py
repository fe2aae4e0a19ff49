"""Group norm on CUDA, simulated: groups that a warp or a block keeps, and larger ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend

import etude
from etude.backends import cuda_group_norm, cuda_norm

RNG = np.random.default_rng(12)
NUMPY = etude.backends.get("numpy")
EPS = 1e-5


def wide(x: np.ndarray | None) -> np.ndarray | None:
    return None if x is None else x.astype("f8")


def agree(x: np.ndarray, groups: int, affine: bool) -> None:
    """Both methods' results are NumPy's in float64."""
    own = x.shape[1:2]
    w, b = ((RNG.standard_normal(own) + 1).astype(x.dtype) if affine else None for _ in range(2))
    g = RNG.standard_normal(x.shape).astype(x.dtype)
    expected = NUMPY.group_norm(wide(x), wide(w), wide(b), groups, EPS)
    back = NUMPY.group_norm_grad(wide(g), wide(x), wide(w), *expected[1:])
    with cuda_backend() as backend:

        def put(z: np.ndarray | None) -> Any:
            return None if z is None else backend.from_host(memoryview(z), z.shape, str(z.dtype))

        def got(results: Any) -> list[np.ndarray]:
            return [np.array(backend.to_host(y), y.dtype).reshape(y.shape) for y in results]

        found = backend.group_norm(put(x), put(w), put(b), groups, EPS)
        grads = got(backend.group_norm_grad(put(g), put(x), put(w), *found[1:]))
        found = got(found)
    for y, z in zip([*found, *grads], [*expected, *back], strict=True):
        np.testing.assert_allclose(y, z, 1e-4, 1e-4)


@pytest.mark.parametrize("most", [32, 1, 0])
@pytest.mark.parametrize("affine", [False, True])
def test_groups_of_all_sizes(most: int, affine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a warp, by a block, and merged from parts."""
    monkeypatch.setattr(cuda_group_norm, "MOST", most)
    agree((RNG.standard_normal((2, 4, 4, 5)) + 3).astype("f4"), 2, affine)
    agree(RNG.standard_normal((1, 6, 7)), 2, affine)


def test_large_planes_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_group_norm, "MOST", 0)
    monkeypatch.setattr(cuda_norm, "SIMULATED", 4)
    for plane in (300, 600):
        monkeypatch.setattr(cuda_group_norm, "PLANE", 250)
        agree(RNG.standard_normal((1, 2, plane)).astype("f4"), 1, True)


def test_no_examples() -> None:
    agree(np.zeros((0, 4, 2), "f4"), 2, True)
