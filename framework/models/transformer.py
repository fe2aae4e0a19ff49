"""Decoder-only transformer. A. Radford et al., "Language models are unsupervised multitask
learners", 2019, section 2.3 (GPT-2), after A. Vaswani et al., "Attention is all you need", NIPS
2017, sections 3.2 and 3.5. No deck has it; it is what users look for first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..checks import choice, real, whole
from ..creation import arange
from ..errors import ArgumentError, ShapeError, fail
from ..functional import cat, cos, exp, scaled_dot_product_attention, sin, stack
from ..ops.sampling import Generator
from ..tensor import Tensor
from .sampling import check_prompt, evaluating, next_token

TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # in GPT-2's own files


def sinusoidal_positions(count: int, features: int, backend: Any = None) -> Tensor:
    """(count, features): sin(t / 10000^(2 i / E)) at 2 i, the cosine at 2 i + 1.

    Source: Vaswani et al. 2017, section 3.5. E has to be even.
    """
    if whole("sinusoidal_positions", "features", features) % 2:
        raise fail(
            ArgumentError,
            "sinusoidal_positions",
            f"expected an even number of features, got {features}; use {features + 1}",
        )
    steps = arange(features // 2, backend=backend).to("float32") * (2.0 / features)
    rates = exp(steps * -9.210340371976184)  # ln 10000
    t = arange(count, backend=backend).to("float32").reshape(-1, 1)
    return stack([sin(t * rates), cos(t * rates)], 2).reshape(count, features)


class CausalSelfAttention(nn.Module):
    """Multi-head attention in which step t sees the steps up to t: (N, T, E) -> (N, T, E)."""

    def __init__(self, features: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.c_attn = nn.Linear(features, 3 * features)
        self.c_proj = nn.Linear(features, features)
        self.resid_dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """softmax(q k^T / sqrt(d), causal) v of each head, then c_proj."""
        n, t, e = x.shape
        parts = self.c_attn(x).reshape(n, t, 3, self.heads, e // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        p = self.dropout if self.training else 0.0
        y = scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
        out: Tensor = self.resid_dropout(self.c_proj(y.transpose(1, 2).reshape(n, t, e)))
        return out


class MLP(nn.Module):
    """c_proj(gelu(c_fc(x))) with four times the features between."""

    def __init__(self, features: int, dropout: float) -> None:
        super().__init__()
        self.c_fc = nn.Linear(features, 4 * features)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * features, features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Each step by itself."""
        out: Tensor = self.dropout(self.c_proj(self.gelu(self.c_fc(x))))
        return out


class Block(nn.Module):
    """x + attn(ln_1(x)), then x + mlp(ln_2(x))."""

    def __init__(self, features: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(features)
        self.attn = CausalSelfAttention(features, heads, dropout)
        self.ln_2 = nn.LayerNorm(features)
        self.mlp = MLP(features, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) -> (N, T, E)."""
        x = x + self.attn(self.ln_1(x))
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Transformer(nn.Module):
    """Tokens (N, T) int64, T <= n_positions -> logits (N, T, vocab_size) of the token after each.

    Embedding and position, n_layer blocks of causal attention of n_head heads, a last norm, and the
    embedding's matrix once more. The defaults are GPT-2 small: 124,439,808 parameters. `positions`
    are "learned", or "sinusoidal", with nothing to learn.

    Names are GPT-2's: transformer.wte, wpe, h.0.ln_1, h.0.attn.c_attn, h.0.attn.c_proj, h.0.ln_2,
    h.0.mlp.c_fc, h.0.mlp.c_proj, ln_f, and lm_head, which shares wte's weight. Its published files
    hold the matrices transposed: `gpt2_state` turns them round. Weights start from N(0, 0.02^2),
    those that end a branch divided by sqrt(2 n_layer), biases 0.
    """

    def __init__(
        self,
        vocab_size: int = 50257,
        n_positions: int = 1024,
        n_layer: int = 12,
        n_head: int = 12,
        n_embd: int = 768,
        dropout: float = 0.1,
        positions: str = "learned",
    ) -> None:
        super().__init__()
        choice("transformer", "positions", positions, ("learned", "sinusoidal"))
        real("transformer", "dropout", dropout, 0.0, 1.0)
        if whole("transformer", "n_embd", n_embd) % whole("transformer", "n_head", n_head):
            raise fail(
                ArgumentError,
                "transformer",
                f"expected n_embd divisible by n_head, got {n_embd} and {n_head}; "
                f"use n_embd={n_head * max(1, n_embd // n_head)}",
            )
        self.n_positions = whole("transformer", "n_positions", n_positions)
        parts: dict[str, nn.Module] = {"wte": nn.Embedding(vocab_size, n_embd)}
        if positions == "learned":
            parts["wpe"] = nn.Embedding(n_positions, n_embd)
        parts["drop"] = nn.Dropout(dropout)
        parts["h"] = nn.ModuleList(Block(n_embd, n_head, dropout) for _ in range(n_layer))
        parts["ln_f"] = nn.LayerNorm(n_embd)
        self.transformer = nn.ModuleDict(parts)
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight
        if positions == "sinusoidal":
            table = sinusoidal_positions(n_positions, n_embd)
            self.register_buffer("positions", table, persistent=False)
        self._start(n_layer)

    def _start(self, layers: int) -> None:
        for name, p in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(p)
            elif len(p.shape) > 1:
                branch_ends = name.endswith("c_proj.weight")
                nn.init.normal_(p, std=0.02 / (2 * layers) ** 0.5 if branch_ends else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the token after each."""
        if len(tokens.shape) != 2 or not 0 < tokens.shape[1] <= self.n_positions:
            raise fail(
                ShapeError,
                "transformer",
                f"expected tokens (N, T) with T from 1 to n_positions={self.n_positions}, got "
                f"{tokens.shape}; cut them, or use more positions",
            )
        t = tokens.shape[1]
        if "wpe" in self.transformer:
            places = self.transformer["wpe"](arange(t, backend=tokens.backend))
        else:
            places = self.positions[:t]
        x = self.transformer["drop"](self.transformer["wte"](tokens) + places)
        for block in self.transformer["h"]:
            x = block(x)
        logits: Tensor = self.lm_head(self.transformer["ln_f"](x))
        return logits

    def generate(
        self,
        tokens: Tensor,
        count: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Go on from a prompt (N, T) by `count` tokens: (N, T + count). See `next_token`.

        The model sees the last n_positions tokens; it is in evaluation mode meanwhile.
        """
        check_prompt("generate", tokens, count)
        with evaluating(self), no_grad():
            for _ in range(count):
                logits = self(tokens[:, -self.n_positions :])[:, -1]
                tokens = cat([tokens, next_token(logits, temperature, top_k, generator)], 1)
        return tokens


def gpt2_state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """GPT-2's published tensors under this model's names and in its layouts.

    Masks (attn.bias, attn.masked_bias) are left out, lm_head.weight is wte.weight.
    """
    state: dict[str, Tensor] = {}
    for name, value in tensors.items():
        key = name.removeprefix("transformer.")
        if key.endswith((".attn.bias", ".attn.masked_bias")) or key == "lm_head.weight":
            continue
        state[f"transformer.{key}"] = value.transpose(0, 1) if key.endswith(TRANSPOSED) else value
    if "transformer.wte.weight" in state:
        state["lm_head.weight"] = state["transformer.wte.weight"]
    return state
