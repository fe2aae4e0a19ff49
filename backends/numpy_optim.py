"""Optimizer steps in NumPy, a block of numbers at a time: only the first pass leaves the cache."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from .defaults.optim import OptimDefaults
from .numpy_functions import quietly
from .numpy_memory import room
from .tier1 import Buffer

BLOCK = 1 << 16  # numbers
SMALL = 1 << 12  # numbers, up to which new memory takes less time than a view of what is kept
BYTES = 8 * BLOCK
_spare: list[Any] = []  # memory of so many bytes for intermediate results


def blocks(*several: list[Any]) -> Iterator[Any]:
    """The arrays of each parameter, flat and a block at a time, and room for a result or None.

    None among arrays stays None, and arrays of one block are left in their shape. The last block
    comes first: of a gradient that was just made, the end is what the cache has.
    """
    memory = _spare.pop() if _spare else room((BYTES,), np.int8)
    t = memory.view(several[0][0].dtype)
    for arrays in zip(*several, strict=True):
        size, shape = arrays[0].size, arrays[0].shape
        if size <= SMALL:
            yield (*arrays, None)
        elif size <= BLOCK:
            yield (*arrays, t[:size].reshape(shape))
        else:
            block = -(-size // (16 * -(-size // BLOCK))) * 16  # in whole cache lines
            flat = [None if x is None else x.reshape(-1) for x in arrays]
            for at in reversed(range(0, size, block)):
                parts = [None if x is None else x[at : at + block] for x in flat]
                yield (*parts, t[: min(block, size - at)])
    _spare.append(memory)


def sgd(part: Any, lr: Any, momentum: Any, dampening: float, decay: float, nesterov: bool) -> None:
    """One block of `sgd_step`, with t for intermediate results, or None."""
    p, g, v, t = part
    if decay:
        g = np.add(np.multiply(p, decay, t), g, t)
    step = g
    if v is not None:
        np.multiply(v, momentum, v)
        np.add(v, g * (1.0 - dampening) if dampening else g, v)
        step = np.add(g, v * momentum, t) if nesterov else v
    np.subtract(p, np.multiply(step, lr, t), p)


def adam(
    part: Any,
    beta1: float,
    beta2: float,
    eps: float,
    shrink: float,
    decay: float,
    root: float,
    rate: float,
) -> None:
    """One block of `adam_step`, with t for intermediate results, or None."""
    p, g, m, v, t = part
    t = np.empty_like(p) if t is None else t
    if shrink != 1.0:
        np.multiply(p, shrink, out=p)
    if decay:
        g = g + np.multiply(p, decay, out=t)
    np.multiply(m, beta1, out=m)
    np.add(m, np.multiply(g, 1.0 - beta1, out=t), out=m)
    np.multiply(v, beta2, out=v)
    np.multiply(np.multiply(g, g, out=t), 1.0 - beta2, out=t)
    np.add(v, t, out=v)
    np.divide(np.sqrt(v, out=t), root, out=t)
    np.divide(m, np.add(t, eps, out=t), out=t)
    np.subtract(p, np.multiply(t, rate, out=t), out=p)


def step_sgd(ps: Any, gs: Any, vs: Any, lr: Any, momentum: Any, *numbers: Any) -> None:
    """`sgd_steps`. Ufuncs take arrays of one number in half the time that numbers take."""
    dtype = ps[0].dtype
    rate, keep = np.array(lr, dtype), np.array(momentum, dtype)
    for part in blocks(ps, gs, vs):
        sgd(part, rate, keep, *numbers)


def step_adam(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """`adam_step`."""
    shrink = 1.0 - lr * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else weight_decay
    root, rate = sqrt(1.0 - beta2**step), lr / (1.0 - beta1**step)
    for part in blocks([p], [g], [m], [v]):
        adam(part, beta1, beta2, eps, shrink, decay, root, rate)


class NumpyOptim(OptimDefaults):
    """Overrides of the commonest steps."""

    @quietly
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
        step_sgd([p], [g], [v], lr, momentum, dampening, weight_decay, nesterov)

    @quietly
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
        step_sgd(ps, gs, vs, lr, momentum, dampening, weight_decay, nesterov)

    @quietly
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
        step_adam(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled)
