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
        """backend.adagrad_steps for all that have made as many; an eps in the root starts G."""
        inside = group["eps_inside"]
        start = group["initial_accumulator_value"] + (group["eps"] if inside else 0.0)

        def count(state: dict[str, Any]) -> Any:
            return state.get("step", 0) + 1

        for step, ps, gs in self.together(moves, count):
            for p in ps:
                self.state[p]["step"] = count(self.state[p])
                if self.state[p].get("sum") is None:
                    self.state[p]["sum"] = full_like(p, start)
            ps[0].backend.adagrad_steps(
                [p.buffer for p in ps],
                gs,
                [self.buffer(p, "sum") for p in ps],
                group["lr"] / (1.0 + (step - 1) * group["lr_decay"]),
                0.0 if inside else group["eps"],
                group["weight_decay"],
            )
