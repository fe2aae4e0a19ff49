"""A problem to learn: training and test images brought to the form that a model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ArgumentError, fail
from ..functional import expand
from .dataset import Dataset, TensorDataset
from .transforms import Pad, Resize

if TYPE_CHECKING:
    from ..tensor import Tensor


@dataclass(frozen=True)
class Splits:
    """Training and test samples (image, label): float32 (C, H, W), normalised, and int64.

    The mean and standard deviation are those of the training images; `background` is what black, or
    empty paper, became, and in colour photographs the mean colour. `form` says in words how the
    images were brought to their size.
    """

    train: Dataset
    test: Dataset
    classes: int
    background: float
    form: str


def as_images(x: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, str]:
    """Bring square images (N, C, H, W) to `shape` (C', H', W'); also how it was done, in words.

    Images are padded if they nearly fill the new frame (28 to 32) and enlarged if they do not (8 to
    32). One channel is repeated for a model that takes three.
    """
    channels, height, width = shape
    _, c, h, w = x.shape
    if (c != channels and c != 1) or height != width or h != w or height < h:
        raise fail(
            ArgumentError,
            "data",
            f"cannot bring images {(c, h, w)} to {shape}; expected a square of at least "
            f"{h}x{w} with {c} channels; choose a model for such images",
        )
    form = f"{h}x{w}"
    if h < height < 2 * h and (height - h) % 2 == 0:
        x, form = Pad((height - h) // 2)(x), f"{form} padded to {height}x{width}"
    elif height != h:
        x, form = Resize((height, width))(x), f"{form} enlarged bilinearly to {height}x{width}"
    if c != channels:
        x, form = (
            expand(x, x.shape[0], channels, height, width),
            f"{form}, {channels} equal channels",
        )
    return x, form


def normalised(
    train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], classes: int, form: str
) -> Splits:
    """Splits of raw images, 0 for background, scaled to mean 0 and variance 1 in training."""
    mean = train[0].mean().item()
    std = max(train[0].std().item(), 1e-8)
    parts = [TensorDataset((x - mean) / std, y) for x, y in (train, test)]
    return Splits(parts[0], parts[1], classes, -mean / std, form)
