"""Optimizer steps in C, all parameters in one call (kernels/c/optim.c).

The table of pointers is made anew for each step, which takes 2 us for ten parameters: gradients are
new buffers each time, and a table that is kept would keep their memory.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from .c_library import ffi
from .c_memory import Block, check, new_block
from .c_softmax import functions
from .defaults.optim_many import OptimManyDefaults
from .tier1 import Buffer

SGD, ADAM = functions("sgd_steps"), functions("adam_steps")
RMSPROP, ADAGRAD = functions("rmsprop_steps"), functions("adagrad_steps")
SUM_SQUARES, SCALE_ALL = functions("sum_squares"), functions("scale_all")


def pointers(*lists: Any) -> tuple[Any, Any, int]:
    """The table of the buffers of some lists, their sizes, and how long each list is."""
    null, first = ffi.NULL, lists[0]
    table = [null if x is None else x.data for each in lists for x in each]
    sizes = ffi.new("int64_t[]", [x.size for x in first])
    return ffi.new("void *[]", table), sizes, len(first)


class COptim(OptimManyDefaults):
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
            check(SGD[ps[0].dtype](*pointers(ps, gs, vs), *rule), "sgd_steps")

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
            shrink = 1.0 - lr * weight_decay if decoupled else 1.0
            decay = 0.0 if decoupled else weight_decay
            root, rate = sqrt(1.0 - beta2**step), lr / (1.0 - beta1**step)
            rule = shrink, decay, beta1, beta2, eps, root, rate
            check(ADAM[ps[0].dtype](*pointers(ps, gs, ms, vs), *rule), "adam_steps")

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
        table = pointers([p], [g], [square], [mean], [velocity])
        check(RMSPROP[p.dtype](*table, lr, alpha, eps, weight_decay, momentum), "rmsprop_step")

    def adagrad_step(
        self, p: Buffer, g: Buffer, total: Buffer, lr: float, eps: float, weight_decay: float
    ) -> None:
        table = pointers([p], [g], [total])
        check(ADAGRAD[p.dtype](*table, lr, eps, weight_decay), "adagrad_step")

    def sum_squares(self, xs: list[Buffer]) -> Buffer:
        y = new_block((), xs[0].dtype)
        check(SUM_SQUARES[y.dtype](y.data, *pointers(xs)), "sum_squares")
        return y

    def scale_all(self, xs: list[Buffer], s: Buffer) -> list[Buffer]:
        ys: list[Block] = [new_block(x.shape, x.dtype) for x in xs]
        if ys:
            check(SCALE_ALL[s.dtype](*pointers(ys, xs), s.data), "scale_all")
        return ys
