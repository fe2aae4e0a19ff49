"""Pictures of circles, squares and triangles, for finding them and for colouring them in."""

from __future__ import annotations

from typing import Any

from ...creation import tensor
from ..dataset import TensorDataset
from .draws import Draws, check_count

SHAPES = ("nothing", "circle", "square", "triangle")
TRIES = 30  # to find a place that touches no other shape


def synthetic_shapes(
    n: int,
    size: int = 32,
    most: int = 3,
    seed: int = 0,
    noise: float = 0.05,
    backend: Any = None,
) -> TensorDataset:
    """`n` pictures with 1 to `most` shapes whose boxes do not touch, and where they are.

    A sample is (image, boxes, labels, mask):
    image float32 (3, size, size) in 0 ... 1: dark, with lighter coloured shapes and Gaussian noise;
    boxes float32 (most, 4): x1, y1, x2, y2 in pixels, the last two just outside; 0 where none is;
    labels int64 (most,): 1 circle, 2 square, 3 triangle (`SHAPES`), 0 where there is none;
    mask int64 (size, size): the label of each pixel. Raises ArgumentError for small numbers.
    """
    import numpy as np

    for name, value, least in (("n", n, 0), ("size", size, 12), ("most", most, 1)):
        check_count("synthetic_shapes", name, value, least)
    draws = Draws(seed)
    images = np.empty((n, 3, size, size), "float32")
    boxes, labels = np.zeros((n, most, 4), "float32"), np.zeros((n, most), "int64")
    masks = np.zeros((n, size, size), "int64")
    for i in range(n):
        images[i] = draws.uniform(0.05, 0.2)
        taken = np.zeros((size, size), bool)
        placed = 0
        for _ in range(1 + draws.whole(most)):
            kind, inside = _place(draws, taken)
            if inside is None:
                continue
            masks[i][inside] = kind
            images[i][:, inside] = [[draws.uniform(0.4, 1.0)] for _ in range(3)]
            rows, columns = np.nonzero(inside)
            edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            boxes[i, placed], labels[i, placed] = edges, kind
            taken[edges[1] : edges[3], edges[0] : edges[2]] = True
            placed += 1
    images += noise * _normal(draws, images.shape)
    parts = (images.clip(0.0, 1.0).astype("float32"), boxes, labels, masks)
    return TensorDataset(*(tensor(part, backend=backend) for part in parts))


def _normal(draws: Draws, shape: tuple[int, ...]) -> Any:
    """About N(0, 1): 12 uniform numbers added up, less 6; no function that rounds differently."""
    return sum(draws.array(*shape) for _ in range(12)) - 6.0


def _place(draws: Draws, taken: Any) -> tuple[int, Any]:
    """A shape and the pixels of a place for it, None if there is no room."""
    import numpy as np

    size = len(taken)
    down, right = np.mgrid[:size, :size] + 0.5
    kind = 1 + draws.whole(3)
    for _ in range(TRIES):
        r = draws.uniform(0.12, 0.24) * size
        x, y = (draws.uniform(r + 1, size - r - 1) for _ in range(2))
        near = (abs(right - x) <= r + 1) & (abs(down - y) <= r + 1)
        if not taken[near].any():
            return kind, _inside(kind, right - x, down - y, r)
    return kind, None


def _inside(kind: int, x: Any, y: Any, r: float) -> Any:
    if kind == 1:
        return x * x + y * y <= r * r
    if kind == 2:
        return (abs(x) <= 0.85 * r) & (abs(y) <= 0.85 * r)
    return (y <= 0.9 * r) & (2 * abs(x) <= y + r)
