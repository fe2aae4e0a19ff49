"""The schedule that watches a figure."""

from __future__ import annotations

from math import inf
from typing import Any

from ..checks import choice, instance, real, whole
from .optimizer import Optimizer


class ReduceLROnPlateau:
    """Multiply lr by `factor` when a figure has not improved for more than `patience` steps.

    mode "min" or "max" says what improving is; `threshold` by how much it must ("rel"ative to the
    best or "abs"olute); after a cut, `cooldown` steps do not count. lr stays above min_lr, and a
    cut smaller than eps is not made. Call step(figure) once an epoch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        op = "ReduceLROnPlateau"
        self.optimizer = instance(op, "optimizer", optimizer, Optimizer, "build one first")
        self.mode = choice(op, "mode", mode, ("min", "max"))
        self.factor = real(op, "factor", factor, 0.0, 1.0, ")")
        self.patience = whole(op, "patience", patience, 0)
        self.threshold = real(op, "threshold", threshold)
        self.threshold_mode = choice(op, "threshold_mode", threshold_mode, ("rel", "abs"))
        self.cooldown = whole(op, "cooldown", cooldown, 0)
        self.min_lr, self.eps = real(op, "min_lr", min_lr), real(op, "eps", eps)
        self.best = inf if mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def is_better(self, figure: float) -> bool:
        """Whether a figure improves on the best one by more than the threshold."""
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "abs":
            return sign * figure > sign * self.best + self.threshold
        return sign * figure > sign * self.best * (1.0 + sign * self.threshold)

    def step(self, metrics: Any) -> None:
        """Take this epoch's figure into account."""
        figure = float(metrics)
        if self.is_better(figure):
            self.best, self.num_bad_epochs = figure, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            for group in self.optimizer.param_groups:
                lower = max(group["lr"] * self.factor, self.min_lr)
                if group["lr"] - lower > self.eps:
                    group["lr"] = lower

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.__dict__.update(state_dict)
