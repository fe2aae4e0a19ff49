"""The decks' forms of descent: each against its formula, written out in NumPy."""

from __future__ import annotations

from math import cos, exp, pi, sqrt
from typing import Any

import numpy as np
import pytest

import etude
from etude import nn, optim

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
HESSIAN = np.array([[3.0, 1.0], [1.0, 0.5]])
START = np.array([1.0, -2.0])


def gradient(w: Any) -> Any:
    return HESSIAN @ w


def parameter(backend: str = "numpy") -> Any:
    return nn.Parameter(etude.tensor(START, backend=backend))


def loss_of(p: Any) -> Any:
    return (p @ etude.tensor(HESSIAN, backend=p.backend) @ p) * 0.5


def ours(make: Any, rates: Any, backend: str, closure: bool = False) -> np.ndarray:
    """Where the parameters are after a step at each of the rates."""
    p = parameter(backend)
    optimizer = make([p])

    def run() -> Any:
        optimizer.zero_grad()
        loss = loss_of(p)
        loss.backward()
        return loss

    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        if closure:
            optimizer.step(run)
        else:
            run()
            optimizer.step()
    return p.detach().numpy()


RATES = [0.1, 0.1, 0.05, 0.2, 0.01, 0.1]


def momentum_d0(rho: float, decay: float = 0.0, ahead: bool = False) -> tuple[Any, Any]:
    """(W, W - rho V) of W <- W - V, V <- gamma g + rho V, with Nesterov's gradient or without."""
    w, v = START, np.zeros(2)
    for gamma in RATES:
        at = w - rho * v if ahead else w
        v = gamma * (gradient(at) + decay * at) + rho * v
        w = w - v
    return w, w - rho * v


def momentum_d2(beta: float) -> Any:
    w, v = START, np.zeros(2)
    for alpha in RATES:
        v = beta * v + (1 - beta) * gradient(w)
        w = w - alpha * v
    return w


@pytest.mark.parametrize("backend", BACKENDS)
def test_momentum_in_the_form_of_each_deck(backend: str) -> None:
    def sgd(**given: Any) -> Any:
        return ours(lambda ps: optim.SGD(ps, momentum=0.9, **given), RATES, backend)

    np.testing.assert_allclose(sgd(form="D0"), momentum_d0(0.9)[0], 1e-12)
    np.testing.assert_allclose(sgd(form="D0", weight_decay=0.1), momentum_d0(0.9, 0.1)[0], 1e-12)
    np.testing.assert_allclose(sgd(form="D2"), momentum_d2(0.9), 1e-12)


