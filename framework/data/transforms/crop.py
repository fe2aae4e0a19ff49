"""Parts of images: crops at random and in the middle, shifts; and mirror images."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

from ...creation import arange
from ...errors import ArgumentError, fail
from ...functional import affine_grid, expand, flip, grid_sample, rand, randint, stack, where
from ...ops.sampling import Generator
from .basic import Pad
from .common import check, check_range, uniform

if TYPE_CHECKING:
    from ...tensor import Tensor


def windows(x: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """From each image the (height, width) window whose corner is at its own top, left (N, 1)."""
    n, c = x.shape[:2]
    rows = (top + arange(height, backend=x.backend)).reshape(n, 1, height, 1)
    columns = (left + arange(width, backend=x.backend)).reshape(n, 1, 1, width)
    images = arange(n, backend=x.backend).reshape(n, 1, 1, 1)
    channels = arange(c, backend=x.backend).reshape(1, c, 1, 1)
    return x[images, channels, rows, columns]


def check_fits(op: str, x: Tensor, size: tuple[int, int]) -> None:
    """Raise ArgumentError unless a window of this size lies within the images."""
    height, width = size
    if not 0 < height <= x.shape[2] or not 0 < width <= x.shape[3]:
        raise fail(
            ArgumentError,
            op,
            f"expected a size of 1 ... {x.shape[2]} by 1 ... {x.shape[3]}, got {tuple(size)}; "
            "enlarge the images first, with Resize or padding",
        )


@dataclass(frozen=True)
class CenterCrop:
    """The (height, width) in the middle of each image; of two middles the upper left one."""

    size: tuple[int, int]

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("CenterCrop", x)
        check_fits("CenterCrop", x, self.size)
        (height, width), (h, w) = self.size, x.shape[2:]
        top, left = (h - height) // 2, (w - width) // 2
        return x[:, :, top : top + height, left : left + width]


@dataclass(frozen=True)
class RandomCrop:
    """A (height, width) of each image at a random place, after padding with `fill`.

    Source: Krizhevsky et al. 2012, section 4.1 (224 of 256); with padding 4 on CIFAR: He et al.
    2016, section 4.2. Decks: D0, D2, D3.
    """

    size: tuple[int, int]
    padding: int = 0
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("RandomCrop", x)
        wide = Pad(self.padding, self.fill)(x) if self.padding else x
        check_fits("RandomCrop", wide, self.size)
        return _random_window(wide, self.size, generator)


def _random_window(wide: Tensor, size: tuple[int, int], generator: Generator | None) -> Tensor:
    (height, width), n = size, wide.shape[0]
    down, right = (
        randint(room + 1, size=(n, 1), backend=wide.backend, generator=generator)
        for room in (wide.shape[2] - height, wide.shape[3] - width)
    )
    return windows(wide, down, right, height, width)


@dataclass(frozen=True)
class RandomShift:
    """Move each image by up to `pixels` along both axes; `fill` is what comes in from outside."""

    pixels: int
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("RandomShift", x)
        height, width = x.shape[2:]
        return _random_window(Pad(self.pixels, self.fill)(x), (height, width), generator)


@dataclass(frozen=True)
class RandomResizedCrop:
    """A random part of each image, enlarged or shrunk to (height, width) by interpolation.

    The part has `scale` (least, most) of the image's area and an aspect ratio, width by height,
    that is log-uniform in `ratio`; what would reach over an edge is cut to the image's size.
    Pixels are interpolated bilinearly, without smoothing. Source: Szegedy et al. 2015, section 6.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        op = "RandomResizedCrop"
        check(op, x)
        for name, (low, high), most in (("scale", self.scale, 1.0), ("ratio", self.ratio, 1e3)):
            check_range(op, name, low, 1e-3, most)
            check_range(op, name, high, low, most)
        n, c, h, w = x.shape
        u = rand(4, n, dtype=x.dtype, backend=x.backend, generator=generator)
        area = (u[0] * (self.scale[1] - self.scale[0]) + self.scale[0]) * (h * w)
        low, high = log(self.ratio[0]), log(self.ratio[1])
        aspect = (u[1] * (high - low) + low).exp()
        width = (area * aspect).sqrt().clamp(1.0, w)
        height = (area / aspect).sqrt().clamp(1.0, h)
        left, top = u[2] * (w - width), u[3] * (h - height)
        zero = width * 0.0
        across = stack([width / w, zero, (left * 2.0 + width) / w - 1.0], -1)
        down = stack([zero, height / h, (top * 2.0 + height) / h - 1.0], -1)
        grid = affine_grid(stack([across, down], 1), (n, c, *self.size), align_corners=False)
        return grid_sample(x, grid, padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Mirror each image left to right with probability `p`.

    Source: Krizhevsky et al. 2012, section 4.1. Decks: D0, D2, D3.
    """

    p: float = 0.5

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("RandomHorizontalFlip", x)
        return _flipped(x, 3, self.p, generator)


@dataclass(frozen=True)
class RandomVerticalFlip:
    """Turn each image upside down, as in water, with probability `p`. Decks: D0."""

    p: float = 0.5

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("RandomVerticalFlip", x)
        return _flipped(x, 2, self.p, generator)


RandomFlip = RandomHorizontalFlip


def _flipped(x: Tensor, axis: int, p: float, generator: Generator | None) -> Tensor:
    chosen = uniform(x, 0.0, 1.0, generator) < p
    mirrored: Tensor = where(expand(chosen, x.shape), flip(x, axis), x)
    return mirrored
