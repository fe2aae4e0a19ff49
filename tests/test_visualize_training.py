"""Looking inside training: slices of the loss, races, what removed parts cost, invariance."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude import nn, optim
from etude import visualize as V
from etude.backends.registry import available
from etude.framework.training import Epoch, History

BACKENDS = [n for n, reason in available().items() if reason is None and n != "numba"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    """The default backend, each in turn."""
    with etude.use_backend(request.param):
        etude.manual_seed(0)
        yield request.param


def close(x: Any, y: Any, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=tolerance, atol=tolerance)


# curves -------------------------------------------------------------------------------------------
def test_derivatives_of_activations(backend: str) -> None:
    x = etude.tensor([-1.0, 0.0, 2.0])
    y, slope = V.activation_values(F.sigmoid, x)
    s = 1.0 / (1.0 + np.exp(-np.asarray(x)))
    close(y, s)
    close(slope, s * (1.0 - s))
    assert V.activation_values(F.relu, x)[1].tolist() == [0.0, 0.0, 1.0]
    assert V.activation_values(F.hard_threshold, x)[1].tolist() == [0.0, 0.0, 0.0]
    flat = V.activation_values(lambda v: etude.tensor([1.0, 1.0, 1.0]), x)
    assert flat[1].tolist() == [0.0, 0.0, 0.0]


def history(validation: bool = True) -> History:
    lines = [(1, 2.0, 0.5, 1.5, 0.6), (2, 1.0, 0.8, 0.9, 0.7), (3, 0.5, 0.9, 1.2, 0.65)]
    return History(
        epochs=[
            Epoch(n, loss, acc, 0.1, 1.0, *((vl, va) if validation else (None, None)))
            for n, loss, acc, vl, va in lines
        ]
    )


def test_learning_curves_are_the_historys() -> None:
    found = V.learning_curves(history())
    assert found["epoch"] == [1, 2, 3]
    assert found["val_loss"] == [1.5, 0.9, 1.2]
    assert found["accuracy"] == [0.5, 0.8, 0.9]
    assert set(V.learning_curves(history(False))) == {"epoch", "loss", "accuracy"}


# the loss's landscape -----------------------------------------------------------------------------
def test_a_slice_of_a_quadratic_is_its_parabola(backend: str) -> None:
    model = nn.Linear(2, 1, bias=False)
    with etude.no_grad():
        model.weight.copy_(etude.tensor([[1.0, 2.0]]))
    before = model.weight.detach().numpy().copy()

    def loss(m: Any) -> Any:  # w1^2 + 3 w2^2
        assert not m.training
        return (m.weight * m.weight * etude.tensor([[1.0, 3.0]])).sum()

    d = {"weight": etude.tensor([[1.0, -1.0]])}
    amounts = [-1.0, 0.0, 0.5, 2.0]
    close(V.loss_line(model, loss, d, amounts), [(1 + a) ** 2 + 3 * (2 - a) ** 2 for a in amounts])
    e = {"weight": etude.tensor([[0.0, 1.0]])}
    found = V.loss_surface(model, loss, d, e, [0.0, 1.0])
    close(found, [[13.0, 4.0 + 3.0], [1.0 + 27.0, 4.0 + 12.0]])
    assert np.array_equal(model.weight.detach().numpy(), before)
    assert model.training


def test_weights_come_back_after_a_loss_that_fails() -> None:
    model = nn.Linear(2, 1)
    before = model.weight.detach().numpy().copy()

    def broken(m: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        V.loss_line(model, broken, V.random_direction(model), [1.0])
    assert np.array_equal(model.weight.detach().numpy(), before)


def test_random_directions_are_as_long_as_the_filters(backend: str) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2))
    d = V.random_direction(model, seed=3)
    for name in ("0.weight", "3.weight"):
        own = dict(model.named_parameters())[name].detach().numpy()
        lengths = [
            np.linalg.norm(np.asarray(t).reshape(len(own), -1), axis=1) for t in (own, d[name])
        ]
        close(*lengths)
    for name in ("0.bias", "1.weight", "1.bias", "3.bias"):
        assert not np.asarray(d[name]).any()
    again, other = V.random_direction(model, 3), V.random_direction(model, 4)
    assert np.array_equal(again["0.weight"].numpy(), d["0.weight"].numpy())
    assert not np.array_equal(other["0.weight"].numpy(), d["0.weight"].numpy())


def test_the_direction_to_another_model_leads_there() -> None:
    first, last = nn.Linear(2, 1), nn.Linear(2, 1)
    d = V.direction_to(first, last.state_dict())
    x = etude.ones(1, 2)
    ends = V.loss_line(first, lambda m: m(x).sum(), d, [0.0, 1.0])
    close(ends, [float(first(x)), float(last(x))])


# races --------------------------------------------------------------------------------------------
def test_descent_on_a_quadratic_goes_by_the_powers_of_its_rate(backend: str) -> None:
    surface = V.Surface(
        lambda x, y: (x * x + y * y * 4.0) * 0.5, (1.0, 1.0), (0, 0), (-1, 1, -1, 1)
    )
    racers = {"SGD": lambda p: optim.SGD(p, 0.1), "momentum": lambda p: optim.SGD(p, 0.1, 0.5)}
    paths = V.race(surface, racers, steps=5)
    k = np.arange(6)
    close(paths["SGD"], np.stack([0.9**k, 0.6**k], 1), 1e-6)
    assert paths["momentum"].shape == (6, 2)


def test_a_racer_that_leaves_for_infinity_has_a_shorter_path() -> None:
    paths = V.race("rosenbrock", {"fast": lambda p: optim.SGD(p, 10.0)}, steps=50)
    assert 1 < len(paths["fast"]) < 20
    assert np.isfinite(np.asarray(paths["fast"])).all()


@pytest.mark.parametrize("name", list(V.SURFACES))
def test_surfaces_have_their_minima_where_they_say(name: str) -> None:
    ground = V.SURFACES[name]
    assert ground.minimum is not None
    p = etude.tensor(list(map(float, ground.minimum)), dtype="float64", requires_grad=True)
    value = ground.function(p[0], p[1])
    value.backward()
    assert float(value) == pytest.approx(-1.0 if name == "saddle" else 0.0, abs=1e-12)
    close(p.grad, [0.0, 0.0], 1e-9)
    assert set(V.RACERS) == set(V.SURFACES)


@pytest.mark.parametrize("name", list(V.SURFACES))
def test_the_chosen_racers_come_down(name: str) -> None:
    ground = V.SURFACES[name]
    for path in V.race(name, V.RACERS[name], steps=60).values():
        heights = np.asarray(ground.function(path[:, 0], path[:, 1]))
        assert heights[-1] < 0.6 * heights[0]


# parts taken out ----------------------------------------------------------------------------------
def scaled(*factors: float) -> Any:
    model = nn.Sequential(*[nn.Linear(1, 1, bias=False) for _ in factors])
    with etude.no_grad():
        for layer, f in zip(model, factors):
            layer.weight.copy_(etude.tensor([[f]]))
    return model


def output(model: Any) -> Any:
    return model(etude.ones(1, 1)).sum()


def test_removed_layers_hand_on_their_input_or_nothing(backend: str) -> None:
    model = scaled(2.0, 3.0, 5.0)
    found = V.layer_ablation(model, output, ["0", ("1", "2")])
    assert found == {"all layers": 30.0, "0": 15.0, "1 + 2": 2.0}
    assert V.layer_ablation(model, output, how="silence")["1"] == 0.0
    assert float(output(model)) == 30.0


def test_dropped_outputs_keep_their_mean(backend: str) -> None:
    model = nn.Sequential(nn.Linear(1, 400, bias=False), nn.Identity(), nn.Linear(400, 1))
    with etude.no_grad():
        model[0].weight.copy_(etude.ones(400, 1))
        model[2].weight.copy_(etude.ones(1, 400) / 400.0)
        model[2].bias.copy_(etude.zeros(1))
    found = V.dropout_ablation(model, output, [0.0, 0.5])
    assert list(found) == ["0"]
    assert found["0"][0] == pytest.approx(1.0, rel=1e-5)
    assert found["0"][1] == pytest.approx(1.0, abs=0.2)
    assert found["0"][1] != found["0"][0]
    assert found == V.dropout_ablation(model, output, [0.0, 0.5])


# invariance ---------------------------------------------------------------------------------------
def blob() -> Any:
    """A smooth spot well inside an image, so that moving it loses nothing."""
    at = np.arange(17) - 8.0
    return etude.tensor(np.exp(-(at[:, None] ** 2 + at**2) / 2.0)[None, None].astype("float32"))


def test_images_move_grow_and_turn(backend: str) -> None:
    x = etude.tensor(np.random.default_rng(0).random((1, 2, 5, 5)).astype("float32"))
    moved = np.asarray(V.transformed(x, "translation", 2))
    close(moved[..., 2:], np.asarray(x)[..., :3])
    assert not moved[..., :2].any()
    close(V.transformed(x, "rotation", 90), np.rot90(np.asarray(x), axes=(2, 3)))
    wide = etude.tensor(np.random.default_rng(0).random((1, 1, 3, 5)).astype("float32"))
    close(V.transformed(wide, "rotation", 180), np.rot90(np.asarray(wide), 2, axes=(2, 3)))
    close(V.transformed(x, "scale", 1.0), x)
    double = np.asarray(V.transformed(etude.ones(1, 1, 8, 8), "scale", 0.5))[0, 0]
    assert double.sum() == pytest.approx(16.0, rel=0.05)


def test_a_global_pool_does_not_see_where(backend: str) -> None:
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = V.invariance(pool, blob(), "translation", [-3, 0, 2.5])
    close(found.distance["output"], [0.0, 0.0, 0.0], 1e-3)
    turned = V.invariance(pool, blob(), "rotation", [0, 90, 180])
    close(turned.distance["output"], [0.0, 0.0, 0.0], 1e-3)
    flat = V.invariance(nn.Flatten(), blob(), "translation", [0, 5])
    assert float(flat.distance["output"][0]) < 1e-4
    assert float(flat.distance["output"][1]) == pytest.approx(sqrt(2.0), rel=0.02)


def test_invariance_gives_the_class_and_the_layers() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = V.invariance(model, blob(), "scale", [1.0, 1.2], labels=[1], layers=["0", "2"])
    assert list(found.distance) == ["0", "2"]
    assert found.probability is not None
    p = F.softmax(model(blob()), 1)[0, 1]
    assert float(found.probability[0]) == pytest.approx(float(p), abs=1e-4)
    maps = V.invariance(model[:1], blob(), "scale", [1.0])
    assert maps.probability is None
