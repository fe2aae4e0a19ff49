"""Dropout of channels, and the dropout that goes with SELU. p is the probability to drop.

`inplace` is taken for torch's sake and changes nothing: values are immutable here.
"""

from __future__ import annotations

from .. import functional as F
from ..tensor import Tensor
from .dropout import Dropout


class Dropout1d(Dropout):
    """In training, zero each channel of (N, C, L) or (C, L) with probability p, scale the others.

    Tompson et al. 2015.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The thinned input in training, the input itself in evaluation."""
        return F.dropout1d(input, self.p, self.training)


class Dropout2d(Dropout):
    """In training, zero each channel of (N, C, H, W) with probability p, scale the others."""

    def forward(self, input: Tensor) -> Tensor:
        """The thinned input in training, the input itself in evaluation."""
        return F.dropout2d(input, self.p, self.training)


class Dropout3d(Dropout):
    """In training, zero each channel of (N, C, D, H, W) or (C, D, H, W), scale the others."""

    def forward(self, input: Tensor) -> Tensor:
        """The thinned input in training, the input itself in evaluation."""
        return F.dropout3d(input, self.p, self.training)


class AlphaDropout(Dropout):
    """In training, set elements to SELU's lower limit; mean and variance stay. Klambauer 2017."""

    def forward(self, input: Tensor) -> Tensor:
        """The thinned input in training, the input itself in evaluation."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(Dropout):
    """AlphaDropout of whole channels of (N, C, ...)."""

    def forward(self, input: Tensor) -> Tensor:
        """The thinned input in training, the input itself in evaluation."""
        return F.feature_alpha_dropout(input, self.p, self.training)
