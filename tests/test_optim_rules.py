"""Optimizers: groups, state, closures, moves, on every backend."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import etude
from etude import nn, optim
from etude.framework.errors import BackendMismatch, EtudeError, GradError, StateMismatch

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
EVERY = [
    lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    lambda ps: optim.Adam(ps, lr=0.1),
    lambda ps: optim.AdamW(ps, lr=0.1),
    lambda ps: optim.RMSprop(ps, momentum=0.5, centered=True),
    lambda ps: optim.Adagrad(ps, lr=1.0, lr_decay=0.001),
    lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01, form="D0"),
    lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, form="D2"),
    lambda ps: optim.AdamW(ps, lr=0.1, weight_decay=0.0, amsgrad=True),
    lambda ps: optim.AllTogether(ps, lr=0.3, momentum=0.5),
]


def parameter(value: float = 1.0, backend: str | None = None) -> Any:
    return nn.Parameter(etude.tensor([value, -value], backend=backend))


def steps(make: Any, p: Any, count: int) -> list[float]:
    optimizer = make([p])
    for _ in range(count):
        optimizer.zero_grad()
        (p * p * 0.5 + p).sum().backward()
        optimizer.step()
    return p.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", EVERY)
def test_every_backend_takes_the_same_steps(make: Any, backend: str) -> None:
    expected = steps(make, parameter(), 5)
    assert steps(make, parameter(backend=backend), 5) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("make", EVERY)
def test_every_optimizer_reaches_the_minimum(make: Any) -> None:
    # RMSprop and the like go on circling it at a distance of about lr.
    assert steps(make, parameter(), 400) == pytest.approx([-1.0, -1.0], abs=0.1)


@pytest.mark.parametrize("make", EVERY)
def test_a_saved_state_goes_on_where_it_was(make: Any) -> None:
    p, q = parameter(), parameter()
    a, b = make([p]), make([q])
    for _ in range(3):
        p.grad = p.detach() + 1.0
        a.step()
    with etude.no_grad():
        q.copy_(p)
    b.load_state_dict(copy.deepcopy(a.state_dict()))
    for _ in range(3):
        for optimizer, t in ((a, p), (b, q)):
            t.grad = t.detach() + 1.0
            optimizer.step()
    assert q.tolist() == p.tolist()


def test_a_loaded_state_is_a_copy() -> None:
    p, q = parameter(), parameter()
    a, b = optim.SGD([p], lr=1.0, momentum=0.5), optim.SGD([q], lr=1.0, momentum=0.5)
    p.grad = etude.ones(2)
    a.step()
    b.load_state_dict(a.state_dict())
    q.grad = etude.ones(2)
    b.step()
    assert a.state[p]["momentum_buffer"].tolist() == [1.0, 1.0]
    assert b.state[q]["momentum_buffer"].tolist() == [1.5, 1.5]


def test_a_failed_load_changes_nothing() -> None:
    p = parameter()
    optimizer = optim.SGD([p], lr=0.5, momentum=0.9)
    p.grad = etude.ones(2)
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    good = copy.deepcopy(before)
    bad = [
        3,
        {"state": {}},
        {"state": {}, "param_groups": [{}]},
        {"state": {}, "param_groups": [{**good["param_groups"][0], "params": [0, 1]}]},
        {**good, "param_groups": [{**good["param_groups"][0], "lr": -1.0}]},
        {**good, "state": {5: {}}},
        {**good, "state": {0: {"momentum_buffer": etude.zeros(3)}}},
        {**good, "state": {0: {"momentum_buffer": "x"}}},
        optim.Adam([parameter()]).state_dict(),
    ]
    for state in bad:
        with pytest.raises(EtudeError):
            optimizer.load_state_dict(state)
    now = optimizer.state_dict()
    assert now["param_groups"] == before["param_groups"]
    assert now["state"][0]["momentum_buffer"].tolist() == [1.0, 1.0]


def test_options_of_torch_without_a_counterpart_are_refused() -> None:
    optimizer = optim.Adam([parameter()])
    state = optimizer.state_dict()
    state["param_groups"][0].update(amsgrad=False, foreach=None, decoupled_weight_decay=False)
    optimizer.load_state_dict(state)
    group = {**state["param_groups"][0], "decoupled_weight_decay": True}
    with pytest.raises(StateMismatch, match="decoupled_weight_decay"):
        optimizer.load_state_dict({**state, "param_groups": [group]})
    assert "foreach" not in optimizer.param_groups[0]


def test_parameters_without_a_gradient_stay() -> None:
    p, q = parameter(), parameter()
    optimizer = optim.SGD([p, q], lr=1.0, weight_decay=0.5)
    p.grad = etude.ones(2)
    optimizer.step()
    assert q.tolist() == [1.0, -1.0]
    assert p.tolist() != [1.0, -1.0]


def test_zero_grad() -> None:
    p = parameter()
    optimizer = optim.SGD([p])
    p.grad = etude.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_a_closure_is_run_with_gradients_and_its_loss_returned() -> None:
    p = parameter()
    optimizer = optim.SGD([p], lr=0.5)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with etude.no_grad():
        assert optimizer.step(closure).item() == 2.0
    assert p.tolist() == [0.0, 0.0]
    assert optimizer.step() is None


def test_a_step_between_forward_and_backward_is_noticed() -> None:
    p = parameter()
    loss = (p * p).sum()
    p.grad = etude.ones(2)
    optim.SGD([p], lr=0.1).step()
    with pytest.raises(GradError, match="changed in place"):
        loss.backward()


def test_after_a_move_the_state_is_reloaded() -> None:
    layer = nn.Linear(2, 1)
    optimizer = optim.Adam(layer.parameters(), lr=0.1)

    def step(backend: str) -> None:
        optimizer.zero_grad()
        layer(etude.ones(3, 2, backend=backend)).sum().backward()
        optimizer.step()

    step("numpy")
    layer.to("python")
    with pytest.raises(BackendMismatch, match="load_state_dict"):
        step("python")
    optimizer.load_state_dict(optimizer.state_dict())
    step("python")
    assert optimizer.state[layer.weight]["exp_avg"].backend.name == "python"


def test_a_gradient_of_another_shape_is_refused() -> None:
    p = parameter()
    p.grad = etude.ones(3)
    with pytest.raises(EtudeError, match=r"\[SGD\] expected a gradient \(2,\)"):
        optim.SGD([p]).step()
    p.grad = etude.ones(2, backend="python")
    with pytest.raises(BackendMismatch):
        optim.SGD([p]).step()


def test_named_parameters_and_generators_are_taken() -> None:
    layer = nn.Linear(2, 1)
    assert len(optim.SGD(layer.named_parameters()).param_groups[0]["params"]) == 2
    assert len(optim.SGD(p for p in layer.parameters()).param_groups[0]["params"]) == 2


def test_repr_shows_the_options_of_each_group() -> None:
    text = repr(optim.SGD([parameter()], lr=0.5))
    assert text.splitlines()[:5] == [
        "SGD (",
        "Parameter Group 0",
        "    dampening: 0.0",
        "    form: torch",
        "    lr: 0.5",
    ]


def test_a_number_that_is_not_finite_is_refused_by_clipping_only_if_asked() -> None:
    p = parameter()
    p.grad = etude.tensor([float("inf"), 1.0])
    with pytest.raises(GradError, match="inf"):
        optim.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    assert p.grad.tolist() == [float("inf"), 1.0]
    assert optim.clip_grad_norm_(p, 1.0).item() == float("inf")
    assert optim.clip_grad_norm_([parameter()], 1.0).item() == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_clipping_on_every_backend(backend: str) -> None:
    p = parameter(backend=backend)
    p.grad = etude.tensor([3.0, 4.0], backend=backend)
    assert optim.clip_grad_norm_([p], 1.0).item() == pytest.approx(5.0)
    assert p.grad.tolist() == pytest.approx([0.6, 0.8], rel=1e-5)
    optim.clip_grad_value_([p], 0.7)
    assert p.grad.tolist() == pytest.approx([0.6, 0.7], rel=1e-5)


# schedules ------------------------------------------------------------------------------------
def rates(schedule: Any, optimizer: Any, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    return found


def test_a_schedule_goes_on_after_a_resume() -> None:
    def fresh() -> tuple[Any, Any]:
        o = optim.SGD([parameter()], lr=0.4)
        warm = optim.LinearLR(o, 0.25, total_iters=3)
        return o, optim.SequentialLR(o, [warm, optim.CosineAnnealingLR(o, 8)], [3])

    o, schedule = fresh()
    whole = rates(schedule, o, 12)
    for stop in (2, 3, 6):
        a, first = fresh()
        rates(first, a, stop)
        b, second = fresh()
        b.load_state_dict(a.state_dict())
        second.load_state_dict(first.state_dict())
        assert rates(second, b, 12 - stop) == pytest.approx(whole[stop:], rel=1e-12)


def test_a_schedule_starts_in_the_middle() -> None:
    o = optim.SGD([parameter()], lr=0.4)
    rates(optim.ExponentialLR(o, 0.5), o, 3)
    b = optim.SGD([parameter()], lr=9.0)
    b.load_state_dict(o.state_dict())
    optim.ExponentialLR(b, 0.5, last_epoch=2)
    assert b.param_groups[0]["lr"] == pytest.approx(0.4 * 0.5**4)


def test_an_lr_set_by_hand_is_continued_from() -> None:
    o = optim.SGD([parameter()], lr=1.0)
    schedule = optim.ExponentialLR(o, 0.5)
    o.param_groups[0]["lr"] = 10.0
    schedule.step()
    assert o.param_groups[0]["lr"] == 5.0


def test_the_decks_schedules_are_lambdas() -> None:
    o = optim.SGD([parameter()], lr=1.0)
    assert rates(optim.LambdaLR(o, lambda t: 1 / (t + 1)), o, 3) == [1.0, 1 / 2, 1 / 3]


def test_a_schedule_s_state_holds_plain_numbers() -> None:
    o = optim.SGD([parameter()], lr=1.0)
    schedule = optim.LambdaLR(o, lambda t: 0.5**t)
    schedule.step()
    assert schedule.state_dict() == {"last_epoch": 1, "base_lrs": [1.0]}
    plateau = optim.ReduceLROnPlateau(o, patience=3)
    plateau.step(etude.tensor(2.0))
    other = optim.ReduceLROnPlateau(o)
    other.load_state_dict(plateau.state_dict())
    assert (other.patience, other.best) == (3, 2.0)
    assert other.get_last_lr() == [0.5]


def test_a_schedule_tells_its_factor_at_any_time() -> None:
    o = optim.SGD([parameter()], lr=1.0)
    halves = optim.LambdaLR(o, lambda t: 0.5**t)
    chain = optim.SequentialLR(o, [halves, optim.StepLR(o, 2)], [3])
    assert [chain.factor(t) for t in range(6)] == [1.0, 0.5, 0.25, 1.0, 1.0, 0.1]
    assert o.param_groups[0]["lr"] == 1.0
