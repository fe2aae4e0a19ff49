"""Containers: what they hold, slices, changes."""

from __future__ import annotations

import pytest

import etude
from etude import nn


def three() -> list[nn.Module]:
    return [nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)]


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_lists_of_modules(kind: type) -> None:
    a, b, c = parts = three()
    held = nn.Sequential(*parts) if kind is nn.Sequential else nn.ModuleList(parts)
    assert len(held) == 3
    assert list(held) == parts
    assert held[-1] is c
    assert b in held
    assert nn.ReLU() not in held
    assert isinstance(held[1:], kind)
    assert list(held[1:]) == [b, c]
    assert list(held[::2]) == [a, c]
    held.append(nn.Tanh()).extend([nn.Sigmoid()])
    held.insert(1, nn.Identity())
    assert [type(m).__name__ for m in held] == [
        "Linear",
        "Identity",
        "ReLU",
        "Linear",
        "Tanh",
        "Sigmoid",
    ]
    assert list(held.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    held[1] = nn.Softplus()
    assert isinstance(held[1], nn.Softplus)
    del held[1]
    del held[-2:]
    assert list(held) == parts
    held += [nn.ReLU6()]
    assert len(held) == 4
    assert len(held + [nn.ReLU()]) == 5
    assert len(held) == 4
    assert len(list(held.parameters())) == 4


def test_a_slice_shares_its_members() -> None:
    net = nn.Sequential(*three())
    x = etude.ones(3, 2)
    assert net[1:](net[:1](x)).tolist() == net(x).tolist()
    assert net[:1][0] is net[0]


def test_sequential_takes_names() -> None:
    net = nn.Sequential({"fc": nn.Linear(2, 3), "act": nn.Tanh()})
    assert list(net.state_dict()) == ["fc.weight", "fc.bias"]
    assert net.fc is net[0]
    assert next(net[1:].named_children())[0] == "act"
    assert net(etude.ones(1, 2)).shape == (1, 3)
    assert nn.Sequential()(5) == 5


def test_a_sequential_with_parts_of_its_own() -> None:
    class Scaled(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Identity())
            self.factor = nn.Parameter(etude.tensor(3.0))

        def forward(self, x: etude.Tensor) -> etude.Tensor:
            return super().forward(x) * self.factor

    net = Scaled()
    assert len(net) == 1
    assert net(etude.ones(1)).item() == 3.0
    assert len(net[:1]) == 1


def test_module_dict() -> None:
    held = nn.ModuleDict({"a": nn.Linear(1, 1)})
    held["b"] = nn.ReLU()
    held.update([("c", nn.Tanh())])
    assert list(held) == list(held.keys()) == ["a", "b", "c"]
    assert "b" in held
    assert len(held) == 3
    assert [name for name, _ in held.items()] == ["a", "b", "c"]
    assert held.pop("b").__class__ is nn.ReLU
    del held["c"]
    assert held.values() == [held["a"]]
    assert list(held.state_dict()) == ["a.weight", "a.bias"]
    other = nn.ModuleDict()
    other.update(held)
    assert other["a"] is held["a"]
    held.clear()
    assert len(held) == 0


def test_parameter_list() -> None:
    held = nn.ParameterList([etude.zeros(2), nn.Parameter(etude.ones(1))])
    held.append(etude.ones(3))
    assert len(list(held.parameters())) == len(held) == 3
    assert list(held.state_dict()) == ["0", "1", "2"]
    assert all(isinstance(p, nn.Parameter) for p in held)
    assert "(0): Parameter of shape (2,), float32" in repr(held)
    held[0] = nn.Parameter(etude.ones(5))
    assert held[0].shape == (5,)
