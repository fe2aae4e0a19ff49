"""Optimizer steps in C, all parameters in one call (kernels/c/optim.c).

Numbers go to the kernels as they are given: what Adam makes of its step count is made in C, so that
a recorded step need only be told the count.
"""

from __future__ import annotations

from .c_base import CBase
from .c_memory import check
from .defaults.optim_many import OptimManyDefaults
from .tier1 import Buffer


class COptim(CBase, OptimManyDefaults):
    """Overrides of all steps; a step of one parameter is a list of one."""

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
        if ps:
            rule = lr, momentum, dampening, weight_decay, nesterov
            check(self.c.sgd_steps[ps[0].dtype](*self.pointers(ps, gs, vs), *rule), "sgd_steps")

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
        if ps:
            rule = step, lr, beta1, beta2, eps, weight_decay, decoupled
            check(
                self.c.adam_steps[ps[0].dtype](*self.pointers(ps, gs, ms, vs), *rule), "adam_steps"
            )

    def sgd_step(
        self,
        p: Buffer,
        g: Buffer,
        v: Buffer | None,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
    ) -> None:
        self.sgd_steps([p], [g], [v], lr, momentum, dampening, weight_decay, nesterov)

    def adam_step(
        self,
        p: Buffer,
        g: Buffer,
        m: Buffer,
        v: Buffer,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
    ) -> None:
        numbers = step, lr, beta1, beta2, eps, weight_decay, decoupled
        self.adam_steps([p], [g], [m], [v], *numbers)

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
        if ps:
            table = self.pointers(ps, gs, squares, means, velocities)
            rule = lr, alpha, eps, weight_decay, momentum
            check(self.c.rmsprop_steps[ps[0].dtype](*table, *rule), "rmsprop_steps")

    def rmsprop_step(
        self,
        p: Buffer,
        g: Buffer,
        square: Buffer,
        mean: Buffer | None,
        velocity: Buffer | None,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
    ) -> None:
        rule = lr, alpha, eps, weight_decay, momentum
        self.rmsprop_steps([p], [g], [square], [mean], [velocity], *rule)

    def adagrad_steps(
        self,
        ps: list[Buffer],
        gs: list[Buffer],
        totals: list[Buffer],
        lr: float,
        eps: float,
        weight_decay: float,
    ) -> None:
        if ps:
            table, rule = self.pointers(ps, gs, totals), (lr, eps, weight_decay)
            check(self.c.adagrad_steps[ps[0].dtype](*table, *rule), "adagrad_steps")

    def adagrad_step(
        self, p: Buffer, g: Buffer, total: Buffer, lr: float, eps: float, weight_decay: float
    ) -> None:
        self.adagrad_steps([p], [g], [total], lr, eps, weight_decay)

    def sum_squares(self, xs: list[Buffer]) -> Buffer:
        y = self.empty((), xs[0].dtype)
        check(self.c.sum_squares[y.dtype](y.data, *self.pointers(xs)), "sum_squares")
        return y

    def scale_all(self, xs: list[Buffer], s: Buffer) -> list[Buffer]:
        ys: list[Buffer] = [self.empty(x.shape, x.dtype) for x in xs]
        if ys:
            check(self.c.scale_all[s.dtype](*self.pointers(ys, xs), s.data), "scale_all")
        return ys
