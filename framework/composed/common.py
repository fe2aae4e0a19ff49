"""What the compositions share: checks of their tensors, and the reduction of losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ArgumentError, ShapeError, fail

if TYPE_CHECKING:
    from ..tensor import Tensor


def same_shape(op: str, input: Tensor, target: Tensor, name: str = "target") -> None:
    """Raise unless prediction and target agree: broadcasting a loss is almost always a mistake."""
    if input.shape != target.shape:
        raise fail(
            ShapeError,
            op,
            f"expected a {name} of the input's shape {input.shape}, got {target.shape}; "
            "reshape or expand one of them",
        )


def check_reduction(op: str, reduction: str, also: tuple[str, ...] = ()) -> None:
    """Raise for a name that is no reduction."""
    if reduction not in ("mean", "sum", "none", *also):
        names = ", ".join(map(repr, ("mean", "sum", *also)))
        raise fail(
            ArgumentError,
            op,
            f"expected reduction {names} or 'none', got {reduction!r}; use 'mean'",
        )


def reduced(op: str, losses: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of the losses, or the losses themselves."""
    check_reduction(op, reduction)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def check_range(op: str, x: Tensor, low: float, high: float, expected: str) -> None:
    """Raise ArgumentError unless low <= x < high; the backend looks, so that it can be recorded."""
    if 0 in x.shape:
        return
    try:
        x.backend.check_range(x.buffer, low, high)
    except IndexError as error:
        value = str(error).split()[1]  # of "index 1.5 is out of range ..."
        raise fail(ArgumentError, op, expected.format(value)) from None
