"""Datasets: numbered samples, each a tuple of tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, IndexOutOfRange, ShapeError, fail
from ..functional import index_select, randperm, stack
from ..ops.sampling import Generator

if TYPE_CHECKING:
    from ..tensor import Tensor

Sample = tuple["Tensor", ...]


class Dataset(ABC):
    """Numbered samples. A subclass says how many and gives one; `batch` may be made faster."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """One sample, such as (image, label)."""

    def batch(self, indices: Sequence[int]) -> Sample:
        """The samples at these places, stacked along a new first axis."""
        samples = [self[i] for i in indices]
        return tuple(stack(parts) for parts in zip(*samples, strict=True))


class TensorDataset(Dataset):
    """Samples that lie along the first axis of one or more tensors.

        >>> import etude
        >>> squares = TensorDataset(etude.arange(4), etude.arange(4) ** 2)
        >>> squares[3]
        (tensor(3), tensor(9))

    Raises ShapeError if the tensors do not have the same number of samples.
    """

    def __init__(self, *tensors: Tensor) -> None:
        counts = [t.shape[0] if t.shape else 0 for t in tensors]
        if not counts or any(not t.shape for t in tensors) or len(set(counts)) > 1:
            shapes = [t.shape for t in tensors]
            raise fail(
                ShapeError,
                "TensorDataset",
                f"expected tensors with one size along axis 0, got shapes {shapes}; "
                "give one label for each input",
            )
        self.tensors = tensors

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: int) -> Sample:
        return tuple(t[index] for t in self.tensors)

    def batch(self, indices: Sequence[int]) -> Sample:
        """The samples at these places: one gather for each tensor."""
        return tuple(index_select(t, 0, list(indices)) for t in self.tensors)


class Subset(Dataset):
    """Some samples of a dataset, by their numbers there.

    Raises IndexOutOfRange if a number is not one of the dataset's.
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = [int(i) for i in indices]
        n = len(dataset)
        bad = next((i for i in self.indices if not -n <= i < n), None)
        if bad is not None:
            raise fail(
                IndexOutOfRange,
                "Subset",
                f"expected indices into a dataset of {n}, got {bad}; use 0 ... {n - 1}",
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[self.indices[index]]

    def batch(self, indices: Sequence[int]) -> Sample:
        """The samples at these places of the subset."""
        return self.dataset.batch([self.indices[i] for i in indices])


def random_split(
    dataset: Dataset, lengths: Sequence[Any], generator: Generator | None = None
) -> list[Subset]:
    """Cut a dataset at random into parts of these lengths, or of these fractions of it.

    Fractions add up to 1; what rounding down leaves over goes to the first parts, one sample each.
    The generator is etude's own unless another is given. Raises ArgumentError for other lengths.
    Source: lecture only. Decks: D0 (70 % to train, 30 % to test), D4 (validation).
    """
    n = len(dataset)
    counts = _counts(n, lengths)
    order = randperm(n, generator=generator).tolist()
    parts, start = [], 0
    for count in counts:
        parts.append(Subset(dataset, order[start : start + count]))
        start += count
    return parts


def _counts(n: int, lengths: Sequence[Any]) -> list[int]:
    if any(length < 0 for length in lengths):
        raise fail(
            ArgumentError,
            "random_split",
            f"expected no negative length, got {lengths}; make every length 0 or more",
        )
    if all(isinstance(length, int) for length in lengths) and sum(lengths) == n:
        return list(lengths)
    if not lengths or abs(sum(lengths) - 1.0) > 1e-6:
        raise fail(
            ArgumentError,
            "random_split",
            f"expected lengths that add up to {n} samples, or fractions that add up to 1, "
            f"got {list(lengths)}; "
            "change one of them",
        )
    counts = [floor(n * length) for length in lengths]
    for i in range(n - sum(counts)):
        counts[i % len(counts)] += 1
    return counts
