"""What the lectures use around models: initial weights by data, averages, sequences, searches."""

from __future__ import annotations

import copy
from math import log, sqrt
from typing import Any, NamedTuple

import numpy as np
import pytest

import etude
from etude import data, nn, optim, training
from etude import functional as F
from etude.framework.errors import ArgumentError, CallError, EtudeError, ShapeError

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


# initial weights ----------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(4, 4), (3, 2, 2, 1), (5, 3)])
def test_orthogonal_by_svd_is_numpy_s(shape: Any, backend: str) -> None:
    etude.manual_seed(7)
    w = nn.init.orthogonal_(
        etude.zeros(shape, dtype=etude.float64, backend=backend), 2.0, form="SVD"
    )
    etude.manual_seed(7)
    m = etude.randn(shape[0], int(np.prod(shape[1:])), dtype=etude.float64).numpy()
    u, _, vt = np.linalg.svd(m, full_matrices=False)
    np.testing.assert_allclose(w.numpy().reshape(m.shape), 2.0 * u @ vt, atol=1e-10)


def test_kumar_for_any_activation() -> None:
    def spread(activation: Any) -> float:
        etude.manual_seed(7)
        w = nn.init.kumar_normal_(etude.zeros(50, 200), activation)
        return float(w.numpy().std())

    assert spread(F.sigmoid) == pytest.approx(spread("sigmoid"), rel=1e-6)
    assert spread(F.softplus) == pytest.approx(sqrt(4 / (1 + log(2) ** 2) / 200), rel=0.02)
    assert spread(lambda x: x * -3.0 + 1.0) == pytest.approx(sqrt(1 / (9 * 2) / 200), rel=0.02)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lsuv_gives_every_layer_unit_variance(backend: str) -> None:
    etude.manual_seed(0)
    with etude.use_backend(backend):
        model = nn.Sequential(
            nn.Conv2d(1, 3, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(27, 8),
            nn.Tanh(),
            nn.Linear(8, 4),
        )
        x = etude.randn(12, 1, 5, 5) * 3.0 + 1.0
        left = nn.lsuv_(model, x, tolerance=0.01)
        assert [name for name, _ in left] == ["0", "3", "5"]
        hidden = x
        for layer in model:
            hidden = layer(hidden)
            if hasattr(layer, "weight"):
                assert hidden.var(correction=0).item() == pytest.approx(1.0, abs=0.011)
        rows = model[5].weight.detach()
        product = (rows @ rows.T).numpy()
        np.testing.assert_allclose(product, np.eye(4) * product[0, 0], atol=1e-5)
        assert model.training
        assert not any(m.bias.any().item() for m in (model[0], model[3], model[5]))


def test_lsuv_gives_every_unit_unit_variance() -> None:
    etude.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4))
    x = etude.randn(12, 1, 5, 5)
    left = nn.lsuv_(model, x, tolerance=0.01, per_unit=True)
    assert all(abs(v - 1.0) <= 0.01 for _, v in left)
    maps = model[0](x)
    np.testing.assert_allclose(maps.var((0, 2, 3), correction=0).detach().numpy(), 1.0, 0.02)
    np.testing.assert_allclose(model(x).var(0, correction=0).detach().numpy(), 1.0, 0.02)


# several models as one ----------------------------------------------------------------------------
def small(seed: int) -> nn.Module:
    etude.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_averaged_models_have_the_mean_weights() -> None:
    a, b = small(0), small(1)
    made = nn.average_models([a, b], [0.25, 0.75])
    for key, value in made.state_dict().items():
        if value.dtype.is_floating_point:
            expected = 0.25 * a.state_dict()[key].numpy() + 0.75 * b.state_dict()[key].numpy()
            np.testing.assert_allclose(value.numpy(), expected, 1e-6)
    assert a[0].weight.tolist() != made[0].weight.tolist()


def test_a_moving_average_follows() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = nn.MovingAverage(model, 0.5)
    mean = 0.0
    for t, value in enumerate((4.0, 2.0, 8.0)):
        with etude.no_grad():
            model.weight.fill_(value)
        average.update(model)
        decay = min(0.5, t / (t + 1))
        mean = decay * mean + (1 - decay) * value
        assert average(etude.ones(1, 1)).item() == pytest.approx(mean)
    assert not average.module.weight.requires_grad


def test_a_moving_average_goes_on_where_it_was_saved() -> None:
    model = nn.Linear(1, 1, bias=False)
    saved, resumed = nn.MovingAverage(model, 0.5), nn.MovingAverage(model, 0.5)
    with etude.no_grad():
        for value in (4.0, 2.0):
            model.weight.fill_(value)
            saved.update(model)
        resumed.load_state_dict(saved.state_dict())
        model.weight.fill_(8.0)
        resumed.update(model)
    assert resumed.module.weight.item() == 0.5 * 3.0 + 0.5 * 8.0


