"""Dropout, of single elements and of channels.

p is the probability to *drop* (torch, deck D4); decks D0 and D3 call the probability to keep p and
scale at test time instead, which gives the same expectations. Nothing happens unless `training`.
`inplace`, of which torch knows, changes nothing here: buffers are immutable, so use the result.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from etude.backends.base import Shape

from ..errors import ArgumentError, ShapeError, fail
from ..ops import sampling
from ..ops.checks import float_tensor

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

SELU_FLOOR = 1.7580993408473766  # minus the value that selu tends to on the left


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability p, and scale the others by 1 / (1 - p).

    Args: input of any shape, float. Raises: ArgumentError for p outside [0, 1], DTypeError.
    Source: Srivastava et al. 2014. Decks: D0, D3 (whose p is the chance to keep), D4 (to drop, as
    here). D4 says that training gets much slower, D3 that it gets faster.
    """
    return _dropped("dropout", input, p, training, None)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero each channel (n, c) of (N, C, L) or (C, L) with probability p; see dropout.

    Neighbours in a channel are so alike that dropping single elements hides little.
    Raises: ShapeError, ArgumentError, DTypeError. Source: Tompson et al. 2015.
    """
    return _dropped("dropout1d", input, p, training, {2: 1, 3: 2})


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero each channel (n, c) of (N, C, H, W) with probability p; see dropout1d.

    As in torch, three axes are (N, C, L), not an image without a batch.
    """
    return _dropped("dropout2d", input, p, training, {3: 2, 4: 2})


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero each channel of (N, C, D, H, W) or (C, D, H, W) with probability p; see dropout1d."""
    return _dropped("dropout3d", input, p, training, {4: 1, 5: 2})


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Set elements to selu's lower limit with probability p, then restore mean 0 and variance 1.

    y = a (x or -1.758) + b, a = 1 / sqrt((1 - p) (1 + 1.758^2 p)), b = 1.758 a p.
    Raises: ArgumentError, DTypeError. Source: Klambauer et al. 2017.
    """
    return _alpha("alpha_dropout", input, p, training, False)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """alpha_dropout of whole channels (n, c) of (N, C, ...)."""
    return _alpha("feature_alpha_dropout", input, p, training, True)


def _checked(op: str, input: Tensor, p: float) -> Tensor:
    if not 0.0 <= p <= 1.0:
        raise fail(ArgumentError, op, f"expected a probability p in [0, 1], got {p}; use 0.5")
    return float_tensor(op, input)


def _kept(x: Tensor, shape: Shape, p: float) -> Tensor:
    """1 with probability 1 - p, else 0."""
    u = sampling.rand(shape, dtype=x.dtype, backend=x.backend)
    return (u >= p).to(x.dtype)


def _dropped(
    op: str, input: Tensor, p: float, training: bool, ranks: dict[int, int] | None
) -> Tensor:
    """Dropout; `ranks` says for each number of axes how many of them have a mask of their own."""
    x = _checked(op, input, p)
    own = len(x.shape)
    if ranks is not None:
        if own not in ranks:
            few, many = ranks
            raise fail(
                ShapeError,
                op,
                f"expected x of {few} or {many} axes, got {x.shape}; reshape or unsqueeze it",
            )
        own = ranks[own]
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    shape = x.shape[:own] + (1,) * (len(x.shape) - own)
    return x * (_kept(x, shape, p) * (1.0 / (1.0 - p)))


def _alpha(op: str, input: Tensor, p: float, training: bool, channels: bool) -> Tensor:
    x = _checked(op, input, p)
    if not training or p == 0.0:
        return x
    if channels and len(x.shape) < 2:
        raise fail(ShapeError, op, f"expected x (N, C, ...), got {x.shape}; use alpha_dropout")
    if p == 1.0:
        return x * 0.0
    shape = x.shape[:2] + (1,) * (len(x.shape) - 2) if channels else x.shape
    kept = _kept(x, shape, p)
    a = 1.0 / sqrt((1.0 - p) * (1.0 + SELU_FLOOR**2 * p))
    return x * (kept * a) + ((kept - 1.0) * (SELU_FLOOR * a) + SELU_FLOOR * a * p)
