"""Activations as layers.

`inplace` is taken where torch takes it and changes nothing: values are immutable here.
"""

from __future__ import annotations

from math import inf

from .. import functional as F
from ..checks import choice, real, whole
from ..errors import ArgumentError, fail
from ..tensor import Tensor
from .module import Module


class Sigmoid(Module):
    """1 / (1 + e^-x), of any shape.

    Source: Rumelhart, Hinton & Williams 1986. Decks: D0, D1, D2, D3, D4.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.sigmoid(input)


class Tanh(Module):
    """(e^x - e^-x) / (e^x + e^-x), of any shape.

    Source: LeCun et al. 1998 (Efficient BackProp), section 4.4. Decks: D0, D2, D3, D4.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.tanh(input)


class _Inplace(Module):
    """An activation that only takes `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """`inplace`, if it was asked for."""
        return "inplace=True" if self.inplace else ""


class ReLU(_Inplace):
    """max(x, 0), with derivative 0 at 0, as D3 says. x of any shape. Nair & Hinton 2010.

    Large learning rates make units that stay at 0; D3 says that they mitigate it, which is
    backwards. Decks: D0, D1, D2, D3, D4.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.relu(input)


class ReLU6(_Inplace):
    """min(max(x, 0), 6)."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.relu6(input)


class SiLU(_Inplace):
    """x sigmoid(x), also called swish."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.silu(input)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope * x. x of any shape. Maas et al. 2013.

    Decks: D0, whose slope is 0.1; PyTorch's, the default, is 0.01.
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = real("LeakyReLU", "negative_slope", negative_slope, -inf)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """x where x > 0, else alpha (e^x - 1). x of any shape. Clevert et al. 2016. Decks: D0."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = real("ELU", "alpha", alpha, -inf)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class Softplus(Module):
    """log(1 + e^(beta x)) / beta, and x itself where beta x > threshold.

    x of any shape. Dugas et al. 2001. Decks: D0.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = real("Softplus", "beta", beta, open_ends="(")
        self.threshold = real("Softplus", "threshold", threshold, -inf)

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"


class GELU(Module):
    """x Phi(x), Phi the normal distribution; approximate="tanh" for the formula with tanh."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = choice("GELU", "approximate", approximate, ("none", "tanh"))

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"approximate={self.approximate!r}"


class Hardtanh(Module):
    """x limited to [min_val, max_val]; the gradient is 0 at and outside the limits."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val = real("Hardtanh", "min_val", min_val, -inf)
        self.max_val = real("Hardtanh", "max_val", max_val, -inf)
        if not min_val < max_val:
            raise fail(
                ArgumentError,
                "Hardtanh",
                f"expected min_val < max_val, got {min_val} and {max_val}; swap them",
            )
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"min_val={self.min_val}, max_val={self.max_val}" + (
            ", inplace=True" if self.inplace else ""
        )


class Softmax(Module):
    """e^(x_i) / sum_j e^(x_j) along `dim`, with the maximum taken out first.

    A classifier trained with CrossEntropyLoss has none: the loss takes logits. x of any shape.
    Bridle 1990. Decks: D2, D3, D4.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = whole(type(self).__name__, "dim", dim, -64)

    def forward(self, input: Tensor) -> Tensor:
        """Along `dim`."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """log(softmax(x)) along `dim`, computed as x - logsumexp(x); any shape, float.

    Source: Bridle 1990. Decks: none by name; the logarithm of D3's softmax, inside its
    cross-entropy.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Along `dim`."""
        return F.log_softmax(input, self.dim)
