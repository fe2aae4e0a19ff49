"""How tensors, modules and summaries look in a notebook: HTML, with every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import prod
from typing import TYPE_CHECKING

from ..errors import EtudeError
from ..printing import number_rows

if TYPE_CHECKING:
    from ..graph.summary import Summary
    from ..nn import Module
    from ..tensor import Tensor

CELL = "text-align:right;font-family:monospace"
MOST_CELLS = 20  # along an axis of a table


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A table; all texts are escaped here."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{escape(c)}</td>' for c in row) + "</tr>"
        for row in rows
    )
    first = f"<thead><tr>{top}</tr></thead>" if head else ""
    return (
        f'<table><caption style="caption-side:top;text-align:left">{escape(caption)}</caption>'
        f"{first}<tbody>{body}</tbody></table>"
    )


def tensor_html(t: Tensor) -> str:
    """A caption with shape, dtype and backend; a table for one or two axes, else the repr."""
    facts = [f"{t.dtype}", t.backend.name]
    if t.node is not None:
        facts.append(f"grad_fn {t.node.op.name}")
    elif t.requires_grad:
        facts.append("requires grad")
    caption = f"tensor {t.shape}, {', '.join(facts)}"
    if len(t.shape) in (1, 2) and all(0 < n <= MOST_CELLS for n in t.shape):
        try:
            return _table((), number_rows(t), caption)
        except EtudeError:  # a symbolic tensor has no values yet
            pass
    return f"<div>{escape(caption)}</div><pre>{escape(repr(t))}</pre>"


def module_html(module: Module) -> str:
    """A table of the layers, by name: arguments and parameters; the totals above it."""
    seen: set[int] = set()
    rows = []
    for name, part in module.named_modules():
        own = [p for p in part.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        count = sum(prod(p.shape) for p in own)
        leaf = not list(part.children())
        kind = type(part).__name__
        text = repr(part) if leaf else kind
        rows.append((name or "(model)", " ".join(text.split()), f"{count:,}" if count else ""))
    total = sum(prod(p.shape) for p in module.parameters())
    free = sum(prod(p.shape) for p in module.parameters() if p.requires_grad)
    caption = f"{type(module).__name__}: {total:,} parameters ({free:,} trainable)"
    return _table(("layer", "form", "parameters"), rows, caption)


def summary_html(found: Summary) -> str:
    """The table of a graph.summary.Summary: layers, output shapes, parameters, cost."""
    rows = [
        (s.name, s.kind, str(s.shape), f"{s.parameters:,}", f"{s.flops:,}", f"{s.bytes:,}")
        for s in found.layers
    ]
    caption = (
        f"{found.parameters:,} parameters ({found.trainable:,} trainable), {found.flops:,} "
        f"operations forward, {found.activation_bytes:,} bytes of activations"
    )
    head = ("layer", "kind", "output", "parameters", "operations", "bytes of the output")
    return _table(head, rows, caption)
