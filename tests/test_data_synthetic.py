"""Sets that are drawn: what they say of themselves is so, and one seed gives one set everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework import data
from etude.framework.data import TensorDataset
from etude.framework.data.synthetic import SHAPES, TAGS
from etude.framework.errors import ArgumentError

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]

DRAWN: dict[str, Callable[..., TensorDataset]] = {
    "shapes": lambda **o: data.synthetic_shapes(3, 16, **o),
    "strokes": lambda **o: data.synthetic_strokes(2, 3, 10, **o),
    "sines": lambda **o: data.synthetic_sines(3, 10, noise=0.1, **o),
    "echo": lambda **o: data.synthetic_echo(3, 10, 2, **o),
    "recall": lambda **o: data.synthetic_recall(5, 10, **o),
    "characters": lambda **o: data.synthetic_characters(3, 10, **o)[0],
    "tags": lambda **o: data.synthetic_tags(3, **o).data,
}


@pytest.mark.parametrize("name", DRAWN)
def test_one_seed_gives_one_set_on_every_backend(name: str) -> None:
    first = [t.tolist() for t in DRAWN[name](seed=1, backend="numpy").tensors]
    other = [t.tolist() for t in DRAWN[name](seed=2, backend="numpy").tensors]
    assert first != other
    for backend in BACKENDS:
        with etude.use_backend(backend):
            again = DRAWN[name](seed=1)
        assert [t.tolist() for t in again.tensors] == first
        assert {t.backend.name for t in again.tensors} == {backend}


def test_shapes_are_where_the_boxes_and_the_mask_say() -> None:
    images, boxes, labels, masks = (
        t.numpy() for t in data.synthetic_shapes(60, 32, 3, noise=0.0, backend="numpy").tensors
    )
    assert images.shape == (60, 3, 32, 32)
    assert 0 <= images.min() <= images.max() <= 1
    assert set(np.unique(labels)) == set(range(len(SHAPES)))
    assert set((labels > 0).sum(1)) == {1, 2, 3}
    for image, edges, kinds, mask in zip(images, boxes, labels, masks, strict=True):
        left = mask.copy()
        for (x1, y1, x2, y2), kind in zip(edges.astype(int), kinds, strict=True):
            if not kind:
                assert x1 == y1 == x2 == y2 == 0
                continue
            inside = left[y1:y2, x1:x2]
            assert set(np.unique(inside)) <= {0, kind}
            assert all(inside[edge].any() for edge in (0, -1))
            assert all(inside[:, edge].any() for edge in (0, -1))
            fill = (inside > 0).mean()
            lowest, highest = {1: (0.68, 0.95), 2: (1, 1), 3: (0.45, 0.7)}[kind]
            assert lowest <= fill <= highest
            assert np.ptp(image[:, y1:y2, x1:x2][:, inside > 0], axis=1).max() == 0
            left[y1:y2, x1:x2] = 0
        assert not left.any()
        assert image[:, mask > 0].mean() > image[:, mask == 0].mean() + 0.15


def test_noise_on_shapes_is_gaussian() -> None:
    flat, noisy = (
        data.synthetic_shapes(20, 32, seed=3, noise=s, backend="numpy").tensors[0].numpy()
        for s in (0.0, 0.02)
    )
    difference = noisy - flat
    assert abs(difference.std() - 0.02) < 1e-3
    assert abs(difference.mean()) < 1e-3


def test_drawings_of_a_letter_are_more_alike_than_of_two() -> None:
    x, y = data.synthetic_strokes(20, 4, seed=0, backend="numpy").tensors
    flat = etude.nn.functional.avg_pool2d(x, 4).numpy().reshape(80, -1)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    labels = y.numpy()
    hits = labels[distance.argmin(1)] == labels
    assert hits.mean() > 0.85
    assert labels.tolist() == sorted(list(range(20)) * 4)
    ink = x.numpy().mean((1, 2, 3))
    assert ink.min() > 0.03
    assert ink.max() < 0.5


def test_pairs_are_half_of_one_class() -> None:
    drawn = TensorDataset(etude.arange(12), etude.arange(12) // 4)
    a, b, same = (t.tolist() for t in data.synthetic_pairs(drawn, 40).tensors)
    assert sum(same) == 20
    for i, j, alike in zip(a, b, same, strict=True):
        assert i != j
        assert (i // 4 == j // 4) == bool(alike)


def test_sines_go_on() -> None:
    x, y = (t.numpy() for t in data.synthetic_sines(40, 200, backend="numpy").tensors)
    assert x.shape == y.shape == (40, 200, 1)
    assert (x[:, 1:] == y[:, :-1]).all()
    # sin(a + d) + sin(a - d) = 2 sin(a) cos(d): one factor for a whole wave, its period's.
    wave = np.concatenate([x[:, :1], y], 1)[..., 0].astype("float64")
    around, middle = wave[:, 2:] + wave[:, :-2], wave[:, 1:-1]
    factor = (around * middle).sum(1) / (middle**2).sum(1)
    np.testing.assert_allclose(around, factor[:, None] * middle, atol=1e-5)
    period = 2 * np.pi / np.arccos(factor / 2)
    assert period.min() > 9.9
    assert period.max() < 30.1
    assert 0.4 < abs(wave).max(1).min() < abs(wave).max() <= 1


def test_echo_and_recall() -> None:
    x, y = (t.numpy() for t in data.synthetic_echo(30, 12, 5, 3, backend="numpy").tensors)
    assert set(np.unique(x)) == {0, 1, 2}
    assert (y[:, :5] == -100).all()
    assert (y[:, 5:] == x[:, :-5]).all()
    same = data.synthetic_echo(3, 4, 0, backend="numpy").tensors
    assert same[0].tolist() == same[1].tolist()
    x, y = (t.numpy() for t in data.synthetic_recall(200, 9, backend="numpy").tensors)
    assert x.shape == (200, 10)
    assert (x[:, 0] == y).all()
    assert set(np.unique(y)) == {0, 1, 2, 3}
    assert set(np.unique(x[:, 1:])) == {4, 5, 6, 7}


def test_text_is_of_the_grammar() -> None:
    text = data.synthetic_text(50, seed=4)
    assert text.count(".") == 50
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz. ")
    assert all(s.split()[0] in ("the", "that", "this", "every") for s in text.split(".")[:-1])
    dataset, alphabet = data.synthetic_characters(20, 30, seed=4, backend="numpy")
    x, y = dataset.tensors
    assert x.shape == y.shape == (20, 30)
    assert (x[:, 1:] == y[:, :-1]).all()
    whole = data.synthetic_text(20 * 31 // 20 + 60, seed=4)
    assert whole.startswith("".join(alphabet[i] for i in x[0].tolist()))


def test_tags_depend_on_the_place_of_a_word() -> None:
    tagged = data.synthetic_tags(300, seed=0, backend="numpy")
    words, tags = (t.numpy() for t in tagged.data.tensors)
    assert ((words == 0) == (tags == -100)).all()
    assert set(np.unique(tags)) == {-100, *range(len(TAGS))}
    fish = tags[words == tagged.vocabulary.index("fish")]
    assert {tagged.tags[t] for t in fish} == {"noun", "verb"}
    assert tagged.vocabulary == data.synthetic_tags(1, seed=9).vocabulary
    assert len(data.synthetic_tags(0).data) == 0


WRONG: list[tuple[Any, str]] = [
    (lambda: data.synthetic_shapes(1, 8), "expected size >= 12, got 8"),
    (lambda: data.synthetic_strokes(0, 1), "expected classes >= 1, got 0"),
    (lambda: data.synthetic_sines(-1), "expected n >= 0, got -1"),
    (lambda: data.synthetic_echo(1, 4, 4), r"a lag of 0 \.\.\. 3, got 4; lengthen"),
    (lambda: data.synthetic_recall(1, 4, 1), "expected symbols >= 2, got 1"),
    (lambda: data.synthetic_text(-1), "expected sentences >= 0"),
    (lambda: data.synthetic_pairs(TensorDataset(etude.arange(2), etude.arange(2)), 1),
     "one with two samples"),
]  # fmt: skip


@pytest.mark.parametrize("call, message", WRONG)
def test_what_is_wrong_is_said(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()
