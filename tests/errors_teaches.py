"""Wrong calls of what the lectures use beside torch: filters, forms of losses, CRFs, codes."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import functional as F
from etude.framework.errors import ArgumentError, IndexOutOfRange, ShapeError


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape, **kwargs)


def whole(*shape: int) -> Any:
    return etude.zeros(shape, dtype=etude.int64)


IMAGES = x(1, 2, 4, 4)
FILTERS = [
    Wrong("convolve2d a matrix", lambda: F.convolve2d(IMAGES, x(3, 3)), ShapeError, "(3, 3)"),
    Wrong("filter2d an even side", lambda: F.filter2d(IMAGES, x(2, 3)), ShapeError, "(2, 3)"),
    Wrong("filter2d one image", lambda: F.filter2d(x(4, 4), x(3, 3)), ShapeError, "(4, 4)"),
    Wrong("mean_kernel size", lambda: F.mean_kernel(0), ArgumentError, "size"),
    Wrong("gaussian_kernel sigma", lambda: F.gaussian_kernel(3, 0.0), ArgumentError, "sigma"),
    Wrong("dog_kernel ratio", lambda: F.dog_kernel(3, 1.0, 1.0), ArgumentError, "1.0"),
]

LOSSES = [
    Wrong("squared_error form", lambda: F.squared_error(x(2), x(2), "third"), ArgumentError),
    Wrong("squared_error shapes", lambda: F.squared_error(x(2), x(2, 1)), ShapeError, "(2, 1)"),
    Wrong("multinomial_nll_loss one row", lambda: F.multinomial_nll_loss(x(3), x(3)), ShapeError),
    Wrong(
        "multinomial_nll_loss labels",
        lambda: F.multinomial_nll_loss(x(2, 3), whole(2)),
        ShapeError,
        "(2,)",
    ),
    Wrong(
        "sequence_cross_entropy time first",
        lambda: F.sequence_cross_entropy(x(5, 2, 3), whole(2, 5)),
        ShapeError,
        "transpose",
    ),
    Wrong(
        "sequence_cross_entropy lengths",
        lambda: F.sequence_cross_entropy(x(2, 5, 3), whole(2, 5), whole(3)),
        ShapeError,
        "(3,)",
    ),
    Wrong(
        "cross_entropy label in a sequence",
        lambda: F.sequence_cross_entropy(x(1, 1, 3), whole(1, 1) + 3),
        IndexOutOfRange,
        "3",
    ),
]

FIELDS = [
    Wrong("crf_pairwise one image", lambda: F.crf_pairwise(x(3, 4, 4)), ShapeError, "(3, 4, 4)"),
    Wrong("crf_pairwise w1", lambda: F.crf_pairwise(IMAGES, w1=-1.0), ArgumentError, "w1"),
    Wrong(
        "crf_energy labels",
        lambda: F.crf_energy(whole(1, 16), x(1, 3, 4, 4), x(1, 16, 16)),
        ShapeError,
        "(1, 16)",
    ),
    Wrong(
        "crf_mean_field pairwise",
        lambda: F.crf_mean_field(x(1, 3, 4, 4), x(1, 4, 4)),
        ShapeError,
        "(1, 4, 4)",
        "crf_pairwise",
    ),
    Wrong(
        "crf_mean_field iterations",
        lambda: F.crf_mean_field(x(1, 3, 2, 2), x(1, 4, 4), -1),
        ArgumentError,
        "iterations",
    ),
    Wrong(
        "crf_mean_field iterations for ever",
        lambda: F.crf_mean_field(x(1, 3, 2, 2), x(1, 4, 4), 10**9),
        ArgumentError,
        "10000",
    ),
]

WORDS = [
    Wrong("analogy one vector", lambda: F.analogy(x(3), 0, 1, 2), ShapeError, "(3,)"),
    Wrong("analogy word", lambda: F.analogy(x(5, 2), 0, 1, 5), IndexOutOfRange, "5"),
    Wrong("analogy k", lambda: F.analogy(x(5, 2), 0, 1, 2, 3), ArgumentError, "3"),
    Wrong("semantic_hash 33 units", lambda: F.semantic_hash(x(2, 33)), ShapeError, "(2, 33)"),
]

WRONG = [*FILTERS, *LOSSES, *FIELDS, *WORDS]
