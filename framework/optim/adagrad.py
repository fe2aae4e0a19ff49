"""AdaGrad."""

from __future__ import annotations

from typing import Any

from ..checks import real
from ..creation import full_like
from .optimizer import Move, Optimizer


class Adagrad(Optimizer):
    """p <- p - lr_t g / (sqrt(G) + eps), G <- G + g^2, lr_t = lr / (1 + (t - 1) lr_decay).

    G starts at initial_accumulator_value. With eps_inside the divisor is sqrt(G + eps), as deck D0
    writes it. Duchi, Hazan & Singer 2011. Decks: D0.
    """

    own = {"eps_inside": False}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        eps_inside: bool = False,
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
                "eps_inside": eps_inside,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            real("Adagrad", key, group[key])

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """backend.adagrad_step for each parameter; an eps inside the root is where G starts."""
        inside = group["eps_inside"]
        start = group["initial_accumulator_value"] + (group["eps"] if inside else 0.0)
        for p, g in moves:
            state = self.state[p]
            step = state["step"] = state.get("step", 0) + 1
            if state.get("sum") is None:
                state["sum"] = full_like(p, start)
            p.backend.adagrad_step(
                p.buffer,
                g.buffer,
                self.buffer(p, "sum"),
                group["lr"] / (1.0 + (step - 1) * group["lr_decay"]),
                0.0 if inside else group["eps"],
                group["weight_decay"],
            )
