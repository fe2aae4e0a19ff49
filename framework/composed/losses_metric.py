"""Distances, and losses that learn them. `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from ..ops.index import index_select
from ..ops.layout import expand
from ..ops.pointwise import clamp
from ..ops.reduce import norm
from ..shape import broadcast, check_axis
from .common import reduced

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "contrastive_loss",
    "cosine_embedding_loss",
    "cosine_similarity",
    "pairwise_distance",
    "pdist",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

COSINE_EPS = 1e-12


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`, which leaves the shape.

    Args: x1 and x2 that broadcast; `dim` counts the axes of the result of that.
    Raises: ShapeError, IndexOutOfRange.
    """
    op = "cosine_similarity"
    a, b = float_tensor(op, x1), float_tensor(op, x2)
    shape = broadcast(op, a.shape, b.shape)
    axis = check_axis(op, dim, len(shape))
    return (_unit(expand(a, shape), axis, eps) * _unit(expand(b, shape), axis, eps)).sum(axis)


def _unit(x: Tensor, axis: int, eps: float) -> Tensor:
    """x / max(|x|, eps); the gradient passes the limit, as in torch."""
    length = norm(x, 2, axis, True)
    fixed = length.detach()
    return x / (length + (clamp(fixed, eps) - fixed))


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """(sum |x1 - x2 + eps|^p)^(1/p) along the last axis; eps keeps the gradient finite at 0.

    Args: x1 and x2 (N, D) or (D,) that broadcast. Returns: (N,) or (), or with a last axis of 1.
    """
    op = "pairwise_distance"
    return norm(float_tensor(op, x1) - float_tensor(op, x2) + eps, p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The distance of each pair of rows of (N, D), as (N (N - 1) / 2,): 0-1, 0-2, ..., 1-2, ...

    Raises: ShapeError; ArgumentError for p < 0.
    """
    x = float_tensor("pdist", input)
    if len(x.shape) != 2:
        raise fail(
            ShapeError, "pdist", f"expected rows (N, D), got {x.shape}; reshape it to two axes"
        )
    if p < 0:
        raise fail(ArgumentError, "pdist", f"expected p >= 0, got {p}; use 2.0")
    n = x.shape[0]
    first = [i for i in range(n) for _ in range(i + 1, n)]
    second = [j for i in range(n) for j in range(i + 1, n)]
    return norm(index_select(x, 0, first) - index_select(x, 0, second), p, -1)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where t = 1, max(0, cos(x1, x2) - margin) where t = -1.

    Args: input1 and input2 (N, D) with target (N,), or (D,) with (). Raises: ShapeError.
    """
    op = "cosine_embedding_loss"
    a, b = float_tensor(op, input1), float_tensor(op, input2)
    axis = len(target.shape)
    if axis > 1 or len(a.shape) != axis + 1 or len(b.shape) != axis + 1:
        raise fail(
            ShapeError,
            op,
            f"expected inputs (N, D) with a target (N,), or (D,) with (), got {a.shape}, "
            f"{b.shape} and {target.shape}; "
            "give the target one number for each pair of rows",
        )
    size = ((a * a).sum(axis) + COSINE_EPS) * ((b * b).sum(axis) + COSINE_EPS)
    cosine = (a * b).sum(axis) / e.SQRT(size)
    alike = select(target == 1, 1.0 - cosine, 0.0)
    return reduced(op, alike + select(target == -1, clamp(cosine - margin, 0.0), 0.0), reduction)


def contrastive_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """d^2 / 2 where t = 1, else max(0, margin - d)^2 / 2, with d = |x1 - x2|: siamese networks.

    Pairs that belong together are drawn to a point, others pushed apart until `margin`.

    Args: input1 and input2 (..., D) of one shape, from two copies of a network that share their
    weights; target (...), 1 for a pair that belongs together, 0 or -1 for another (the paper's Y
    is the other way round). Raises: ShapeError. Source: Hadsell, Chopra & LeCun 2006, equation 4.
    Decks: D3 (among its losses), D4 (siamese networks, for one-shot learning).
    """
    op = "contrastive_loss"
    a, b = float_tensor(op, input1), float_tensor(op, input2)
    if a.shape != b.shape or target.shape != a.shape[:-1]:
        raise fail(
            ShapeError,
            op,
            f"expected inputs (..., D) of one shape and a target (...), got {a.shape}, {b.shape} "
            f"and {target.shape}; give one target for each pair of rows",
        )
    d = a - b
    gap = e.RELU(margin - norm(d, 2, -1))
    return reduced(op, select(target == 1, (d * d).sum(-1), gap * gap) * 0.5, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) - d(a, n) + margin) with the distance of pairwise_distance.

    Args: anchor, positive and negative (N, D) or (D,) that broadcast. With `swap` d(a, n) is
    min(d(a, n), d(p, n)). Raises: ShapeError; ArgumentError unless margin > 0.
    Source: Schroff et al. 2015 (FaceNet); swap: Balntas et al. 2016.
    """
    op = "triplet_margin_loss"

    def distance(x1: Tensor, x2: Tensor) -> Tensor:
        return pairwise_distance(x1, x2, p, eps)

    return _triplet(op, (anchor, positive, negative), distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """triplet_margin_loss with a distance of one's own; by default pairwise_distance."""
    op = "triplet_margin_with_distance_loss"
    distance = distance_function or pairwise_distance
    return _triplet(op, (anchor, positive, negative), distance, margin, swap, reduction)


def _triplet(
    op: str,
    triplet: tuple[Tensor, Tensor, Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    a, p, n = (float_tensor(op, x) for x in triplet)
    if not len(a.shape) == len(p.shape) == len(n.shape):
        raise fail(
            ShapeError,
            op,
            f"expected anchor, positive and negative with as many axes, got {a.shape}, {p.shape} "
            f"and {n.shape}; reshape them",
        )
    if not margin > 0:
        raise fail(ArgumentError, op, f"expected margin > 0, got {margin}; use 1.0")
    near, far = distance(a, p), distance(a, n)
    if swap:
        far = e.MINIMUM(far, distance(p, n))
    return reduced(op, clamp(near - far + margin, 0.0), reduction)
