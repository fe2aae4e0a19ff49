"""Looking inside images and models: each computation against what it must give in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude import nn
from etude import visualize as V
from etude.backends.registry import available
from etude.framework.visualize.inputs import evaluating

BACKENDS = [n for n, reason in available().items() if reason is None and n != "numba"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    """The default backend, each in turn."""
    with etude.use_backend(request.param):
        etude.manual_seed(0)
        yield request.param


X1 = etude.ones(1, 1)


def images(*shape: int) -> Any:
    return etude.tensor(np.random.default_rng(1).normal(size=shape).astype("float32"))


def linear(classes: int = 3, shape: tuple[int, int, int] = (2, 4, 4)) -> Any:
    """A linear model of images, and its weights as images (K, C, H, W)."""
    layer = nn.Linear(int(np.prod(shape)), classes)
    model = nn.Sequential(nn.Flatten(), layer)
    return model, layer.weight.detach().numpy().reshape(classes, *shape)


def close(x: Any, y: Any, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=tolerance, atol=tolerance)


# pixels -------------------------------------------------------------------------------------------
def test_the_saliency_of_a_linear_model_is_its_weights(backend: str) -> None:
    model, w = linear()
    x = images(3, 2, 4, 4)
    close(V.input_gradient(model, x, [2, 0, 1]), w[[2, 0, 1]])
    close(V.saliency(model, x, 1), np.abs(w[[1, 1, 1]]).max(1))
    best = np.asarray(model(x).detach()).argmax(1)
    close(V.saliency(model, x), np.abs(w[best]).max(1))
    assert all(p.grad is None for p in model.parameters())


def test_looking_leaves_the_mode_of_each_part_as_it_was() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(4, 2))
    model[1].eval()
    with evaluating(model):
        assert not any(m.training for m in model.modules())
    assert [m.training for m in model.modules()] == [True, True, False, True]
    x = images(1, 1, 2, 2)
    close(V.saliency(model, x, 0), V.saliency(model, x, 0))


def test_occlusion_takes_away_what_the_square_covers(backend: str) -> None:
    def model(x: Any) -> Any:  # scores: the sum of the left and of the right half
        return F.stack([x[:, :, :, :2].sum((1, 2, 3)), x[:, :, :, 2:].sum((1, 2, 3))], 1)

    x = etude.ones(1, 1, 4, 4)
    found = V.occlusion_map(model, x, 0, size=2, stride=2)
    gap = np.array([[-4.0, 4.0], [-4.0, 4.0]])  # left minus right half
    close(found, 1.0 / (1.0 + np.exp(-gap)))
    assert V.occlusion_map(model, x, 0, size=3, stride=2).shape == (2, 2)


# gradient ascent ----------------------------------------------------------------------------------
def test_the_input_that_excites_a_linear_unit_is_its_weights(backend: str) -> None:
    model, w = linear(shape=(1, 3, 3))
    # The maximum of w x - l2 |x|^2; the rate 1 / (2 l2) reaches it in one step.
    found = V.maximise(model, [0, 2], (1, 3, 3), steps=1, lr=1.0, l2=0.5)
    close(found, w[[0, 2]])
    close(V.maximise(model, [1], (1, 3, 3), steps=60, lr=0.2, l2=0.5), w[[1]], 1e-4)


def test_a_unit_of_an_inner_layer_is_its_maps_mean() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU())
    found = V.maximise(model, [1], (1, 4, 4), layer="0", steps=1, lr=1.0, l2=0.0)
    close(found, np.full((1, 1, 4, 4), float(model[0].weight[1, 0, 0, 0].detach()) / 16.0))


def test_blur_keeps_a_constant_and_spreads_a_point(backend: str) -> None:
    close(V.blurred(etude.ones(1, 2, 5, 5), 1.0), np.ones((1, 2, 5, 5)))
    point = etude.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1.0
    spread = np.asarray(V.blurred(point, 1.0))
    assert spread.sum() == pytest.approx(1.0, abs=1e-5)
    close(spread[0, 0, 4, 3] / spread[0, 0, 4, 4], np.exp(-0.5))
    model, _ = linear(shape=(1, 6, 6))
    plain, smooth = (
        np.asarray(V.maximise(model, [0], (1, 6, 6), steps=4, blur=b)) for b in (0.0, 1.0)
    )
    assert np.abs(np.diff(smooth)).sum() < np.abs(np.diff(plain)).sum()


def test_a_fooling_image_is_taken_for_its_class(backend: str) -> None:
    model, _ = linear()
    image, sure = V.fooling_image(model, 1, (2, 4, 4), confidence=0.9, low=-3.0, high=3.0)
    assert sure >= 0.9
    assert float(F.softmax(model(image), 1)[0, 1]) == pytest.approx(sure, rel=1e-5)
    assert -3.0 <= float(image.min()) <= float(image.max()) <= 3.0


# adversarial changes ------------------------------------------------------------------------------
def test_a_step_of_the_gradient_sign_is_eps_in_each_pixel(backend: str) -> None:
    model, w = linear(classes=2)
    x = images(2, 2, 4, 4)
    # With two classes the loss of class 0 rises along w1 - w0, whatever the scores.
    close(V.fgsm(model, x, 0, eps=0.25), np.asarray(x) + 0.25 * np.sign(w[1] - w[0]))
    close(V.fgsm(model, x, 0, 0.25, targeted=True), np.asarray(x) - 0.25 * np.sign(w[1] - w[0]))
    cut = np.asarray(V.fgsm(model, x, [0, 1], 0.25, low=-0.5, high=0.5))
    assert cut.min() >= -0.5
    assert cut.max() <= 0.5
    many = np.asarray(V.iterated_fgsm(model, x, 0, eps=0.25, steps=5))
    close(many, np.asarray(x) + 0.25 * np.sign(w[1] - w[0]))


def test_deepfool_crosses_the_border_of_a_linear_model_at_right_angles(backend: str) -> None:
    model, w = linear(classes=2)
    x = images(1, 2, 4, 4)
    scores = np.asarray(model(x).detach())[0]
    far, near = scores.argmax(), scores.argmin()
    normal = w[near] - w[far]
    distance = (scores[far] - scores[near]) / np.linalg.norm(normal)
    r = np.asarray(V.deepfool(model, x))
    close(r[0], 1.02 * distance * normal / np.linalg.norm(normal), 1e-3)
    assert np.asarray(model(x + etude.tensor(r)).detach())[0].argmax() == near


def test_the_smallest_change_towards_a_class_is_near_the_borders_distance() -> None:
    model, w = linear(classes=2)
    x = images(1, 2, 4, 4)
    scores = np.asarray(model(x).detach())[0]
    target = int(scores.argmin())
    r = np.asarray(V.smallest_perturbation(model, x, target))
    distance = abs(scores[0] - scores[1]) / np.linalg.norm(w[0] - w[1])
    assert distance <= np.linalg.norm(r) < 1.2 * distance
    assert int(F.argmax(model(x + etude.tensor(r)), 1)) == target
    bounded = V.smallest_perturbation(model, x, target, 5, tries=1, low=0.0, high=0.0)
    close(x + bounded, np.zeros(x.shape))


def test_a_universal_change_fools_most_and_stays_in_its_ball() -> None:
    model, _ = linear(classes=2)
    x = images(12, 2, 4, 4)
    x = x[F.argmax(model(x), 1) == 0]  # of one class, so that one change can fool all
    r = V.universal_perturbation(model, x, radius=30.0, rate=1.0)
    assert V.fooling_rate(model, x, r) == 1.0
    assert V.fooling_rate(model, x, r * 0.0) == 0.0
    small = V.universal_perturbation(model, x, radius=0.1, norm="linf", epochs=1)
    assert float(F.abs(small).max()) <= 0.1 + 1e-6


def test_projection_keeps_the_direction_or_cuts_pixels() -> None:
    r = etude.tensor([[[3.0, -4.0]]])
    close(V.projected(r, 1.0), [[[0.6, -0.8]]])
    close(V.projected(r, 6.0), r)
    close(V.projected(r, 1.0, "linf"), [[[1.0, -1.0]]])


# deconvolution ------------------------------------------------------------------------------------
def test_the_way_back_through_an_identity_is_what_went_in(backend: str) -> None:
    conv = nn.Conv2d(1, 1, 1, bias=False)
    with etude.no_grad():
        conv.weight.copy_(etude.ones(1, 1, 1, 1))
    x = F.abs(images(2, 1, 4, 4))
    model = nn.Sequential(conv, nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 2))
    close(V.deconvolution(model, x, "1", strongest=False), x)
    one = np.asarray(V.deconvolution(model, x, "1"))
    assert (one > 0).sum() == 2
    close(one.max((1, 2, 3)), np.asarray(x).max((1, 2, 3)))


def test_a_convolution_is_led_back_by_its_transpose(backend: str) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU())
    x = images(2, 2, 5, 5)
    maps = F.relu(model[0](x)).detach()
    keep = etude.zeros(1, 3, 1, 1)
    keep[0, 1, 0, 0] = 1.0
    expected = F.conv_transpose2d(maps * keep, model[0].weight, None, 2, 1)
    for layer in ("0", "1"):
        found = V.deconvolution(model, x, layer, channel=1, strongest=False)
        close(found, expected.detach())


def test_pooling_is_undone_by_its_switches(backend: str) -> None:
    model = nn.Sequential(nn.MaxPool2d(2))
    x = etude.arange(16, dtype="float32").reshape(1, 1, 4, 4)
    expected = np.zeros((4, 4))
    expected[1::2, 1::2] = [[5.0, 7.0], [13.0, 15.0]]
    close(V.deconvolution(model, x, "0", 0, strongest=False)[0, 0], expected)


def test_the_strongest_images_come_first() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    with etude.no_grad():
        model[0].weight.copy_(etude.ones(1, 1, 1, 1))
    x = etude.tensor([1.0, 3.0, 2.0]).reshape(3, 1, 1, 1)
    assert V.strongest_images(model, x, "0", 0, 2).tolist() == [1, 2]


# layers -------------------------------------------------------------------------------------------
def test_the_outputs_of_layers_are_those_of_their_calls(backend: str) -> None:
    relu = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 3), relu, nn.Linear(3, 2), relu)
    x = images(5, 4)
    found = V.layer_outputs(model, x)
    assert list(found) == ["0", "1", "2", "1 (2)"]
    close(found["1 (2)"], model(x).detach())
    assert not found["0"].requires_grad


def test_feature_maps_are_a_layers_output() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    x = images(2, 1, 5, 5)
    close(V.feature_maps(model, x, "1"), model(x).detach())


def test_a_histogram_counts_the_finite_elements(backend: str) -> None:
    counts, edges = V.histogram(etude.tensor([0.0, 0.1, 0.9, 1.0, float("nan")]), 2)
    assert counts.tolist() == [2.0, 2.0]
    close(edges, [0.0, 0.5, 1.0])
    counts, edges = V.histogram(etude.tensor([2, 2, 2]), 3)
    assert counts.tolist() == [0.0, 3.0, 0.0]


def test_norms_of_gradients_fall_by_the_slope_of_each_layer(backend: str) -> None:
    layers = [nn.Linear(1, 1, bias=False) for _ in range(4)]
    for layer in layers:
        with etude.no_grad():
            layer.weight.copy_(etude.tensor([[0.5]]))
    model = nn.Sequential(*layers)
    x = etude.ones(1, 1)
    weights, outputs = V.gradient_norms(model, lambda m: m(x).sum())
    # y = w^4 x, so dy / dw_i = w^3 for each, and dy / dy_i = w^(3 - i).
    close(list(weights.values()), [0.125] * 4)
    close(list(outputs.values()), [0.125, 0.25, 0.5, 1.0])
    assert list(weights) == [f"{i}.weight" for i in range(4)]
    assert all(p.grad is None for p in model.parameters())


def test_each_call_of_a_layer_has_a_norm_of_its_own() -> None:
    twice = nn.Linear(1, 1, bias=False)
    with etude.no_grad():
        twice.weight.copy_(etude.tensor([[0.5]]))
    _, outputs = V.gradient_norms(nn.Sequential(twice, nn.Identity(), twice), lambda m: m(X1).sum())
    assert outputs == {"0": 0.5, "1": 0.5, "0 (2)": 1.0}


def test_norms_of_gradients_are_per_element() -> None:
    model = nn.Sequential(nn.Linear(3, 5, bias=False))
    weights, _ = V.gradient_norms(model, lambda m: m(etude.ones(1, 3)).sum())
    assert weights["0.weight"] == pytest.approx(1.0)
