"""What the case table cannot hold: second names, Python values, named results."""

from __future__ import annotations

import inspect
from math import inf, nan
from typing import Any

import pytest

import etude
from etude import functional as F
from etude.framework.composed.aliases import ALIASES


@pytest.mark.parametrize("alias, name", ALIASES.items())
def test_a_second_name_is_the_same_function(alias: str, name: str) -> None:
    assert inspect.unwrap(getattr(F, alias)) is inspect.unwrap(getattr(F, name))
    torch = pytest.importorskip("torch")
    assert hasattr(torch, alias) or hasattr(torch.special, alias)


def test_allclose_and_equal_give_python_bools() -> None:
    x = etude.tensor([1.0, 2.0])
    assert F.allclose(x, x + 1e-7) is True
    assert F.allclose(x, x + 1e-3) is False
    assert F.allclose(x, x + 1e-3, atol=0.01) is True
    assert F.allclose(etude.tensor([nan, inf]), etude.tensor([nan, inf])) is False
    assert F.allclose(etude.tensor([nan, inf]), etude.tensor([nan, inf]), equal_nan=True) is True
    assert F.equal(x, x.clone()) is True
    assert F.equal(x, x + 1) is False
    assert F.equal(x, x.unsqueeze(0)) is False
    assert F.equal(etude.zeros(0), etude.zeros(0)) is True


def test_broadcast_shapes() -> None:
    assert F.broadcast_shapes((2, 1), (3,), 1) == (2, 3)
    assert F.broadcast_shapes() == ()
    with pytest.raises(etude.framework.errors.ShapeError, match=r"\[broadcast_shapes\]"):
        F.broadcast_shapes((2,), (3,))


@pytest.mark.parametrize(
    "result, names",
    [
        (lambda x: x.max(0), ("values", "indices")),
        (lambda x: x.sort(), ("values", "indices")),
        (lambda x: x.topk(1), ("values", "indices")),
        (lambda x: x.median(1), ("values", "indices")),
        (lambda x: x.cummax(1), ("values", "indices")),
        (lambda x: x.aminmax(), ("min", "max")),
    ],
)
def test_results_have_the_names_that_torch_gives_them(result: Any, names: tuple[str, ...]) -> None:
    x = etude.tensor([[3.0, 1.0], [2.0, 4.0]])
    found = result(x)
    assert found._fields == names
    assert all(a is b for a, b in zip(found, [getattr(found, name) for name in names]))


def test_many_factors_at_few_places_are_multiplied() -> None:
    """The segmented product of scatter_reduce against a plain loop, with many repetitions."""
    etude.manual_seed(3)
    index = etude.randint(0, 7, (200,))
    src = etude.rand(200, dtype=etude.float64) + 0.5
    found = F.scatter_reduce(etude.ones(7, dtype=etude.float64), 0, index, src, "prod").tolist()
    expected = [1.0] * 7
    for i, v in zip(index.tolist(), src.tolist()):
        expected[i] *= v
    assert found == pytest.approx(expected, rel=1e-12)


def test_einsum_takes_one_list_of_operands() -> None:
    a, b = etude.rand(2, 3), etude.rand(3, 4)
    assert F.equal(F.einsum("ij,jk->ik", [a, b]), F.einsum("ij,jk->ik", a, b))
