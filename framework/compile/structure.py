"""Nests of values: what a function is given and returns, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import CallError, fail
from ..graph.open_numbers import is_open
from ..guard import came
from ..tensor import Tensor

Build = Callable[[Sequence[Any]], Any]
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), slice, range)


def take_apart(result: Any, leaves: list[Any]) -> Build:
    """Collect the tensors and open numbers of a nest; the function puts others in their places."""
    if isinstance(result, Tensor) or is_open(result):
        leaves.append(result)
        at = len(leaves) - 1
        return lambda values: values[at]
    if isinstance(result, (tuple, list)):
        parts = [take_apart(r, leaves) for r in result]
        kind: Any = type(result)
        make = getattr(kind, "_make", kind)  # named tuples
        return lambda values: make([p(values) for p in parts])
    if isinstance(result, dict):
        named = {k: take_apart(r, leaves) for k, r in result.items()}
        return lambda values: {k: p(values) for k, p in named.items()}
    hidden = [v for v in getattr(result, "__dict__", {}).values() if isinstance(v, Tensor)]
    if hidden:
        raise fail(
            CallError,
            "compile",
            f"expected results in tuples, lists and dicts, got tensors in {came(result)}; return "
            "them in a dict",
        )
    return lambda values: result
