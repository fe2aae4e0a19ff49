"""How a tensor prints: torch's form, to the character, but for the names of dtypes and ops.

Four digits after the point; scientific notation where the numbers' sizes differ a thousandfold;
three elements from each end of an axis where there are more than a thousand in all.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf, isfinite, prod
from typing import TYPE_CHECKING, Any

from .capturing import capturing
from .dtypes import DEFAULT, bool_, int64
from .errors import EtudeError

if TYPE_CHECKING:
    from .tensor import Tensor

DIGITS, LONGEST, EDGE, LINE = 4, 1000, 3, 80
PREFIX = "tensor("
Style = tuple[int, Callable[[Any], str]]  # the width of a number, and a number as text


def tensor_repr(t: Tensor) -> str:
    """`tensor([[1., 2.]], dtype=..., backend=..., grad_fn=...)`, without the defaults."""
    facts = []
    empty = prod(t.shape) == 0
    try:
        body = "[]" if empty else _body(t)
    except EtudeError:  # a symbolic tensor has no values yet
        if capturing.get() is not None:
            raise
        body, empty = "...", True
    if empty and (len(t.shape) != 1 or body == "..."):
        facts.append(f"size={t.shape}")
    if t.dtype is not DEFAULT and (empty or t.dtype not in (int64, bool_)):
        facts.append(f"dtype={t.dtype!r}")
    if t.backend.name != "numpy":
        facts.append(f"backend={t.backend.name!r}")
    if t.node is not None:
        facts.append(f"grad_fn=<{t.node.op.name}>")
    elif t.requires_grad:
        facts.append("requires_grad=True")
    return _with_facts(PREFIX + body, facts)


def number_rows(t: Tensor) -> list[list[str]]:
    """The numbers of a tensor of one or two axes as texts, in the form in which it prints."""
    values = t.tolist()
    write = _style(_flat(values, len(t.shape)), t.dtype.is_floating_point)[1]
    return [[write(v) for v in row] for row in (values if len(t.shape) == 2 else [values])]


def _with_facts(text: str, facts: list[str]) -> str:
    """The facts after the numbers, on new lines where one is full."""
    used = len(text) - len(PREFIX) - text.rfind("\n") + 1
    if "\n" in text:
        used += len(PREFIX)
    for fact in facts:
        if used + len(fact) + 2 > LINE:
            text += ",\n" + " " * len(PREFIX) + fact
            used = len(PREFIX) + len(fact)
        else:
            text += ", " + fact
            used += len(fact) + 2
    return text + ")"


def _body(t: Tensor) -> str:
    short = prod(t.shape) > LONGEST
    values = _ends(t) if short else t.tolist()
    style = _style(_flat(values, len(t.shape)), t.dtype.is_floating_point)
    return _nested(values, t.shape, len(PREFIX), short, style)


def _ends(t: Tensor) -> Any:
    """The values at the ends of each long axis, as nested lists."""
    from .ops.layout import cat, narrow

    x = t.detach()
    for axis, size in enumerate(t.shape):
        if size > 2 * EDGE:
            x = cat([narrow(x, axis, 0, EDGE), narrow(x, axis, size - EDGE, EDGE)], axis)
    return x.tolist()


def _flat(values: Any, depth: int) -> list[Any]:
    if depth == 0:
        return [values]
    return [v for part in values for v in _flat(part, depth - 1)]


def _style(values: list[Any], floating: bool) -> Style:
    """One style for all numbers of a tensor."""
    if not floating:
        width = max(len(str(v)) for v in values)
        return width, lambda v: f"{v!s:>{width}}"
    finite = [v for v in values if isfinite(v) and v]
    sizes = [abs(v) for v in finite]
    low, high = min(sizes, default=1.0), max(sizes, default=1.0)
    if high / low > 1000.0 or high > 1e8 or low < 1e-4:
        form, tail = f".{DIGITS}e", ""
    elif all(v == ceil(v) for v in finite):
        form, tail = ".0f", "."
    else:
        form, tail = f".{DIGITS}f", ""
    width = max((len(f"{v:{form}}{tail}") for v in finite), default=1)
    return width, lambda v: f"{f'{v:{form}}' + (tail if abs(v) < inf else ''):>{width}}"


def _nested(values: Any, shape: tuple[int, ...], indent: int, short: bool, style: Style) -> str:
    """The values in brackets; `values` lacks the middle of long axes if `short`."""
    if not shape:
        return style[1](values)
    gap = short and shape[0] > 2 * EDGE
    if len(shape) == 1:
        return _row([style[1](v) for v in values], indent, gap, style[0])
    parts = [_nested(v, shape[1:], indent + 1, short, style) for v in values]
    if gap:
        parts.insert(EDGE, "...")
    return "[" + ("," + "\n" * (len(shape) - 1) + " " * (indent + 1)).join(parts) + "]"


def _row(texts: list[str], indent: int, gap: bool, width: int) -> str:
    if gap:
        texts.insert(EDGE, " ...")
    count = max(1, (LINE - indent) // (width + 2))
    lines = [", ".join(texts[i : i + count]) for i in range(0, len(texts), count)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
