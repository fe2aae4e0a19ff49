"""The lecture decks' schedules that torch has no name for, and the restart from the best iterate.

Step decay kappa^t (D0) is `ExponentialLR(opt, kappa)`; exponential decay exp(-kappa t) (D0) is
`ExponentialLR(opt, exp(-kappa))`; cosine is `CosineAnnealingLR`; a linear warm-up is `LinearLR`.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ..autograd import no_grad
from ..checks import instance, real, whole
from .optimizer import Optimizer
from .schedule import LRScheduler

__all__ = ["RestartFromBest", "RobbinsMonroLR", "TimeDecayLR"]


class TimeDecayLR(LRScheduler):
    """Search, then converge: f(t) = 1 / (1 + kappa t).

    Darken & Moody 1991. Decks: D0 (time-based decay).
    """

    def __init__(self, optimizer: Optimizer, kappa: float, last_epoch: int = -1) -> None:
        self.kappa = real("TimeDecayLR", "kappa", kappa)
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """1 / (1 + kappa t)."""
        return 1.0 / (1.0 + self.kappa * t)


class RobbinsMonroLR(LRScheduler):
    """lr = initial_lr / r^power in round r = t + 1 = 1, 2, ...

    For 1/2 < power <= 1 the rates sum to infinity and their squares do not, which is what
    stochastic descent needs to converge. Robbins & Monro 1951. Decks: D4 (1/r, the default).
    """

    def __init__(self, optimizer: Optimizer, power: float = 1.0, last_epoch: int = -1) -> None:
        self.power = real("RobbinsMonroLR", "power", power, 0.5, 1.0, "(")
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """1 / (t + 1)^power."""
        return float((t + 1) ** -self.power)


class RestartFromBest:
    """Go back to the best parameters so far, and start the schedule anew from there.

    Call step(loss) once an epoch, and `schedule.step()` as ever. When the loss has not been better
    than the best one for `patience` epochs, the parameters get their values of that epoch, the
    optimizer forgets its velocities and averages, and the schedule begins at t = 0, its rates times
    factor^(number of restarts). `restarts` counts; `best` is the loss.

    Decks: D0 (learning rate schedules: restart from the best iterate). Warm restarts without going
    back: Loshchilov & Hutter, "SGDR", 2017.
    """

    def __init__(
        self, schedule: LRScheduler, patience: int = 1, factor: float = 1.0, restarts: int = 10
    ) -> None:
        op = "RestartFromBest"
        self.schedule = instance(op, "schedule", schedule, LRScheduler, "build one first")
        self.optimizer = schedule.optimizer
        self.patience = whole(op, "patience", patience)
        self.factor = real(op, "factor", factor, 0.0, 1.0, "(")
        self.limit = whole(op, "restarts", restarts, 0)
        self.best, self.waited, self.restarts = inf, 0, 0
        self.kept: list[Any] = []

    def step(self, loss: Any) -> bool:
        """Take an epoch's loss into account; True if this went back to the best parameters."""
        figure = float(loss)
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        if figure < self.best:
            self.best, self.waited = figure, 0
            self.kept = [p.detach().clone() for p in parameters]
            return False
        self.waited += 1
        if self.waited < self.patience or self.restarts >= self.limit or not self.kept:
            return False
        with no_grad():
            for p, best in zip(parameters, self.kept, strict=True):
                p.copy_(best)
        self.optimizer.state.clear()
        self.schedule.scale(self.factor)
        self.schedule.restart()
        self.waited, self.restarts = 0, self.restarts + 1
        return True

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs beside the states of model, optimizer and schedule."""
        counts = {"best": self.best, "waited": self.waited, "restarts": self.restarts}
        return {**counts, "kept": list(self.kept)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.best, self.waited = state_dict["best"], state_dict["waited"]
        self.restarts, self.kept = state_dict["restarts"], list(state_dict["kept"])
