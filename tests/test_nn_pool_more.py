"""Pooling layers beside the plain ones: against torch's, and against the functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude import nn

LAYERS = [
    ("AdaptiveMaxPool1d(3)", (2, 3, 7)),
    ("AdaptiveMaxPool2d((2, None))", (2, 3, 5, 4)),
    ("AdaptiveMaxPool2d(1)", (2, 3, 5, 4)),
    ("AdaptiveMaxPool3d(2)", (1, 2, 4, 4, 5)),
    ("LPPool1d(2, 3, 2)", (2, 3, 7)),
    ("LPPool2d(2, 2)", (2, 3, 5, 4)),
    ("LPPool2d(4.0, (2, 3), stride=1, ceil_mode=True)", (2, 3, 5, 4)),
    ("LPPool3d(2, 2)", (1, 2, 4, 4, 5)),
]


@pytest.mark.parametrize("make, shape", LAYERS)
def test_layers_are_torch_s(make: str, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch", reason="the layers are compared with torch's")
    ours, theirs = eval(f"nn.{make}"), eval(f"nn.{make}", {"nn": torch.nn})
    data = np.random.default_rng(0).uniform(0.1, 2.0, shape)
    x, tx = etude.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, ty = ours(x), theirs(tx)
    np.testing.assert_allclose(y.detach().numpy(), ty.detach().numpy(), rtol=1e-10)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), tx.grad.numpy(), rtol=1e-10, atol=1e-12)
    assert repr(ours) == repr(theirs)


UNPOOLS = [
    ("Pool1d(2)", (2, 3, 7)),
    ("Pool2d(2)", (2, 3, 6, 4)),
    ("Pool2d(3, 2, 1)", (1, 2, 7, 7)),
    ("Pool3d(2)", (1, 2, 4, 4, 4)),
]


@pytest.mark.parametrize("make, shape", UNPOOLS)
def test_unpooling_is_torch_s(make: str, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch", reason="the layers are compared with torch's")
    found = []
    for library in (etude, torch):
        inner = make.replace(")", ", return_indices=True)")
        pool = eval(f"nn.Max{inner}", {"nn": library.nn})
        undo = eval(f"nn.MaxUn{make[0].lower()}{make[1:]}", {"nn": library.nn})
        x = library.tensor(
            np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) * 1.0
        )
        found.append(undo(*pool(x), output_size=shape).numpy())
        found.append(repr(undo))
    np.testing.assert_array_equal(found[0], found[2])
    assert found[1] == found[3]


def test_pyramids_and_regions_are_the_functions() -> None:
    x: Any = etude.randn(2, 3, 7, 9)
    boxes = etude.tensor([[1.0, 0.0, 2.0, 40.0, 30.0]])
    pool, pyramid = nn.RoIPool((3, 2), 0.2), nn.SpatialPyramidPool((3, 1), "avg")
    assert F.equal(pool(x, boxes), F.roi_pool(x, boxes, (3, 2), 0.2))
    assert F.equal(pyramid(x), F.spatial_pyramid_pool(x, (3, 1), "avg"))
    assert repr(pool) == "RoIPool(output_size=(3, 2), spatial_scale=0.2)"
    assert repr(pyramid) == "SpatialPyramidPool(levels=(3, 1), mode='avg')"


def test_a_pyramid_has_one_length_for_images_of_all_sizes() -> None:
    sizes = [(13, 13), (6, 20), (3, 2)]
    assert {nn.SpatialPyramidPool()(etude.randn(1, 4, *s)).shape for s in sizes} == {(1, 84)}


def test_vectors_come_out_on_the_unit_sphere() -> None:
    y = nn.L2Normalize()(etude.tensor([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(y.numpy(), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    assert repr(nn.L2Normalize()) == "L2Normalize(dim=1, eps=1e-12)"
