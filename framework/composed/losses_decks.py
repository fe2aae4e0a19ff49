"""The lecture decks' forms of losses that torch spells in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..checks import choice
from ..errors import ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from ..ops.layout import reshape
from ..ops.pointwise import clamp, lgamma
from .common import check_reduction, reduced, same_shape
from .losses_classify import cross_entropy

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["multinomial_nll_loss", "sequence_cross_entropy", "squared_error"]


def squared_error(input: Tensor, target: Tensor, form: str = "mean") -> Tensor:
    """The squared error as "mean", "sum" (D0, D4) or "half" the sum (D1, D3), over all elements.

    Their gradients are 2 (x - t) / n, 2 (x - t) and x - t: a learning rate means another thing for
    each. "mean" is mse_loss.

    Args: input and target of one shape, float. Returns: (). Raises: ShapeError, ArgumentError.
    Source: Gauss 1809. Decks: D0, D1, D3, D4.
    """
    op = "squared_error"
    choice(op, "form", form, ("mean", "sum", "half"))
    x = float_tensor(op, input)
    same_shape(op, x, target)
    d = x - target
    if form == "mean":
        return (d * d).mean()
    total = (d * d).sum()
    return total * 0.5 if form == "half" else total


def multinomial_nll_loss(
    input: Tensor, target: Tensor, full: bool = False, reduction: str = "mean"
) -> Tensor:
    """-sum_k n_k log p_k of each row; with `full` also -log(n! / prod n_k!), n = sum n_k.

    With one count of 1 in each row this is nll_loss: cross-entropy is the negative log-likelihood
    of a multinomial, as squared error is that of a Gaussian (`gaussian_nll_loss`).

    Args: input (N, K), log-probabilities; target (N, K), counts. A count of 0 hides any
    probability, 0 itself too. Returns: () or, for reduction "none", (N,). Raises: ShapeError.
    Source: Bishop 2006, sections 2.2 and 4.3.4. Decks: D2.
    """
    op = "multinomial_nll_loss"
    x = float_tensor(op, input)
    same_shape(op, x, target)
    check_reduction(op, reduction)
    if len(x.shape) != 2:
        raise fail(ShapeError, op, f"expected an input (N, K), got {x.shape}; reshape it")
    n = target.to(x.dtype)
    losses = -(n * select(n > 0, x, 0.0)).sum(1)
    if full:
        losses = losses - lgamma(n.sum(1) + 1.0) + lgamma(n + 1.0).sum(1)
    return reduced(op, losses, reduction)


def sequence_cross_entropy(
    input: Tensor, target: Tensor, lengths: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """1 / T sum over time of -log softmax(x_t)[y_t], for each sequence.

    Args: input (N, T, K), float logits; target (N, T), int64 labels; lengths (N,), int64, how many
    steps of each count, all T by default: then each sequence is averaged over its own steps, and so
    counts as much as a longer one (cross_entropy with ignore_index averages over all steps of
    all). Labels beyond the length may be anything. A sequence of length 0 has loss 0; one longer
    than T has length T.
    Returns: () or, for reduction "none", (N,). Raises: ShapeError, IndexOutOfRange.
    Source: Graves 2013, section 2. Decks: D3 (mean over time).
    """
    op = "sequence_cross_entropy"
    x = float_tensor(op, input)
    if len(x.shape) != 3 or target.shape != x.shape[:2]:
        raise fail(
            ShapeError,
            op,
            f"expected logits (N, T, K) and labels (N, T), got {x.shape} and {target.shape}; use "
            "transpose(0, 1) where time comes first",
        )
    n, steps, classes = x.shape
    counts = None
    if lengths is not None:
        if lengths.shape != (n,):
            raise fail(
                ShapeError, op, f"expected lengths ({n},), got {lengths.shape}; reshape them"
            )
        time = _tensor.arange(steps, backend=x.backend)
        counts = e.LT(time.unsqueeze(0), lengths.unsqueeze(1))
        target = select(counts, target, 0)
    rows = reshape(x, n * steps, classes)
    each = reshape(cross_entropy(rows, reshape(target, n * steps), reduction="none"), n, steps)
    if counts is None:
        return reduced(op, each.mean(1), reduction)
    kept = counts.to(x.dtype)
    return reduced(op, (each * kept).sum(1) / clamp(kept.sum(1), min=1.0), reduction)
