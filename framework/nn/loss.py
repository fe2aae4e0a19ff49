"""Losses as modules: loss(prediction, target), reduced by "mean", "sum" or "none"."""

from __future__ import annotations

from .. import functional as F
from ..checks import choice, real, whole
from ..checks import tensor as expect_tensor
from ..tensor import Tensor
from .module import Module

REDUCTIONS = ("mean", "sum", "none")


class _Loss(Module):
    """A loss with a reduction."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = choice(type(self).__name__, "reduction", reduction, REDUCTIONS)


class MSELoss(_Loss):
    """(input - target)^2, both of one shape; the mean of it by default.

    Source: Gauss 1809. Decks: D0, D4 sum it: reduction="sum"; D1 and D3 take half the sum.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """|input - target|."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.l1_loss(input, target, self.reduction)


class _ClassLoss(_Loss):
    """A loss on labels, with a weight for each class and a label that counts for nothing."""

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        op = type(self).__name__
        self.register_buffer(
            "weight", None if weight is None else expect_tensor(op, "weight", weight)
        )
        self.ignore_index = whole(op, "ignore_index", ignore_index, -(2**63))


class CrossEntropyLoss(_ClassLoss):
    """-log softmax(input)[target] for logits (N, C, ...) and int64 labels (N, ...).

    A float target of the logits' shape holds probabilities.

    weight: (C,) one factor per class. label_smoothing mixes the target with the uniform
    distribution. Source: Bridle 1990; smoothing: Szegedy et al. 2016. Decks: D1, D2, D3, D4. D1's
    formula negates only its first term: a slip, every term is negative.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)
        self.label_smoothing = real(
            "CrossEntropyLoss", "label_smoothing", label_smoothing, 0.0, 1.0
        )

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(_ClassLoss):
    """-input[target] for log-probabilities (N, C, ...), which LogSoftmax gives."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)
