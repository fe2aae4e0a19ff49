"""RMSProp."""

from __future__ import annotations

from typing import Any

from ..checks import real
from .optimizer import Move, Optimizer


class RMSprop(Optimizer):
    """p <- p - lr g / (sqrt(s) + eps), s <- alpha s + (1 - alpha) g^2.

    centered takes the square of the moving average of g out of s first. momentum adds the quotients
    up in a velocity. Hinton's lecture 6e, 2012; Graves 2013 for the centred form. Decks: D0, D3.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "eps", "weight_decay", "momentum"):
            real("RMSprop", key, group[key])
        real("RMSprop", "alpha", group["alpha"], 0.0, 1.0)

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """backend.rmsprop_steps for all of one backend and dtype."""
        for _, ps, gs in self.together(moves, lambda state: None):
            ps[0].backend.rmsprop_steps(
                [p.buffer for p in ps],
                gs,
                [self.buffer(p, "square_avg") for p in ps],
                [self.buffer(p, "grad_avg") if group["centered"] else None for p in ps],
                [self.buffer(p, "momentum_buffer") if group["momentum"] else None for p in ps],
                group["lr"],
                group["alpha"],
                group["eps"],
                group["weight_decay"],
                group["momentum"],
            )
            for p in ps:
                self.state[p]["step"] = self.state[p].get("step", 0) + 1
