"""Parts of a dataset to learn from, to choose by, and to judge by."""

from __future__ import annotations

from ..errors import ArgumentError, fail
from ..functional import randperm
from ..ops.sampling import Generator
from .dataset import Dataset, Subset, random_split


def train_validation_test(
    dataset: Dataset,
    test: float = 0.3,
    validation: float = 0.3,
    generator: Generator | None = None,
) -> tuple[Subset, Subset, Subset]:
    """Cut a dataset at random: 70 % to train and 30 % to test, then 30 % of the first to validate.

    So 49, 21 and 30 % by default; `validation=0.0` gives 70/30 and an empty middle part. Raises
    ArgumentError for parts outside 0 ... 1. Source: lecture only. Decks: D0.
    """
    for part in (test, validation):
        if not 0.0 <= part < 1.0:
            why = f"expected parts in 0 ... 1, and not 1, got {part!r}; use 0.3"
            raise fail(ArgumentError, "train_validation_test", why)
    n = len(dataset)
    judged = round(n * test)
    watched = round((n - judged) * validation)
    parts = random_split(dataset, [n - judged - watched, watched, judged], generator)
    return parts[0], parts[1], parts[2]


def k_fold(
    dataset: Dataset, k: int = 5, generator: Generator | None = None
) -> list[tuple[Subset, Subset]]:
    """k pairs (train, validation) of a dataset: each sample validates once and trains k - 1 times.

    Raises ArgumentError unless 2 <= k <= the number of samples.
    """
    n = len(dataset)
    if not isinstance(k, int) or not 2 <= k <= n:
        why = f"expected k of 2 ... {n}, the number of samples, got {k!r}; use 5 or 10"
        raise fail(ArgumentError, "k_fold", why)
    order = randperm(n, generator=generator).tolist()
    folds = []
    for i in range(k):
        start, stop = n * i // k, n * (i + 1) // k
        folds.append((order[:start] + order[stop:], order[start:stop]))
    return [(Subset(dataset, learn), Subset(dataset, watch)) for learn, watch in folds]
