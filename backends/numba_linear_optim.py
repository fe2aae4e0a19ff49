"""A layer's gradients with the step of its weights, on the Numba backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.numba_cpu import gemm_step, optim
from .defaults.linear_optim import Gradients, LinearOptimDefaults
from .numba_elementwise import compiled
from .numba_matmul import FLOATS, NumbaMatmul, workspace
from .numba_memory import empty
from .numba_optim import NumbaOptim, adam_numbers
from .tier1 import Buffer

LARGEST = 128  # batch: beyond, x would be read too often, and the step is little of the work


def together(x: Buffer, w: Buffer) -> bool:
    """Whether the step is taken while the gradient is made."""
    return x.dtype.char in FLOATS and bool(w.size * x.size) and len(x) <= LARGEST


class NumbaLinearOptim(NumbaMatmul, NumbaOptim, LinearOptimDefaults):
    """Overrides of the steps that a layer's weights make at once."""

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
        if not together(x, w):
            rule = lr, momentum, dampening, weight_decay, nesterov
            return super().linear_grad_sgd(g, x, w, needs, v, *rule)
        moving = optim.NESTEROV if nesterov else optim.MOVING
        way, kept = (optim.PLAIN, w) if v is None else (moving, v)
        numbers = lr, momentum, 1.0 - dampening, weight_decay
        return self._stepped(g, x, w, needs, (optim.sgd, way, numbers), kept, kept)

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
        rule = step, lr, beta1, beta2, eps, weight_decay, decoupled
        if not together(x, w):
            return super().linear_grad_adam(g, x, w, needs, m, v, *rule)
        return self._stepped(g, x, w, needs, (optim.adam, optim.ADAM, adam_numbers(*rule)), m, v)

    def _stepped(
        self,
        g: Buffer,
        x: Buffer,
        w: Buffer,
        needs: tuple[bool, bool, bool],
        rule: tuple[Any, int, tuple[float, ...]],
        *kept: Buffer,
    ) -> Gradients:
        """The gradients, of which gx is whole before w steps; rule = (task, way, numbers)."""
        compiler, way, numbers = rule
        gx, _, gb = self.linear_grad(g, x, w, (needs[0], False, needs[2]))
        gw, given = empty(w.shape, w.dtype), np.array(numbers, w.dtype)
        room, code = workspace(w.dtype.char), compiled(compiler, w)
        gemm_step.product_and_step(gw, g, x, room, code, w, *kept, given, way)
        return gx, gw, gb
