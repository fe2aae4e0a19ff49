"""Made up letters of a few strokes, for learning a class from one example of it."""

from __future__ import annotations

from typing import Any

from ...creation import tensor
from ...errors import ArgumentError, fail
from ..dataset import TensorDataset
from .draws import Draws, check_count

POINTS = 24  # that stand for a stroke


def synthetic_strokes(
    classes: int,
    samples: int,
    size: int = 28,
    seed: int = 0,
    wobble: float = 0.04,
    backend: Any = None,
) -> TensorDataset:
    """`samples` drawings of each of `classes` letters: images float32 (1, size, size), labels.

    A letter is 2 to 4 strokes, each a quadratic Bézier curve of three points in a square; who draws
    it moves each point by up to `wobble` of the square, and slants and shrinks the whole a little.
    Sample i is of letter i // samples. In the manner of Omniglot (Lake et al. 2015), whose letters
    people drew. Raises ArgumentError for small numbers. Decks: D3, D4.
    """
    import numpy as np

    for name, value, least in (("classes", classes, 1), ("samples", samples, 1), ("size", size, 8)):
        check_count("synthetic_strokes", name, value, least)
    draws = Draws(seed)
    images = np.empty((classes * samples, 1, size, size), "float32")
    for letter in range(classes):
        strokes = draws.array(2 + draws.whole(3), 3, 2) * 0.7 + 0.15
        for sample in range(samples):
            images[letter * samples + sample, 0] = _drawn(_by_hand(strokes, draws, wobble), size)
    labels = np.repeat(np.arange(classes), samples)
    return TensorDataset(tensor(images, backend=backend), tensor(labels, backend=backend))


def _by_hand(strokes: Any, draws: Draws, wobble: float) -> Any:
    moved = strokes + (draws.array(*strokes.shape) - 0.5) * 2 * wobble - 0.5
    slant, shrink = draws.uniform(-0.15, 0.15), draws.uniform(0.85, 1.0)
    moved[..., 0] += slant * moved[..., 1]
    return moved * shrink + 0.5


def _drawn(strokes: Any, size: int) -> Any:
    """Ink falls off linearly from the middle of a line, within a pixel and a half."""
    import numpy as np

    t = np.linspace(0.0, 1.0, POINTS)[:, None]
    a, b, c = (strokes[:, None, k] for k in range(3))
    path = ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c).reshape(-1, 1, 2) * size
    centres = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1) + 0.5).reshape(1, -1, 2)
    nearest = np.sqrt(((path - centres) ** 2).sum(-1).min(0))
    return np.clip(1.5 - nearest, 0.0, 1.0).reshape(size, size)


def synthetic_pairs(dataset: TensorDataset, n: int, seed: int = 0) -> TensorDataset:
    """`n` pairs of a labelled dataset, half of one class: (a, b, same), same float32 1 or 0.

    For siamese networks and the contrastive loss. Raises ArgumentError unless the dataset has two
    classes, and one with two samples. Decks: D3, D4.
    """
    images, labels = dataset.tensors
    groups: dict[int, list[int]] = {}
    for i, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(i)
    full = [g for g in groups.values() if len(g) > 1]
    if len(groups) < 2 or not full:
        why = "expected two classes, and one with two samples, got fewer; give more samples"
        raise fail(ArgumentError, "synthetic_pairs", why)
    draws = Draws(seed)
    pairs = [_pair(draws, groups, full, same=k % 2 == 0) for k in range(n)]
    first, second = dataset.batch([a for a, _ in pairs]), dataset.batch([b for _, b in pairs])
    same = tensor([float(k % 2 == 0) for k in range(n)], backend=images.backend)
    return TensorDataset(first[0], second[0], same)


def _pair(draws: Draws, groups: dict[int, list[int]], full: Any, same: bool) -> tuple[int, int]:
    if same:
        group = draws.one_of(full)
        a, step = draws.whole(len(group)), 1 + draws.whole(len(group) - 1)
        return group[a], group[(a + step) % len(group)]
    kinds = list(groups.values())
    a, step = draws.whole(len(kinds)), 1 + draws.whole(len(kinds) - 1)
    return draws.one_of(kinds[a]), draws.one_of(kinds[(a + step) % len(kinds)])
