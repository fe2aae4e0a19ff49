"""Mean and covariance of the channels of a dataset's images, read once in batches."""

from __future__ import annotations

from ..errors import ArgumentError, fail
from ..host import numpy_view
from .dataset import Dataset

BATCH = 256


def channel_moments(dataset: Dataset) -> tuple[list[float], list[list[float]]]:
    """The mean (C,) and the covariance (C, C) of the pixels of all images (C, H, W).

    Sums are float64 and relative to the first image's mean, so that large offsets do not cancel.
    Raises ArgumentError for a dataset without images.
    """
    import numpy as np

    if not len(dataset):
        why = "expected a dataset with images, got an empty one; fit on the training set"
        raise fail(ArgumentError, "channel_moments", why)
    shift = numpy_view(dataset.batch([0])[0]).mean((0, 2, 3), dtype="float64")
    total, products, count = np.zeros(len(shift)), np.zeros((len(shift),) * 2), 0
    for start in range(0, len(dataset), BATCH):
        x = numpy_view(dataset.batch(range(start, min(start + BATCH, len(dataset))))[0])
        rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]).astype("float64")
        rows -= shift
        total += rows.sum(0)
        products += rows.T @ rows
        count += len(rows)
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    return (shift + mean).tolist(), covariance.tolist()
