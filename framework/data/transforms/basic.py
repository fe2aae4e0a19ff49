"""Changes without chance: normalising, resizing, padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...creation import tensor
from ...errors import ArgumentError, fail
from ...functional import matmul, pad
from ...ops.sampling import Generator
from ..moments import channel_moments
from .common import check, per_channel

if TYPE_CHECKING:
    from ...tensor import Tensor
    from ..dataset import Dataset


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std, with one number for all channels or one for each.

    Raises ShapeError for another number of them. Source: LeCun et al. 1998 (Efficient BackProp),
    section 4.3. Decks: D0, D3.
    """

    mean: Any
    std: Any

    @staticmethod
    def fit(dataset: Dataset) -> Normalize:
        """To mean 0 and variance 1 in each channel of a dataset: the training set, no other.

        The images are read once, in batches.
        """
        mean, covariance = channel_moments(dataset)
        deviations = [max(covariance[i][i], 1e-16) ** 0.5 for i in range(len(mean))]
        return Normalize(mean, deviations)

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("Normalize", x)
        return (x - per_channel("Normalize", self.mean, x)) / per_channel("Normalize", self.std, x)


@dataclass(frozen=True)
class Resize:
    """Enlarge or shrink to (height, width) by bilinear interpolation.

    The interpolation is linear in the image, so it is two matrix products, rows @ x @ columns^T.
    Pixels are squares whose centres are compared, as in torch's `interpolate(mode="bilinear")`.
    """

    size: tuple[int, int]

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("Resize", x)
        if min(self.size) < 1:
            raise fail(
                ArgumentError,
                "Resize",
                f"expected a size of at least 1, got {self.size}; use a size of 1 or more",
            )
        rows = tensor(_weights(x.shape[2], self.size[0]), dtype=x.dtype, backend=x.backend)
        columns = tensor(_weights(x.shape[3], self.size[1]), dtype=x.dtype, backend=x.backend)
        return matmul(matmul(rows, x), columns.T)


def _weights(old: int, new: int) -> list[list[float]]:
    """The (new, old) matrix that interpolates along one axis; each row adds up to 1."""
    matrix = [[0.0] * old for _ in range(new)]
    for i, row in enumerate(matrix):
        place = min(max((i + 0.5) * old / new - 0.5, 0.0), old - 1.0)
        left = int(place)
        row[left] += 1.0 - (place - left)
        row[min(left + 1, old - 1)] += place - left
    return matrix


@dataclass(frozen=True)
class Pad:
    """Add `padding` pixels of one value, or one for each channel, on all four sides."""

    padding: int
    value: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("Pad", x)
        sides = (self.padding,) * 4
        if isinstance(self.value, (int, float)):
            return pad(x, sides, value=self.value)
        fill = per_channel("Pad", self.value, x)
        return pad(x - fill, sides) + fill
