"""Smooth activations, gates, and softmax's relatives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops import sampling
from ..ops.checks import float_tensor
from ..ops.elementwise import cast, select
from ..ops.index import one_hot
from ..ops.layout import movedim, narrow
from ..ops.pointwise import clamp
from ..ops.softmax import _axis_and_float, softmax
from ..shape import check_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "gelu",
    "glu",
    "gumbel_softmax",
    "logsigmoid",
    "mish",
    "silu",
    "softmin",
    "softplus",
    "softsign",
    "tanhshrink",
]


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish. Hendrycks & Gimpel 2016; Ramachandran et al. 2017."""
    x = float_tensor("silu", input)
    return x * e.SIGMOID(x)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)). Misra 2019."""
    x = float_tensor("mish", input)
    return x * e.TANH(e.SOFTPLUS(x))


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x), Phi the normal distribution; approximate="tanh" for the formula with tanh.

    0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks & Gimpel 2016.
    """
    x = float_tensor("gelu", input)
    if approximate == "none":
        return e.GELU(x)
    if approximate != "tanh":
        raise fail(
            ArgumentError,
            "gelu",
            f"expected approximate 'none' or 'tanh', got {approximate!r}; "
            "use 'none' for the exact formula",
        )
    near = clamp(x, -10.0, 10.0)  # beyond, tanh is 1 in every digit, while x^3 could overflow
    inner = (near + near * near * near * 0.044715) * math.sqrt(2.0 / math.pi)
    return x * (e.TANH(inner) + 1.0) * 0.5


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, and x itself where beta x > threshold.

    x of any shape. Dugas et al. 2001.

    Decks: D0.
    """
    x = float_tensor("softplus", input)
    if beta == 1.0:
        return select(x > threshold, x, e.SOFTPLUS(x))
    scaled = x * beta
    return select(scaled > threshold, x, e.SOFTPLUS(scaled) / beta)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|). Glorot & Bengio 2010."""
    x = float_tensor("softsign", input)
    return x / (e.ABS(x) + 1.0)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    x = float_tensor("tanhshrink", input)
    return x - e.TANH(x)


def logsigmoid(input: Tensor) -> Tensor:
    """log(1 / (1 + e^-x)) = -softplus(-x), which neither overflows nor loses digits."""
    return e.NEG(e.SOFTPLUS(e.NEG(float_tensor("logsigmoid", input))))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b), a and b the halves of x along `dim`. Dauphin et al. 2017.

    Raises: ShapeError if the axis has no two halves.
    """
    x = float_tensor("glu", input)
    axis = check_axis("glu", dim, len(x.shape))
    size = x.shape[axis] if x.shape else 1
    if size % 2:
        raise fail(
            ShapeError,
            "glu",
            f"expected an even size at axis {dim}, got {size} in {x.shape}; "
            "give the layer before twice the features",
        )
    half = size // 2
    return narrow(x, axis, 0, half) * e.SIGMOID(narrow(x, axis, half, half))


def softmin(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """softmax(-x) along `dim`."""
    x, axis = _axis_and_float("softmin", input, dim, dtype)
    return softmax(e.NEG(x), axis)


def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """softmax((logits + G) / tau) with Gumbel noise G = -log(-log u): a sample one can derive by.

    Args: logits (..., C), unnormalised log-probabilities; `tau` > 0, the temperature. With `hard`
    the result is one-hot, of the class that the soft sample gives most to, while the gradient is
    the soft sample's (straight-through). `eps` has no effect, as in torch.
    Raises: ArgumentError if tau is not positive. Jang et al. 2017; Maddison et al. 2017.
    """
    x = float_tensor("gumbel_softmax", logits)
    if not tau > 0:
        raise fail(ArgumentError, "gumbel_softmax", f"expected tau > 0, got {tau}; use 1.0")
    noise = e.NEG(e.LOG(sampling.exponential(x.shape, dtype=x.dtype, backend=x.backend)))
    soft = softmax((x + noise) / tau, dim)
    if not hard:
        return soft
    axis = check_axis("gumbel_softmax", dim, len(x.shape))
    best = one_hot(soft.detach().argmax(axis), x.shape[axis])
    return cast(movedim(best, -1, axis), x.dtype) + (soft - soft.detach())
