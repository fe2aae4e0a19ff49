"""The signature of a call: what must be the same for a recording to stand for it.

Of tensors that is shape, dtype, backend and whether they want a gradient, never the values; of
everything else the value, or the object itself.
"""

from __future__ import annotations

from typing import Any

from ..autograd import recording
from ..creation import preferred
from ..errors import CallError, fail
from ..guard import came
from ..tensor import Tensor
from .discover import Found
from .structure import PLAIN


def signature(args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Tensor]) -> Any:
    """The part of the key that comes from the arguments; the tensors among them go to `leaves`."""
    parts: list[Any] = [recording.get(), preferred.get()]
    for x in args:
        if type(x) is Tensor:
            leaves.append(x)
            parts.append((x.shape, x.dtype, x.backend, x.requires_grad, Tensor))
        else:
            parts.append(_part(x, leaves))
    for name, x in kwargs.items():
        parts.append((name, _part(x, leaves)))
    many = len(leaves)
    if many > 1 and (leaves[0] is leaves[1] or many > 2) and len(set(map(id, leaves))) < many:
        first: dict[int, int] = {}
        parts.append([first.setdefault(id(t), i) for i, t in enumerate(leaves)])
    return parts


def _part(x: Any, leaves: list[Tensor]) -> Any:
    if isinstance(x, Tensor):
        leaves.append(x)
        return x.shape, x.dtype, x.backend, x.requires_grad, type(x)
    if isinstance(x, PLAIN):
        return type(x), repr(x) if isinstance(x, float) else x
    if isinstance(x, (tuple, list)):
        return type(x), [_part(v, leaves) for v in x]
    if isinstance(x, dict):
        return dict, [(k, _part(v, leaves)) for k, v in x.items()]
    if getattr(x, "shape", None) == () and hasattr(x, "item"):  # a number of NumPy's
        return type(x), repr(x)
    if hasattr(x, "__array_interface__") or hasattr(x, "__array__"):
        raise fail(
            CallError,
            "compile",
            f"expected tensors, nests of them or plain values as arguments, got {came(x)}; make "
            "it one with etude.tensor(...)",
        )
    return Same(x)


class Same:
    """An object that only equals itself; holds it, so that no other takes its place."""

    __slots__ = ("what",)

    def __init__(self, what: Any) -> None:
        self.what = what

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.what is self.what

    __hash__ = None  # type: ignore[assignment]


def opaque(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
    """The objects among the arguments that may hold state, for discover.py."""
    named = [*((f"argument{i}", x) for i, x in enumerate(args)), *kwargs.items()]
    return [(name, x) for name, x in named if not isinstance(x, (Tensor, *PLAIN, dict, list))]


def modes(found: Found) -> list[Any]:
    """What modules are set to: their mode and plain attributes, parts and hooks; tensors' hooks."""
    hooks = [list(map(id, t.hooks)) for _, t in found.tensors.values() if t.hooks]
    modules = [m for _, m in found.modules.values()]
    return [hooks, *([(k, _mode(v)) for k, v in vars(m).items()] for m in modules)]


def _mode(v: Any) -> Any:
    if isinstance(v, PLAIN):
        return type(v), repr(v) if isinstance(v, float) else v
    return [id(k) for k in v] if isinstance(v, dict) else id(v)
