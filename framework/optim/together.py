"""Deck D0's last slide on descent: Nesterov, adaptive rates, weight decay and noise in one step."""

from __future__ import annotations

from typing import Any

from ..checks import real
from ..creation import full_like
from ..ops.sampling import randn_like
from .optimizer import Move, Optimizer


class AllTogether(Optimizer):
    """W <- W - V with V <- rate (g + weight_decay U + N(0, sigma_t^2)) + momentum V.

    U = W - momentum V is the point ahead, g the gradient there. rate = lr / sqrt(G + eps) is
    AdaGrad's with eps inside the root (`adaptive=False`: lr), G the sum of all g^2; eps limits what
    noise does to a parameter without a gradient. sigma_t = noise / (1 + t)^noise_decay, t = 0, 1,
    ... The parameters are U, where the gradient is wanted, as in SGD(nesterov=True): W = p +
    momentum V, with V in `state[p]["velocity"]`.

    Duchi, Hazan & Singer 2011; Sutskever et al. 2013; Neelakantan et al. 2015, whose variance
    eta / (1 + t)^0.55 is noise = sqrt(eta), noise_decay = 0.275. Decks: D0 ("All together").
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        noise: float = 0.0,
        noise_decay: float = 0.275,
        eps: float = 1e-2,
        adaptive: bool = True,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "weight_decay": weight_decay,
                "noise": noise,
                "noise_decay": noise_decay,
                "eps": eps,
                "adaptive": adaptive,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "momentum", "weight_decay", "noise", "noise_decay", "eps"):
            real("AllTogether", key, group[key])

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """The step of each parameter, on buffers, so that compiled code reads rates anew."""
        for p, g in moves:
            state, backend = self.state[p], p.backend
            t = state.get("step", 0)
            state["step"] = t + 1
            if state.get("sum") is None:
                state["sum"] = full_like(p, group["eps"])
            decay = backend.binary("mul", p.buffer, group["weight_decay"])
            step = backend.binary("add", g.buffer, decay)
            if group["noise"]:
                sigma = group["noise"] / (1 + t) ** group["noise_decay"]
                step = backend.binary(
                    "add", step, backend.binary("mul", randn_like(p).buffer, sigma)
                )
            step = backend.binary("mul", step, group["lr"])
            if group["adaptive"]:
                total = self.buffer(p, "sum")
                square = backend.binary("mul", g.buffer, g.buffer)
                # In place, as optimizers' steps are: total += g^2 is a step of rate -1.
                backend.sgd_steps([total], [square], [None], -1.0, 0.0, 0.0, 0.0, False)
                step = backend.binary("div", step, backend.unary("sqrt", total))
            velocity = self.buffer(p, "velocity")
            backend.sgd_steps(
                [p.buffer], [step], [velocity], 1.0, group["momentum"], 0.0, 0.0, True
            )
