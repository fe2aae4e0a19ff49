"""Handwritten digits: 1,797 real 8x8 images that come with scikit-learn, so nothing is downloaded.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998 (its test part). 43 people wrote them; those who wrote the first half did not write
the second, so learning one and being tested on the other is harder than a random split.
"""

from __future__ import annotations

from ..creation import tensor
from ..functional import index_select, randperm
from ..ops.sampling import Generator
from ..optional import require
from .splits import Splits, as_images, normalised

SPLITS = ("random", "ordered")
IMAGE = (1, 8, 8)


def digits(split: str = "random", seed: int = 0, shape: tuple[int, int, int] = IMAGE) -> Splits:
    """The digits 0 ... 9, split at `random` 75/25 by the seed, or `ordered`: first and second half.

    Raises MissingLibrary without scikit-learn.
    """
    bunch = require("sklearn.datasets", "demo", "digits").load_digits()
    x = tensor(bunch.images.astype("float32") / 16.0, backend="numpy").unsqueeze(1)
    y = tensor(bunch.target.astype("int64"), backend="numpy")
    x, form = as_images(x, shape)
    n = len(x)
    order, cut = list(range(n)), n // 2
    if split == "random":
        order, cut = randperm(n, generator=Generator().manual_seed(seed)).tolist(), n * 3 // 4
    parts = [(index_select(x, 0, i), index_select(y, 0, i)) for i in (order[:cut], order[cut:])]
    return normalised(parts[0], parts[1], 10, form)
