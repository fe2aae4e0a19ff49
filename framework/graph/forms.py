"""The contract's methods by the shapes that they take and give, one line each.

A form names the sizes of each buffer, in the order of the method's arguments, and of each result:

    M K, N K, N? -> M N         linear: x (M, K), w (N, K), b (N,) or None, giving (M, N)

Equal letters are equal sizes; 4H is a multiple of H; *S stands for any sizes from there on; ()
is one number without axes. All buffers are of one float dtype, except i: (int64) and a: (any
dtype, the same for all that are marked so). Methods whose shapes follow from their other arguments
have a rule in rules.py instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from etude.backends.base import Shape, Value

from ..errors import EtudeError
from ..shape import broadcast

Spec = tuple[Shape, str]

FORMS = {
    "linear": "a:M K, a:N K, a:N? -> a:M N",
    "bias_activation": "M N, N -> M N",
    "binary_cross_entropy": "*S, *S -> *S",
    "softmax": "*S -> *S",
    "softmax_grad": "*S, *S -> *S",
    "log_softmax": "*S -> *S",
    "log_softmax_grad": "*S, *S -> *S",
    "cross_entropy": "N C, i:N -> N, N C",
    "cross_entropy_grad": "N, N C, i:N -> N C",
    "cross_entropy_mean": "N C, i:N -> (), N C, ()",
    "cross_entropy_mean_grad": "(), N C, i:N, () -> N C",
    "batch_norm": "N C *S, C?, C? -> N C *S, C, C",
    "batch_norm_grad": "N C *S, N C *S, C?, C, C -> N C *S, C, C",
    "batch_norm_relu": "N C *S, C?, C?, N C *S? -> N C *S, C, C",
    "batch_norm_relu_grad": "N C *S, N C *S, N C *S, C?, C, C -> N C *S, C, C",
    "layer_norm": "M D, D?, D? -> M D, M, M",
    "layer_norm_grad": "M D, M D, D?, M, M -> M D, D, D",
    "group_norm_grad": "N C *S, N C *S, C?, N G, N G -> N C *S, C, C",
    "local_response_norm": "N C *S -> N C *S, N C *S",
    "local_response_norm_grad": "N C *S, N C *S, N C *S -> N C *S",
    "lstm_cell": "N 4H, N H -> N H, N H, N 4H",
    "lstm_cell_grad": "N H, N H, N 4H, N H, N H -> N 4H, N H",
    "gru_cell": "N 3H, N 3H, N H -> N H, N 4H",
    "gru_cell_grad": "N H, N 4H, N H -> N 3H, N 3H, N H",
    "rnn": "T N H, H H, N H -> T N H",
    "rnn_grad": "T N H, T N H, H H, N H -> T N H, H H, N H",
    "lstm": "T N 4H, 4H H, N H, N H -> T N H, N H, T N H, T N 4H",
    "lstm_grad": "T N H, N H, T N H, T N H, T N 4H, 4H H, N H, N H -> T N 4H, 4H H, N H, N H",
    "gru": "T N 3H, 3H H, 3H?, N H -> T N H, T N 4H",
    "gru_grad": "T N H, T N H, T N 4H, 3H H, N H -> T N 3H, 3H H, 3H, N H",
    "gather": "a:R M, i:K -> a:K M",
    "max_pool_pick": "a:N C *S, i:N C *P -> a:N C *P",
    "scan": "a:*S -> a:*S",
    "argsort": "a:*S -> i:*S",
    "check_range": "a:*S ->",
}
FIXED = {"i": "int64", "b": "bool"}


class Misfit(ValueError):
    """Arguments that a method does not take."""


def need(holds: bool, expected: str, got: Any) -> None:
    """Raise Misfit unless something holds."""
    if not holds:
        raise Misfit(f"expected {expected}, got {got}")


def typed(v: Value) -> Spec:
    """Shape and dtype of a value."""
    assert v.shape is not None
    assert v.dtype is not None
    return v.shape, v.dtype


def one_dtype(*vs: Value | None, floats: bool = True) -> str:
    """The dtype that all have."""
    found = list(dict.fromkeys(typed(v)[1] for v in vs if v is not None))
    need(len(found) == 1, "buffers of one dtype", ", ".join(found))
    need(not floats or found[0].startswith("float"), "floats", found[0])
    return found[0]


def together(a: Shape, b: Shape) -> Shape:
    """The shape to which two broadcast."""
    try:
        return broadcast("shapes", a, b)
    except EtudeError as error:
        raise Misfit(str(error)) from None


class Part(NamedTuple):
    """One buffer of a form."""

    text: str
    kind: str  # "" for the common float dtype, or the letter before the colon
    sizes: tuple[str, ...]
    optional: bool


@cache
def parse(form: str) -> tuple[list[Part], list[Part]]:
    """The buffers before and after the arrow."""
    left, _, right = form.partition("->")
    return [_part(p) for p in left.split(",")], [_part(p) for p in right.split(",") if p.strip()]


def _part(text: str) -> Part:
    words = text.strip().removesuffix("?")
    kind, colon, sizes = words.rpartition(":")
    names = () if sizes == "()" else tuple(sizes.split())
    return Part(words, kind if colon else "", names, text.strip().endswith("?"))


def fit(form: str, buffers: Sequence[Value | None]) -> list[Spec]:
    """The results' shapes and dtypes. Raises Misfit where the buffers are not of the form."""
    inputs, outputs = parse(form)
    need(len(inputs) == len(buffers), f"{len(inputs)} buffers", len(buffers))
    sizes: dict[str, Any] = {}
    dtypes: dict[str, str] = dict(FIXED)
    for part, v in zip(inputs, buffers, strict=True):
        if v is None:
            need(part.optional, f"a buffer ({part.text})", None)
            continue
        shape, dtype = typed(v)
        found = dtypes.setdefault(part.kind, dtype)
        need(dtype == found, f"{found} for {part.text}", dtype)
        need(part.kind != "" or found.startswith("float"), f"floats for {part.text}", found)
        _bind(part, shape, sizes)
    return [(_made(part, sizes), dtypes[part.kind]) for part in outputs]


def _bind(part: Part, shape: Shape, sizes: dict[str, Any]) -> None:
    """Take the letters' sizes from a shape, or compare it with those known."""
    named, got = part.sizes, f"{shape} with {sizes}" if sizes else shape
    if named and named[-1].startswith("*"):
        cut = len(named) - 1
        need(len(shape) >= cut, part.text, got)
        need(sizes.setdefault(named[-1], shape[cut:]) == shape[cut:], part.text, got)
        named, shape = named[:-1], shape[:cut]
    need(len(named) == len(shape), part.text, got)
    for name, n in zip(named, shape, strict=True):
        times, letter = _multiple(name)
        need(n % times == 0 and sizes.setdefault(letter, n // times) * times == n, part.text, got)


def _made(part: Part, sizes: dict[str, Any]) -> Shape:
    shape: list[int] = []
    for name in part.sizes:
        if name.startswith("*"):
            shape += sizes[name]
        else:
            times, letter = _multiple(name)
            shape.append(times * sizes[letter])
    return tuple(shape)


def _multiple(name: str) -> tuple[int, str]:
    """4H as (4, "H"), and H as (1, "H")."""
    return (int(name[0]), name[1:]) if name[0].isdecimal() else (1, name)
