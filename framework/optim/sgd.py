"""Gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from ..checks import choice, real
from ..errors import ArgumentError, fail
from .optimizer import Move, Optimizer

FORMS = ("torch", "D0", "D2")


class SGD(Optimizer):
    """p <- p - lr v with the velocity v <- momentum v + (1 - dampening) g; v = g in the first step.

    weight_decay adds weight_decay * p to g (the gradient of weight_decay/2 |p|^2). Nesterov's form
    steps by g + momentum v instead of v. maximize climbs.

    `form` says whose momentum it is. They make the same steps for a constant lr, but for factors:

        "torch"  v <- momentum v + (1 - dampening) g;     p <- p - lr v;  v = g in the first step
        "D0"     v <- momentum v + lr g;                  p <- p - v
        "D2"     v <- momentum v + (1 - momentum) g;      p <- p - lr v,  from v = 0

    In D0's form a change of lr leaves the velocity that there is alone. D0 takes Nesterov's
    gradient at W - rho V; here the parameters are that point (Sutskever et al. 2013, in the shifted
    variable), so that no second evaluation is needed: W = p + rho V (`Nesterov` keeps W itself).

    Robbins & Monro 1951; Polyak 1964; Sutskever et al. 2013. Decks: D0, D2, D3, D4.
    """

    own = {"form": "torch"}

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
        form: str = "torch",
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
                "form": form,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "momentum", "weight_decay"):
            real("SGD", key, group[key])
        real("SGD", "dampening", group["dampening"], -float("inf"))
        form = choice("SGD", "form", group["form"], FORMS)
        if form != "torch" and group["dampening"] != 0:
            raise fail(
                ArgumentError,
                "SGD",
                f"expected dampening 0 for form {form!r}, got {group['dampening']}; leave it out",
            )
        damped = group["dampening"] != 0 or form == "D2"
        if group["nesterov"] and (group["momentum"] <= 0 or damped):
            raise fail(
                ArgumentError,
                "SGD",
                "expected momentum > 0 and dampening 0 for nesterov, got momentum "
                f"{group['momentum']} and dampening {group['dampening']} in form {form!r}; use "
                "momentum=0.9",
            )

    def keeps(self, group: dict[str, Any]) -> bool:
        """The velocities, with momentum."""
        return bool(group["momentum"])

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """backend.sgd_steps: in torch's form without dampening for velocities that begin."""
        momentum, form = group["momentum"], group["form"] if group["momentum"] else "torch"
        lr, decay = group["lr"], group["weight_decay"]

        def dampening(state: dict[str, Any]) -> Any:
            begins = form == "torch" and state.get("momentum_buffer") is None
            return 0.0 if begins else group["dampening"]

        for damped, ps, gs in self.together(moves, dampening):
            backend = ps[0].backend
            if form == "D0":
                gs, decay, lr = [backend.binary("mul", g, lr) for g in gs], lr * decay, 1.0
            backend.sgd_steps(
                [p.buffer for p in ps],
                gs,
                [self.buffer(p, "momentum_buffer") if momentum else None for p in ps],
                lr,
                momentum,
                momentum if form == "D2" else damped,
                decay,
                group["nesterov"],
            )
