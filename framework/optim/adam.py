"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from ..checks import real
from ..errors import ArgumentError, fail
from ..guard import came
from .optimizer import Move, Optimizer

AVERAGES = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


class Adam(Optimizer):
    """p <- p - lr m' / (sqrt(v') + eps), m and v moving averages of g and g^2.

    m' = m / (1 - beta1^t) and v' = v / (1 - beta2^t) make up for their start at 0. weight_decay
    adds weight_decay * p to g. amsgrad takes the largest v so far for v, so that steps never grow
    (Reddi, Kale & Kumar 2018). Kingma & Ba 2015, algorithm 1. Decks: D0, D2, D3.
    """

    decoupled = False
    own = {"amsgrad": False}
    foreign = {"decoupled_weight_decay": False}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "eps", "weight_decay"):
            real(self.name, key, group[key])
        betas = group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise fail(
                ArgumentError,
                self.name,
                f"expected betas as two numbers, got {came(betas)}; use (0.9, 0.999)",
            )
        for i, beta in enumerate(betas):
            real(self.name, f"betas[{i}]", beta, 0.0, 1.0, ")")

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """backend.adam_steps for all that have made as many steps; amsgrad_step one by one."""
        beta1, beta2 = group["betas"]

        def count(state: dict[str, Any]) -> Any:
            return state.get("step", 0) + 1

        rates = (group["lr"], beta1, beta2, group["eps"], group["weight_decay"], self.decoupled)
        for step, ps, gs in self.together(moves, count):
            if group["amsgrad"]:
                for p, g in zip(ps, gs, strict=True):
                    m, v, peak = (self.buffer(p, key) for key in AVERAGES)
                    p.backend.amsgrad_step(p.buffer, g, m, v, peak, step, *rates)
            else:
                ps[0].backend.adam_steps(
                    [p.buffer for p in ps],
                    gs,
                    [self.buffer(p, "exp_avg") for p in ps],
                    [self.buffer(p, "exp_avg_sq") for p in ps],
                    step,
                    *rates,
                )
            for p in ps:
                self.state[p]["step"] = count(self.state[p])


class AdamW(Adam):
    """Adam whose weight decay shrinks p by lr * weight_decay and stays out of the averages.

    Loshchilov & Hutter, "Decoupled weight decay regularization", 2019, algorithm 2. Decks: none;
    users expect it (D0's weight decay is the coupled one).
    """

    decoupled = True
    foreign = {"decoupled_weight_decay": True}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
