"""Learning-rate schedules: call `schedule.step()` after each epoch (or step) of the optimizer.

A schedule is a factor f(t) of the step count t. One step multiplies the optimizer's lr (above a
floor) by f(t) / f(t - 1), so two schedules on one optimizer multiply, and an lr set by hand is
continued from.

Other schedules of the decks are in schedule_decks.py: time-based decay, Robbins-Monro's 1/r, the
restart from the best iterate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from math import cos, pi
from typing import Any

from ..capturing import capturing
from ..checks import instance, real, whole
from ..errors import ArgumentError, fail
from ..guard import came
from .optimizer import Optimizer
from .plateau import ReduceLROnPlateau

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


class LRScheduler(ABC):
    """Base of the schedules. A subclass writes `factor(t)`, for t = 0, 1, 2, ...

    last_epoch: t so far; -1 starts anew. `optimizer.param_groups[i]["lr"]` is set, and
    ["initial_lr"] remembers where it began.
    """

    floor = 0.0  # the lr that the factor does not scale

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        op = type(self).__name__
        self.optimizer = instance(op, "optimizer", optimizer, Optimizer, "build one first")
        self.last_epoch = whole(op, "last_epoch", last_epoch, -1)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise fail(
                    ArgumentError,
                    op,
                    f"expected 'initial_lr' in param_groups[{i}] for last_epoch={last_epoch}, got "
                    "none; load the optimizer's state_dict first",
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.step()

    @abstractmethod
    def factor(self, t: int) -> float:
        """f(t), with f(0) = 1 unless the schedule starts away from the optimizer's lr."""

    def get_lr(self) -> list[float]:
        """The learning rates for the step `last_epoch`, from those that the optimizer has now."""
        t = self.last_epoch
        before = self.factor(t - 1) if t > 0 else 1.0
        now = self.factor(t)
        if before == 0.0:
            return [self.floor + (base - self.floor) * now for base in self.base_lrs]
        ratio = now / before
        return [
            g["lr"] if ratio == 1.0 else self.floor + (g["lr"] - self.floor) * ratio
            for g in self.optimizer.param_groups
        ]

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:
        """Go on by one and set the optimizer's learning rates."""
        capture = capturing.get()
        if capture is not None and capture.defer(self):
            return
        self.last_epoch += 1
        self._set(self.get_lr())

    def restart(self) -> None:
        """Begin at t = 0 from the initial learning rates, whatever the optimizer has now."""
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = -1
        self.step()

    def scale(self, factor: float) -> None:
        """Multiply the initial learning rates, from which `restart` begins."""
        self.base_lrs = [lr * factor for lr in self.base_lrs]

    def _set(self, lrs: list[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs: the plain numbers of this schedule."""
        return {
            key: value
            for key, value in self.__dict__.items()
            if key != "optimizer" and not callable(value)
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; lr comes with the optimizer's own."""
        self.__dict__.update(state_dict)


class LambdaLR(LRScheduler):
    """lr = initial_lr * lr_lambda(t); one function, or one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        groups = len(getattr(optimizer, "param_groups", []))
        found = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(found) != groups or not all(map(callable, found)):
            raise fail(
                ArgumentError,
                "LambdaLR",
                f"expected lr_lambda as a function or {groups} of them, "
                f"one per group, got {came(lr_lambda)}; write lambda t: 0.9**t",
            )
        self.lr_lambda: Callable[[int], list[float]] = lambda t: [f(t) for f in found]
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """The first group's."""
        return self.lr_lambda(t)[0]

    def get_lr(self) -> list[float]:
        """initial_lr * lr_lambda(t)."""
        return [
            base * f for base, f in zip(self.base_lrs, self.lr_lambda(self.last_epoch), strict=True)
        ]


class StepLR(LRScheduler):
    """Multiply by gamma every step_size: f(t) = gamma^floor(t / step_size).

    Source: Krizhevsky et al. 2012, section 5. Decks: D0.
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = whole("StepLR", "step_size", step_size)
        self.gamma = real("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """gamma^floor(t / step_size)."""
        return self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """Multiply by gamma at each of the milestones."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = sorted(whole("MultiStepLR", "milestones", m, 0) for m in milestones)
        self.gamma = real("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """gamma^(number of milestones passed)."""
        return self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """f(t) = gamma^t.

    Source: Senior et al. 2013. Decks: D0 (step decay: gamma = kappa; exponential: gamma =
    exp(-kappa)).
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = real("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """gamma^t."""
        return self.gamma**t


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial_lr - eta_min) (1 + cos(pi t / T_max)) / 2.

    Loshchilov & Hutter, "SGDR", 2017, equation 5. Decks: none; users expect it.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = whole("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = self.floor = real("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """(1 + cos(pi t / T_max)) / 2."""
        return (1.0 + cos(pi * t / self.T_max)) / 2.0


class LinearLR(LRScheduler):
    """Warm-up: f goes from start_factor to end_factor in total_iters steps, and stays.

    lr = initial_lr f. Goyal et al. 2017, section 2.2. Decks: none; users expect a warm-up.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3.0,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = real("LinearLR", "start_factor", start_factor, 0.0, 1.0, "(")
        self.end_factor = real("LinearLR", "end_factor", end_factor, 0.0, 1.0)
        self.total_iters = whole("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """start_factor + (end_factor - start_factor) min(t / total_iters, 1)."""
        share = min(t, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * share


class SequentialLR(LRScheduler):
    """One schedule after another: schedule i + 1 begins, at its t = 0, at milestones[i].

    A warm-up and a cosine: SequentialLR(opt, [LinearLR(opt, 0.1), CosineAnnealingLR(opt, 95)],
    [5]). Source: Goyal et al. 2017, section 2.2. Decks: none; it makes a warm-up.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1:
            raise fail(
                ArgumentError,
                "SequentialLR",
                f"expected {len(self.schedulers) - 1} milestones for "
                f"{len(self.schedulers)} schedulers, got {self.milestones}; give the step at "
                "which each later one begins",
            )
        if self.milestones != sorted(set(self.milestones)) or any(m < 1 for m in self.milestones):
            raise fail(
                ArgumentError,
                "SequentialLR",
                f"expected rising milestones > 0, got {self.milestones}; sort them",
            )
        if any(s.optimizer is not optimizer for s in self.schedulers):
            raise fail(
                ArgumentError,
                "SequentialLR",
                "expected schedulers of this optimizer, got one of another; build all on one",
            )
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """That of the schedule in charge."""
        i = bisect_right(self.milestones, t)
        return self.schedulers[i].factor(t - ([0, *self.milestones][i]))

    def step(self) -> None:
        """Step the schedule in charge, or begin it."""
        capture = capturing.get()
        if capture is not None and capture.defer(self):
            return
        self.last_epoch += 1
        chosen = self.schedulers[bisect_right(self.milestones, self.last_epoch)]
        if self.last_epoch in (0, *self.milestones):
            chosen.restart()
        else:
            chosen.step()

    def scale(self, factor: float) -> None:
        """Multiply the initial learning rates of all schedules."""
        super().scale(factor)
        for schedule in self.schedulers:
            schedule.scale(factor)

    def state_dict(self) -> dict[str, Any]:
        """The state of each schedule, and the place in the sequence."""
        own = super().state_dict()
        return {**own, "schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        for schedule, saved in zip(self.schedulers, state_dict["schedulers"], strict=True):
            schedule.load_state_dict(saved)
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "schedulers"})
