"""Optimizer steps and clipping over all parameters at once: lists of buffers of one dtype.

A network has many small parameters. Their steps, one by one, cost more calls than arithmetic.
"""

from __future__ import annotations

from math import prod

from ..tier1 import Buffer
from .optim import OptimDefaults


class OptimManyDefaults(OptimDefaults):
    def sgd_steps(
        self,
        ps: list[Buffer],
        gs: list[Buffer],
        vs: list[Buffer | None],
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
    ) -> None:
        """In place: `sgd_step` for each of ps, with its gradient and its velocity or None."""
        for p, g, v in zip(ps, gs, vs, strict=True):
            self.sgd_step(p, g, v, lr, momentum, dampening, weight_decay, nesterov)

    def adam_steps(
        self,
        ps: list[Buffer],
        gs: list[Buffer],
        ms: list[Buffer],
        vs: list[Buffer],
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
    ) -> None:
        """In place: `adam_step` for each of ps, with its gradient and both its averages."""
        for p, g, m, v in zip(ps, gs, ms, vs, strict=True):
            self.adam_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled)

    def rmsprop_steps(
        self,
        ps: list[Buffer],
        gs: list[Buffer],
        squares: list[Buffer],
        means: list[Buffer | None],
        velocities: list[Buffer | None],
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
    ) -> None:
        """In place: `rmsprop_step` for each of ps, with what it keeps or None."""
        for kept in zip(ps, gs, squares, means, velocities, strict=True):
            self.rmsprop_step(*kept, lr, alpha, eps, weight_decay, momentum)

    def adagrad_steps(
        self,
        ps: list[Buffer],
        gs: list[Buffer],
        totals: list[Buffer],
        lr: float,
        eps: float,
        weight_decay: float,
    ) -> None:
        """In place: `adagrad_step` for each of ps, with its gradient and its total."""
        for p, g, total in zip(ps, gs, totals, strict=True):
            self.adagrad_step(p, g, total, lr, eps, weight_decay)

    def sum_squares(self, xs: list[Buffer]) -> Buffer:
        """The sum of x^2 over all elements of all buffers (at least one), of shape ()."""
        total = None
        for x in xs:
            flat = self.reshape(x, (prod(x.shape),))
            part = self.reduce("sum", self.binary("mul", flat, flat), (0,))
            total = part if total is None else self.binary("add", total, part, total)
        return total

    def scale_all(self, xs: list[Buffer], s: Buffer) -> list[Buffer]:
        """New buffers x s for each of xs, by the one number in s, of shape ()."""
        return [self.binary("mul", x, s) for x in xs]
