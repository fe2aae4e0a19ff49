"""Dropout."""

from __future__ import annotations

from .. import functional as F
from ..checks import real
from ..tensor import Tensor
from .module import Module


class Dropout(Module):
    """In training, zero each element with probability p and scale the others by 1 / (1 - p).

    p is the probability to *drop*, as in torch and D4; D0 and D3 give the probability to
    keep: `Dropout(1 - p)`. They scale at test time instead, which has the same expectation.
    `inplace` is taken for torch's sake and changes nothing: values are immutable here. Srivastava
    et al. 2014. Decks: D0, D3, D4.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = real("Dropout", "p (the probability to drop)", p, 0.0, 1.0)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The thinned input in training, the input itself in evaluation."""
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"p={self.p}, inplace={self.inplace}"
