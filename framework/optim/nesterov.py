"""Nesterov's acceleration with the gradient where deck D0 takes it: ahead of the parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import enable_grad, no_grad
from ..checks import real
from ..creation import zeros_like
from ..errors import CallError, fail
from .optimizer import Move, Optimizer


class Nesterov(Optimizer):
    """W <- W - V with V <- lr (g(W - momentum V) + weight_decay (W - momentum V)) + momentum V.

    step(closure) moves the parameters to W - momentum V, calls the closure, which forgets the
    gradients, computes the loss and calls backward(), and goes back to W before it makes the step:
    between steps the parameters are W. `SGD(nesterov=True, form="D0")` keeps W - momentum V instead
    and needs no closure: the same sequence, seen from ahead.

    Nesterov 1983; Sutskever et al. 2013, equations 3 and 4. Decks: D0.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**options, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        """Ranges of the options."""
        for key in ("lr", "momentum", "weight_decay"):
            real("Nesterov", key, group[key])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Evaluate the closure ahead, move every parameter that has a gradient; return its loss."""
        if closure is None:
            raise fail(
                CallError,
                "Nesterov",
                "expected a closure that computes the loss and its gradients, got None; pass one, "
                "or use SGD(nesterov=True)",
            )
        places = [(p, group) for group in self.param_groups for p in group["params"]]
        with no_grad():
            kept = [p.detach().clone() for p, _ in places]
            for p, group in places:
                velocity = self.state.setdefault(p, {}).setdefault("velocity", zeros_like(p))
                p.copy_(p - velocity * group["momentum"])
        try:
            with enable_grad():
                loss = closure()
        except BaseException:
            with no_grad():
                for (p, _), w in zip(places, kept, strict=True):
                    p.copy_(w)
            raise
        with no_grad():
            for (p, group), w in zip(places, kept, strict=True):
                if p.grad is not None and group["weight_decay"]:
                    p.grad = p.grad + p * (group["weight_decay"] * (-1 if group["maximize"] else 1))
                p.copy_(w)
        super().step()
        return loss

    def update(self, group: dict[str, Any], moves: list[Move]) -> None:
        """V <- lr g + momentum V, W <- W - V: backend.sgd_steps on gradients times lr."""
        for _, ps, gs in self.together(moves, lambda state: 0):
            backend = ps[0].backend
            gs = [backend.binary("mul", g, group["lr"]) for g in gs]
            vs = [self.buffer(p, "velocity") for p in ps]
            backend.sgd_steps(
                [p.buffer for p in ps], gs, vs, 1.0, group["momentum"], 0.0, 0.0, False
            )
