"""Which samples an epoch takes: drawn with or without replacement, or the easy ones first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..checks import real, whole
from ..errors import ArgumentError, ShapeError, fail
from ..functional import multinomial, randint, randperm
from ..ops.sampling import Generator
from ..tensor import Tensor


def sample_indices(
    n: int,
    count: int | None = None,
    replacement: bool = False,
    weights: Tensor | None = None,
    generator: Generator | None = None,
) -> list[int]:
    """`count` numbers below n, at random: for `Subset(dataset, sample_indices(len(dataset)))`.

    Without replacement each comes at most once; count=n is a random order, whose pieces are the
    random partition into mini-batches (D0). With replacement each draw is from all n, as the theory
    of stochastic descent and the bootstrap have it. `weights` (n,) >= 0 make some likelier, as for
    classes that are rare.

    Args: count n by default. Returns: a list. Raises: ArgumentError, ShapeError.
    Source: Efron 1979 (bootstrap). Decks: D0, D3, D4 (without replacement).
    """
    op = "sample_indices"
    whole(op, "n", n)
    k = n if count is None else whole(op, "count", count)
    if not replacement and k > n:
        raise fail(
            ArgumentError,
            op,
            f"expected count <= {n} without replacement, got {k}; use replacement=True",
        )
    if weights is not None:
        if weights.shape != (n,):
            raise fail(ShapeError, op, f"expected weights ({n},), got {weights.shape}; reshape it")
        return list(multinomial(weights, k, replacement, generator=generator).tolist())
    if replacement:
        return list(randint(0, n, (k,), generator=generator).tolist())
    return list(randperm(n, generator=generator).tolist()[:k])


def curriculum_indices(
    difficulty: Sequence[float] | Tensor,
    epoch: int,
    epochs: int,
    start: float = 0.2,
    generator: Generator | None = None,
) -> list[int]:
    """The easiest samples, in random order: a share that grows from `start` to all of them.

    The share in epoch 0, 1, ... is start + (1 - start) epoch / (epochs - 1), and 1 from epoch
    `epochs` - 1 on. Use with `Subset(dataset, curriculum_indices(...))`, anew in each epoch.

    Args: difficulty (n,), a number for each sample (its loss under a first model, its length), the
    easy ones small. Returns: a list of numbers below n. Raises: ArgumentError.
    Source: Bengio et al., "Curriculum learning", 2009. Decks: D0.
    """
    op = "curriculum_indices"
    values: list[Any] = difficulty.tolist() if isinstance(difficulty, Tensor) else list(difficulty)
    if not values:
        raise fail(ArgumentError, op, "expected a difficulty for each sample, got none; pass some")
    whole(op, "epoch", epoch, 0)
    whole(op, "epochs", epochs)
    real(op, "start", start, 0.0, 1.0, "(")
    done = 1.0 if epochs == 1 else min(epoch / (epochs - 1), 1.0)
    kept = max(1, round(len(values) * (start + (1.0 - start) * done)))
    easy = sorted(range(len(values)), key=lambda i: values[i])[:kept]
    return [easy[i] for i in randperm(kept, generator=generator).tolist()]
