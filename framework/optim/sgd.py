"""Gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from ..checks import real
from ..errors import ArgumentError, fail
from .optimizer import Move, Optimizer


class SGD(Optimizer):
    """p <- p - lr v with the velocity v <- momentum v + (1 - dampening) g; v = g in the first step.

    weight_decay adds weight_decay * p to g (the gradient of weight_decay/2 |p|^2). Nesterov's form
    steps by g + momentum v instead of v. maximize climbs.

    Deck D0's V <- gamma g + rho V is this with momentum = rho and lr = gamma, V being lr v. Deck
    D2's v <- beta v + (1 - beta) g is momentum = dampening = beta, but for D2's first step from v =
    0. D0 takes Nesterov's gradient at W - rho V; this form (Sutskever et al. 2013) makes the same
    steps in the shifted variable.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "momentum", "weight_decay"):
            real("SGD", key, group[key])
        real("SGD", "dampening", group["dampening"], -float("inf"))
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise fail(
                ArgumentError,
                "SGD",
                "expected momentum > 0 and dampening 0 for nesterov, got momentum "
                f"{group['momentum']} and dampening {group['dampening']}; use momentum=0.9",
            )

    def keeps(self, group: dict[str, Any]) -> bool:
        """The velocities, with momentum."""
        return bool(group["momentum"])

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """backend.sgd_steps, without dampening for velocities that begin."""
        momentum = group["momentum"]

        def dampening(state: dict[str, Any]) -> Any:
            return 0.0 if state.get("momentum_buffer") is None else group["dampening"]

        for damped, ps, gs in self.together(moves, dampening):
            ps[0].backend.sgd_steps(
                [p.buffer for p in ps],
                gs,
                [self.buffer(p, "momentum_buffer") if momentum else None for p in ps],
                group["lr"],
                momentum,
                damped,
                group["weight_decay"],
                group["nesterov"],
            )
