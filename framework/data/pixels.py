"""Images kept as bytes, a quarter of what float32 takes, and brought to their form in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..creation import tensor
from ..errors import BadFile, fail
from .dataset import Dataset, Sample
from .splits import Splits, as_images


class Pixels(Dataset):
    """Images uint8 (N, C, H, W) and labels (N,), given as float32 (pixel / 255 - mean) / std.

    `shape` (C', H', W') is what a model takes; mean and std have one number for each channel.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        shape: tuple[int, int, int],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.images, self.labels, self.shape = images, labels, shape
        self.mean, self.std = mean, std

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        x, y = self.batch([index])
        return x[0], y[0]

    def batch(self, indices: Sequence[int]) -> Sample:
        """The images at these places, scaled, and their labels."""
        raw = self.images[list(indices)].astype("float32") / 255.0
        x, _ = as_images(tensor(raw, backend="numpy"), self.shape)
        mean, std = (
            tensor(list(v), dtype=x.dtype, backend="numpy").reshape(-1, 1, 1)
            for v in (self.mean, self.std)
        )
        y = tensor(self.labels[list(indices)].astype("int64"), backend="numpy")
        return (x - mean) / std, y


def pixel_splits(
    train: tuple[Any, Any], test: tuple[Any, Any], shape: tuple[int, int, int], classes: int
) -> Splits:
    """Splits of colour images, with the mean and deviation of each channel over the training set.

    What comes in from outside an image that is moved is the mean colour, 0.
    """
    mean, std = channel_statistics(train[0])
    if any(len(y) and int(y.max()) >= classes for _, y in (train, test)):
        highest = max(int(y.max()) for _, y in (train, test))
        why = f"expected labels 0 ... {classes - 1}, got {highest}; fetch the set again"
        raise fail(BadFile, "data", why)
    _, form = as_images(tensor(train[0][:1].astype("float32"), backend="numpy"), shape)
    parts = [Pixels(x, y, shape, mean, std) for x, y in (train, test)]
    return Splits(parts[0], parts[1], classes, 0.0, form)


def channel_statistics(images: Any) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of uint8 (N, C, H, W), in units of 255.

    They are worked out from how often each of the 256 values occurs, so nothing is rounded twice.
    """
    import numpy as np

    values = np.arange(256) / 255.0
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = np.bincount(images[:, channel].reshape(-1), minlength=256)
        mean = float((counts * values).sum() / counts.sum())
        variance = float((counts * (values - mean) ** 2).sum() / counts.sum())
        means.append(mean)
        deviations.append(max(variance**0.5, 1e-8))
    return means, deviations
