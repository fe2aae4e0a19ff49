"""Losses of classifiers, on labels or probabilities. `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ..autograd import apply_multi
from ..errors import ArgumentError, ShapeError, fail
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from ..ops.index import as_indices, check_indices, gather
from ..ops.layout import movedim, reshape
from ..ops.softmax import CrossEntropy, log_softmax
from .common import check_reduction, reduced

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["cross_entropy", "nll_loss"]


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-w[t] log softmax(x)[t], by the log-sum-exp form and fused with its gradient.

    Args: input (N, C), (N, C, d1, ...) or (C,), float logits; target the same without C, int64
    labels, or with the shape of the input, float probabilities p, for -sum_c w[c] p[c] log q[c].
    `weight` (C,) weighs the classes. Labels equal to `ignore_index` count for nothing.
    `label_smoothing` s mixes the target with the uniform distribution: (1 - s) p + s / C.
    Returns: () for "mean", which divides by the weight of the labels that count (by their number,
    for probabilities), and "sum"; the target's shape without C for "none".
    Raises: ShapeError, DTypeError, ArgumentError; IndexOutOfRange for a label outside 0 ... C-1.
    Source: Szegedy et al. 2016 (smoothing). Decks: D1, D2, D3, D4; D3's mean over time is that of
    (N, C, T), and D1's formula negates only its first term: a slip.
    """
    op = "cross_entropy"
    x = float_tensor(op, input)
    check_reduction(op, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise fail(
            ArgumentError,
            op,
            f"expected label_smoothing in [0, 1], got {label_smoothing}; use 0 for none",
        )
    _check_shapes(op, x, target, weight, target.dtype.is_floating_point)
    if target.dtype.is_floating_point:
        if ignore_index >= 0:
            raise fail(
                ArgumentError,
                op,
                f"expected labels with ignore_index {ignore_index}, got {target.dtype} "
                "probabilities; leave it out, or pass int64 labels",
            )
        return _soft(x, target, weight, reduction, label_smoothing)
    rows, labels = _rows_and_labels(op, x, target)
    if weight is not None or label_smoothing:
        losses, share = _weighted(rows, labels, weight, ignore_index, label_smoothing)
        return _mean_by_weight(op, losses, share, target, reduction)
    losses = apply_multi(CrossEntropy(ignore_index, reduction == "mean"), rows, labels)[0]
    if reduction == "none":
        return reshape(losses, target.shape)
    return losses.sum() if reduction == "sum" else losses


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-w[t] x[t] for log-probabilities x; with log_softmax before it, this is cross_entropy.

    Args: input (N, C), (N, C, d1, ...) or (C,); target the same without C, int64 labels; `weight`
    (C,) weighs the classes. Labels equal to `ignore_index` count for nothing.
    Returns: () for "mean", which divides by the weight of the labels that count, and "sum"; the
    target's shape for "none". Raises: as cross_entropy does. Source: Bishop 2006, section 4.3.4.
    Decks: D2, D4.
    """
    x = float_tensor("nll_loss", input)
    check_reduction("nll_loss", reduction)
    _check_shapes("nll_loss", x, target, weight, False)
    rows, labels = _rows_and_labels("nll_loss", x, target)
    losses, share = _picked("nll_loss", rows, labels, weight, ignore_index)
    return _mean_by_weight("nll_loss", losses, share, target, reduction)


def _check_shapes(
    op: str, x: Tensor, target: Tensor, weight: Tensor | None, probabilities: bool
) -> None:
    if not x.shape:
        raise fail(
            ShapeError,
            op,
            "expected an input (N, C), (N, C, d1, ...) or (C,), got (); "
            "give it one score for each class",
        )
    axis = 0 if len(x.shape) == 1 else 1
    classes = x.shape[axis]
    if weight is not None and weight.shape != (classes,):
        raise fail(
            ShapeError,
            op,
            f"expected a weight ({classes},), one per class, got {weight.shape}; "
            "give one number for each class",
        )
    expected = x.shape if probabilities else x.shape[:axis] + x.shape[axis + 1 :]
    if target.shape != expected:
        kind = "probabilities" if probabilities else "labels"
        raise fail(
            ShapeError,
            op,
            f"expected {kind} {expected} for input {x.shape}, got {target.shape} {target.dtype}; "
            "labels are int64 without the class axis, probabilities have the input's shape",
        )


def _rows_and_labels(op: str, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The input as (M, C), the class axis last, and the labels as (M,)."""
    labels = as_indices(op, target, x)
    count = prod(labels.shape)
    rows = x
    if len(x.shape) != 2:
        moved = movedim(x, 1, -1) if len(x.shape) > 2 else x
        rows = reshape(moved, count, moved.shape[-1])
    return rows, labels if len(labels.shape) == 1 else reshape(labels, count)


def _picked(
    op: str, rows: Tensor, labels: Tensor, weight: Tensor | None, ignore: int
) -> tuple[Tensor, Tensor]:
    """-w[t] x[t] of each row, 0 where the label does not count; and the weights w[t]."""
    counts = labels != ignore
    safe = select(counts, labels, 0)
    check_indices(op, safe, rows.shape[1])
    share = counts.to(rows.dtype)
    if weight is not None:
        share = share * gather(weight.to(rows.dtype), 0, safe)
    losses = -gather(rows, 1, safe.unsqueeze(1)).squeeze(1) * share
    return select(counts, losses, 0.0), share


def _weighted(
    rows: Tensor, labels: Tensor, weight: Tensor | None, ignore: int, smoothing: float
) -> tuple[Tensor, Tensor]:
    logp = log_softmax(rows, 1)
    losses, share = _picked("cross_entropy", logp, labels, weight, ignore)
    if smoothing:
        spread = logp if weight is None else logp * weight
        uniform = -spread.sum(1) / float(max(rows.shape[1], 1))
        uniform = select(labels != ignore, uniform, 0.0)
        losses = losses * (1.0 - smoothing) + uniform * smoothing
    return losses, share


def _mean_by_weight(
    op: str, losses: Tensor, share: Tensor, target: Tensor, reduction: str
) -> Tensor:
    if reduction == "mean":
        return losses.sum() / share.sum()
    total = reduced(op, losses, reduction)
    return reshape(total, target.shape) if reduction == "none" else total


def _soft(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    axis = 0 if len(x.shape) == 1 else 1
    classes = x.shape[axis]
    p = target
    if smoothing:
        p = p * (1.0 - smoothing) + smoothing / max(classes, 1)
    if weight is not None:
        p = p * reshape(weight, classes, *(1,) * (len(x.shape) - axis - 1))
    losses = -(p * log_softmax(x, axis)).sum(axis)
    return reduced("cross_entropy", losses, reduction)
