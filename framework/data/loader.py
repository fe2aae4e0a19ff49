"""DataLoader: batches of a dataset, in an order that depends on the seed and the epoch alone.

An epoch is planned first (`plan`: which samples make each batch, and where that batch's random
numbers begin) and carried out by `fetch`, which needs nothing but its arguments. So any batch can
be made anywhere, in any order, by any process, and is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..creation import as_backend
from ..errors import ArgumentError, IndexOutOfRange, fail
from ..functional import randperm
from ..ops.sampling import Generator, default_generator, get_rng_state, set_rng_state
from .dataset import Dataset, Sample
from .transforms import Transform
from .workers import Workers, as_context

# The high half of the generator's 128-bit counter holds the epoch and the number of the batch, so
# that no two batches ever draw the same random numbers; nor do a batch's transform and dataset.
EPOCH, BATCH, DATASET = 2**96, 2**64, 2**63


@dataclass(frozen=True)
class Batch:
    """A batch that is planned: its samples' numbers, and the start of its random numbers."""

    indices: list[int]
    seed: int
    counter: int


def fetch(dataset: Dataset, batch: Batch, transform: Transform | None = None) -> Sample:
    """Carry a planned batch out, on the dataset's own backend."""
    with _numbers_of(batch):
        first, *rest = dataset.batch(batch.indices)
        if transform is not None:
            first = transform(first, Generator(batch.seed, batch.counter))
        return (first, *rest)


@contextmanager
def _numbers_of(batch: Batch) -> Iterator[None]:
    """What draws from etude's own generator inside gets numbers that the batch determines."""
    state = get_rng_state()
    set_rng_state((batch.seed, batch.counter + DATASET))
    try:
        yield
    finally:
        set_rng_state(state)


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
        num_workers: processes that make the batches; with 0 the caller does. The batches are the
            same for any number, if the dataset's random numbers come from etude.
        prefetch_factor: batches that each worker may be ahead of the caller.
        multiprocessing_context: "spawn", "forkserver" or such a context, see workers.py.
        worker_init_fn: called with its number in each worker, before its first batch.
        timeout: seconds to wait for a batch of a worker; 0: as long as it lives.
        persistent_workers: keep the workers, and the dataset as it was when they started, for the
            next epoch.

    Workers import the script that is being run, so it starts its work under
    `if __name__ == "__main__":`, and the dataset and transform are pickled once for each start.
    Raises ArgumentError for wrong arguments; iterating raises what making a batch raised, in a
    worker too, and WorkerError if a worker dies.

    Source: LeCun et al. 1998 (Efficient BackProp), sections 4.1 and 4.2. Decks: D0, D2, D3 (batch,
    mini-batch and single samples; D0's are a random partition), D4.
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
        num_workers: int = 0,
        prefetch_factor: int = 2,
        multiprocessing_context: Any = None,
        worker_init_fn: Callable[[int], None] | None = None,
        timeout: float = 0,
        persistent_workers: bool = False,
    ) -> None:
        _check_whole("batch_size", batch_size, 1)
        _check_whole("num_workers", num_workers, 0)
        _check_whole("prefetch_factor", prefetch_factor, 1)
        if not isinstance(timeout, (int, float)) or not timeout >= 0:
            raise fail(
                ArgumentError,
                "DataLoader",
                f"expected timeout >= 0, got {timeout!r}; use 0 to wait for ever",
            )
        if persistent_workers and not num_workers:
            why = "expected num_workers >= 1 with persistent_workers, got 0; leave one of them out"
            raise fail(ArgumentError, "DataLoader", why)
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = (default_generator.seed if seed is None else seed) % 2**64
        self.transform = transform
        self.backend = None if backend is None else as_backend(backend)
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        wanted = num_workers > 0 or multiprocessing_context is not None
        self.multiprocessing_context = as_context(multiprocessing_context) if wanted else None
        self.worker_init_fn = worker_init_fn
        self.timeout = timeout
        self.persistent_workers = persistent_workers
        self.epoch = 0  # the epoch that the next pass will be
        self._idle: Workers | None = None  # persistent ones between two epochs

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
        """The batches start, start + 1, ... of an epoch, both counted from 0.

        A pass that was cut off goes on with them, to the bit. Raises IndexOutOfRange for a start
        that is not one of 0 ... len(self).
        """
        if not 0 <= start <= len(self):
            raise fail(
                IndexOutOfRange,
                "DataLoader",
                f"expected a start of 0 ... {len(self)}, the batches of an epoch, got {start}; "
                "use 0 for the first",
            )
        return self._moved(self._made(epoch, start))

    def _moved(self, batches: Iterator[Sample]) -> Iterator[Sample]:
        for parts in batches:
            yield parts if self.backend is None else tuple(t.to(self.backend) for t in parts)

    def _made(self, epoch: int, start: int) -> Iterator[Sample]:
        plan = self.plan(epoch)[start:]
        if self.num_workers == 0:
            for batch in plan:
                yield fetch(self.dataset, batch, self.transform)
        elif plan:
            names = (f"batch {start + k} of epoch {epoch}" for k in range(len(plan)))
            workers, self._idle = self._idle or self._hire(), None
            finished = False
            try:
                ahead = self.prefetch_factor * self.num_workers
                yield from workers.run(zip(names, plan), ahead)
                finished = True
            finally:
                if finished and self.persistent_workers and self._idle is None:
                    self._idle = workers
                else:
                    workers.close()

    def _hire(self) -> Workers:
        return Workers(
            fetch,
            {"dataset": self.dataset, "transform": self.transform},
            self.num_workers,
            self.multiprocessing_context,
            self.timeout,
            self.worker_init_fn,
        )


def _check_whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise fail(
            ArgumentError,
            "DataLoader",
            f"expected {name} >= {least}, got {value!r}; use {least} or more",
        )
