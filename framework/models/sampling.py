"""Drawing the next token of a sequence: what language models share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..checks import real, whole
from ..composed.sorting import topk
from ..errors import ShapeError, fail
from ..functional import multinomial, softmax, where
from ..nn import Module
from ..ops.sampling import Generator
from ..tensor import Tensor


def next_token(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Draw from softmax(logits / temperature): (N, V) -> (N, 1) int64.

    A low temperature prefers what is likely; 0 takes the likeliest. `top_k` draws among the k
    likeliest alone. `generator` is the default one if not given.
    """
    if len(logits.shape) != 2:
        raise fail(
            ShapeError,
            "next_token",
            f"expected logits (N, V) of one step, got {logits.shape}; take logits[:, -1]",
        )
    if real("next_token", "temperature", temperature) == 0.0:
        return logits.argmax(1, keepdim=True)
    scaled = logits.detach() / temperature
    if top_k is not None and whole("next_token", "top_k", top_k) < logits.shape[1]:
        least = topk(scaled, top_k, 1)[0][:, -1:]
        scaled = where(scaled < least, -float("inf"), scaled)
    options: dict[str, Any] = {} if generator is None else {"generator": generator}
    return multinomial(softmax(scaled, 1), 1, **options)


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Evaluation mode; then each module as it was, whatever happens."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def check_prompt(op: str, tokens: Tensor, count: int) -> None:
    """Raises ShapeError or ArgumentError for what `generate` cannot go on from."""
    whole(op, "count", count)
    if len(tokens.shape) != 2 or not tokens.shape[1]:
        raise fail(
            ShapeError,
            op,
            f"expected a prompt (N, T) of at least one token, got {tokens.shape}; "
            "put the tokens in a list of lists",
        )
