"""Changes to a batch of images (N, C, H, W), made of etude's own operations: one result everywhere.

Each is called with the batch and, if it draws random numbers, a generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..creation import arange, tensor
from ..errors import ArgumentError, ShapeError, fail
from ..functional import expand, flip, matmul, pad, rand, randint, where
from ..ops.sampling import Generator

if TYPE_CHECKING:
    from ..tensor import Tensor

Transform = Callable[["Tensor", Generator], "Tensor"]


def _check(op: str, x: Tensor) -> None:
    if len(x.shape) != 4 or not x.dtype.is_floating_point:
        raise fail(
            ShapeError,
            op,
            f"expected float images (N, C, H, W), got {x.dtype} {x.shape}; "
            "unsqueeze the missing axes, or convert with .float()",
        )


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std, with one number for all channels or one for each."""

    mean: Any
    std: Any

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        _check("Normalize", x)
        return (x - _per_channel(self.mean, x)) / _per_channel(self.std, x)


def _per_channel(value: Any, x: Tensor) -> Tensor:
    v = tensor(value, dtype=x.dtype, backend=x.backend)
    if v.shape not in ((), (1,), (x.shape[1],)):
        raise fail(
            ShapeError,
            "Normalize",
            f"expected one number or one for each of {x.shape[1]} channels, got shape {v.shape}; "
            "give one for each channel",
        )
    return v.reshape(-1, 1, 1)


@dataclass(frozen=True)
class Resize:
    """Enlarge or shrink to (height, width) by bilinear interpolation.

    The interpolation is linear in the image, so it is two matrix products, rows @ x @ columns^T.
    Pixels are squares whose centres are compared, as in torch's `interpolate(mode="bilinear")`.
    """

    size: tuple[int, int]

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        _check("Resize", x)
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
    """Add `padding` pixels of one value on all four sides."""

    padding: int
    value: float = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        _check("Pad", x)
        return pad(x, (self.padding,) * 4, value=self.value)


@dataclass(frozen=True)
class RandomShift:
    """Move each image by up to `pixels` along both axes; `fill` is what comes in from outside."""

    pixels: int
    fill: float = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        _check("RandomShift", x)
        n, c, h, w = x.shape
        wide = Pad(self.pixels, self.fill)(x)
        places = 2 * self.pixels + 1
        down = randint(places, size=(n, 1), backend=x.backend, generator=generator)
        right = randint(places, size=(n, 1), backend=x.backend, generator=generator)
        rows = (down + arange(h, backend=x.backend)).reshape(n, 1, h, 1)
        columns = (right + arange(w, backend=x.backend)).reshape(n, 1, 1, w)
        images = arange(n, backend=x.backend).reshape(n, 1, 1, 1)
        channels = arange(c, backend=x.backend).reshape(1, c, 1, 1)
        return wide[images, channels, rows, columns]


@dataclass(frozen=True)
class RandomFlip:
    """Mirror each image left to right with probability `p`."""

    p: float = 0.5

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        _check("RandomFlip", x)
        chosen = rand(x.shape[0], 1, 1, 1, backend=x.backend, generator=generator) < self.p
        mirrored: Tensor = where(expand(chosen, x.shape), flip(x, 3), x)
        return mirrored


class Compose:
    """Several transforms, one after the other."""

    def __init__(self, *transforms: Transform) -> None:
        self.transforms = transforms

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        for transform in self.transforms:
            x = transform(x, generator)
        return x
