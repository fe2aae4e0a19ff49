"""Optimizer steps on CUDA: many parameters in one launch.

Rates and other numbers may change from one replay of a recorded step to the next (Dials of
cuda_dial.py), so they go into the launch as they are, by arithmetic alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..kernels.cuda import optim, toolchain
from ..kernels.cuda.optim import BLOCK, EACH, GROUP, SQUARES
from .cuda_runtime import empty, launch
from .defaults.optim_many import OptimManyDefaults
from .tier1 import Buffer


def groups(lists: Sequence[Sequence[Any]], each: int) -> Iterator[tuple[int, int, list[Any], int]]:
    """Parameters GROUP by GROUP: how many, blocks, arguments as optim.group_arguments, threads.

    lists: the arrays of each parameter; each: numbers a thread takes.
    """
    used = [arrays for arrays in lists if arrays[0].size]
    for start in range(0, len(used), GROUP):
        group = used[start : start + GROUP]
        sizes = [arrays[0].size for arrays in group]
        block = toolchain.warps(BLOCK)
        starts = [0]
        for size in sizes:
            starts.append(starts[-1] - (-size // (block * each)))
        given = [*starts[1:-1], *sizes, *(x for arrays in group for x in arrays)]
        yield len(group), starts[-1], given, block


def run(name: str, lists: Sequence[Sequence[Any]], numbers: Sequence[Any]) -> None:
    """In place: the rule's step for each parameter's arrays."""
    if lists:
        dtype = lists[0][0].dtype
        for count, blocks, given, block in groups(lists, EACH):
            launch(optim.step(name, dtype, count), blocks, *numbers, *given, block=block)


def adam_numbers(
    step: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any,
    decoupled: bool,
) -> tuple[Any, ...]:
    """What the rules adam and amsgrad take."""
    shrink = 1.0 - lr * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else weight_decay
    root, rate = (1.0 - beta2**step) ** 0.5, lr / (1.0 - beta1**step)
    return beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, shrink, decay, root, rate


class CudaOptim(OptimManyDefaults):
    """Overrides of all steps, and of what clipping needs."""

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
        numbers = lr, momentum, 1.0 - dampening, weight_decay, 1.0 if nesterov else 0.0
        triples = list(zip(ps, gs, vs, strict=True))
        run("sgd", [(p, g) for p, g, v in triples if v is None], numbers)
        run("sgd_velocity", [triple for triple in triples if triple[2] is not None], numbers)

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
        run("adam", [(p, g, m, v)], numbers)

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
        numbers = adam_numbers(step, lr, beta1, beta2, eps, weight_decay, decoupled)
        run("adam", list(zip(ps, gs, ms, vs, strict=True)), numbers)

    def amsgrad_step(
        self,
        p: Buffer,
        g: Buffer,
        m: Buffer,
        v: Buffer,
        peak: Buffer,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
    ) -> None:
        numbers = adam_numbers(step, lr, beta1, beta2, eps, weight_decay, decoupled)
        run("amsgrad", [(p, g, m, v, peak)], numbers)

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
        names = {(0, 0): "rmsprop", (1, 0): "rmsprop_mean", (0, 1): "rmsprop_velocity"}
        name = names.get((mean is not None, velocity is not None), "rmsprop_both")
        state = [x for x in (square, mean, velocity) if x is not None]
        run(name, [(p, g, *state)], (lr, alpha, 1.0 - alpha, eps, weight_decay, momentum))

    def adagrad_step(
        self, p: Buffer, g: Buffer, total: Buffer, lr: float, eps: float, weight_decay: float
    ) -> None:
        run("adagrad", [(p, g, total)], (lr, eps, weight_decay))

    def sum_squares(self, xs: list[Buffer]) -> Buffer:
        lists: list[tuple[Any]] = [(x,) for x in xs]
        parts = list(groups(lists, SQUARES))
        if not parts:
            return self.full((), 0.0, xs[0].dtype)
        sums = empty((sum(blocks for _, blocks, _, _ in parts),), xs[0].dtype)
        begin = 0
        for count, blocks, given, block in parts:
            kernel = optim.squares(xs[0].dtype, count)
            launch(kernel, blocks, sums, begin, *given, block=block)
            begin += blocks
        return self.reduce("sum", sums, (0,))

    def scale_all(self, xs: list[Buffer], s: Buffer) -> list[Buffer]:
        ys = [empty(x.shape, x.dtype) for x in xs]
        for count, blocks, given, block in groups(list(zip(ys, xs, strict=True)), EACH):
            launch(optim.scale(xs[0].dtype, count), blocks, s, *given, block=block)
        return ys
