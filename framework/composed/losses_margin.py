"""Losses with a margin, and their soft relatives. `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from ..ops.index import as_indices, check_indices, gather, one_hot, scatter_add
from ..ops.pointwise import clamp
from .common import check_reduction, reduced, same_shape

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
]


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """x where t = 1, max(0, margin - x) where t = -1: x is a distance of pairs, alike or not.

    With x = y f(x) and targets -1 this is the hinge loss of a support vector machine.

    Args: input and target (1 or -1) that broadcast. Raises: DTypeError, ArgumentError.
    Source: Cortes & Vapnik 1995.
    """
    x = float_tensor("hinge_embedding_loss", input)
    far = select(target != 1, clamp(margin - x, 0.0), 0.0)
    return reduced("hinge_embedding_loss", far + select(target != -1, x, 0.0), reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -t (x1 - x2) + margin): x1 should be the larger where t = 1, x2 where t = -1.

    Args: input1, input2 and target with as many axes, that broadcast.
    Raises: ShapeError, DTypeError, ArgumentError.
    """
    op = "margin_ranking_loss"
    x1, x2 = float_tensor(op, input1), float_tensor(op, input2)
    if not len(x1.shape) == len(x2.shape) == len(target.shape):
        raise fail(
            ShapeError,
            op,
            f"expected inputs and target with as many axes, got {x1.shape}, {x2.shape} and "
            f"{target.shape}; reshape them",
        )
    return reduced(op, clamp(e.NEG(target) * (x1 - x2) + margin, 0.0), reduction)


def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """log(1 + e^(-t x)) for t = 1 or -1: the logistic loss, as softplus(-t x).

    Args: input and target that broadcast. Raises: DTypeError, ArgumentError.
    """
    x = float_tensor("soft_margin_loss", input)
    return reduced("soft_margin_loss", e.SOFTPLUS(e.NEG(target) * x), reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """sum over i != t of w[t] max(0, margin - x[t] + x[i])^p / C: the multi-class hinge loss.

    Args: input (N, C) or (C,); target (N,) or () int64 labels; p 1 or 2; weight (C,).
    Raises: ShapeError, DTypeError, ArgumentError; IndexOutOfRange for a label outside 0 ... C-1.
    Source: Crammer & Singer 2001.
    """
    op = "multi_margin_loss"
    if p not in (1, 2):
        raise fail(ArgumentError, op, f"expected p = 1 or p = 2, got {p!r}; use p=1")
    x = _rows(op, input)
    labels = as_indices(op, target, x)
    if labels.shape not in (input.shape[:-1], x.shape[:1]):
        raise fail(
            ShapeError,
            op,
            f"expected labels {input.shape[:-1]} for input {input.shape}, got {target.shape}; "
            "give one label for each row of scores",
        )
    labels = labels.reshape(x.shape[0], 1)
    check_indices(op, labels, x.shape[1])
    losses = e.RELU(x - gather(x, 1, labels) + margin)
    if p == 2:
        losses = losses * losses
    if weight is not None:
        if weight.shape != x.shape[1:]:
            raise fail(
                ShapeError,
                op,
                f"expected a weight ({x.shape[1]},), one per class, got {weight.shape}; "
                "give one number for each class",
            )
        losses = losses * gather(weight, 0, labels.squeeze(1)).unsqueeze(1)
    others = one_hot(labels.squeeze(1), x.shape[1]) == 0
    losses = select(others, losses, 0.0).sum(1) / float(x.shape[1])
    losses = losses if len(input.shape) == 2 else losses.squeeze(0)
    return reduced(op, losses, reduction)


def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """sum over labels j, other classes i of max(0, 1 - x[j] + x[i]) / C.

    Args: input (N, C) or (C,); target of its shape, int64: the labels of a row, then -1, after
    which the row is not read. Raises: ShapeError, DTypeError, IndexOutOfRange, ArgumentError.
    """
    op = "multilabel_margin_loss"
    x = _rows(op, input)
    labels = as_indices(op, target, x)
    same_shape(op, input, labels)
    labels = labels.reshape(x.shape)
    listed = (labels >= 0).cumprod(1) > 0
    safe = select(listed, labels, 0)
    check_indices(op, safe, x.shape[1])
    share = listed.to(x.dtype)
    nothing = _tensor.zeros(x.shape, dtype=x.dtype, backend=x.backend)
    others = scatter_add(nothing, 1, safe, share) == 0
    gaps = e.RELU(x.unsqueeze(1) - gather(x, 1, safe).unsqueeze(2) + 1.0)  # (N, label j, class i)
    wanted = listed.unsqueeze(2) & others.unsqueeze(1)
    losses = select(wanted, gaps, 0.0).sum((1, 2)) / float(max(x.shape[1], 1))
    return reduced(op, losses if len(input.shape) == 2 else losses.squeeze(0), reduction)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy with logits of each class, averaged over the classes (the last axis).

    Args: input and target (..., C) of one shape, targets 0 or 1; weight (C,).
    Raises: ShapeError, DTypeError, ArgumentError.
    """
    op = "multilabel_soft_margin_loss"
    x = float_tensor(op, input)
    same_shape(op, x, target)
    check_reduction(op, reduction)
    losses = target * e.SOFTPLUS(e.NEG(x)) + (1.0 - target) * e.SOFTPLUS(x)
    if weight is not None:
        losses = losses * weight
    return reduced(op, losses.mean(-1) if x.shape else losses, reduction)


def _rows(op: str, input: Tensor) -> Tensor:
    """The input as (N, C); a number is one class."""
    x = float_tensor(op, input)
    if len(x.shape) > 2:
        raise fail(
            ShapeError,
            op,
            f"expected an input (N, C) or (C,), got {x.shape}; give one score for each class",
        )
    return x if len(x.shape) == 2 else x.reshape(1, -1)
