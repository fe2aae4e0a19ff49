"""Optimizer steps on the Numba backend: one call for all parameters."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ..kernels.numba_cpu import optim
from ..kernels.numba_cpu.launch import place
from .defaults.optim_many import OptimManyDefaults
from .numba_elementwise import compiled
from .numba_memory import empty
from .tier1 import Buffer

FEW = 1 << 14  # numbers that one thread changes as fast as two


def chunks(x: Any) -> tuple[int, bool]:
    """How many chunks x has, and whether they are worth several threads."""
    return -(-x.size // optim.CHUNK), x.size > FEW


def change(compiler: Any, way: int, numbers: tuple[float, ...], *lists: Any) -> None:
    """Run a step's task on parameters and what belongs to them, side by side in `lists`."""
    x = lists[0][0]
    more = [lists[0]] * (4 - len(lists))
    rows = [
        [*[place(y.ravel()) for y in row], row[0].size, 0]
        for row in zip(*lists, *more, strict=True)
    ]
    table, given = np.array(rows, np.int64), np.array(numbers, x.dtype)
    optim.step(compiled(compiler, x), table, given, way, FEW)


class NumbaOptim(OptimManyDefaults):
    """Overrides of the commonest steps."""

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
        numbers = lr, momentum, 1.0 - dampening, weight_decay
        way = optim.NESTEROV if nesterov else optim.MOVING
        for still in (False, True):
            rows = [row for row in zip(ps, gs, vs, strict=True) if (row[2] is None) == still]
            if rows:
                lists = list(zip(*rows))[: 2 if still else 3]
                change(optim.sgd, optim.PLAIN if still else way, numbers, *lists)

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
        numbers = adam_numbers(step, lr, beta1, beta2, eps, weight_decay, decoupled)
        change(optim.adam, optim.ADAM, numbers, [p], [g], [m], [v])

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
            numbers = adam_numbers(step, lr, beta1, beta2, eps, weight_decay, decoupled)
            change(optim.adam, optim.ADAM, numbers, ps, gs, ms, vs)

    def sum_squares(self, xs: list[Buffer]) -> Buffer:
        sums = np.empty(len(xs))
        for i, x in enumerate(xs):
            count, threads = chunks(x)
            parts = np.empty(count)
            optim.squares(count, threads, parts, x.reshape(-1))
            sums[i] = optim.total(parts)
        y = empty((), xs[0].dtype)
        y[()] = optim.total(sums)
        return y


def adam_numbers(
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> tuple[float, ...]:
    """What the kernel takes."""
    shrink = 1.0 - lr * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else weight_decay
    root, rate = sqrt(1.0 - beta2**step), lr / (1.0 - beta1**step)
    return beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, shrink, decay, root, rate
