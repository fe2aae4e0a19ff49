"""Datasets made of another one: its images transformed, or mixed two by two."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import TYPE_CHECKING

from ..errors import ArgumentError, fail
from ..functional import index_select, one_hot, rand, randperm
from ..ops.sampling import Generator, default_generator
from .dataset import Dataset, Sample
from .transforms.common import Transform

if TYPE_CHECKING:
    from ..tensor import Tensor


class Transformed(Dataset):
    """A dataset whose first tensor, images, goes through a transform batch by batch.

    Random numbers are etude's own, which a DataLoader sets for each batch: so a dataset inside
    another one can have what `DataLoader(transform=...)` gives the outermost.
    """

    def __init__(self, dataset: Dataset, transform: Transform) -> None:
        self.dataset, self.transform = dataset, transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return tuple(part[0] for part in self.batch([index]))

    def batch(self, indices: Sequence[int]) -> Sample:
        """The samples at these places, transformed together."""
        first, *rest = self.dataset.batch(indices)
        return (self.transform(first, default_generator), *rest)


class MixUp(Dataset):
    """Each sample of a batch mixed with another one of it: l x_i + (1 - l) x_j, and the labels too.

    l ~ Beta(alpha, alpha), one for each batch. Labels int64 (N,) become probabilities float32
    (N, classes), which `cross_entropy` takes. Source: Zhang et al. 2018, section 2. Raises
    ArgumentError unless alpha > 0.
    """

    def __init__(self, dataset: Dataset, classes: int, alpha: float = 0.2) -> None:
        if not 0.0 < alpha <= 8.0:
            why = f"expected alpha in 0 ... 8, and not 0, got {alpha!r}; use 0.2 or so"
            raise fail(ArgumentError, "MixUp", why)
        self.dataset, self.classes, self.alpha = dataset, classes, alpha

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return tuple(part[0] for part in self.batch([index]))

    def batch(self, indices: Sequence[int]) -> Sample:
        """The mixed samples; random numbers are etude's own."""
        x, y = self.dataset.batch(indices)
        share = beta(self.alpha, default_generator)
        partner = randperm(x.shape[0], backend=x.backend)
        return tuple(self._mix(t, partner, share) for t in (x, one_hot(y, self.classes).float()))

    @staticmethod
    def _mix(t: Tensor, partner: Tensor, share: float) -> Tensor:
        return t * share + index_select(t, 0, partner) * (1.0 - share)


def beta(alpha: float, generator: Generator) -> float:
    """A number ~ Beta(alpha, alpha), by Jöhnk's method: u^(1/a) / (u^(1/a) + v^(1/a)) if the sum
    is at most 1, with logarithms, for the powers of a small alpha underflow."""
    while True:
        u, v = (log(max(t, 1e-12)) / alpha for t in _pair(generator))
        most = max(u, v)
        total = most + log(exp(u - most) + exp(v - most))
        if total <= 0.0:
            return exp(u - total)


def _pair(generator: Generator) -> list[float]:
    return rand(2, dtype="float64", backend="python", generator=generator).tolist()  # type: ignore[no-any-return]
