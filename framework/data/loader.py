"""DataLoader: batches of a dataset, in an order that depends on the seed and the epoch alone.

An epoch is planned first (`plan`: which samples make each batch, and where that batch's random
numbers begin) and carried out by `fetch`, which needs nothing but its arguments. So any batch can
be made anywhere, in any order, by any process, and is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..creation import as_backend
from ..errors import ArgumentError, fail
from ..functional import randperm
from ..ops.sampling import Generator, default_generator
from .dataset import Dataset, Sample
from .transforms import Transform

# The high half of the generator's 128-bit counter holds the epoch and the number of the batch, so
# that no two batches ever draw the same random numbers.
EPOCH, BATCH = 2**96, 2**64


@dataclass(frozen=True)
class Batch:
    """A batch that is planned: its samples' numbers, and the start of its random numbers."""

    indices: list[int]
    seed: int
    counter: int


def fetch(dataset: Dataset, batch: Batch, transform: Transform | None = None) -> Sample:
    """Carry a planned batch out, on the dataset's own backend."""
    first, *rest = dataset.batch(batch.indices)
    if transform is not None:
        first = transform(first, Generator(batch.seed, batch.counter))
    return (first, *rest)


class DataLoader:
    """Iterate over a dataset in batches; each pass is an epoch with an order of its own.

        >>> import etude
        >>> from etude.framework.data import TensorDataset
        >>> loader = DataLoader(TensorDataset(etude.arange(6)), batch_size=4)
        >>> [x for x, in loader]
        [tensor([0, 1, 2, 3]), tensor([4, 5])]

    Args:
        dataset: the samples.
        batch_size: samples in a batch; the last one may be smaller, unless `drop_last`.
        shuffle: whether each epoch takes the samples in a random order.
        drop_last: leave a smaller last batch out.
        seed: of the orders and of the transform; by default the seed given to `manual_seed`.
        transform: changes the batch's first tensor, `transform(x, generator)`, see transforms.py.
        backend: where the batches go; by default they stay on the dataset's.

    Raises ArgumentError for a batch size that is not a positive whole number.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        seed: int | None = None,
        transform: Transform | None = None,
        backend: Any = None,
    ) -> None:
        if not isinstance(batch_size, int) or batch_size < 1:
            raise fail(
                ArgumentError,
                "DataLoader",
                f"expected batch_size >= 1, got {batch_size!r}; use 1 for single samples",
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = (default_generator.seed if seed is None else seed) % 2**64
        self.transform = transform
        self.backend = None if backend is None else as_backend(backend)
        self.epoch = 0  # the epoch that the next pass will be

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def plan(self, epoch: int) -> list[Batch]:
        """The batches of an epoch, counted from 0."""
        order: Sequence[int] = range(len(self.dataset))
        if self.shuffle:
            generator = Generator(self.seed, epoch * EPOCH)
            order = randperm(len(self.dataset), generator=generator).tolist()
        size = self.batch_size
        return [
            Batch(
                list(order[b * size : (b + 1) * size]), self.seed, epoch * EPOCH + (b + 1) * BATCH
            )
            for b in range(len(self))
        ]

    def __iter__(self) -> Iterator[Sample]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.batches(epoch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Sample]:
        """The batches of an epoch from number `start` on: how a resumed run goes on."""
        for batch in self.plan(epoch)[start:]:
            parts = fetch(self.dataset, batch, self.transform)
            if self.backend is not None:
                parts = tuple(t.to(self.backend) for t in parts)
            yield parts
