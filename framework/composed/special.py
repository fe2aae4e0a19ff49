"""Functions of logarithms and of the error function, written so that they stay exact at the edges.

Where a formula has no value (0 log 0, 0 / 0), its argument is replaced before it is computed and
the result afterwards, so that neither the value nor the gradient becomes nan.
"""

from __future__ import annotations

from math import inf, log, pi, sqrt
from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..dtypes import DEFAULT
from ..errors import ArgumentError, fail
from ..ops import derivatives as e
from ..ops.elementwise import as_tensor_operand, select
from ..ops.pointwise import clamp

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["entr", "logaddexp", "logaddexp2", "logit", "ndtr", "sinc", "xlog1py", "xlogy"]


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(e^a + e^b) = max(a, b) + log(1 + e^-|a - b|), which never overflows."""
    gap = e.ABS(_difference(input, other))
    return e.MAXIMUM(input, other) + e.SOFTPLUS(e.NEG(gap))


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2^a + 2^b), which never overflows."""
    gap = e.ABS(_difference(input, other)) * log(2.0)
    return e.MAXIMUM(input, other) + e.SOFTPLUS(e.NEG(gap)) * (1.0 / log(2.0))


def _difference(a: Tensor, b: Tensor) -> Tensor:
    """a - b, and 0 where both are the same infinity."""
    same = e.EQ(a, b)
    return select(same, 0.0, a) - select(same, 0.0, b)


def xlogy(input: Tensor | float, other: Tensor | float) -> Tensor:
    """x log(y), and 0 where x = 0, unless y is nan. Its gradient there is log(y) for y > 0."""
    x, y = _tensors(input, other)
    return x * e.LOG(select(_zero_times_infinity(x, y, 0), 1.0, y))


def xlog1py(input: Tensor | float, other: Tensor | float) -> Tensor:
    """x log(1 + y), and 0 where x = 0, unless y is nan."""
    x, y = _tensors(input, other)
    return x * e.LOG1P(select(_zero_times_infinity(x, y, -1), 0.0, y))


def _tensors(x: Tensor | float, y: Tensor | float) -> tuple[Tensor, Tensor]:
    """Both as float tensors; a number takes the other's dtype."""
    like = x if isinstance(x, _tensor.Tensor) else as_tensor_operand("xlogy", y)
    kind = like.dtype if like.dtype.is_floating_point else DEFAULT
    made = [
        t if isinstance(t, _tensor.Tensor) else _tensor.tensor(t, dtype=kind, backend=like.backend)
        for t in (x, y)
    ]
    return made[0], made[1]


def _zero_times_infinity(x: Tensor, y: Tensor, edge: int) -> Tensor:
    infinite = e.LOGICAL_OR(e.LE(y, edge), e.EQ(y, inf))
    return e.LOGICAL_AND(e.EQ(x, 0), infinite)


def entr(input: Tensor) -> Tensor:
    """-x log(x): the share of a probability in the entropy; 0 at 0, -inf below."""
    inside = e.GT(input, 0)
    value = e.NEG(input * e.LOG(select(inside, input, 1.0)))
    return select(inside, value, select(e.LT(input, 0), -inf, value))


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(p / (1 - p)), the inverse of the sigmoid; with `eps`, p is limited to [eps, 1 - eps]."""
    if eps is not None:
        if not 0.0 <= eps <= 0.5:
            raise fail(ArgumentError, "logit", f"expected eps in [0, 0.5], got {eps}; use 1e-6")
        input = clamp(input, eps, 1.0 - eps)
    return e.LOG(input / (1.0 - input))


def ndtr(input: Tensor) -> Tensor:
    """The normal distribution function: (1 + erf(x / sqrt 2)) / 2, without cancellation."""
    return e.ERFC(input * -sqrt(0.5)) * 0.5


def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0."""
    zero = e.EQ(input, 0)
    angle = select(zero, 1.0, input) * pi
    return select(zero, 1.0, e.SIN(angle) / angle)
