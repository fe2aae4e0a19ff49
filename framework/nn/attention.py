"""Multi-head attention."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..checks import real, whole
from ..checks import tensor as expect_tensor
from ..composed.attention import attention_weights
from ..creation import ones, zeros
from ..dtypes import bool_
from ..errors import ArgumentError, ShapeError, fail
from ..tensor import Tensor
from . import init
from .layer import new_parameter
from .linear import Linear
from .module import Module
from .parameter import Parameter

MINUS_INFINITY = float("-inf")


class MultiheadAttention(Module):
    """Attention of `num_heads` heads, each on its own projections of query, key and value.

        head_h = softmax(q_h k_h^T / sqrt(d)) v_h,  d = embed_dim / num_heads
        y = out_proj(head_1, ..., head_H)

    Args: embed_dim, divisible by num_heads; `dropout` drops weights in training; `kdim`, `vdim` are
    the features of key and value (embed_dim by default); `add_bias_kv` appends a learned key and
    value, `add_zero_attn` a zero one; `batch_first` says whether sequences are (N, L, E) or
    (L, N, E), torch's default. State as torch's: in_proj_weight (3 E, E), or q_, k_ and
    v_proj_weight; in_proj_bias (3 E,), bias_k and bias_v (1, 1, E), out_proj.
    Source: Vaswani et al. 2017, section 3.2.2.
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        op = "MultiheadAttention"
        self.embed_dim = whole(op, "embed_dim", embed_dim)
        self.num_heads = whole(op, "num_heads", num_heads)
        if embed_dim % num_heads:
            raise fail(
                ArgumentError,
                op,
                f"expected embed_dim divisible by num_heads, got {embed_dim} and {num_heads}; "
                f"use embed_dim={embed_dim // num_heads * num_heads + num_heads}",
            )
        self.kdim = embed_dim if kdim is None else whole(op, "kdim", kdim)
        self.vdim = embed_dim if vdim is None else whole(op, "vdim", vdim)
        self.dropout = real(op, "dropout", dropout, 0.0, 1.0)
        self.batch_first, self.add_zero_attn = batch_first, add_zero_attn
        packed = self.kdim == self.vdim == embed_dim
        shapes = {
            "q_proj_weight": None if packed else (embed_dim, embed_dim),
            "k_proj_weight": None if packed else (embed_dim, self.kdim),
            "v_proj_weight": None if packed else (embed_dim, self.vdim),
            "in_proj_weight": (3 * embed_dim, embed_dim) if packed else None,
            "in_proj_bias": (3 * embed_dim,) if bias else None,
            "bias_k": (1, 1, embed_dim) if add_bias_kv else None,
            "bias_v": (1, 1, embed_dim) if add_bias_kv else None,
        }
        for name, shape in shapes.items():
            made = None if shape is None else new_parameter(op, shape, dtype, backend)
            self.register_parameter(name, made)
        self.out_proj = Linear(embed_dim, embed_dim, bias, backend=backend, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Projections by Xavier's uniform numbers, biases 0."""
        self.out_proj.reset_parameters()
        for weight in (
            self.in_proj_weight,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
        ):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(y, weights) for query (L, N, E), key (S, N, kdim) and value (S, N, vdim).

        With batch_first N comes first; without a batch all three lack it. `key_padding_mask` (N, S)
        and `attn_mask` (L, S) or (N H, L, S) are bool, True where a query may *not* look, or float,
        added to the scores. `is_causal` without an attn_mask lets query i look at keys 0 ... i.
        Returns y in the query's layout and the weights (N, L, S), (N, H, L, S) if not averaged, or
        None if not needed. A query that may look nowhere gets weights 0 (torch gives nan with
        need_weights and 0 without).
        """
        batched = self._check(query, key, value)
        q, k, v = self._project(*(self._batch_first(x, batched) for x in (query, key, value)))
        if is_causal and attn_mask is None:
            attn_mask = _later(q.shape[1], k.shape[1], q)
        if self.bias_k is not None and self.bias_v is not None:
            n = q.shape[0]
            k = F.cat([k, self.bias_k.expand(n, 1, self.embed_dim)], 1)
            v = F.cat([v, self.bias_v.expand(n, 1, self.embed_dim)], 1)
        q, k, v = (self._heads(x) for x in (q, k, v))
        if self.add_zero_attn:
            nothing = zeros(*k.shape[:2], 1, k.shape[3], dtype=k.dtype, backend=k.backend)
            k, v = F.cat([k, nothing], 2), F.cat([v, nothing], 2)
        mask = self._mask(attn_mask, key_padding_mask, q, k)
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = F.dropout(attention_weights(q, k, mask, None), p)
            y = F.matmul(weights, v)
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, p)
        y = self.out_proj(y.transpose(1, 2).flatten(2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return y.squeeze(0), None if weights is None else weights.squeeze(0)
        return y if self.batch_first else y.transpose(0, 1), weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> bool:
        """Whether there is a batch."""
        op = "MultiheadAttention"
        given = [("query", query), ("key", key), ("value", value)]
        shapes = [expect_tensor(op, name, x).shape for name, x in given]
        sizes = (self.embed_dim, self.kdim, self.vdim)
        ranks = {len(s) for s in shapes}
        if ranks not in ({2}, {3}) or any(s[-1] != n for s, n in zip(shapes, sizes, strict=True)):
            layout = "(N, L, " if self.batch_first else "(L, N, "
            raise fail(
                ShapeError,
                op,
                f"expected query {layout}{sizes[0]}), key {layout}{sizes[1]}) and value "
                f"{layout}{sizes[2]}), or all without N, got {shapes[0]}, {shapes[1]} and "
                f"{shapes[2]}; use embed_dim, kdim and vdim of the inputs",
            )
        return ranks == {3}

    def _batch_first(self, x: Tensor, batched: bool) -> Tensor:
        if not batched:
            return x.unsqueeze(0)
        return x if self.batch_first else x.transpose(0, 1)

    def _project(self, q: Tensor, k: Tensor, v: Tensor) -> list[Tensor]:
        """Queries, keys and values of all heads side by side, (N, L, E)."""
        biases: Any = (None,) * 3
        if self.in_proj_bias is not None:
            biases = self.in_proj_bias.chunk(3)
        weights: Any = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        if self.in_proj_weight is not None:
            weights = self.in_proj_weight.chunk(3)
        parts = zip((q, k, v), weights, biases, strict=True)
        return [F.linear(x, w, b) for x, w, b in parts]

    def _heads(self, x: Tensor) -> Tensor:
        """(N, L, E) as (N, H, L, E / H)."""
        n, length, _ = x.shape
        size = self.embed_dim // self.num_heads
        return x.reshape(n, length, self.num_heads, size).transpose(1, 2)

    def _mask(
        self, attn_mask: Tensor | None, padding: Tensor | None, q: Tensor, k: Tensor
    ) -> Tensor | None:
        """Both masks in one, as numbers to add that broadcast to (N, H, L, S)."""
        n, heads, length, total = q.shape[0], self.num_heads, q.shape[2], k.shape[2]
        extra = (self.bias_k is not None) + self.add_zero_attn
        size = total - extra
        mask = None
        if attn_mask is not None:
            _expect("attn_mask", attn_mask, (length, size), (n * heads, length, size))
            wide = len(attn_mask.shape) == 3
            mask = _additive(attn_mask, q)
            mask = mask.reshape(n, heads, length, size) if wide else mask
        if padding is not None:
            single = (size,) if n == 1 else (n, size)
            _expect("key_padding_mask", padding, (n, size), single)
            more = _additive(padding, q).reshape(n, 1, 1, size)
            mask = more if mask is None else mask + more
        return mask if mask is None or not extra else F.pad(mask, (0, extra))


def _expect(name: str, mask: Tensor, *shapes: tuple[int, ...]) -> None:
    if mask.shape not in shapes:
        wanted = " or ".join(map(str, dict.fromkeys(shapes)))
        raise fail(
            ShapeError,
            "MultiheadAttention",
            f"expected {name} {wanted}, got {mask.shape}; reshape it",
        )


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """-inf where a bool mask is True; a float mask as it is."""
    if mask.dtype is not bool_:
        return mask.to(like.dtype)
    nothing = zeros(mask.shape, dtype=like.dtype, backend=like.backend)
    return F.masked_fill(nothing, mask, MINUS_INFINITY)


def _later(length: int, size: int, like: Tensor) -> Tensor:
    """True where a key comes after the query."""
    return F.triu(ones(length, size, dtype=bool_, backend=like.backend), 1)
