"""Losses of regression. `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ArgumentError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from .common import reduced, same_shape

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"]


def mse_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """w (x - t)^2; "mean" divides by the sum of the weights.

    Args: input, target and `weight` of one shape. Raises: ShapeError, DTypeError, ArgumentError.
    Source: Gauss 1809. Decks: D0, D4 sum it (reduction="sum"), D1 and D3 take half the sum
    (`squared_error`).
    """
    d = _difference("mse_loss", input, target)
    return _weighted("mse_loss", d * d, weight, reduction)


def l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """w |x - t|; "mean" divides by the sum of the weights. The gradient is 0 where x = t.

    Args: input, target and `weight` of one shape. Raises: ShapeError, DTypeError, ArgumentError.
    """
    return _weighted("l1_loss", e.ABS(_difference("l1_loss", input, target)), weight, reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - t; l1_loss for beta = 0.

    Args: input and target of one shape. Raises: ShapeError, DTypeError; ArgumentError for beta < 0.
    Source: Girshick 2015 (Fast R-CNN), equation 3.
    """
    op = "smooth_l1_loss"
    if beta < 0:
        raise fail(ArgumentError, op, f"expected beta >= 0, got {beta}; use 1.0")
    d = _difference(op, input, target)
    return reduced(op, e.ABS(d) if beta == 0 else _huber(d, beta) / beta, reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """w d^2 / 2 where |d| <= delta, else w delta (|d| - delta / 2), with d = x - t.

    Args: input, target and `weight` of one shape; "mean" divides by the number of elements (as
    torch does here, other than in mse_loss). Raises: ShapeError, DTypeError; ArgumentError unless
    delta > 0. Source: Huber 1964.
    """
    if not delta > 0:
        raise fail(ArgumentError, "huber_loss", f"expected delta > 0, got {delta}; use 1.0")
    losses = _huber(_difference("huber_loss", input, target), delta)
    if weight is not None:
        same_shape("huber_loss", input, weight, "weight")
        losses = losses * weight
    return reduced("huber_loss", losses, reduction)


def _difference(op: str, input: Tensor, target: Tensor) -> Tensor:
    x = float_tensor(op, input)
    same_shape(op, x, target)
    return x - target


def _huber(d: Tensor, delta: float) -> Tensor:
    """d^2 / 2 within delta, and the tangent beyond."""
    size = e.ABS(d)
    near = size <= delta
    small = select(near, d, 0.0)  # the square of a large one could overflow
    return select(near, small * small * 0.5, (size - 0.5 * delta) * delta)


def _weighted(op: str, losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return reduced(op, losses, reduction)
    same_shape(op, losses, weight, "weight")
    total = losses * weight
    if reduction == "mean":
        return total.sum() / weight.sum()
    return reduced(op, total, reduction)
