"""Checks of tensors that several families share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etude.backends.base import Shape

from ..errors import DTypeError, ShapeError, fail
from .elementwise import as_tensor_operand

if TYPE_CHECKING:
    from ..tensor import Tensor


def float_tensor(op: str, x: Any) -> Tensor:
    """x as a Tensor of floats; whole numbers are refused, because most often they are labels."""
    t: Tensor = as_tensor_operand(op, x)
    if not t.dtype.is_floating_point:
        raise fail(DTypeError, op, f"expected a float tensor, got {t.dtype}; convert with .float()")
    return t


def check_parameters(op: str, x: Tensor, shape: Shape, fix: str, **given: Tensor | None) -> None:
    """Raise unless each parameter that is not None has `shape` and the dtype of x."""
    for label, t in given.items():
        if t is None:
            continue
        if t.shape != shape:
            raise fail(
                ShapeError, op, f"expected {label} {shape} for x {x.shape}, got {t.shape}; {fix}"
            )
        if t.dtype is not x.dtype:
            raise fail(
                DTypeError,
                op,
                f"expected {label} of x's dtype {x.dtype}, got {t.dtype}; convert one with .to()",
            )
