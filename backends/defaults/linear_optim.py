"""The gradients of the affine layer with the optimizer's step of its weights in the same call."""

from __future__ import annotations

from ..tier1 import Buffer
from .linear import LinearDefaults
from .optim_many import OptimManyDefaults

Gradients = tuple[Buffer | None, Buffer | None, Buffer | None]


class LinearOptimDefaults(LinearDefaults, OptimManyDefaults):
    def linear_grad_sgd(
        self,
        g: Buffer,
        x: Buffer,
        w: Buffer,
        needs: tuple[bool, bool, bool],
        v: Buffer | None,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
    ) -> Gradients:
        """In place: `linear_grad`, then `sgd_step` of w and v with its gw; needs[1] is True."""
        gx, gw, gb = self.linear_grad(g, x, w, needs)
        self.sgd_step(w, gw, v, lr, momentum, dampening, weight_decay, nesterov)
        return gx, gw, gb

    def linear_grad_adam(
        self,
        g: Buffer,
        x: Buffer,
        w: Buffer,
        needs: tuple[bool, bool, bool],
        m: Buffer,
        v: Buffer,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
    ) -> Gradients:
        """In place: `linear_grad`, then `adam_step` of w, m and v with its gw; needs[1] is True."""
        gx, gw, gb = self.linear_grad(g, x, w, needs)
        self.adam_step(w, gw, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled)
        return gx, gw, gb
