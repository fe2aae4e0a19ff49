"""Losses. `reduction` is "mean", "sum" or "none", as in torch."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ..autograd import apply_multi
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..ops import softmax as _softmax
from ..ops.elementwise import select
from ..ops.index import as_indices, check_indices, gather
from ..ops.layout import movedim, reshape

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["cross_entropy", "l1_loss", "mse_loss", "nll_loss"]


def reduced(op: str, losses: Tensor, reduction: str) -> Tensor:
    """Apply the reduction by name."""
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise fail(
            ArgumentError, op, f"expected reduction 'mean', 'sum' or 'none', got {reduction!r}"
        )
    return losses.mean() if reduction == "mean" else losses.sum()


def same_shape(op: str, input: Tensor, target: Tensor) -> None:
    """Raise unless prediction and target agree: broadcasting a loss is almost always a mistake."""
    if input.shape != target.shape:
        raise fail(
            ShapeError,
            op,
            f"expected a target of the input's shape {input.shape}, got "
            f"{target.shape}; reshape or expand one of them",
        )


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target)^2. Decks D0 and D4 sum it, D1 and D3 halve the sum: reduction="sum"."""
    same_shape("mse_loss", input, target)
    d = input - target
    return reduced("mse_loss", d * d, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """|input - target|."""
    same_shape("l1_loss", input, target)
    return reduced("l1_loss", (input - target).abs(), reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target] for logits (N, C) or (N, C, d1, ...) or (C,).

    `target` holds labels (int64) or, with the input's shape, probabilities. `weight` (C,) weighs
    classes; labels equal to `ignore_index` count for nothing; `label_smoothing` mixes the target
    with the uniform distribution (Szegedy et al. 2016). "mean" divides by the weight of the labels
    that count.
    """
    _check_cross_entropy(input, target, weight, label_smoothing)
    single = len(input.shape) == 1
    x = input.unsqueeze(0) if single else input
    if target.dtype.is_floating_point:
        t = target.unsqueeze(0) if single else target
        return _soft_cross_entropy(x, t, weight, reduction, label_smoothing, single)
    labels = as_indices("cross_entropy", target.unsqueeze(0) if single else target, input)
    rows = x if len(x.shape) == 2 else reshape(movedim(x, 1, -1), -1, x.shape[1])
    flat = reshape(labels, prod(labels.shape))
    if weight is None and label_smoothing == 0.0:
        losses, _ = apply_multi(_softmax.CrossEntropy(ignore_index), rows, flat)
        if reduction == "mean":
            mean: Tensor = losses.sum() / (flat != ignore_index).to(rows.dtype).sum()
            return mean
        return _shaped(reduced("cross_entropy", losses, reduction), target, reduction)
    return _weighted(rows, flat, target, weight, ignore_index, reduction, label_smoothing)


def _shaped(losses: Tensor, target: Tensor, reduction: str) -> Tensor:
    return reshape(losses, target.shape) if reduction == "none" else losses


def _weighted(
    rows: Tensor,
    labels: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    logp = _softmax.log_softmax(rows, 1)
    counts = labels != ignore
    safe = select(counts, labels, 0)
    check_indices("cross_entropy", safe, rows.shape[1])
    share = counts.to(rows.dtype)
    class_weight = share if weight is None else share * weight[safe]
    losses = -gather(logp, 1, safe.unsqueeze(1)).squeeze(1) * class_weight
    if smoothing:
        spread = logp if weight is None else logp * weight
        uniform = -spread.sum(1) * share / rows.shape[1]
        losses = losses * (1.0 - smoothing) + uniform * smoothing
    losses = select(counts, losses, 0.0)
    if reduction == "mean":
        total: Tensor = losses.sum() / class_weight.sum()
        return total
    return _shaped(reduced("cross_entropy", losses, reduction), target, reduction)


def _soft_cross_entropy(
    x: Tensor, t: Tensor, weight: Tensor | None, reduction: str, smoothing: float, single: bool
) -> Tensor:
    logp = _softmax.log_softmax(x, 1)
    p = t * (1.0 - smoothing) + smoothing / x.shape[1] if smoothing else t
    if weight is not None:
        p = p * reshape(weight, 1, -1, *(1,) * (len(x.shape) - 2))
    losses = -(p * logp).sum(1)
    if reduction == "mean":
        return losses.sum() / float(prod(losses.shape))
    out = reduced("cross_entropy", losses, reduction)
    return out.squeeze(0) if single and reduction == "none" else out


def _check_cross_entropy(x: Tensor, t: Tensor, weight: Tensor | None, smoothing: float) -> None:
    op = "cross_entropy"
    if not x.dtype.is_floating_point or not x.shape:
        raise fail(DTypeError, op, f"expected float logits (N, C), got {x.dtype} {x.shape}")
    if not 0.0 <= smoothing <= 1.0:
        raise fail(ArgumentError, op, f"expected label_smoothing in [0, 1], got {smoothing}")
    axis = 0 if len(x.shape) == 1 else 1
    if weight is not None and weight.shape != (x.shape[axis],):
        raise fail(
            ShapeError,
            op,
            f"expected a weight ({x.shape[axis]},), one per class, got {weight.shape}",
        )
    labels = x.shape[:axis] + x.shape[axis + 1 :]
    expected = x.shape if t.dtype.is_floating_point else labels
    if t.shape != expected:
        raise fail(
            ShapeError,
            op,
            f"expected {'probabilities' if expected is x.shape else 'labels'} "
            f"{expected} for logits {x.shape}, got {t.shape} {t.dtype}; labels are whole numbers, "
            "probabilities have the logits' shape",
        )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input[target] for log-probabilities (N, C) or (N, C, d1, ...)."""
    op = "nll_loss"
    x = input.unsqueeze(0) if len(input.shape) == 1 else input
    labels = as_indices(op, target, input)
    expected = input.shape[:0] if len(input.shape) == 1 else x.shape[:1] + x.shape[2:]
    if labels.shape != expected:
        raise fail(
            ShapeError,
            op,
            f"expected labels {expected} for input {input.shape}, got {target.shape}",
        )
    rows = reshape(movedim(x, 1, -1), -1, x.shape[1])
    flat = reshape(labels, prod(labels.shape))
    counts = flat != ignore_index
    safe = select(counts, flat, 0)
    check_indices(op, safe, x.shape[1])
    w = counts.to(input.dtype) if weight is None else counts.to(input.dtype) * weight[safe]
    losses = select(counts, -gather(rows, 1, safe.unsqueeze(1)).squeeze(1) * w, 0.0)
    if reduction == "mean":
        total: Tensor = losses.sum() / w.sum()
        return total
    return _shaped(reduced(op, losses, reduction), target, reduction)
