"""The rarer activations as layers; formulas and sources are at the functions of the same names.

`inplace` is taken where torch takes it and changes nothing: values are immutable here.
"""

from __future__ import annotations

from math import inf
from typing import Any

from .. import functional as F
from ..checks import real, whole
from ..checks import tensor as expect_tensor
from ..errors import ArgumentError, ShapeError, fail
from ..tensor import Tensor
from . import init
from .layer import new_parameter
from .module import Module
from .parameter import Parameter
from .stateless import Stateless


class Inplace(Stateless):
    """An activation that only takes `inplace`."""

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)


class SELU(Inplace):
    """1.0507 ELU(alpha=1.6733), which keeps mean 0 and variance 1. Klambauer et al. 2017."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.selu(input)


class Mish(Inplace):
    """x tanh(softplus(x)). Misra 2019."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.mish(input)

    def extra_repr(self) -> str:
        """`inplace=True`, if it was asked for."""
        return "inplace=True" if self.inplace else ""


class Hardsigmoid(Inplace):
    """min(max(x + 3, 0), 6) / 6. Howard et al. 2019."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.hardsigmoid(input)

    def extra_repr(self) -> str:
        """Nothing, as in torch."""
        return ""


class Hardswish(Hardsigmoid):
    """x min(max(x + 3, 0), 6) / 6. Howard et al. 2019 (MobileNetV3)."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.hardswish(input)


class CELU(Stateless):
    """x for x > 0, else alpha (e^(x/alpha) - 1). Barron 2017."""

    alpha: float

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        real("CELU", "alpha", alpha, -inf)
        if alpha == 0:
            raise fail(ArgumentError, "CELU", "expected alpha other than 0, got 0; use ReLU")
        super().__init__(alpha=alpha, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.celu(input, self.alpha)


class PReLU(Module):
    """x for x > 0, else w x with learned w: one, or one for each channel. He et al. 2015.

    num_parameters: 1, or the number of channels (axis 1). init: where w starts, 0.25.
    """

    weight: Parameter

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_parameters = whole("PReLU", "num_parameters", num_parameters)
        self.init = real("PReLU", "init", init, -inf)
        self.weight = new_parameter("PReLU", (num_parameters,), dtype, backend)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Every slope back to `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Stateless):
    """LeakyReLU with a random slope in [lower, upper) for each element in training. Xu et al. 2015.

    In evaluation the slope is their mean.
    """

    lower: float
    upper: float

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        real("RReLU", "lower", lower, -inf)
        real("RReLU", "upper", upper, lower)
        super().__init__(lower=lower, upper=upper, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.rrelu(input, self.lower, self.upper, self.training)


class HardThreshold(Stateless):
    """1 where x >= threshold, else 0, with gradient 0: the perceptron's.

    x of any shape. Rosenblatt 1958.

    Decks: D4.
    """

    threshold: float

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__(threshold=real("HardThreshold", "threshold", threshold, -inf))

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.hard_threshold(input, self.threshold)


class Threshold(Stateless):
    """x where x > threshold, else value."""

    threshold: float
    value: float

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        real("Threshold", "threshold", threshold, -inf)
        real("Threshold", "value", value, -inf)
        super().__init__(threshold=threshold, value=value, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.threshold(input, self.threshold, self.value)


class Hardshrink(Stateless):
    """0 where |x| <= lambd, else x."""

    lambd: float

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=real(type(self).__name__, "lambd", lambd))

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The argument, without its name as in torch."""
        return str(self.lambd)


class Softshrink(Hardshrink):
    """x moved towards 0 by lambd, and 0 where |x| <= lambd: the proximal step of the L1 penalty."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.softshrink(input, self.lambd)


class Tanhshrink(Stateless):
    """x - tanh(x)."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.tanhshrink(input)


class Softsign(Tanhshrink):
    """x / (1 + |x|). Glorot & Bengio 2010."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.softsign(input)


class LogSigmoid(Tanhshrink):
    """log(1 / (1 + e^-x))."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise."""
        return F.logsigmoid(input)


class GLU(Stateless):
    """a sigmoid(b), a and b the halves of x along `dim`. Dauphin et al. 2017."""

    dim: int

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=whole("GLU", "dim", dim, -64))

    def forward(self, input: Tensor) -> Tensor:
        """Half as many features."""
        return F.glu(input, self.dim)


class Softmin(Stateless):
    """softmax(-x) along `dim`."""

    dim: int

    def __init__(self, dim: int) -> None:
        super().__init__(dim=whole("Softmin", "dim", dim, -64))

    def forward(self, input: Tensor) -> Tensor:
        """Along `dim`."""
        return F.softmin(input, self.dim)


class Softmax2d(Tanhshrink):
    """softmax over the channels of (N, C, H, W) or (C, H, W), at each place of its own."""

    def forward(self, input: Tensor) -> Tensor:
        """Along the channels."""
        x = expect_tensor("Softmax2d", "input", input)
        if len(x.shape) not in (3, 4):
            raise fail(
                ShapeError,
                "Softmax2d",
                f"expected x (N, C, H, W) or (C, H, W), got {x.shape}; use Softmax(dim)",
            )
        return F.softmax(x, -3)
