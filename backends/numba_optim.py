"""Optimizer steps on the Numba backend: one call for each parameter, in parallel if it is large."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ..kernels.numba_cpu import optim
from .defaults.optim_many import OptimManyDefaults
from .numba_memory import empty
from .tier1 import Buffer

FEW = 1 << 15  # numbers that one thread changes as fast as two


def chunks(x: Any) -> tuple[int, bool]:
    """How many chunks x has, and whether they are worth several threads."""
    return -(-x.size // optim.CHUNK), x.size > FEW


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
        moving, T = v is not None, p.dtype.type
        flat = p.reshape(-1), g.reshape(-1), (p if v is None else v).reshape(-1)
        numbers = T(lr), T(momentum), T(1.0 - dampening), T(weight_decay)
        optim.sgd(*chunks(p), *flat, moving, nesterov, *numbers)

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
        numbers = adam_numbers(p.dtype.type, step, lr, beta1, beta2, eps, weight_decay, decoupled)
        self._adam(p, g, m, v, numbers)

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
        if not ps:
            return
        numbers = adam_numbers(
            ps[0].dtype.type, step, lr, beta1, beta2, eps, weight_decay, decoupled
        )
        for p, g, m, v in zip(ps, gs, ms, vs, strict=True):
            self._adam(p, g, m, v, numbers)

    def _adam(self, p: Buffer, g: Buffer, m: Buffer, v: Buffer, numbers: Any) -> None:
        flat = p.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1)
        optim.adam(*chunks(p), *flat, *numbers)

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
    T: Any,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> tuple[Any, ...]:
    """What the kernel takes, as numbers of the parameters' type."""
    shrink = 1.0 - lr * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else weight_decay
    root, rate = sqrt(1.0 - beta2**step), lr / (1.0 - beta1**step)
    numbers = (beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, shrink, decay, root, rate)
    return tuple(map(T, numbers))
