"""Noise, and holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...creation import arange
from ...errors import ArgumentError, fail
from ...functional import logical_and, rand, randint, randn_like, where
from ...ops.sampling import Generator
from .common import check, check_range, per_channel

if TYPE_CHECKING:
    from ...tensor import Tensor


@dataclass(frozen=True)
class GaussianNoise:
    """x + std z, z ~ N(0, 1) for each pixel and channel. Source: Bishop 1995. Decks: D0."""

    std: float

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("GaussianNoise", x)
        check_range("GaussianNoise", "std", self.std, 0, 1e6)
        return x + randn_like(x, generator=generator) * self.std


@dataclass(frozen=True)
class SaltAndPepper:
    """A pixel becomes `low` with probability p / 2 and `high` as often, in all channels. Decks: D0.

    None stands for the least or greatest value of the image itself.
    """

    p: float
    low: float | None = 0.0
    high: float | None = 1.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("SaltAndPepper", x)
        check_range("SaltAndPepper", "p", self.p, 0, 1)
        n, _, h, w = x.shape
        u = rand(n, 1, h, w, dtype=x.dtype, backend=x.backend, generator=generator)
        low = x.amin((1, 2, 3), keepdim=True) if self.low is None else self.low
        high = x.amax((1, 2, 3), keepdim=True) if self.high is None else self.high
        speckled: Tensor = where(u < self.p / 2, low, where(u < self.p, high, x))
        return speckled


@dataclass(frozen=True)
class Cutout:
    """A square of `size` pixels of each image becomes `fill`; its middle is any pixel.

    So near an edge less is cut out. Source: DeVries & Taylor 2017, section 3.
    """

    size: int
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("Cutout", x)
        if not isinstance(self.size, int) or self.size < 1:
            why = f"expected a size of at least 1 pixel, got {self.size!r}; use a whole number"
            raise fail(ArgumentError, "Cutout", why)
        n, _, h, w = x.shape
        inside = []
        for length, shape in ((h, (n, 1, h, 1)), (w, (n, 1, 1, w))):
            middle = randint(length, size=(n, 1), backend=x.backend, generator=generator)
            from_start = arange(length, backend=x.backend) - (middle - self.size // 2)
            hit = logical_and(from_start >= 0, from_start < self.size)
            inside.append(hit.reshape(*shape))
        hole: Tensor = where(logical_and(*inside), per_channel("Cutout", self.fill, x), x)
        return hole
