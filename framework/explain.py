"""A report on the graph behind a loss, for a gradient that looks wrong."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod, sqrt
from typing import TYPE_CHECKING

from .anomaly import span
from .autograd import Node
from .errors import GradError, fail
from .sweep import grad

if TYPE_CHECKING:
    from .tensor import Tensor

LARGE = 1e6


@dataclass
class Finding:
    """One tensor of the graph: its values, and the gradient that reaches it."""

    order: int  # 0 for leaves, else the clock of the node
    op: str
    shape: tuple[int, ...]
    span: str
    zeros: float  # share of exact zeros among the values
    bad: int  # nan or inf among the values
    grad_norm: float  # nan if no gradient arrives
    suspicion: str = ""


def graph_tensors(loss: Tensor) -> list[Tensor]:
    """The loss and every tensor behind it that requires a gradient, newest first, leaves last."""
    found: dict[object, Tensor] = {}
    waiting = [loss]
    while waiting:
        t = waiting.pop()
        key: object = id(t) if t.node is None else (t.node, t.index)
        if key in found:
            continue
        found[key] = t
        if t.node is not None:
            waiting += [x for x in _inputs(t.node) if getattr(x, "requires_grad", False)]
    return sorted(found.values(), key=lambda t: -t.node.order if t.node else 0)


def _inputs(node: Node) -> tuple[Tensor, ...]:
    if node.inputs is None:
        raise fail(
            GradError,
            "explain",
            f"expected a graph that backward() has not freed, got one through {node.op.name!r}; "
            "call explain() before it, or backward(retain_graph=True)",
        )
    return node.inputs


def examine(loss: Tensor) -> list[Finding]:
    """A Finding for each tensor of the graph, newest first. Leaves every `.grad` alone."""
    chain = graph_tensors(loss)
    start = loss if prod(loss.shape) == 1 else loss.sum()
    gradients = grad(start, chain, retain_graph=True, allow_unused=True)
    findings = []
    for t, g in zip(chain, gradients, strict=True):
        values = _flat(t)
        order, op = (t.node.order, t.node.op.name) if t.node else (0, "leaf")
        bad = sum(not isfinite(v) for v in values)
        zeros = sum(v == 0 for v in values) / max(len(values), 1)
        norm = float("nan") if g is None else sqrt(sum(v * v for v in _flat(g)))
        findings.append(Finding(order, op, t.shape, span(t), zeros, bad, norm))
        findings[-1].suspicion = _suspect(findings[-1], g)
    return findings


def _flat(t: Tensor) -> list[float]:
    return list(t.backend.to_host(t.buffer)) if prod(t.shape) else []


def _suspect(f: Finding, g: Tensor | None) -> str:
    """What is wrong with a tensor, or nothing."""
    if f.bad:
        return f"{f.bad} values are nan or inf"
    if g is None:
        return "no gradient arrives"
    if not isfinite(f.grad_norm):
        return "its gradient holds nan or inf"
    if f.grad_norm == 0 and 0 not in f.shape:
        return "its gradient is zero"
    if f.grad_norm > LARGE:
        return f"its gradient is larger than {LARGE:g}"
    return "all values are zero" if f.zeros == 1 and f.order and f.shape else ""


def culprit(findings: list[Finding]) -> Finding | None:
    """The oldest tensor with bad values; without any, the newest suspicious one."""
    bad = [f for f in findings if f.bad]
    if bad:
        return min(bad, key=lambda f: f.order)
    return next((f for f in findings if f.suspicion), None)


def explain(loss: Tensor) -> str:
    """A table of the graph behind `loss`, newest first; the first suspicious tensor is marked.

    Each line: the op, the shape and range of its result, the share of zeros, the count of nan and
    inf, the norm of the gradient that reaches it. Suspicious are nan and inf, gradients that are
    zero, missing or above 1e6, and results that are all zero. The graph and every `.grad` stay.
    """
    findings = examine(loss)
    first = culprit(findings)
    lines = [f"{'op':<20}{'shape':<20}{'range':<24}{'zeros':>7}{'bad':>6}{'|grad|':>11}"]
    for f in findings:
        mark = "  <-- first: " if f is first else "  "
        lines.append(
            f"{f.op:<20}{f.shape!s:<20}{f.span:<24}{f.zeros:>7.0%}{f.bad:>6}{f.grad_norm:>11.3g}"
            f"{mark}{f.suspicion}".rstrip()
        )
    return "\n".join(lines if first else [*lines, "nothing suspicious"])
