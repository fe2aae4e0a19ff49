"""Wrong calls of the graph: backward, grad, and changes under its feet."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude.framework.errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    DTypeError,
    GradError,
    ShapeError,
)


def leaf(*shape: int) -> Any:
    return etude.ones(shape, requires_grad=True)


def twice() -> None:
    y = (leaf(3) ** 3).sum()
    y.backward()
    y.backward()


def shared_twice() -> None:
    middle = leaf(3) * 2.0
    middle.sum().backward()
    middle.prod().backward()


def change_leaf() -> None:
    w = leaf(3)
    y = (w * w).sum()
    with etude.no_grad():
        w.add_(1.0)
    y.backward()


def change_constant() -> None:
    w, c = leaf(3), etude.ones(3)
    y = (w * c).sum()
    c[0] = 5.0
    y.backward()


def grad_of_used() -> Any:
    w = leaf(3)
    y = (w * w).sum()
    etude.grad(y, w)
    return etude.grad(y, w)


def without_graph() -> None:
    w = leaf(3)
    with etude.no_grad():
        y = (w * w).sum()
    y.backward()


def second_without_create_graph() -> Any:
    w = leaf()
    (g,) = etude.grad(w**3, w)
    return etude.grad(g, w)


def unused() -> Any:
    return etude.grad(leaf(3).sum(), leaf(2))


def computed() -> Any:
    return leaf(2, 3) * 2.0


WRONG = [
    Wrong("backward twice", twice, GradError, "'sum'", "retain_graph=True"),
    Wrong(
        "backward twice through a shared part",
        shared_twice,
        GradError,
        "'mul'",
        "retain_graph=True",
    ),
    Wrong("backward after a leaf changed", change_leaf, GradError, "(3,)", "'mul'", "clone()"),
    Wrong("backward after a constant changed", change_constant, GradError, "(3,)", "'mul'"),
    Wrong(
        "backward of many elements", lambda: computed().backward(), GradError, "(2, 3)", ".sum()"
    ),
    Wrong(
        "backward without a graph",
        lambda: etude.ones(1).backward(),
        GradError,
        "(1,)",
        "requires_grad=True",
    ),
    Wrong("backward recorded under no_grad", without_graph, GradError, "no_grad()"),
    Wrong("backward of whole numbers", lambda: etude.tensor(3).backward(), GradError, "()"),
    Wrong("backward of an argmax", lambda: leaf(3).argmax().backward(), GradError, "()"),
    Wrong("backward of a detached tensor", lambda: leaf(1).detach().backward(), GradError, "(1,)"),
    Wrong(
        "backward a gradient of another shape",
        lambda: computed().backward(etude.ones(2)),
        ShapeError,
        "(2, 3)",
        "(2,)",
    ),
    Wrong(
        "backward a gradient of another dtype",
        lambda: computed().backward(etude.ones(2, 3, dtype="float64")),
        DTypeError,
        "float64",
        "float32",
    ),
    Wrong(
        "backward a number as gradient",
        lambda: computed().backward(1.0),
        CallError,
        "the number 1.0",
    ),
    Wrong(
        "backward a list as gradient",
        lambda: computed().backward([[1.0] * 3] * 2),
        CallError,
        "gradient",
    ),
    Wrong(
        "backward a gradient elsewhere",
        lambda: computed().backward(etude.ones(2, 3, backend="python")),
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "backward unknown argument",
        lambda: computed().backward(retain=True),
        CallError,
        "'retain'",
        "'retain_graph'",
    ),
    Wrong("backward grad of a used graph", grad_of_used, GradError, "'sum'"),
    Wrong("grad of an unused input", unused, GradError, "1", "allow_unused=True"),
    Wrong("grad twice without create_graph", second_without_create_graph, GradError, "()"),
    Wrong(
        "grad for a constant",
        lambda: etude.grad(leaf(3).sum(), etude.ones(3)),
        GradError,
        "(3,)",
        "requires_grad_()",
    ),
    Wrong("grad for a number", lambda: etude.grad(leaf(3).sum(), 3), CallError, "the number 3"),
    Wrong("grad of a number", lambda: etude.grad(3, leaf(3)), CallError, "the number 3"),
    Wrong("grad for nothing", lambda: etude.grad(leaf(3).sum(), []), ArgumentError, "0 inputs"),
    Wrong("grad of many elements", lambda: etude.grad(leaf(3) * 2.0, leaf(3)), GradError, "(3,)"),
    Wrong(
        "grad too many grad_outputs",
        lambda: etude.grad(leaf(3).sum(), leaf(3), [None, None]),
        ArgumentError,
        "2 grad_outputs",
    ),
    Wrong(
        "grad grad_outputs of another shape",
        lambda: etude.grad(leaf(3) * 2.0, leaf(3), etude.ones(2)),
        ShapeError,
        "(2,)",
    ),
    Wrong(
        "gradcheck in float32",
        lambda: etude.gradcheck(etude.exp, leaf(3)),
        DTypeError,
        "float32",
        "float64",
    ),
    Wrong(
        "gradcheck without gradients",
        lambda: etude.gradcheck(etude.exp, etude.ones(3)),
        GradError,
        "requires_grad_()",
    ),
    Wrong(
        "gradcheck of a number", lambda: etude.gradcheck(etude.exp, 3), CallError, "the number 3"
    ),
]
