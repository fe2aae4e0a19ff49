"""Losses that are negative log-likelihoods. `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..autograd import apply
from ..errors import ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from ..ops.loss import BinaryCrossEntropy
from ..ops.pointwise import clamp
from .common import check_range, check_reduction, reduced, same_shape

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "gaussian_nll_loss",
    "kl_div",
    "poisson_nll_loss",
]

ABOVE_ONE = math.nextafter(1.0, 2.0)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """-w (t log x + (1 - t) log(1 - x)) for probabilities x, each logarithm at least -100.

    Args: input and target of one shape, both in [0, 1]; `weight` broadcasts to it. From logits
    binary_cross_entropy_with_logits is exact where this has run out of digits.
    Raises: ShapeError; ArgumentError for an input outside [0, 1].
    Source: Bishop 2006, section 4.3.2. Decks: D1, D2, D4. D1's slide negates only its first term,
    which is a slip.
    """
    op = "binary_cross_entropy"
    x = float_tensor(op, input)
    same_shape(op, x, target)
    check_range(
        op,
        x,
        0.0,
        ABOVE_ONE,
        "expected probabilities in [0, 1], got {}; apply sigmoid first, or use "
        "binary_cross_entropy_with_logits",
    )
    losses = apply(BinaryCrossEntropy(), x, target.to(x.dtype))
    return reduced(op, losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """w (p t softplus(-x) + (1 - t) softplus(x)): binary cross-entropy of sigmoid(x).

    Neither term cancels the other, so that small losses keep their digits; nothing overflows.

    Args: input (logits) and target (in [0, 1]) of one shape; `weight` and `pos_weight` p, which
    trades recall for precision, broadcast to it. Raises: ShapeError, DTypeError. Source: Bishop
    2006, section 4.3.2. Decks: D2.
    """
    op = "binary_cross_entropy_with_logits"
    x = float_tensor(op, input)
    same_shape(op, x, target)
    hit = target if pos_weight is None else target * pos_weight
    losses = hit * e.SOFTPLUS(e.NEG(x)) + (1.0 - target) * e.SOFTPLUS(x)
    return reduced(op, losses if weight is None else losses * weight, reduction)


def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """t (log t - x): the divergence of target t from log-probabilities x; 0 where t is 0.

    Args: input and target of one shape; with `log_target` the target holds log t. reduction
    "batchmean" divides the sum by N and is the divergence of a batch of distributions; "mean"
    divides by the number of elements too. Raises: ShapeError, DTypeError, ArgumentError.
    Source: Kullback & Leibler 1951.
    """
    x = float_tensor("kl_div", input)
    same_shape("kl_div", x, target)
    check_reduction("kl_div", reduction, ("batchmean",))
    if log_target:
        losses = e.EXP(target) * (target - x)
    else:
        positive = target > 0
        losses = target * (e.LOG(select(positive, target, 1.0)) - x)
        losses = select(target < 0, math.nan, losses)
    if reduction != "batchmean":
        return reduced("kl_div", losses, reduction)
    total = losses.sum()
    return total / float(x.shape[0]) if x.shape else total


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log v + (x - t)^2 / v) / 2 with v = max(var, eps); `full` adds log(2 pi) / 2.

    Args: input (the mean) and target of one shape, or that broadcast; var of the input's shape,
    the same with one axis 1 or without its last axis, or a number. The gradient of var passes the
    limit eps, as in torch. Raises: ShapeError; ArgumentError for a variance below 0.
    Source: Nix & Weigend 1994. Decks: D2 (a linear output as the mean of a Gaussian).
    """
    op = "gaussian_nll_loss"
    x = float_tensor(op, input)
    check_reduction(op, reduction)
    var = _variance(x, var)
    expected = "expected finite variances >= 0, got {}; use exp or softplus to make them so"
    check_range(op, var, 0.0, math.inf, expected)
    v = var + (clamp(var.detach(), eps) - var.detach())
    d = x - target
    losses = (e.LOG(v) + d * d / v) * 0.5
    return reduced(op, losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def _variance(x: Tensor, var: Tensor | float) -> Tensor:
    """The variances, broadcast to the input by one axis at most."""
    if not isinstance(var, _tensor.Tensor):
        return _tensor.full(x.shape, float(var), dtype=x.dtype, backend=x.backend)
    if x.shape and var.shape == x.shape[:-1]:
        return var.unsqueeze(-1)
    same_length = len(var.shape) == len(x.shape)
    others = [m for n, m in zip(x.shape, var.shape, strict=False) if n != m]
    if not same_length or others not in ([], [1]):
        raise fail(
            ShapeError,
            "gaussian_nll_loss",
            f"expected a var {x.shape}, {x.shape[:-1]} or with 1 for one axis, got {var.shape}; "
            "reshape it",
        )
    return var


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """e^x - t x for the logarithm x of the rate, or x - t log(x + eps) for the rate itself.

    `full` adds Stirling's t log t - t + log(2 pi t) / 2 for log t!, where t > 1.
    Raises: DTypeError, ArgumentError.
    """
    op = "poisson_nll_loss"
    x = float_tensor(op, input)
    losses = e.EXP(x) - target * x if log_input else x - target * e.LOG(x + eps)
    if full:
        many = target > 1
        t = select(many, target, 1.0)
        stirling = t * e.LOG(t) - t + e.LOG(t * (2.0 * math.pi)) * 0.5
        losses = losses + select(many, stirling, 0.0)
    return reduced(op, losses, reduction)
