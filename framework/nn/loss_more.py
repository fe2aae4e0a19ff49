"""More losses as modules; formulas, arguments and sources are at the functions of etude.functional.

Each is called as loss(input, target), reduced by "mean", "sum" or "none".
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from .. import functional as F
from ..checks import choice, real, whole
from ..checks import tensor as expect_tensor
from ..errors import ArgumentError, fail
from ..tensor import Tensor
from .loss import REDUCTIONS, _Loss
from .module import Module
from .stateless import Stateless


class _WeightedLoss(_Loss):
    """A loss with a weight that is moved and stored with the module."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self._keep("weight", weight)

    def _keep(self, name: str, value: Tensor | None) -> None:
        op = type(self).__name__
        self.register_buffer(name, None if value is None else expect_tensor(op, name, value))


class BCELoss(_WeightedLoss):
    """-(t log x + (1 - t) log(1 - x)) for probabilities x, each logarithm at least -100.

    Input and target (...) in [0, 1]. Source: Bishop 2006, section 4.3.2. Decks: D1, D2, D4; D1
    negates its first term only, a slip.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """BCELoss of sigmoid(x), in a form that neither overflows nor loses digits. Decks: D2.

    pos_weight: factors for the positive term, for classes that are rare.
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self._keep("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, self.reduction, self.pos_weight
        )


class KLDivLoss(Module):
    """t (log t - x) for log-probabilities x; reduction "batchmean" is the divergence proper."""

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__()
        options = (*REDUCTIONS, "batchmean")
        self.reduction = choice("KLDivLoss", "reduction", reduction, options)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.kl_div(input, target, self.reduction, self.log_target)


class GaussianNLLLoss(_Loss):
    """(log v + (x - t)^2 / v) / 2 with v = max(var, eps); called as loss(input, target, var).

    input (the mean) and target of one shape; `full` adds log(2 pi) / 2. Nix & Weigend 1994.
    Decks: D2 (a linear output as the mean of a Gaussian).
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = real("GaussianNLLLoss", "eps", eps, open_ends="(")

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """The loss."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(_Loss):
    """e^x - t x for the logarithm x of a rate, or x - t log(x + eps) for the rate."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        *,
        eps: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.log_input, self.full = log_input, full
        self.eps = real("PoissonNLLLoss", "eps", eps)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.poisson_nll_loss(
            input, target, self.log_input, self.full, self.eps, self.reduction
        )


class SmoothL1Loss(_Loss):
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2. Girshick 2015."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = real("SmoothL1Loss", "beta", beta)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2). Huber 1964."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = real("HuberLoss", "delta", delta, open_ends="(")

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.huber_loss(input, target, self.reduction, self.delta)


class _MarginLoss(_Loss):
    """A loss with a margin."""

    def __init__(self, margin: float, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = real(type(self).__name__, "margin", margin, -inf)


class HingeEmbeddingLoss(_MarginLoss):
    """x where t = 1, max(0, margin - x) where t = -1."""

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.hinge_embedding_loss(input, target, self.margin, self.reduction)


class MarginRankingLoss(_MarginLoss):
    """max(0, -t (x1 - x2) + margin); called as loss(input1, input2, target)."""

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """1 - cos(x1, x2) where t = 1, max(0, cos(x1, x2) - margin) where t = -1."""

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class ContrastiveLoss(_MarginLoss):
    """d^2 / 2 where t = 1, else max(0, margin - d)^2 / 2, for siamese networks.

    Inputs (N, D), t (N,). Hadsell, Chopra & LeCun 2006; called as loss(input1, input2, target).
    Decks: D3, D4.
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.contrastive_loss(input1, input2, target, self.margin, self.reduction)


class SoftMarginLoss(_Loss):
    """log(1 + e^(-t x)) for t = 1 or -1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.soft_margin_loss(input, target, self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """sum over i != t of max(0, margin - x[t] + x[i])^p / C. Crammer & Singer 2001."""

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction=reduction)
        if p not in (1, 2):
            raise fail(
                ArgumentError, "MultiMarginLoss", f"expected p = 1 or p = 2, got {p!r}; use 1"
            )
        self.p, self.margin = p, real("MultiMarginLoss", "margin", margin, -inf)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)


class MultiLabelMarginLoss(_Loss):
    """sum over labels j, other classes i of max(0, 1 - x[j] + x[i]) / C."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.multilabel_margin_loss(input, target, self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Binary cross-entropy with logits of each class, averaged over the classes."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, self.reduction)


class TripletMarginLoss(_MarginLoss):
    """max(0, d(a, p) - d(a, n) + margin); called as loss(anchor, positive, negative).

    Schroff et al. 2015 (FaceNet).
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: str = "mean",
    ) -> None:
        real("TripletMarginLoss", "margin", margin, open_ends="(")
        super().__init__(margin, reduction=reduction)
        self.p = real("TripletMarginLoss", "p", p)
        self.eps, self.swap = real("TripletMarginLoss", "eps", eps), swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss."""
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction
        )


class TripletMarginWithDistanceLoss(_MarginLoss):
    """TripletMarginLoss with a distance of one's own: a function or a module."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        real("TripletMarginWithDistanceLoss", "margin", margin, open_ends="(")
        super().__init__(margin, reduction=reduction)
        self.distance_function = distance_function or PairwiseDistance()
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class CosineSimilarity(Stateless):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`."""

    dim: int
    eps: float

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        whole("CosineSimilarity", "dim", dim, -64)
        super().__init__(dim=dim, eps=real("CosineSimilarity", "eps", eps))

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The inputs' shape without `dim`."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        """Nothing, as in torch."""
        return ""


class PairwiseDistance(Stateless):
    """(sum |x1 - x2 + eps|^p)^(1/p) along the last axis."""

    norm: float
    eps: float
    keepdim: bool

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        real("PairwiseDistance", "p", p, -inf)
        super().__init__(norm=p, eps=real("PairwiseDistance", "eps", eps), keepdim=keepdim)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The inputs' shape without the last axis."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        """Nothing, as in torch."""
        return ""
