"""RMSProp."""

from __future__ import annotations

from typing import Any

from ..checks import real
from ..tensor import Tensor
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """p <- p - lr g / (sqrt(s) + eps), s <- alpha s + (1 - alpha) g^2.

    centered takes the square of the moving average of g out of s first. momentum adds the quotients
    up in a velocity. Hinton's lecture 6e, 2012; Graves 2013 for the centred form.
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

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """One backend.rmsprop_step."""
        state["step"] = state.get("step", 0) + 1
        square = self.buffer(p, state, "square_avg")
        velocity = self.buffer(p, state, "momentum_buffer") if group["momentum"] else None
        mean = self.buffer(p, state, "grad_avg") if group["centered"] else None
        p.backend.rmsprop_step(
            p.buffer,
            g.buffer,
            square,
            mean,
            velocity,
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
        )
