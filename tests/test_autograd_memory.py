"""Deep graphs, and memory: what backward frees, without the garbage collector's help."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import etude
from etude import functional as F

DEPTH = 100_000


@pytest.fixture
def no_collector(small_heap: None) -> Iterator[None]:
    """References alone must free what is freed here."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def chain(depth: int) -> tuple[Any, Any]:
    x = etude.ones(2, requires_grad=True)
    y = x
    for _ in range(depth):
        y = y + 1.0
    return x, y


def test_a_graph_100000_nodes_deep(no_collector: None) -> None:
    x, y = chain(DEPTH)
    assert y.tolist() == [DEPTH + 1] * 2
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_a_deep_graph_that_is_never_used_is_freed(no_collector: None) -> None:
    _, y = chain(DEPTH)
    top = weakref.ref(y.node)
    bottom = y.node
    while bottom.inputs[0].node is not None:
        bottom = bottom.inputs[0].node
    below = weakref.ref(bottom)
    del y, bottom
    assert top() is None
    assert below() is None


def test_a_deep_graph_differentiated_twice(no_collector: None) -> None:
    x = etude.ones((), dtype="float64", requires_grad=True)
    y = x
    for _ in range(2_000):
        y = y * x
    (g,) = etude.grad(y, x, create_graph=True)
    (h,) = etude.grad(g, x)
    assert (g.item(), h.item()) == (2001, 2001 * 2000)


def a_network() -> tuple[list[Any], Any, list[weakref.ref[Any]]]:
    """Parameters, a loss, and weak references to all that lies between."""
    parameters = [
        etude.rand(4, 3, 3, 3, requires_grad=True),
        etude.rand(4, requires_grad=True),
        etude.ones(4, requires_grad=True),
        etude.zeros(4, requires_grad=True),
        etude.rand(3, 36, requires_grad=True),
    ]
    w, b, scale, shift, v = parameters
    images, labels = etude.rand(2, 3, 8, 8), etude.tensor([0, 2])
    h = F.conv2d(images, w, b)
    h = F.batch_norm(h, etude.zeros(4), etude.ones(4), scale, shift, training=True)
    loss = F.cross_entropy(F.linear(F.max_pool2d(h.relu(), 2).flatten(1), v), labels)
    between: list[weakref.ref[Any]] = []
    waiting = [loss.node]
    while waiting:
        node = waiting.pop()
        between.append(weakref.ref(node))
        for t in node.inputs:
            if getattr(t, "node", None) is not None:
                between.append(weakref.ref(t))
                waiting.append(t.node)
    return parameters, loss, between


def alive(references: list[weakref.ref[Any]]) -> int:
    return sum(r() is not None for r in references)


def test_backward_frees_what_lay_between(no_collector: None) -> None:
    parameters, loss, between = a_network()
    assert alive(between) == len(between) > 10
    loss.backward()
    assert alive(between) == 1  # the node of the loss, emptied
    assert loss.node.inputs is None
    assert all(p.grad is not None for p in parameters)


def test_dropping_the_loss_frees_what_lay_between(no_collector: None) -> None:
    parameters, loss, between = a_network()
    del loss
    assert alive(between) == 0
    assert parameters[0].grad is None


def test_retain_graph_keeps_it_until_the_loss_goes(no_collector: None) -> None:
    _, loss, between = a_network()
    loss.backward(retain_graph=True)
    assert alive(between) == len(between)
    del loss
    assert alive(between) == 0


def test_gradients_with_a_graph_make_no_cycle(no_collector: None) -> None:
    """grad(create_graph=True) hangs nothing on the leaves."""
    parameters, loss, between = a_network()
    gradients = etude.grad(loss, parameters, create_graph=True)
    penalty = sum((g * g).sum() for g in gradients)
    top = weakref.ref(penalty.node)
    penalty.backward()
    del penalty, gradients, loss
    assert top() is None
    assert alive(between) == 0


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_a_failed_op_leaves_nothing_behind(no_collector: None, backend: str) -> None:
    x = etude.ones(3, requires_grad=True, backend=backend)
    y = x * 2.0
    node = weakref.ref(y.node)
    with suppress(etude.errors.ShapeError):
        y @ etude.ones(4, backend=backend)
    del y
    assert node() is None


def living() -> dict[int, Any]:
    return {id(o): o for o in gc.get_objects() if issubclass(type(o), etude.Tensor)}


def test_training_steps_leave_no_objects(no_collector: None) -> None:
    """From the second step on the number of living tensors stays the same."""
    others = living()  # held here, so that no new tensor takes the place of one
    model = etude.nn.Sequential(
        etude.nn.Linear(4, 8), etude.nn.BatchNorm1d(8), etude.nn.Tanh(), etude.nn.Linear(8, 3)
    )
    optimizer = etude.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, labels = etude.rand(5, 4), etude.tensor([0, 1, 2, 0, 1])
    counts = []
    for _ in range(4):
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
        counts.append(len(living().keys() - others.keys()))
    assert counts[1] == counts[2] == counts[3]
