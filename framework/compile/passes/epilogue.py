"""Epilogues: what follows a product or a convolution is done while its result is in the cache.

epilogue    before    %2 = linear(%0, %1, %b)          after    %3 = linear(%0, %1, %b, 'relu')
                      %3 = unary('relu', %2)

scales      before    %2 = conv(%0, %1, None)          after    %5 = binary('mul', %1, %s)
                      %3 = binary('mul', %2, %s)                %4 = conv(%0, %5, %t)
                      %4 = binary('add', %3, %t)

The second is batch norm after training, a number s and a number t for each channel: numbers that
come out of a product can as well go into its weights, which rounds elsewhere. Where the weights are
constants, that is done once.
"""

from __future__ import annotations

from math import prod
from typing import Any

from etude.backends.base import Value

from ...graph.patterns import Condition, Exchange, joined
from ...graph.program import Program

ACTIVATIONS = ("relu", "sigmoid", "tanh", "gelu")


def epilogue(program: Program) -> Program:
    """Take the bias and the activation after a product into it."""
    return joined(program, EPILOGUES)


def scales(program: Program) -> Program:
    """Take a factor and a shift for each channel after a product into its weights."""
    return joined(program, SCALES)


def _activates(f: str, **others: Any) -> bool:
    """Whether products know a function of their result."""
    return f in ACTIVATIONS


def _in_columns(x: Any, w: Any, b: Any) -> bool:
    """Whether b has one number for each column of a product of matrices."""
    return isinstance(b, Value) and len(x.shape) == len(w.shape) == 2 and b.shape == w.shape[:1]


def _shifts(x: Any, w: Any, s: Any, whole: Any, rest: Any, **others: Any) -> bool:
    """Whether s has one number for each channel (axis 1) of a result without activation."""
    if not isinstance(s, Value) or len(x.shape) != len(w.shape) or str in map(type, rest):
        return False
    channels, rank = w.shape[:1], len(w.shape)
    aligned = (1,) * (2 - len(whole.shape)) + whole.shape
    return bool(s.shape == channels and aligned == (1, *channels, *(1,) * (rank - 2)))


def _scales(w: Any, s: Any, y: Any, **others: Any) -> bool | dict[str, Any]:
    """The same for a factor, with the shape in which s meets the weights."""
    fits = _shifts(w=w, s=s, **others) and prod(w.shape) <= prod(y.shape)
    return fits and {"column": (*s.shape, *(1,) * (len(w.shape) - 1))}


EPILOGUES: list[Exchange] = [
    ("unary(f, linear(x, w, b))", "linear(x, w, b, f)", _activates),
    ("unary(f, conv(x, w, b, s, p, d, g))", "conv(x, w, b, s, p, d, g, f)", _activates),
    ("binary('add', matmul(x, w, False, True), b)", "linear(x, w, b)", _in_columns),
    ("binary('add', linear(x, w, None), b)", "linear(x, w, b)", _in_columns),
]
# After a product with these weights and bias; what becomes of both; and when.
_PAIRS: list[tuple[str, str, str, Condition]] = [
    ("add", "w, None", "w, s", _shifts),
    ("add", "w, b", "w, binary('add', b, s)", _shifts),
    ("mul", "w, None", "binary('mul', w, reshape(s, column)), None", _scales),
    ("mul", "w, b", "binary('mul', w, reshape(s, column)), binary('mul', b, s)", _scales),
]
SCALES: list[Exchange] = [
    (
        f"(y := binary('{name}', {product}(x, {before}, *rest), (whole := reshaped(s))))",
        f"{product}(x, {after}, *rest)",
        condition,
    )
    for product in ("linear", "conv")
    for name, before, after, condition in _PAIRS
]