def test_a_moving_average_of_shared_weights() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].weight = model[0].weight
    average = nn.MovingAverage(model, 0.5)
    with etude.no_grad():
        for value in (4.0, 2.0):
            model[0].weight.fill_(value)
            average.update(model)
    assert average.module[0].weight.item() == average.module[1].weight.item() == 3.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_ensemble_is_the_mean_of_its_models(backend: str) -> None:
    models = [small(i).eval().to(backend) for i in range(3)]
    x = etude.randn(5, 3, backend=backend)
    logits = np.stack([m(x).detach().numpy() for m in models])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)

    def said(average: str) -> np.ndarray:
        return nn.Ensemble(models, average)(x).detach().numpy()

    np.testing.assert_allclose(np.exp(said("probabilities")), p.mean(0), 1e-5)
    np.testing.assert_allclose(said("logits"), logits.mean(0), 1e-5, 1e-6)
    votes = np.eye(2)[logits.argmax(-1)].mean(0)
    np.testing.assert_allclose(np.exp(said("votes")), votes, 1e-5)


def test_heads_share_a_trunk() -> None:
    model = nn.MultiTask(nn.Linear(3, 4), {"digit": nn.Linear(4, 10), "even": nn.Linear(4, 1)})
    out = model(etude.randn(2, 3))
    assert {k: v.shape for k, v in out.items()} == {"digit": (2, 10), "even": (2, 1)}
    (out["digit"].sum() + out["even"].sum()).backward()
    assert model.trunk.weight.grad is not None
    assert len(list(model.parameters())) == 6


# time ---------------------------------------------------------------------------------------------
class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(2, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x: Any, state: Any = None) -> Any:
        y, state = self.rnn(x, state)
        return self.head(y), state


class Pair(NamedTuple):
    h: Any
    n: int


def test_a_state_with_names_is_cut_from_the_graph() -> None:
    class Counting(Recurrent):
        def forward(self, x: Any, state: Any = None) -> Any:
            y, h = super().forward(x, state and state.h)
            return y, Pair(h, (state.n if state else 0) + 1)

    x = etude.randn(2, 4, 2)
    _, state = training.bptt(Counting(), x, x, F.mse_loss, window=2)
    assert (type(state), state.n, state.h.requires_grad) == (Pair, 2, False)


def gradients(window: int | None) -> tuple[float, list[np.ndarray]]:
    etude.manual_seed(0)
    model = Recurrent()
    x, y = etude.randn(4, 6, 2), etude.randn(4, 6, 2)
    loss, state = training.bptt(model, x, y, F.mse_loss, window=window)
    assert not state.requires_grad
    return loss, [p.grad.numpy() for p in model.parameters()]


def test_full_back_propagation_through_time_is_the_plain_gradient() -> None:
    etude.manual_seed(0)
    model = Recurrent()
    x, y = etude.randn(4, 6, 2), etude.randn(4, 6, 2)
    loss = F.mse_loss(model(x)[0], y)
    loss.backward()
    found, grads = gradients(None)
    assert found == pytest.approx(loss.item(), rel=1e-6)
    for p, g in zip(model.parameters(), grads):
        np.testing.assert_allclose(g, p.grad.numpy(), 1e-5, 1e-7)


def test_truncated_back_propagation_stops_at_the_window() -> None:
    full, cut = gradients(None), gradients(2)
    assert cut[0] == pytest.approx(full[0], rel=1e-6)  # the values go on
    assert not np.allclose(cut[1][1], full[1][1], rtol=1e-3)  # weight_hh's gradient does not
    np.testing.assert_allclose(cut[1][-1], full[1][-1], 1e-5, 1e-7)  # the last bias needs no past
    etude.manual_seed(0)
    model = Recurrent()
    x, y = etude.randn(4, 6, 2), etude.randn(4, 6, 2)
    state: Any = None
    total: Any = 0.0
    for i in (0, 2, 4):
        out, state = model(x[:, i : i + 2], state)
        state = state.detach()
        total = total + F.mse_loss(out, y[:, i : i + 2]) / 3
    total.backward()
    for p, g in zip(model.parameters(), cut[1]):
        np.testing.assert_allclose(g, p.grad.numpy(), 1e-5, 1e-7)


def test_truncated_training_lowers_the_loss() -> None:
    etude.manual_seed(0)
    model = Recurrent()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, y = etude.randn(4, 7, 2), etude.ones(4, 7, 2)

    def clip() -> Any:
        return optim.clip_grad_norm_(model.parameters(), 1.0)

    losses = [training.bptt(model, x, y, F.mse_loss, optimizer, 3, clip=clip)[0] for _ in range(10)]
    assert losses[-1] < losses[0] / 2


