"""Turning, zooming, shifting and shearing images: affine maps of the plane, sampled bilinearly.

With x to the right and y down from the middle of an image, a point p of it goes to

    q = scale R(angle) S(shear) p + translate,   R = [ cos  sin]   S = [1        tan sx]
                                                     [-sin  cos]       [tan sy   1     ]

so positive angles turn counter-clockwise as one sees it. Each new pixel q looks up its p; between
pixels the image is interpolated, outside it there is `fill`. Source: Jaderberg et al. 2015, section
3.2 (the sampling grid). Decks: D0, D3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import radians
from typing import TYPE_CHECKING, Any

from ...creation import tensor
from ...errors import ArgumentError, ShapeError, fail
from ...functional import affine_grid, cos, grid_sample, rand, sin, stack, tan
from ...ops.sampling import Generator
from .common import check, per_channel

if TYPE_CHECKING:
    from ...tensor import Tensor


def affine(
    x: Tensor,
    angle: Any = 0.0,
    translate: tuple[Any, Any] = (0.0, 0.0),
    scale: Any = 1.0,
    shear: tuple[Any, Any] = (0.0, 0.0),
    fill: Any = 0.0,
    mode: str = "bilinear",
) -> Tensor:
    """Images (N, C, H, W) turned, sheared, zoomed about their middle, then moved.

    Args: numbers, or tensors (N,) with one for each image: `angle` and `shear` (x, y) in degrees,
    `translate` in pixels (right, down), `scale` > 1 enlarges; `fill` is one value or one for each
    channel. `mode` is that of `grid_sample`. Returns the size of x. Raises ShapeError, and
    ArgumentError for a scale of 0.
    """
    check("affine", x)
    _, _, h, w = x.shape
    turn, by_x, by_y, zoom = (_each(x, v) for v in (angle, *shear, scale))
    if (zoom == 0.0).any().item():
        why = f"expected a scale other than 0, got {scale}; use 1 to keep the size"
        raise fail(ArgumentError, "affine", why)
    right, down = (_each(x, v) for v in translate)
    c, s = cos(turn * radians(1)), sin(turn * radians(1))
    a, b = tan(by_x * radians(1)), tan(by_y * radians(1))
    # p = M (q - translate), M = S^-1 R^-1 / scale
    k = 1.0 / (zoom * (1.0 - a * b))
    m = [[(c - a * s) * k, (-s - a * c) * k], [(s - b * c) * k, (c + b * s) * k]]
    theta = _theta(m, right, down, h, w)
    grid = affine_grid(theta, x.shape, align_corners=False)
    outside = per_channel("affine", fill, x)
    return grid_sample(x - outside, grid, mode, align_corners=False) + outside


def _theta(m: list[list[Tensor]], right: Tensor, down: Tensor, h: int, w: int) -> Tensor:
    """The map in the places of a grid, which run from -1 to 1 whatever the image's sides."""
    (xx, xy), (yx, yy) = m
    across = [xx, xy * (h / w), (xx * right + xy * down) * (-2.0 / w)]
    along = [yx * (w / h), yy, (yx * right + yy * down) * (-2.0 / h)]
    return stack([stack(across, -1), stack(along, -1)], 1)


def _each(x: Tensor, value: Any) -> Tensor:
    """A number for each image (N,)."""
    v = tensor(value, dtype=x.dtype, backend=x.backend)
    if v.shape not in ((), (x.shape[0],)):
        why = f"expected one number or one for each of {x.shape[0]} images, got shape {v.shape}"
        raise fail(ShapeError, "affine", f"{why}; give one for each image")
    return v.expand(x.shape[0])


def _range(op: str, name: str, value: Any, middle: float = 0.0) -> tuple[float, float]:
    """(low, high), or one number: as far as that to both sides of the middle."""
    low, high = value if isinstance(value, (tuple, list)) else (middle - value, middle + value)
    if not low <= high:
        raise fail(
            ArgumentError,
            op,
            f"expected {name} as one number >= 0 or as (low, high), got {value!r}; "
            "give the smaller one first",
        )
    return low, high


@dataclass(frozen=True)
class RandomAffine:
    """An affine map for each image, with uniform numbers; torchvision's arguments.

    `degrees`: (low, high), or d for (-d, d); `translate`: largest parts (of width, of height);
    `scale`: (low, high); `shear`: degrees along x, as for `degrees`. Raises ArgumentError.
    """

    degrees: Any = 0.0
    translate: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    shear: Any = 0.0
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        op = "RandomAffine"
        check(op, x)
        h, w = x.shape[2:]
        ranges = (
            _range(op, "degrees", self.degrees),
            _range(op, "translate", self.translate[0] * w),
            _range(op, "translate", self.translate[1] * h),
            _range(op, "scale", self.scale),
            _range(op, "shear", self.shear),
        )
        u = rand(5, x.shape[0], dtype=x.dtype, backend=x.backend, generator=generator)
        drawn = [u[i] * (high - low) + low for i, (low, high) in enumerate(ranges)]
        angle, right, down, scale, shear = drawn
        return affine(x, angle, (right, down), scale, (shear, 0.0), self.fill)


@dataclass(frozen=True)
class RandomRotation:
    """Turn each image by an angle in (-degrees, degrees), or in (low, high).

    x (N, C, H, W) keeps its shape; `fill` comes in from outside.
    Source: Simard, Steinkraus & Platt 2003, section 2. Decks: D0.
    """

    degrees: Any
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        return RandomAffine(self.degrees, fill=self.fill)(x, generator)


@dataclass(frozen=True)
class RandomZoom:
    """Zoom each image by a factor in (1 - amount, 1 + amount), or in (low, high).

    x (N, C, H, W) keeps its shape; `fill` comes in from outside.
    Source: Simonyan & Zisserman 2015, section 3.1 (scale jittering). Decks: D0.
    """

    amount: Any
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        scale = _range("RandomZoom", "amount", self.amount, 1.0)
        return RandomAffine(scale=scale, fill=self.fill)(x, generator)


@dataclass(frozen=True)
class RandomTranslate:
    """Move each image by up to `pixels` along both axes, and not by whole pixels only."""

    pixels: float
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        check("RandomTranslate", x)
        parts = (self.pixels / x.shape[3], self.pixels / x.shape[2])
        return RandomAffine(translate=parts, fill=self.fill)(x, generator)


@dataclass(frozen=True)
class RandomShear:
    """Slant each image by an angle in (-degrees, degrees), or in (low, high)."""

    degrees: Any
    fill: Any = 0.0

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        return RandomAffine(shear=self.degrees, fill=self.fill)(x, generator)
