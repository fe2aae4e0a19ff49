"""Augmentations against closed forms: what a turn by 90 degrees or a shift by a pixel must give."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework.data import DataLoader, MixUp, TensorDataset, Transformed
from etude.framework.data import transforms as T
from etude.framework.data.mixing import beta
from etude.framework.errors import ArgumentError, EtudeError, ShapeError
from etude.framework.ops.sampling import Generator

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


def images(n: int = 3, c: int = 2, h: int = 5, w: int = 5, backend: str = "numpy") -> etude.Tensor:
    return etude.rand(n, c, h, w, generator=Generator(7), backend=backend)


def close(a: etude.Tensor, b: Any, atol: float = 2e-6) -> None:
    np.testing.assert_allclose(a.numpy(), b, atol=atol)


# maps of the plane ------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("quarters", [0, 1, 2, 3, -1])
def test_a_turn_by_90_degrees_is_rot90(quarters: int, backend: str) -> None:
    x = images(backend=backend)
    close(T.affine(x, 90.0 * quarters), np.rot90(x.numpy(), quarters, (2, 3)))


def test_a_turn_by_180_degrees_of_an_oblong_image() -> None:
    x = images(h=4, w=7)
    close(T.affine(x, 180.0), x.numpy()[:, :, ::-1, ::-1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("right, down", [(0, 0), (1, 0), (0, 2), (-2, 1)])
def test_a_shift_by_whole_pixels_is_slicing(right: int, down: int, backend: str) -> None:
    x = images(h=4, w=6, backend=backend)
    wide = np.pad(x.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), constant_values=0.25)
    expected = wide[:, :, 3 - down : 7 - down, 3 - right : 9 - right]
    close(T.affine(x, translate=(right, down), fill=0.25), expected)


def test_a_zoom_by_1_changes_nothing_and_by_2_shows_the_middle() -> None:
    x = images(h=8, w=8)
    close(T.affine(x, scale=1.0), x.numpy())
    middle = T.Resize((8, 8))(x[:, :, 2:6, 2:6])
    close(T.affine(x, scale=2.0)[:, :, 1:7, 1:7], middle.numpy()[:, :, 1:7, 1:7])
    close(T.affine(T.affine(x, scale=-1.0), 180.0), x.numpy())


def test_a_shear_moves_each_row_by_its_distance_from_the_middle() -> None:
    x = images(h=5, w=5)
    y = T.affine(x, shear=(45.0, 0.0)).numpy()
    for i, by in enumerate(range(-2, 3)):
        row = np.zeros((3, 2, 5), "float32")
        source = x.numpy()[:, :, i]
        row[:, :, max(by, 0) : 5 + min(by, 0)] = source[:, :, max(-by, 0) : 5 - max(by, 0)]
        np.testing.assert_allclose(y[:, :, i], row, atol=5e-6)
    columns = T.affine(x, shear=(0.0, 45.0)).numpy()
    turned = T.affine(x.transpose(2, 3), shear=(45.0, 0.0)).transpose(2, 3)
    np.testing.assert_allclose(columns, turned.numpy(), atol=5e-6)


def test_maps_with_numbers_for_each_image_and_a_colour_around_them() -> None:
    x = images(n=2, c=3)
    both = T.affine(x, etude.tensor([90.0, 0.0]), (0.0, etude.tensor([0.0, 9.0])), fill=[1, 2, 3])
    close(both[0], np.rot90(x.numpy()[0], 1, (1, 2)))
    close(both[1], np.broadcast_to(np.reshape([1, 2, 3], (3, 1, 1)), (3, 5, 5)))


MAPS = [
    T.RandomAffine(20.0, (0.1, 0.2), (0.8, 1.2), 10.0, fill=0.5),
    T.RandomRotation(30),
    T.RandomZoom(0.3),
    T.RandomTranslate(2.5),
    T.RandomShear(20.0),
]
OTHERS = [
    T.RandomShift(1), T.RandomCrop((4, 3), padding=1, fill=[0.1, 0.2, 0.3]), T.RandomFlip(),
    T.RandomVerticalFlip(), T.RandomResizedCrop((4, 6)), T.RandomBrightness(0.3, limits=(0, 1)),
    T.RandomBrightness(0.3, shift=True), T.RandomContrast(0.5), T.RandomSaturation(0.5),
    T.Lighting([0.1, 0.2, 0.3], np.eye(3).tolist()), T.GaussianNoise(0.2), T.SaltAndPepper(0.3),
    T.SaltAndPepper(0.3, None, None), T.Cutout(3), T.RandomApply(T.GaussianNoise(1.0), 0.5),
    T.augmentation("flip, vflip,rotate=5,zoom,shear,translate,shift=1,brightness,contrast,"
                   "noise=0.01,saltpepper,cutout=2", -0.5),
]  # fmt: skip


@pytest.mark.parametrize("transform", [*MAPS, *OTHERS], ids=lambda t: type(t).__name__)
def test_one_seed_gives_one_result_on_every_backend(transform: Any) -> None:
    with etude.use_backend("numpy"):
        x = images(4, 3, 5, 6)
        expected = transform(x, Generator(3)).numpy()
        assert not np.allclose(transform(x, Generator(4)).numpy(), expected)
        assert not np.allclose(expected[0] - x.numpy()[0, :, :4, :3].mean(),
                               expected[1] - x.numpy()[1, :, :4, :3].mean())  # fmt: skip
    for backend in BACKENDS:
        found = transform(x.to(backend), Generator(3))
        assert found.backend.name == backend
        assert found.dtype is x.dtype
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    assert pickle.loads(pickle.dumps(MAPS[0])) == MAPS[0]


def test_drawn_angles_lie_where_they_should() -> None:
    """The top pixel of a cross goes to the side of its turn."""
    x = etude.zeros(50, 1, 21, 21)
    x[:, :, 0, 10] = 1.0
    y = T.RandomRotation((30, 40))(x, Generator(0)).numpy()[:, 0]
    weights = y.sum((1, 2))
    right = (y.sum(1) * np.arange(-10, 11)).sum(1) / weights
    up = (y.sum(2) * np.arange(10, -11, -1)).sum(1) / weights
    angles = np.degrees(np.arctan2(-right, up))
    assert angles.min() > 28
    assert angles.max() < 42
    assert np.ptp(angles) > 6


# crops ------------------------------------------------------------------------------------------
def test_crops_are_windows_of_the_image() -> None:
    x = images(40, 1, 5, 6)
    assert (T.CenterCrop((3, 3))(x) == x[:, :, 1:4, 1:4]).all()
    found = set()
    for crop, whole in zip(T.RandomCrop((4, 4))(x, Generator(0)).numpy(), x.numpy(), strict=True):
        places = [(i, j) for i in range(2) for j in range(3)
                  if (whole[:, i : i + 4, j : j + 4] == crop).all()]  # fmt: skip
        assert len(places) == 1
        found.update(places)
    assert len(found) == 6


def test_a_resized_crop_of_everything_is_a_resize() -> None:
    x = images(2, 3, 6, 8)
    whole = T.RandomResizedCrop((9, 4), (1.0, 1.0), (8 / 6, 8 / 6))(x, Generator(0))
    close(whole, T.Resize((9, 4))(x).numpy())


def test_a_resized_crop_shows_a_part_of_the_size_asked_for() -> None:
    ramp = etude.linspace(0, 1, 100).expand(64, 1, 100, 100)
    y = T.RandomResizedCrop((50, 50), (0.25, 0.25), (1.0, 1.0))(ramp, Generator(0)).numpy()
    np.testing.assert_allclose(np.ptp(y, axis=(1, 2, 3)), 0.5, atol=0.02)
    assert np.ptp(y.min((1, 2, 3))) > 0.3


def test_five_and_ten_crops() -> None:
    x = images(2, 3, 6, 7)
    five = T.five_crop(x, (4, 5))
    slices = [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]
    for crop, (i, j) in zip(five, slices, strict=True):
        assert (crop == x[:, :, i : i + 4, j : j + 5]).all()
    ten = T.ten_crop(x, (4, 5))
    for plain, mirrored in zip(ten[:5], [1, 0, 3, 2, 4], strict=True):
        close(etude.flip(plain, 3), ten[5 + mirrored].numpy())
    upside = T.ten_crop(x, (4, 5), vertical_flip=True)
    close(upside[5], x.numpy()[:, :, ::-1][:, :, :4, :5])


@pytest.mark.parametrize("h, w", [(6, 9), (9, 6)])
def test_144_views(h: int, w: int) -> None:
    x = images(1, 1, h, w)
    views = list(T.googlenet_views(x, 4, (5, 6, 7, 8)))
    assert len(views) == 144
    assert {v.shape for v in views} == {(1, 1, 4, 4)}
    for plain, mirrored in zip(views[::2], views[1::2], strict=True):
        assert (etude.flip(plain, 3) == mirrored).all()
    # At scale 6 = the shorter side nothing is resized: the first square's first crop is a corner.
    close(views[36], x.numpy()[:, :, :4, :4])
    last = x.numpy()[:, :, :, -6:] if w > h else x.numpy()[:, :, -6:]
    close(views[36 + 24 + 6], last[:, :, 2:6, 2:6])
    close(views[36 + 24 + 10], T.Resize((4, 4))(etude.tensor(last.copy())).numpy())


def test_the_mean_over_views_and_models() -> None:
    x = images(3, 1, 4, 4)

    class Sum(etude.nn.Module):
        def __init__(self, sign: float) -> None:
            super().__init__()
            self.sign = sign

        def forward(self, x: etude.Tensor) -> etude.Tensor:
            assert not self.training
            total = x.sum((1, 2, 3)) * self.sign
            return etude.stack([total, etude.zeros_like(total)], -1)

    one, other = Sum(1.0), Sum(-1.0).eval()
    found = T.average_predictions([one, other], x, lambda t: T.five_crop(t, (2, 2)))
    close(found, np.full((3, 2), 0.5))
    assert one.training
    assert not other.training
    logits = T.average_predictions(one, x, lambda t: [t, t * 3.0], average="logits")
    close(logits[:, 0], 2.0 * x.numpy().sum((1, 2, 3)), 1e-5)
    close(T.average_predictions(one, x), etude.softmax(one.eval()(x), -1).numpy())
    both = etude.nn.Sequential(Sum(1.0).eval())
    T.average_predictions(both, x)
    assert both.training
    assert not both[0].training


# values -----------------------------------------------------------------------------------------
def test_brightness_contrast_and_saturation_are_blends() -> None:
    x = images(200, 3, 4, 4)
    v = x.numpy()
    bright = T.RandomBrightness(0.5)(x, Generator(0)).numpy() / v
    assert np.ptp(bright, axis=(1, 2, 3)).max() < 1e-5
    factors = bright[:, 0, 0, 0]
    assert 0.5 <= factors.min() < 0.55
    assert 1.45 < factors.max() <= 1.5
    moved = T.RandomBrightness(0.5, shift=True)(x, Generator(0)).numpy() - v
    np.testing.assert_allclose(moved[:, 0, 0, 0], factors - 1.0, atol=1e-5)
    grey = np.einsum("nchw,c->nhw", v, [0.299, 0.587, 0.114])[:, None]
    middle = grey.mean((1, 2, 3), keepdims=True)
    flat = T.RandomContrast(0.5)(x, Generator(0)).numpy()
    np.testing.assert_allclose(
        flat, middle + factors.reshape(-1, 1, 1, 1) * (v - middle), atol=1e-5
    )
    pale = T.RandomSaturation(0.5)(x, Generator(0)).numpy()
    np.testing.assert_allclose(pale, grey + factors.reshape(-1, 1, 1, 1) * (v - grey), atol=1e-5)
    assert T.RandomBrightness(3.0, limits=(0, 1))(x, Generator(0)).amax().item() == 1.0
    one = images(2, 1, 3, 3)
    close(T.RandomSaturation(0.5)(one, Generator(0)), one.numpy())


def test_lighting_moves_all_pixels_along_the_principal_components() -> None:
    rng = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.5, 0.2], [0.0, 0.7, 0.1], [0.0, 0.0, 0.1]])
    pixels = rng.normal(size=(300, 4, 4, 3)) @ mixing + 5.0
    x = np.moveaxis(pixels, -1, 1).astype("float32")
    data = TensorDataset(etude.tensor(x), etude.zeros(300))
    lighting = T.Lighting.fit(data)
    covariance = np.cov(pixels.reshape(-1, 3).T, bias=True)
    rebuilt = lighting.vectors @ np.diag(lighting.values) @ np.transpose(lighting.vectors)
    np.testing.assert_allclose(rebuilt, covariance, atol=1e-5)
    many = etude.zeros(4000, 3, 2, 2)
    moved = lighting(many, Generator(1)).numpy()
    assert np.ptp(moved, axis=(2, 3)).max() == 0.0
    spread = np.cov(moved[:, :, 0, 0].T)
    np.testing.assert_allclose(spread, 0.01 * covariance @ covariance, rtol=0.1, atol=2e-3)


def test_noise_has_the_statistics_asked_for() -> None:
    x = etude.full((4, 3, 100, 100), 0.5)
    noise = T.GaussianNoise(0.2)(x, Generator(0)).numpy() - 0.5
    assert abs(noise.mean()) < 3e-3
    assert abs(noise.std() - 0.2) < 3e-3
    speckled = T.SaltAndPepper(0.1, -1.0, 2.0)(x, Generator(0)).numpy()
    assert (speckled == speckled[:, :1]).all()
    for value, share in ((-1.0, 0.05), (2.0, 0.05), (0.5, 0.9)):
        assert abs((speckled == value).mean() - share) < 5e-3
    ramp = images(2)
    own = T.SaltAndPepper(1.0, None, None)(ramp, Generator(0)).numpy()
    for a, b in zip(own, ramp.numpy(), strict=True):
        assert set(np.unique(a)) == {b.min(), b.max()}


def test_cutout_cuts_one_square() -> None:
    x = etude.ones(60, 2, 9, 9)
    y = T.Cutout(3, fill=[0.0, -1.0])(x, Generator(0)).numpy()
    areas = set()
    for image in y:
        rows, columns = np.nonzero(image[0] == 0.0)
        assert (image[1][rows, columns] == -1.0).all()
        assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        areas.add(len(rows))
    assert areas == {4, 6, 9}


def test_apply_to_some() -> None:
    x = images(100)
    y = T.RandomApply(T.Normalize(0.0, 0.5), 0.3)(x, Generator(0)).numpy()
    same, doubled = ((y == factor * x.numpy()).all((1, 2, 3)) for factor in (1.0, 2.0))
    assert (same | doubled).all()
    assert 15 < doubled.sum() < 45


def test_normalize_fits_the_channels_of_a_dataset() -> None:
    x = etude.rand(300, 3, 4, 5, generator=Generator(0)) * etude.tensor([[[1.0]], [[3.0]], [[9.0]]])
    x = x + 1000.0
    normalize = T.Normalize.fit(TensorDataset(x, etude.zeros(300)))
    y = normalize(x).numpy()
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0.0, atol=1e-3)
    np.testing.assert_allclose(y.std((0, 2, 3)), 1.0, atol=1e-3)
    constant = T.Normalize.fit(TensorDataset(etude.ones(3, 1, 2, 2)))
    assert (constant(etude.ones(1, 1, 2, 2)) == 0.0).all()


# datasets ---------------------------------------------------------------------------------------
def test_a_transformed_dataset_is_the_same_in_any_loader() -> None:
    x = images(12, 1)
    data = Transformed(TensorDataset(x, etude.arange(12)), T.RandomShift(2))
    first, again = (list(DataLoader(data, 5, shuffle=True, seed=1)) for _ in range(2))
    for (a, i), (b, j) in zip(first, again, strict=True):
        assert (a == b).all()
        assert (i == j).all()
    assert not (first[0][0] == x[first[0][1]]).all()
    assert data[3][1].item() == 3
    assert len(data) == 12


def test_mixup_mixes_images_as_it_mixes_labels() -> None:
    """With images that are their own one-hot labels, both mixtures are the same numbers."""
    eye = etude.eye(6).reshape(6, 1, 1, 6)
    data = MixUp(TensorDataset(eye, etude.arange(6)), 6, alpha=1.0)
    (x, y), (x2, _) = (next(iter(DataLoader(data, 6, seed=s))) for s in (0, 1))
    close(x.reshape(6, 6), y.numpy())
    np.testing.assert_allclose(y.numpy().sum(1), 1.0, rtol=1e-6)
    assert not np.allclose(x.numpy(), x2.numpy())
    assert etude.functional.cross_entropy(etude.zeros(6, 6), y).item() == pytest.approx(np.log(6))
    assert data[2][1].tolist() == [0, 0, 1, 0, 0, 0]
    assert len(data) == 6


@pytest.mark.parametrize("alpha", [0.1, 1.0, 2.0])
def test_the_mixing_share_is_beta_distributed(alpha: float) -> None:
    generator = Generator(5)
    shares = np.array([beta(alpha, generator) for _ in range(1500)])
    assert abs(shares.mean() - 0.5) < 0.04
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.12)


IMAGES = images(2, 3, 4, 4)
DATA = TensorDataset(IMAGES, etude.arange(2))
WRONG = [
    (lambda: T.affine(IMAGES, etude.zeros(3)), ShapeError, "one for each of 2 images"),
    (lambda: T.affine(IMAGES, scale=0.0), ArgumentError, "a scale other than 0"),
    (lambda: T.affine(IMAGES, fill=[0.0, 1.0]), ShapeError, "one for each of 3 channels"),
    (lambda: T.RandomRotation(-3)(IMAGES), ArgumentError, "degrees as one number >= 0"),
    (lambda: T.RandomZoom((2, 1))(IMAGES), ArgumentError, "got (2, 1)"),
    (lambda: T.RandomCrop((5, 4))(IMAGES), ArgumentError, "1 ... 4 by 1 ... 4, got (5, 4)"),
    (lambda: T.five_crop(IMAGES, (0, 4)), ArgumentError, "got (0, 4)"),
    (lambda: T.RandomResizedCrop((2, 2), (0.0, 1.0))(IMAGES), ArgumentError, "expected scale"),
    (lambda: T.RandomContrast(0.1)(images(1, 2)), ShapeError, "1 or 3 channels, got 2"),
    (lambda: T.RandomBrightness(-1)(IMAGES), ArgumentError, "expected amount in 0"),
    (lambda: T.Lighting([1.0], [[1.0]])(IMAGES), ArgumentError, "expected 3 eigenvalues"),
    (lambda: T.GaussianNoise(-1)(IMAGES), ArgumentError, "expected std in 0"),
    (lambda: T.SaltAndPepper(2)(IMAGES), ArgumentError, "expected p in 0 ... 1, got 2"),
    (lambda: T.Cutout(0)(IMAGES), ArgumentError, "at least 1 pixel, got 0"),
    (lambda: T.RandomApply(T.Cutout(1), 2)(IMAGES, Generator()), ArgumentError, "p in 0 ... 1"),
    (lambda: T.Normalize.fit(TensorDataset(images(0))), ArgumentError, "an empty one"),
    (lambda: T.average_predictions([], IMAGES), ArgumentError, "a model and a view"),
    (lambda: T.average_predictions([], IMAGES, average="x"), ArgumentError, "'logits'"),
    (lambda: T.augmentation("rotat=5"), ArgumentError, "did you mean 'rotate'?"),
    (lambda: T.augmentation("rotate=five"), ArgumentError, "got 'rotate=five'"),
    (lambda: T.augmentation("noise=nan"), ArgumentError, "got 'noise=nan'"),
    (lambda: MixUp(DATA, 2, 0.0), ArgumentError, "expected alpha in 0"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=[w[2] for w in WRONG])
def test_what_is_wrong_is_said(call: Any, kind: type[EtudeError], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
