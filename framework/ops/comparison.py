"""Elementwise questions under their public names (torch's): comparisons, and what is true.

The result is bool. Functions of two broadcast and promote (dtypes.py); one operand may be a plain
number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..dtypes import bool_
from ..errors import DTypeError, fail
from . import derivatives as e
from .elementwise import as_tensor_operand

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "eq",
    "ge",
    "gt",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
    "only_bool",
]


def isnan(input: Tensor) -> Tensor:
    """Whether x is nan."""
    return e.ISNAN(input)


def isinf(input: Tensor) -> Tensor:
    """Whether x is +inf or -inf."""
    return e.ISINF(input)


def isfinite(input: Tensor) -> Tensor:
    """Whether x is neither nan nor infinite."""
    return e.ISFINITE(input)


def logical_not(input: Tensor) -> Tensor:
    """Whether x is zero."""
    return e.LOGICAL_NOT(input)


def eq(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a == b."""
    return e.EQ(input, other)


def ne(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a != b."""
    return e.NE(input, other)


def lt(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a < b."""
    return e.LT(input, other)


def le(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a <= b."""
    return e.LE(input, other)


def gt(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a > b."""
    return e.GT(input, other)


def ge(input: Tensor | float, other: Tensor | float) -> Tensor:
    """a >= b."""
    return e.GE(input, other)


def logical_and(input: Tensor | float, other: Tensor | float) -> Tensor:
    """Whether both are nonzero."""
    return e.LOGICAL_AND(input, other)


def logical_or(input: Tensor | float, other: Tensor | float) -> Tensor:
    """Whether one is nonzero."""
    return e.LOGICAL_OR(input, other)


def logical_xor(input: Tensor | float, other: Tensor | float) -> Tensor:
    """Whether exactly one is nonzero."""
    return e.LOGICAL_XOR(input, other)


def only_bool(op: str, x: Tensor) -> Tensor:
    """x, checked to be bool: the operators &, |, ^ and ~ are logical."""
    x = as_tensor_operand(op, x) if not isinstance(x, bool) else _tensor.tensor(x)
    if x.dtype is not bool_:
        raise fail(
            DTypeError, op, f"expected bool tensors, got {x.dtype}; compare first, as in x > 0"
        )
    return x
