"""Passes over unlabelled data: what the training of every unsupervised model here shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import no_grad
from ..checks import whole
from ..functional import index_select, randperm
from ..ops.sampling import Generator
from ..tensor import Tensor


def each_batch(
    step: Callable[[Tensor], Tensor],
    data: Tensor,
    epochs: int,
    batch_size: int = 64,
    compile: bool = False,
    generator: Generator | None = None,
) -> list[Any]:
    """Call step(x) on mini-batches of the data, in a new order in each epoch.

    Args: step, which trains on a batch (batch_size, ...) and returns what it measured, a tensor of
    any shape; data (N, ...), of which each epoch leaves out the N % batch_size last in its order;
    compile, to record the step and replay it (`etude.compile`).
    Returns: for each epoch, the mean of what the steps returned (a float, or nested lists of them).
    Raises: ArgumentError. Decks: D0, D2 (mini-batches from a random partition).
    """
    size = min(whole("each_batch", "batch_size", batch_size), max(len(data), 1))
    if compile:
        from ..compile import compile as compiled

        step = compiled(step)
    history = []
    for _ in range(whole("each_batch", "epochs", epochs, 0)):
        order = randperm(len(data), generator=generator).tolist()
        total: Any = 0.0
        starts = range(0, len(data) - size + 1, size)
        for i in starts:
            measured = step(index_select(data, 0, order[i : i + size]))
            with no_grad():
                total = total + measured.detach().clone()
        history.append((total / len(starts)).tolist() if len(starts) else 0.0)
    return history