def test_the_forms_agree_at_one_rate_but_for_factors() -> None:
    def sgd(lr: float, **given: Any) -> Any:
        return ours(lambda ps: optim.SGD(ps, momentum=0.9, **given), [lr] * 6, "numpy")

    np.testing.assert_allclose(sgd(0.1), sgd(0.1, form="D0"), 1e-12)
    np.testing.assert_allclose(sgd(0.1), sgd(1.0, form="D2"), 1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nesterov_s_gradient_is_taken_ahead(backend: str) -> None:
    w, ahead = momentum_d0(0.9, 0.1, True)
    found = ours(
        lambda ps: optim.Nesterov(ps, momentum=0.9, weight_decay=0.1), RATES, backend, True
    )
    np.testing.assert_allclose(found, w, 1e-12)
    shifted = ours(
        lambda ps: optim.SGD(ps, momentum=0.9, weight_decay=0.1, nesterov=True, form="D0"),
        RATES,
        backend,
    )
    np.testing.assert_allclose(shifted, ahead, 1e-12)


def test_nesterov_goes_back_from_a_closure_that_fails() -> None:
    p = parameter()
    optimizer = optim.Nesterov([p], 0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = loss_of(p)
        loss.backward()
        return loss

    def fails() -> Any:
        raise KeyboardInterrupt

    optimizer.step(closure)
    before = p.tolist()
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(fails)
    assert p.tolist() == before


def test_nesterov_climbs_too() -> None:
    p, q = parameter(), parameter()
    down, up = optim.Nesterov([p], 0.1), optim.Nesterov([q], 0.1, maximize=True)

    def run(optimizer: Any, at: Any, sign: float) -> Any:
        def closure() -> Any:
            optimizer.zero_grad()
            loss = loss_of(at) * sign
            loss.backward()
            return loss

        return closure

    for _ in range(3):
        down.step(run(down, p, 1.0))
        assert up.step(run(up, q, -1.0)).item() < 0
    assert p.tolist() == q.tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_adagrad_with_epsilon_inside_the_root(backend: str) -> None:
    w, total = START, np.zeros(2)
    for gamma in RATES:
        g = gradient(w)
        total = total + g * g
        w = w - gamma / np.sqrt(total + 0.3) * g
    found = ours(lambda ps: optim.Adagrad(ps, eps=0.3, eps_inside=True), RATES, backend)
    np.testing.assert_allclose(found, w, 1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("adaptive", [True, False])
def test_all_together_is_the_last_slide(backend: str, adaptive: bool) -> None:
    rho, kappa, sigma, decay = 0.8, 0.1, 0.5, 0.3
    etude.manual_seed(4)
    noise = [etude.randn(2, dtype=etude.float64).numpy() for _ in RATES]
    w, v, total = START, np.zeros(2), np.zeros(2)
    for t, gamma in enumerate(RATES):
        at = w - rho * v
        g = gradient(at)
        total = total + g * g
        rate = gamma / np.sqrt(total + 0.01) if adaptive else gamma
        v = rate * (g + kappa * at + noise[t] * sigma / (1 + t) ** decay) + rho * v
        w = w - v
    etude.manual_seed(4)
    found = ours(
        lambda ps: optim.AllTogether(ps, 0.1, rho, kappa, sigma, decay, adaptive=adaptive),
        RATES,
        backend,
    )
    np.testing.assert_allclose(found, w - rho * v, 1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradient_noise_fades(backend: str) -> None:
    p = nn.Parameter(etude.zeros(4000, backend=backend))
    unused = nn.Parameter(etude.zeros(3, backend=backend))
    noise = optim.GradientNoise([p, unused], sigma0=2.0, kappa=0.5)
    etude.manual_seed(0)
    for t in range(3):
        p.grad = etude.ones(4000, backend=backend)
        noise.step()
        values = p.grad.numpy()
        assert values.mean() == pytest.approx(1.0, abs=0.15)
        assert values.std() == pytest.approx(2.0 / sqrt(1 + t), rel=0.05)
    assert unused.grad is None
    other = optim.GradientNoise(p)
    other.load_state_dict(noise.state_dict())
    assert other.t.item() == 3.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_and_nesterov_in_compiled_steps(backend: str) -> None:
    def train(compiled: bool) -> Any:
        etude.manual_seed(1)
        p = parameter(backend)
        optimizer, noise = optim.SGD([p], 0.1, 0.9, form="D0"), optim.GradientNoise([p])

        def step() -> Any:
            optimizer.zero_grad()
            loss = loss_of(p)
            loss.backward()
            noise.step()
            optimizer.step()
            return loss

        run = etude.compile(step) if compiled else step
        return [run().item() for _ in range(5)], p.tolist(), noise.t.item()

    assert train(True) == train(False)


def test_nesterov_compiles_with_its_closure() -> None:
    def train(compiled: bool) -> Any:
        p = parameter()
        optimizer = optim.Nesterov([p], 0.1)

        def step() -> Any:
            def closure() -> Any:
                optimizer.zero_grad()
                loss = loss_of(p)
                loss.backward()
                return loss

            return optimizer.step(closure)

        run = etude.compile(step) if compiled else step
        return [run().item() for _ in range(4)], p.tolist()

    assert train(True) == train(False)


# schedules ----------------------------------------------------------------------------------------
def rates(schedule: Any, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(schedule.get_last_lr()[0])
        schedule.step()
    return found


def test_the_decks_schedules() -> None:
    def rate(make: Any) -> list[float]:
        return rates(make(optim.SGD([parameter()], lr=2.0)), 4)

    assert rate(lambda o: optim.TimeDecayLR(o, 0.5)) == pytest.approx([2, 2 / 1.5, 1, 0.8])
    assert rate(optim.RobbinsMonroLR) == pytest.approx([2, 1, 2 / 3, 0.5])
    assert rate(lambda o: optim.RobbinsMonroLR(o, 0.6))[3] == pytest.approx(2 / 4**0.6)
    assert rate(lambda o: optim.ExponentialLR(o, exp(-0.3)))[3] == pytest.approx(2 * exp(-0.9))


def test_a_restart_goes_back_to_the_best_iterate() -> None:
    p = parameter()
    optimizer = optim.SGD([p], lr=1.0, momentum=0.9)
    schedule = optim.TimeDecayLR(optimizer, 1.0)
    restart = optim.RestartFromBest(schedule, patience=2, factor=0.5, restarts=1)
    for loss, back in ((3.0, False), (1.0, False), (2.0, False), (1.5, True), (9.0, False)):
        p.grad = etude.ones(2, dtype=etude.float64)
        optimizer.step()
        if loss == 1.0:
            best = p.tolist()
        schedule.step()
        assert restart.step(etude.tensor(loss)) is back
        if back:
            assert p.tolist() == best
            assert optimizer.state == {}
            assert optimizer.param_groups[0]["lr"] == 0.5
    assert restart.step(9.0) is False  # no second one
    assert (restart.best, restart.restarts) == (1.0, 1)


def test_a_resumed_restart_goes_back_to_the_best_of_before() -> None:
    p = parameter()
    schedule = optim.TimeDecayLR(optim.SGD([p], lr=1.0), 1.0)
    first = optim.RestartFromBest(schedule, patience=2)
    first.step(1.0)
    best = p.tolist()
    first.step(2.0)
    with etude.no_grad():
        p.copy_(p * 3.0)
    second = optim.RestartFromBest(schedule, patience=2)
    second.load_state_dict(first.state_dict())
    assert second.step(2.0) is True
    assert p.tolist() == best
    assert (second.best, second.restarts) == (1.0, 1)


def test_a_restart_scales_each_schedule_of_a_sequence() -> None:
    optimizer = optim.SGD([parameter()], lr=1.0)
    parts = [optim.LinearLR(optimizer, 0.5, total_iters=2), optim.CosineAnnealingLR(optimizer, 4)]
    schedule = optim.SequentialLR(optimizer, parts, [2])
    restart = optim.RestartFromBest(schedule, factor=0.1)
    for loss in (1.0, 2.0):
        schedule.step()
        back = restart.step(loss)
    assert back
    assert rates(schedule, 4) == pytest.approx([0.05, 0.075, 0.1, 0.1 * (1 + cos(pi / 4)) / 2])


def trial(lr: float = 0.7) -> tuple[Any, Any, Any]:
    p = parameter()
    optimizer = optim.SGD([p], lr=lr, momentum=0.5)

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of(p)
        loss.backward()
        optimizer.step()
        return loss

    step()
    return p, optimizer, step


def test_a_range_test_finds_a_rate_and_puts_all_back() -> None:
    p, optimizer, step = trial(0.01)
    before = p.tolist(), optimizer.state[p]["momentum_buffer"].tolist()
    found = optim.lr_range_test(step, optimizer, 1e-4, 10.0, 40)
    assert 0.01 < found.best < 1.0  # 2 / the largest eigenvalue is 0.6
    assert len(found.losses) == len(found.rates) < 40  # it ends where the loss grows
    assert found.rates[1] / found.rates[0] == pytest.approx(1e5 ** (1 / 39))
    assert (p.tolist(), optimizer.state[p]["momentum_buffer"].tolist()) == before
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_range_test_of_losses_below_0_goes_on() -> None:
    _, optimizer, step = trial(0.01)
    found = optim.lr_range_test(lambda: step() - 1e6, optimizer, 1e-4, 1e-2, 9)
    assert len(found.losses) == 9


def test_a_trial_that_breaks_off_puts_all_back() -> None:
    p, optimizer, step = trial(0.01)
    before = p.tolist()

    def breaks() -> Any:
        step()
        raise KeyboardInterrupt

    for run in (optim.lr_range_test, optim.try_rates):
        with pytest.raises(KeyboardInterrupt):
            run(breaks, optimizer)
        assert (p.tolist(), optimizer.param_groups[0]["lr"]) == (before, 0.01)


def test_the_deck_s_rates_are_tried_from_one_start() -> None:
    p, optimizer, step = trial()
    before = p.tolist()
    found = optim.try_rates(step, optimizer, steps=5)
    assert found.rates == [0.3, 0.1, 0.03, 0.01, 0.003, 0.001]
    assert found.best == 0.3
    assert found.losses == sorted(found.losses)
    assert p.tolist() == before
    assert optim.try_rates(step, optimizer, [1e200, 0.1], 5).losses[0] == float("inf")
