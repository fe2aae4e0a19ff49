"""Attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf, sqrt
from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..dtypes import bool_
from ..errors import ArgumentError, ShapeError, fail
from ..ops.checks import float_tensor
from ..ops.elementwise import select
from ..ops.index import tril
from ..ops.layout import expand
from ..ops.matmul import _mm, _same_float, matmul
from ..ops.softmax import softmax
from .dropout import dropout

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["scaled_dot_product_attention"]

OP = "scaled_dot_product_attention"
_watched: ContextVar[list[Tensor] | None] = ContextVar("watched", default=None)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q k^T scale + mask) v: each query's mean of the values, by how well its key fits.

    Args: query (..., L, E), key (..., S, E), value (..., S, V), float; `scale` is 1 / sqrt(E) by
    default. `attn_mask` broadcasts to (..., L, S): bool, True where a query may look, or float,
    added to the scores; a query that may look nowhere gets 0. `is_causal` lets query i look at keys
    0 ... i. `dropout_p` drops weights, always: pass 0 in evaluation. `enable_gqa` lets groups of
    query heads (axis -3) share a head of key and value.
    Returns: (..., L, V). Raises: ShapeError, DTypeError, ArgumentError.
    Source: Vaswani et al. 2017, section 3.2.1; grouped queries: Ainslie et al. 2023.
    """
    q, k, v = _same_float(OP, *(float_tensor(OP, x) for x in (query, key, value)))
    _check(q, k, v, attn_mask, is_causal)
    if enable_gqa:
        k, v = _repeated(k, q), _repeated(v, q)
    if is_causal:
        size = (q.shape[-2], k.shape[-2])
        attn_mask = tril(_tensor.ones(size, dtype=bool_, backend=q.backend))
    return matmul(dropout(attention_weights(q, k, attn_mask, scale), dropout_p), v)


@contextmanager
def watched_weights() -> Iterator[list[Tensor]]:
    """A list that fills with the weights of every attention computed until the end."""
    seen: list[Tensor] = []
    token = _watched.set(seen)
    try:
        yield seen
    finally:
        _watched.reset(token)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """softmax(q k^T scale + mask), and 0 for a query that may look nowhere."""
    weights = _weights(q, k, mask, scale)
    seen = _watched.get()
    if seen is not None:
        seen.append(weights.detach())
    return weights


def _weights(q: Tensor, k: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    factor = 1.0 / sqrt(max(q.shape[-1], 1)) if scale is None else scale
    scores = _mm(q, k, False, True) * factor
    if mask is None:
        return softmax(scores, -1)
    if mask.dtype is bool_:
        scores = select(mask, scores, -inf)
    else:
        scores = scores + mask
    blind = (scores == -inf).all(-1, keepdim=True)
    return select(blind, 0.0, softmax(select(blind, 0.0, scores), -1))


def _check(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> None:
    if min(len(x.shape) for x in (q, k, v)) < 2:
        raise fail(
            ShapeError,
            OP,
            f"expected query (..., L, E), key (..., S, E) and value (..., S, V), got {q.shape}, "
            f"{k.shape} and {v.shape}; "
            "give query and key one E, key and value one S",
        )
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise fail(
            ShapeError,
            OP,
            f"expected query and key of one last size, and a value for each key, got query "
            f"{q.shape}, key {k.shape}, value {v.shape}; transpose one of them?",
        )
    if mask is not None and causal:
        raise fail(
            ArgumentError, OP, "expected attn_mask or is_causal, got both; put both in the mask"
        )
    if mask is not None and mask.dtype is not bool_:
        float_tensor(OP, mask)


def _repeated(x: Tensor, query: Tensor) -> Tensor:
    """x with each head as often as there are query heads to it."""
    if len(x.shape) < 3 or len(query.shape) < 3 or query.shape[-3] % max(x.shape[-3], 1):
        raise fail(
            ShapeError,
            OP,
            "expected heads at axis -3, with a multiple of key and value heads in the query, got "
            f"query {query.shape} and key or value {x.shape}; "
            "repeat the heads of key and value",
        )
    times = query.shape[-3] // max(x.shape[-3], 1)
    *lead, heads, length, size = x.shape
    wide = expand(x.unsqueeze(-3), (*lead, heads, times, length, size))
    return wide.reshape(*lead, heads * times, length, size)
