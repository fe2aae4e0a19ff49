"""Embedding: rows of a table."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..autograd import apply, no_grad
from ..errors import ArgumentError, IndexOutOfRange, ShapeError, fail
from ..ops.elementwise import select
from ..ops.index import AddRows, as_indices, check_indices, take_rows
from ..ops.reduce import norm

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["embedding"]


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of weight (V, D) at the indices `input` (...), giving (..., D).

    Args: input int64. The row at `padding_idx` gets no gradient. With `max_norm` the rows that are
    looked up and longer (in the norm `norm_type`) are first shortened to it, in the weight itself.
    With `scale_grad_by_freq` the gradient of a row is divided by how often it occurs in `input`.
    Raises: ShapeError; IndexOutOfRange for an index outside 0 ... V-1; ArgumentError for `sparse`,
    because all gradients here are dense. Source: Bengio et al. 2003.
    """
    op = "embedding"
    indices = as_indices(op, input, weight)
    if len(weight.shape) != 2:
        raise fail(
            ShapeError,
            op,
            f"expected a weight (V, D), got {weight.shape}; "
            "give it one row of D numbers for each index",
        )
    if sparse:
        raise fail(ArgumentError, op, "expected dense gradients, got sparse=True; leave it out")
    rows = weight.shape[0]
    check_indices(op, indices, rows)
    if max_norm is not None:
        _shorten(weight, indices, max_norm, norm_type)
    y = take_rows(op, weight, indices)
    if scale_grad_by_freq:
        share = 1.0 / take_rows(op, _counts(indices, weight), indices)
        part = y * share
        y = y.detach() + (part - part.detach())
    if padding_idx is None:
        return y
    if not -rows <= padding_idx < rows:
        raise fail(
            IndexOutOfRange,
            op,
            f"expected padding_idx to name a row of {weight.shape}, got {padding_idx}; "
            f"use {-rows} ... {rows - 1}",
        )
    return select((indices == padding_idx % rows).unsqueeze(-1), y.detach(), y)


def _counts(indices: Tensor, weight: Tensor) -> Tensor:
    """How often each row of the weight is looked up, (V, 1)."""
    flat = indices.reshape(prod(indices.shape))
    ones = _tensor.ones((flat.shape[0], 1), dtype=weight.dtype, backend=weight.backend)
    return apply(AddRows(weight.shape[0]), ones, flat)


def _shorten(weight: Tensor, indices: Tensor, limit: float, p: float) -> None:
    """In place: rows that are looked up get the norm `limit` if theirs is larger."""
    with no_grad():
        length = norm(weight, p, 1, True)
        long = (length > limit) & (_counts(indices, weight) > 0)
        weight.mul_(select(long, limit / (length + 1e-7), 1.0))  # torch's way round 0 / 0
