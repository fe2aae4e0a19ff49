"""AdaGrad."""

from __future__ import annotations

from typing import Any

from ..checks import real
from ..creation import full_like
from .optimizer import Move, Optimizer


class Adagrad(Optimizer):
    """p <- p - lr_t g / (sqrt(G) + eps), G <- G + g^2, lr_t = lr / (1 + (t - 1) lr_decay).

    G starts at initial_accumulator_value. Deck D0 divides by sqrt(G + epsilon), the epsilon inside
    the root: that is eps=0 with initial_accumulator_value=epsilon. Duchi, Hazan & Singer 2011.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            real("Adagrad", key, group[key])

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """backend.adagrad_step for each parameter."""
        for p, g in moves:
            state = self.state[p]
            step = state["step"] = state.get("step", 0) + 1
            if state.get("sum") is None:
                state["sum"] = full_like(p, group["initial_accumulator_value"])
            p.backend.adagrad_step(
                p.buffer,
                g.buffer,
                self.buffer(p, "sum"),
                group["lr"] / (1.0 + (step - 1) * group["lr_decay"]),
                group["eps"],
                group["weight_decay"],
            )
