"""Hooks on the gradients of tensors."""

from __future__ import annotations

import gc
import weakref

import pytest

import etude
from etude.framework.errors import GradError, ShapeError


@pytest.fixture(params=["numpy", "python"])
def x(request):
    return etude.tensor([1.0, 2.0], requires_grad=True, backend=request.param)


def test_a_leaf_hook_sees_the_whole_gradient_once(x):
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 3.0 + x * 4.0).sum().backward()
    assert seen == [[7.0, 7.0]]
    assert x.grad.tolist() == [7.0, 7.0]


def test_a_hook_replaces_the_gradient_and_can_be_removed(x):
    handle = x.register_hook(lambda g: g * 10.0)
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == [20.0, 20.0]
    handle.remove()
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == [22.0, 22.0]


def test_a_hook_on_a_result_changes_what_flows_on(x):
    y = x * 2.0
    y.register_hook(lambda g: g + 1.0)
    (y * 5.0).sum().backward()
    assert x.grad.tolist() == [12.0, 12.0]


def test_hooks_run_in_order(x):
    x.register_hook(lambda g: g + 1.0)
    x.register_hook(lambda g: g * 2.0)
    x.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_hooks_on_one_of_several_outputs(x):
    values, _ = etude.max(x.reshape(1, 2), 1)
    values.register_hook(lambda g: g * 3.0)
    values.sum().backward()
    assert x.grad.tolist() == [0.0, 3.0]


def test_hooks_of_grad(x):
    x.register_hook(lambda g: g * 2.0)
    (g,) = etude.grad((x * x).sum(), [x])
    assert g.tolist() == [4.0, 8.0]


def test_retain_grad_keeps_a_result_s_gradient(x):
    y = x * 2.0
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 8.0]


def test_a_hook_dies_with_its_graph(x):
    y = x * 2.0
    y.retain_grad()
    node = weakref.ref(y.node)
    del y
    gc.collect()
    assert node() is None


def test_wrong_hooks(x):
    with pytest.raises(GradError, match="requires_grad_"):
        etude.ones(2).register_hook(lambda g: g)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match=r"a gradient \(2,\), got \(\)"):
        x.sum().backward()
