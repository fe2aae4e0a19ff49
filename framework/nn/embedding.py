"""Embedding: a learned vector for each index."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..autograd import no_grad
from ..checks import real, whole
from ..checks import tensor as expect_tensor
from ..errors import IndexOutOfRange, ShapeError, fail
from ..tensor import Tensor
from . import init
from .layer import new_parameter
from .module import Module
from .parameter import Parameter


class Embedding(Module):
    """Row i of weight (num_embeddings, embedding_dim) for each index i.

    Takes whole numbers of any shape (...), returns (..., embedding_dim). The weight is N(0, 1) at
    first. The row at `padding_idx` starts at zero and gets no gradient. With `max_norm` rows that
    are looked up and longer, in the norm `norm_type`, are shortened to it in the weight; with
    `scale_grad_by_freq` a row's gradient is divided by how often it was looked up.
    Bengio et al. 2003. Decks: D1 (term embeddings).
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = whole("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = whole("Embedding", "embedding_dim", embedding_dim)
        self.max_norm = None if max_norm is None else real("Embedding", "max_norm", max_norm)
        self.norm_type = real("Embedding", "norm_type", norm_type)
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = padding_idx
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise fail(
                    IndexOutOfRange,
                    "Embedding",
                    f"expected padding_idx in {-num_embeddings} ... "
                    f"{num_embeddings - 1}, got {padding_idx}; use the index of a row",
                )
            self.padding_idx = padding_idx % num_embeddings
        self.weight = new_parameter("Embedding", (num_embeddings, embedding_dim), dtype, backend)
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
    ) -> Embedding:
        """An Embedding that starts from given vectors (V, D), and keeps them if frozen."""
        shape = expect_tensor("Embedding", "embeddings", embeddings).shape
        if len(shape) != 2:
            raise fail(
                ShapeError,
                "Embedding",
                f"expected embeddings (V, D), got {shape}; give one row for each index",
            )
        layer = cls(
            shape[0],
            shape[1],
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            backend=embeddings.backend,
            dtype=embeddings.dtype,
        )
        with no_grad():
            layer.weight.copy_(embeddings)
        layer.weight.requires_grad_(not freeze)
        return layer

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        """The vectors at the given indices."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
        )

    def extra_repr(self) -> str:
        """The arguments."""
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False}
        more = [f", {k}={getattr(self, k)}" for k, v in usual.items() if getattr(self, k) != v]
        return f"{self.num_embeddings}, {self.embedding_dim}{''.join(more)}"
