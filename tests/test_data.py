"""Datasets, splits, loaders and transforms."""

from __future__ import annotations

import numpy as np
import pytest

import etude
from etude.framework.data import DataLoader, Dataset, Subset, TensorDataset, random_split
from etude.framework.data.loader import fetch
from etude.framework.data.transforms import (
    Compose,
    Normalize,
    Pad,
    RandomFlip,
    RandomShift,
    Resize,
)
from etude.framework.errors import ArgumentError, EtudeError, IndexOutOfRange, ShapeError
from etude.framework.ops.sampling import Generator

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


def numbers(n: int) -> TensorDataset:
    return TensorDataset(etude.arange(n), etude.arange(n) * 10)


class Squares(Dataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[etude.Tensor, ...]:
        return etude.tensor(index), etude.tensor([index**2, 0])


# datasets ---------------------------------------------------------------------------------------
def test_a_dataset_of_tensors_gives_samples_and_batches() -> None:
    data = TensorDataset(etude.arange(6).reshape(3, 2), etude.tensor([7, 8, 9]))
    assert len(data) == 3
    x, y = data[1]
    assert (x.tolist(), y.item()) == ([2, 3], 8)
    x, y = data.batch([2, 0])
    assert (x.tolist(), y.tolist()) == ([[4, 5], [0, 1]], [9, 7])


def test_a_dataset_that_gives_single_samples_is_stacked() -> None:
    index, square = Squares().batch([1, 3])
    assert (index.tolist(), square.tolist()) == ([1, 3], [[1, 0], [9, 0]])


def test_a_subset_renumbers() -> None:
    part = Subset(Subset(numbers(10), [9, 8, 7]), [-1, 0])
    assert len(part) == 2
    assert part[0][0].item() == 7
    assert part.batch([1, 0])[1].tolist() == [90, 70]


def test_random_split_is_a_partition() -> None:
    parts = random_split(numbers(11), [0.5, 0.3, 0.2], Generator(3))
    assert [len(p) for p in parts] == [6, 3, 2]
    assert sorted(i for p in parts for i in p.indices) == list(range(11))
    again = random_split(numbers(11), [6, 3, 2], Generator(3))
    assert [p.indices for p in parts] == [p.indices for p in again]


# loaders ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("drop_last, sizes", [(False, [4, 4, 2]), (True, [4, 4])])
def test_batches_have_the_size_asked_for(drop_last: bool, sizes: list[int]) -> None:
    loader = DataLoader(numbers(10), 4, drop_last=drop_last)
    assert len(loader) == len(sizes)
    assert [len(x) for x, _ in loader] == sizes


def test_an_empty_dataset_has_no_batches() -> None:
    loader = DataLoader(numbers(0), 4, shuffle=True)
    assert len(loader) == 0
    assert list(loader) == []


def epochs(loader: DataLoader, n: int) -> list[list[int]]:
    return [[i for x, _ in loader for i in x.tolist()] for _ in range(n)]


def test_each_epoch_has_an_order_of_its_own_that_depends_on_the_seed() -> None:
    first = epochs(DataLoader(numbers(20), 8, shuffle=True, seed=5), 3)
    assert all(sorted(order) == list(range(20)) for order in first)
    assert first[0] != first[1] != first[2] != first[0]
    etude.rand(100)
    assert first == epochs(DataLoader(numbers(20), 3, shuffle=True, seed=5), 3)
    assert first[0] != epochs(DataLoader(numbers(20), 8, shuffle=True, seed=6), 1)[0]


def test_the_seed_is_that_of_manual_seed_by_default() -> None:
    etude.manual_seed(11)
    etude.rand(10)
    orders = epochs(DataLoader(numbers(9), 9, shuffle=True), 2)
    assert orders == epochs(DataLoader(numbers(9), 9, shuffle=True, seed=11), 2)


def test_a_planned_batch_can_be_made_alone() -> None:
    images = TensorDataset(etude.rand(12, 1, 6, 6))
    shift = RandomShift(2)
    loader = DataLoader(images, 5, shuffle=True, seed=1, transform=shift)
    passes = [list(loader), list(loader)]
    for epoch in (1, 0):
        for number in (2, 0, 1):
            (alone,) = fetch(images, loader.plan(epoch)[number], shift)
            assert (alone == passes[epoch][number][0]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_batches_move_to_a_backend_and_are_the_same_on_all(backend: str) -> None:
    with etude.use_backend("numpy"):
        data = TensorDataset(etude.rand(10, 1, 4, 4, generator=Generator(2)))
    here = DataLoader(data, 4, shuffle=True, seed=3, transform=RandomShift(1))
    with etude.use_backend(backend):
        there = DataLoader(data, 4, shuffle=True, seed=3, transform=RandomShift(1), backend=backend)
        for (a,), (b,) in zip(here, there, strict=True):
            assert b.backend.name == backend
            assert a.tolist() == b.tolist()


# transforms -------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(32, 32), (5, 9), (8, 7), (1, 1)])
def test_resize_interpolates_as_torch_does(size: tuple[int, int], backend: str) -> None:
    torch = pytest.importorskip("torch")
    x = etude.rand(2, 3, 8, 7, backend=backend, generator=Generator(1))
    y = torch.nn.functional.interpolate(torch.tensor(x.tolist()), size=size, mode="bilinear")
    np.testing.assert_allclose(Resize(size)(x).numpy(), y.numpy(), atol=1e-6)


def test_resize_keeps_a_constant_image() -> None:
    y = Resize((32, 32))(etude.full((1, 1, 8, 8), 0.25))
    np.testing.assert_allclose(y.numpy(), 0.25, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shift_moves_each_image_whole(backend: str) -> None:
    x = etude.arange(40 * 25, backend=backend).reshape(40, 1, 5, 5).float() + 1.0
    y = RandomShift(1, fill=-1.0)(x, Generator(0)).numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1.0)
    found = set()
    for image, wide in zip(y, padded, strict=True):
        places = [(i, j) for i in range(3) for j in range(3)
                  if (wide[:, i : i + 5, j : j + 5] == image).all()]  # fmt: skip
        assert len(places) == 1
        found.update(places)
    assert len(found) == 9


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_flip_mirrors_some_images(backend: str) -> None:
    x = etude.rand(20, 2, 3, 4, backend=backend, generator=Generator(0))
    y = RandomFlip()(x, Generator(1)).numpy()
    kept = [bool((a == b).all()) for a, b in zip(x.numpy(), y, strict=True)]
    assert 0 < sum(kept) < 20
    for a, b, same in zip(x.numpy(), y, kept, strict=True):
        assert same or (a[:, :, ::-1] == b).all()


def test_normalize_takes_a_number_or_one_for_each_channel() -> None:
    x = etude.ones(2, 2, 3, 3)
    assert (Normalize(0.5, 0.25)(x) == 2.0).all()
    y = Normalize([0.0, 1.0], [1.0, 2.0])(x)
    assert (y[:, 0] == 1.0).all()
    assert (y[:, 1] == 0.0).all()


def test_transforms_compose() -> None:
    both = Compose(Pad(1, value=1.0), Normalize(1.0, 2.0))
    y = both(etude.zeros(1, 1, 2, 2), Generator())
    assert y[0, 0].tolist() == [[0, 0, 0, 0], [0, -0.5, -0.5, 0], [0, -0.5, -0.5, 0], [0, 0, 0, 0]]


IMAGES = etude.zeros(2, 3, 4, 4)
WRONG = [
    (lambda: TensorDataset(), ShapeError, "one size along axis 0, got shapes []"),
    (lambda: TensorDataset(etude.zeros(2), etude.zeros(3)), ShapeError, "one label for each input"),
    (lambda: TensorDataset(etude.tensor(1.0)), ShapeError, "got shapes [()]"),
    (lambda: Subset(numbers(3), [0, 3]), IndexOutOfRange, "into a dataset of 3, got 3"),
    (lambda: random_split(numbers(5), [2, 2]), ArgumentError, "add up to 5 samples"),
    (lambda: random_split(numbers(5), [0.5, 0.4]), ArgumentError, "fractions that add up to 1"),
    (lambda: random_split(numbers(5), [6, -1]), ArgumentError, "no negative length"),
    (lambda: random_split(numbers(5), []), ArgumentError, "add up to 5 samples"),
    (lambda: DataLoader(numbers(5), 0), ArgumentError, "expected batch_size >= 1, got 0"),
    (lambda: DataLoader(numbers(5), 2.5), ArgumentError, "got 2.5"),  # type: ignore[arg-type]
    (lambda: DataLoader(numbers(5), backend="nunpy"), ArgumentError, "did you mean 'numpy'?"),
    (lambda: Normalize(0.0, 1.0)(etude.zeros(4, 4)), ShapeError, "expected float images"),
    (lambda: Normalize([0.0, 0.0], 1.0)(IMAGES), ShapeError, "one for each of 3 channels"),
    (lambda: Resize((0, 4))(IMAGES), ArgumentError, "a size of at least 1, got (0, 4)"),
    (lambda: RandomShift(1)(IMAGES.long()), ShapeError, "convert with .float()"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=[w[2] for w in WRONG])
def test_what_is_wrong_is_said(call: object, kind: type[EtudeError], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)