# searching and sampling ---------------------------------------------------------------------------
def test_searches_find_the_least_cost() -> None:
    def cost(x: float, y: float) -> float:
        return float("nan") if x == 3 else (x - 1) ** 2 + y

    found = training.grid_search(cost, {"x": [3, 0, 1], "y": (5.0, 2.0)})
    assert found[0] == ({"x": 1, "y": 2.0}, 2.0)
    assert len(found) == 6
    assert {t.options["x"] for t in found[-2:]} == {3}  # nan comes last
    etude.manual_seed(0)
    space = {"x": training.Uniform(0.0, 2.0), "y": training.LogUniform(1e-4, 1.0)}
    tried = training.random_search(cost, space, 60)
    xs, ys = ([t.options[k] for t in tried] for k in "xy")
    assert 0.0 <= min(xs) < 0.3 < 1.7 < max(xs) < 2.0
    assert 20 < sum(y < 1e-2 for y in ys) < 40  # half of the decades
    assert tried[0].cost == min(t.cost for t in tried)
    listed = training.random_search(lambda k: k, {"k": ["1", "2"]}, 5)
    assert {t.cost for t in listed} <= {1.0, 2.0}


def test_samples_with_and_without_replacement() -> None:
    etude.manual_seed(0)
    assert sorted(data.sample_indices(8)) == list(range(8))
    assert len(set(data.sample_indices(8, 5))) == 5
    drawn = data.sample_indices(8, 200, True)
    assert len(drawn) == 200
    assert set(drawn) == set(range(8))
    heavy = data.sample_indices(2, 400, True, etude.tensor([1.0, 3.0]))
    assert sum(heavy) / 400 == pytest.approx(0.75, abs=0.08)


def test_a_curriculum_begins_with_the_easy_ones() -> None:
    difficulty = [0.9, 0.1, 0.5, 0.3, 0.7]
    shares = [sorted(data.curriculum_indices(difficulty, e, 3, 0.2)) for e in range(4)]
    assert shares == [[1], [1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    subset = data.Subset(
        data.TensorDataset(etude.arange(5)),
        data.curriculum_indices(etude.tensor(difficulty), 0, 2, 0.4),
    )
    assert sorted(int(subset[i][0]) for i in range(2)) == [1, 3]


# wrong calls --------------------------------------------------------------------------------------
def model_for_errors() -> Any:
    return nn.Sequential(nn.Linear(2, 2))


WRONG = [
    (lambda: nn.lsuv_(nn.ReLU(), etude.ones(2)), ArgumentError, "got none"),
    (lambda: nn.lsuv_(model_for_errors(), etude.ones(3, 2) * 0), ArgumentError, "variance 0.0"),
    (lambda: nn.lsuv_(model_for_errors(), 3), CallError, "the number 3"),
    (lambda: nn.init.kumar_normal_(etude.zeros(2, 2), F.relu), ArgumentError, "kaiming_normal_"),
    (lambda: nn.init.orthogonal_(etude.zeros(2, 2), form="LU"), ArgumentError, "'LU'"),
    (lambda: nn.average_models([]), ArgumentError, "none"),
    (lambda: nn.average_models([nn.Linear(1, 1)], [0.5]), ArgumentError, "0.5"),
    (lambda: nn.average_models([nn.Linear(1, 1), nn.Linear(2, 1)]), ShapeError, "Ensemble"),
    (lambda: nn.MovingAverage(nn.Linear(1, 1), 1.5), ArgumentError, "1.5"),
    (lambda: nn.Ensemble([]), ArgumentError, "none"),
    (lambda: nn.Ensemble([nn.Linear(1, 1)], "median"), ArgumentError, "'median'"),
    (lambda: nn.MultiTask(nn.Linear(1, 1), {}), ArgumentError, "none"),
    (
        lambda: training.bptt(Recurrent(), etude.ones(2, 3, 2), etude.ones(2, 4, 2), F.mse_loss),
        ShapeError,
        "(2, 4, 2)",
    ),
    (lambda: training.grid_search(min, {}), ArgumentError, "dict"),
    (lambda: training.grid_search(min, {"x": training.Uniform(0, 1)}), ArgumentError, "random"),
    (lambda: training.random_search(min, {"x": 3}), ArgumentError, "the number 3"),
    (lambda: training.random_search(min, {"x": [1]}, 0), ArgumentError, "trials"),
    (lambda: data.sample_indices(3, 4), ArgumentError, "replacement=True"),
    (lambda: data.sample_indices(3, 2, True, etude.ones(2)), ShapeError, "(2,)"),
    (lambda: data.curriculum_indices([], 0, 1), ArgumentError, "none"),
    (lambda: data.curriculum_indices([1.0], 0, 1, 0.0), ArgumentError, "start"),
]


@pytest.mark.parametrize("call, error, fragment", WRONG)
def test_wrong_calls_say_what_to_do(call: Any, error: type[EtudeError], fragment: str) -> None:
    with pytest.raises(error) as caught:
        call()
    said = str(caught.value)
    assert fragment in said
    assert said.startswith("[")
    assert "expected" in said
    assert "; " in said


def test_a_model_that_was_averaged_is_left_alone() -> None:
    model = small(3)
    before = copy.deepcopy(model.state_dict())
    nn.average_models([model, small(4)])
    assert all(F.equal(v, before[k]) for k, v in model.state_dict().items())
