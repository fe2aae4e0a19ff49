"""Brighter, darker, flatter, more colourful: changes of what pixels hold, not of where they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...creation import tensor
from ...errors import ArgumentError, ShapeError, fail
from ...functional import matmul, randn
from ...ops.sampling import Generator
from ..moments import channel_moments
from .common import check, check_range, uniform

if TYPE_CHECKING:
    from ...tensor import Tensor
    from ..dataset import Dataset

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: how bright red, green and blue look
Limits = tuple[float, float] | None


def _grey(op: str, x: Tensor) -> Tensor:
    """(N, 1, H, W): brightness; images of one channel are that."""
    if x.shape[1] == 1:
        return x
    if x.shape[1] != 3:
        why = f"expected images of 1 or 3 channels, got {x.shape[1]}; leave this transform out"
        raise fail(ShapeError, op, why)
    weights = tensor(LUMA, dtype=x.dtype, backend=x.backend).reshape(3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def _within(x: Tensor, limits: Limits) -> Tensor:
    return x if limits is None else x.clamp(*limits)


@dataclass(frozen=True)
class RandomBrightness:
    """f x with f in (1 - amount, 1 + amount) for each image, or x + f - 1 with `shift`.

    torchvision's is the product with limits (0, 1); images of mean 0 want the shift. Source: Howard
    2013. Decks: D0, D3.
    """

    amount: float
    shift: bool = False
    limits: Limits = None

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("RandomBrightness", x)
        check_range("RandomBrightness", "amount", self.amount, 0, 1e3)
        least = -self.amount if self.shift else max(-self.amount, -1.0)
        change = uniform(x, least, self.amount, generator)
        return _within(x + change if self.shift else x * (change + 1.0), self.limits)


@dataclass(frozen=True)
class RandomContrast:
    """m + f (x - m), f in (1 - amount, 1 + amount) for each image, m its mean brightness.

    Source: Howard 2013. Decks: D0, D3.
    """

    amount: float
    limits: Limits = None

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        op = "RandomContrast"
        check(op, x)
        check_range(op, "amount", self.amount, 0, 1e3)
        f = uniform(x, max(1.0 - self.amount, 0.0), 1.0 + self.amount, generator)
        middle = _grey(op, x).mean((1, 2, 3), keepdim=True)
        return _within(middle + f * (x - middle), self.limits)


@dataclass(frozen=True)
class RandomSaturation:
    """g + f (x - g), f in (1 - amount, 1 + amount) for each image, g the image in grey."""

    amount: float
    limits: Limits = None

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        op = "RandomSaturation"
        check(op, x)
        check_range(op, "amount", self.amount, 0, 1e3)
        f = uniform(x, max(1.0 - self.amount, 0.0), 1.0 + self.amount, generator)
        grey = _grey(op, x)
        return _within(grey + f * (x - grey), self.limits)


@dataclass(frozen=True)
class Lighting:
    """Add to each image a random multiple of the colours' principal components.

    x + P (a * l): P (C, C) has the eigenvectors of the covariance of all training pixels as its
    columns, l (C,) their eigenvalues, a ~ N(0, std) is drawn for each image. Source: Krizhevsky et
    al. 2012, section 4.1 (std 0.1), whose components one has with `fit`. Decks: D2, D3.
    """

    values: Any
    vectors: Any
    std: float = 0.1

    @staticmethod
    def fit(dataset: Dataset, std: float = 0.1) -> Lighting:
        """The components of a training set, whose images are read once, in batches."""
        import numpy as np

        values, vectors = np.linalg.eigh(np.array(channel_moments(dataset)[1]))
        return Lighting(values.tolist(), vectors.tolist(), std)

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("Lighting", x)
        n, c = x.shape[:2]
        values = tensor(self.values, dtype=x.dtype, backend=x.backend)
        vectors = tensor(self.vectors, dtype=x.dtype, backend=x.backend)
        if values.shape != (c,) or vectors.shape != (c, c):
            raise fail(
                ArgumentError,
                "Lighting",
                f"expected {c} eigenvalues and {c} eigenvectors for {c} channels, got shapes "
                f"{values.shape} and {vectors.shape}; use Lighting.fit(training_set)",
            )
        a = randn(n, c, dtype=x.dtype, backend=x.backend, generator=generator) * self.std
        return x + matmul(a * values, vectors.T).reshape(n, c, 1, 1)
