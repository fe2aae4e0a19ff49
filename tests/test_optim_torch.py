"""Optimizers, clipping and schedules against torch's, over twenty steps of a small regression."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import etude

torch = pytest.importorskip("torch", reason="the optimizers are compared with torch's")

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 4)), RNG.standard_normal((12, 2))
STEPS = 20

OPTIMIZERS = [
    "SGD(params, lr=0.1)",
    "SGD(params, 0.05, 0.9)",
    "SGD(params, lr=0.05, momentum=0.9, dampening=0.3)",
    "SGD(params, lr=0.05, momentum=0.9, nesterov=True)",
    "SGD(params, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.1)",
    "SGD(params, lr=0.05, weight_decay=0.1)",
    "SGD(params, lr=0.01, momentum=0.5, maximize=True)",
    "Adam(params)",
    "Adam(params, 0.1, (0.8, 0.95), 1e-3, 0.1)",
    "Adam(params, lr=0.1, maximize=True)",
    "AdamW(params, lr=0.1)",
    "AdamW(params, lr=0.1, weight_decay=0.5, betas=(0.0, 0.5))",
    "Adam(params, lr=0.1, betas=(0.5, 0.6), amsgrad=True)",
    "AdamW(params, lr=0.1, betas=(0.5, 0.6), weight_decay=0.3, amsgrad=True)",
    "RMSprop(params)",
    "RMSprop(params, 0.05, 0.9, 1e-3, 0.1, 0.8)",
    "RMSprop(params, lr=0.05, centered=True)",
    "RMSprop(params, lr=0.005, momentum=0.8, centered=True, maximize=True)",
    "Adagrad(params)",
    "Adagrad(params, 0.5, 0.1, 0.1, 0.3, 1e-3)",
    "Adagrad(params, lr=0.1, maximize=True)",
]


class Side:
    """The same model, optimizer and data in one of the two libraries."""

    def __init__(self, library: Any, make: str, dtype: str = "float32") -> None:
        kind = getattr(library, dtype)
        self.make, self.optim = make, library.optim
        self.model = library.nn.Sequential(
            library.nn.Linear(4, 3), library.nn.Tanh(), library.nn.Linear(3, 2)
        ).to(kind)
        self.x, self.y = library.tensor(X, dtype=kind), library.tensor(Y, dtype=kind)
        self.loss = library.nn.MSELoss()
        self.optimizer = self.new(self.model.parameters())

    def new(self, params: Any) -> Any:
        return eval(self.make, {**vars(self.optim), "params": params})

    def step(self, clip: Any = None) -> None:
        self.optimizer.zero_grad()
        self.loss(self.model(self.x), self.y).backward()
        if clip is not None:
            clip(self.model.parameters())
        self.optimizer.step()


def sides(make: str, dtype: str = "float32") -> tuple[Side, Side]:
    torch.manual_seed(0)
    theirs = Side(torch, make, dtype)
    ours = Side(etude, make, dtype)
    ours.model.load_state_dict(theirs.model.state_dict())
    return ours, theirs


def compare(ours: Side, theirs: Side, tolerance: float = 1e-6) -> None:
    for p, q in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        a, b = p.detach().numpy(), q.detach().numpy()
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_twenty_steps_are_torch_s(make: str) -> None:
    ours, theirs = sides(make, "float64")
    for _ in range(STEPS):
        ours.step(), theirs.step()
        compare(ours, theirs, 1e-12)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_twenty_steps_in_float32_are_torch_s(make: str) -> None:
    """On the same gradients: those of a model would differ in the last bit, and Adam's quotient
    m / sqrt(v) makes much of that where a gradient is almost 0."""
    ours, theirs = sides(make)
    rng = np.random.default_rng(3)
    for _ in range(STEPS):
        for p, q in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
            g = rng.standard_normal(p.shape).astype(np.float32)
            p.grad, q.grad = etude.tensor(g), torch.tensor(g)
        ours.optimizer.step(), theirs.optimizer.step()
        compare(ours, theirs, 1e-6)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_state_dict_goes_both_ways(make: str) -> None:
    ours, theirs = sides(make, "float64")
    for _ in range(3):
        ours.step(), theirs.step()
    saved, other = ours.optimizer.state_dict(), copy.deepcopy(theirs.optimizer.state_dict())
    used = {k: v for k, v in saved["param_groups"][0].items() if k in other["param_groups"][0]}
    own = {k: v for k, v in saved["param_groups"][0].items() if k not in used}
    assert own == ours.optimizer.own or not own
    for number, values in other["state"].items():
        assert set(saved["state"][number]) == set(values) - {"momentum_buffer"} | {
            key for key in values if values[key] is not None
        }
    # Each goes on with the other's state.
    mine, torchs = ours.new(ours.model.parameters()), theirs.new(theirs.model.parameters())
    mine.load_state_dict(other)
    torchs.load_state_dict(as_torch(saved))
    ours.optimizer, theirs.optimizer = mine, torchs
    for _ in range(3):
        ours.step(), theirs.step()
        compare(ours, theirs, 1e-12)


def as_torch(value: Any) -> Any:
    if isinstance(value, etude.Tensor):
        return torch.tensor(value.detach().numpy())
    if isinstance(value, dict):
        return {key: as_torch(v) for key, v in value.items()}
    return [as_torch(v) for v in value] if isinstance(value, list) else value


def test_groups_with_options_of_their_own() -> None:
    ours, theirs = sides("SGD(params, lr=0.1)")
    for side in (ours, theirs):
        first, last = side.model[0], side.model[2]
        side.optimizer = side.optim.SGD(
            [
                {"params": first.parameters(), "lr": 0.01},
                {"params": [last.weight], "momentum": 0.9},
            ],
            lr=0.1,
        )
        side.optimizer.add_param_group({"params": last.bias, "weight_decay": 0.5})
    for _ in range(STEPS):
        ours.step(), theirs.step()
    compare(ours, theirs)


@pytest.mark.parametrize("max_norm", [0.1, 1e6])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
def test_clipping_by_norm_is_torch_s(max_norm: float, norm_type: float) -> None:
    ours, theirs = sides("SGD(params, lr=0.1, momentum=0.9)", "float64")
    norms: list[Any] = []
    for _ in range(5):
        for side, clip in (
            (ours, etude.optim.clip_grad_norm_),
            (theirs, torch.nn.utils.clip_grad_norm_),
        ):
            side.step(lambda ps, clip=clip: norms.append(clip(ps, max_norm, norm_type)))
        assert norms[-2].item() == pytest.approx(norms[-1].item(), rel=1e-12)
        compare(ours, theirs, 1e-12)


def test_clipping_by_value_is_torch_s() -> None:
    ours, theirs = sides("SGD(params, lr=0.1)", "float64")
    ours.step(lambda ps: etude.optim.clip_grad_value_(ps, 0.05))
    theirs.step(lambda ps: torch.nn.utils.clip_grad_value_(ps, 0.05))
    compare(ours, theirs, 1e-12)


SCHEDULES = [
    "StepLR(o, 3)",
    "StepLR(o, 2, gamma=0.5)",
    "MultiStepLR(o, [3, 7, 7])",
    "MultiStepLR(o, [10, 2], 0.5)",
    "ExponentialLR(o, 0.9)",
    "ExponentialLR(o, 0.0)",
    "CosineAnnealingLR(o, 8)",
    "CosineAnnealingLR(o, 5, eta_min=0.01)",
    "LinearLR(o)",
    "LinearLR(o, 0.1, 0.5, total_iters=7)",
    "LinearLR(o, 1.0, 0.0, 4)",
    "LambdaLR(o, lambda t: 1 / (1 + 0.5 * t))",
    "LambdaLR(o, [lambda t: 0.9**t, lambda t: 0.5**t])",
    "SequentialLR(o, [LinearLR(o, 0.1, total_iters=4), CosineAnnealingLR(o, 10)], [4])",
    "SequentialLR(o, [ExponentialLR(o, 0.9), StepLR(o, 2), LambdaLR(o, lambda t: 2.0)], [3, 9])",
]


def two_groups(library: Any) -> Any:
    params = [library.zeros(1, requires_grad=True) for _ in range(2)]
    return library.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.02}], lr=0.4)


def scheduled(library: Any, make: str) -> tuple[Any, Any]:
    o = two_groups(library)
    o.step()  # torch warns if a schedule steps first
    return o, eval(make, {**vars(library.optim.lr_scheduler), "o": o})


def rates(o: Any) -> list[float]:
    return [float(group["lr"]) for group in o.param_groups]


@pytest.mark.parametrize("make", SCHEDULES)
@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_schedules_are_torch_s(make: str) -> None:
    (o, ours), (to, theirs) = scheduled(etude, make), scheduled(torch, make)
    for _ in range(STEPS):
        assert rates(o) == pytest.approx(rates(to), rel=1e-12, abs=1e-18)
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12, abs=1e-18)
        assert ours.last_epoch == theirs.last_epoch
        o.step(), to.step()
        ours.step(), theirs.step()


@pytest.mark.parametrize(
    "first, second",
    [
        ("ExponentialLR(o, 0.9)", "StepLR(o, 3)"),
        ("LinearLR(o, 0.1, total_iters=4)", "MultiStepLR(o, [6, 8])"),
        ("CosineAnnealingLR(o, 30)", "ExponentialLR(o, 0.9)"),
    ],
)
def test_two_schedules_multiply_as_in_torch(first: str, second: str) -> None:
    (o, a), (to, ta) = scheduled(etude, first), scheduled(torch, first)
    b = eval(second, {**vars(etude.optim.lr_scheduler), "o": o})
    tb = eval(second, {**vars(torch.optim.lr_scheduler), "o": to})
    for _ in range(12):
        for thing in (o, to, a, ta, b, tb):
            thing.step()
        assert rates(o) == pytest.approx(rates(to), rel=1e-12)


PLATEAUS = [
    "ReduceLROnPlateau(o, patience=1)",
    "ReduceLROnPlateau(o, 'max', 0.5, 0, cooldown=2)",
    "ReduceLROnPlateau(o, patience=0, threshold=0.2, threshold_mode='abs', min_lr=0.01)",
    "ReduceLROnPlateau(o, 'max', 0.1, 0, 0.5, 'abs')",
]


@pytest.mark.parametrize("make", PLATEAUS)
def test_plateaus_are_torch_s(make: str) -> None:
    (o, ours), (to, theirs) = scheduled(etude, make), scheduled(torch, make)
    for figure in (3.0, 2.0, 2.0, 2.0, 1.9, 2.1, 2.2, 5.0, 1.0, 1.0, 1.0, 1.0, float("nan"), 0.5):
        ours.step(figure), theirs.step(figure)
        assert rates(o) == pytest.approx(rates(to), rel=1e-12)
        assert ours.best == theirs.best
