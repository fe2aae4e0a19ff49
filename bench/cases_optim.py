"""Optimizer steps: ten million parameters in one tensor, and LeNet-5's 61,706 in ten.

Against torch's fused optimizers. What is timed on LeNet-5's tensors as "Adam.step" is what a
training loop calls, the optimizer object's `step()`, on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

import etude

from .case import Case, Step, Work, uniform

Shape = tuple[int, ...]
RATE, MOMENTUM, BETA1, BETA2, EPS = 1e-3, 0.9, 0.9, 0.999, 1e-8
LENET: tuple[Shape, ...] = (
    (6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,),
)  # fmt: skip


def adam(rng: np.random.Generator, shapes: Sequence[Shape]) -> Work:
    """One step from m = v = 0; the results are the new parameters."""
    count = len(shapes)

    def ours(backend: Any, *given: Any) -> Step:
        ps, gs = list(given[:count]), list(given[count:])
        ms, vs = ([backend.full(p.shape, 0, "float32") for p in ps] for _ in range(2))

        def step() -> Any:
            backend.adam_steps(ps, gs, ms, vs, 1, RATE, BETA1, BETA2, EPS, 0.0, False)
            return ps

        return step

    def in_torch(torch: Any, *given: Any) -> Step:
        ps, gs = [p.clone() for p in given[:count]], list(given[count:])
        ms, vs = ([torch.zeros_like(p) for p in ps] for _ in range(2))
        steps = [torch.tensor(1.0) for _ in ps]
        how = {"lr": RATE, "beta1": BETA1, "beta2": BETA2, "weight_decay": 0.0, "eps": EPS}

        def step() -> Any:
            torch._fused_adam_(ps, gs, ms, vs, [], steps, amsgrad=False, maximize=False, **how)
            return ps

        return step

    def in_numpy(np: Any, *given: Any) -> Step:
        ps, gs = [p.copy() for p in given[:count]], given[count:]
        ms, vs, rooms = ([np.zeros_like(p) for p in ps] for _ in range(3))

        def step() -> Any:
            for p, g, m, v, room in zip(ps, gs, ms, vs, rooms):
                adam_by_hand(p, g, m, v, room)
            return ps

        return step

    inputs = [uniform(rng, *shape) for _ in range(2) for shape in shapes]
    numbers = sum(p.size for p in inputs[:count])
    return Work(inputs, ours, adam_reference, in_torch, in_numpy, 12.0 * numbers, 28.0 * numbers)


def adam_by_hand(p: Any, g: Any, m: Any, v: Any, room: Any) -> None:
    """In NumPy, in place, with one temporary array."""
    m *= BETA1
    np.multiply(g, 1 - BETA1, out=room)
    m += room
    v *= BETA2
    np.multiply(g, g, out=room)
    room *= 1 - BETA2
    v += room
    np.sqrt(v, out=room)
    room /= sqrt(1 - BETA2)
    room += EPS
    np.divide(m, room, out=room)
    room *= RATE / (1 - BETA1)
    p -= room


def adam_reference(*given: Any) -> Any:
    """Step 1 of algorithm 1 of Kingma & Ba 2015."""
    ps, gs = given[: len(given) // 2], given[len(given) // 2 :]
    return [p - RATE * g / (np.abs(g) + EPS) for p, g in zip(ps, gs)]


def adam_object(rng: np.random.Generator, shapes: Sequence[Shape]) -> Work:
    """The same by the optimizer objects."""
    inputs = [uniform(rng, *shape) for _ in range(2) for shape in shapes]
    count = len(shapes)

    def ours(backend: Any, *_: Any) -> Step:
        with etude.use_backend(backend.name):
            ps = [etude.nn.Parameter(etude.tensor(p)) for p in inputs[:count]]
            for p, g in zip(ps, inputs[count:]):
                p.grad = etude.tensor(g)
        optimizer = etude.optim.Adam(ps, lr=RATE)

        def step() -> Any:
            optimizer.step()
            return [p.buffer for p in ps]

        return step

    def in_torch(torch: Any, *given: Any) -> Step:
        ps = [torch.nn.Parameter(p.clone()) for p in given[:count]]
        for p, g in zip(ps, given[count:]):
            p.grad = g
        optimizer = torch.optim.Adam(ps, lr=RATE, fused=True)

        def step() -> Any:
            optimizer.step()
            return ps

        return step

    numbers = sum(p.size for p in inputs[:count])
    return Work(inputs, ours, adam_reference, in_torch, None, 12.0 * numbers, 28.0 * numbers)


def sgd(rng: np.random.Generator, shapes: Sequence[Shape]) -> Work:
    """One step with momentum from v = 0; the results are the new parameters."""
    count = len(shapes)

    def ours(backend: Any, *given: Any) -> Step:
        ps, gs = list(given[:count]), list(given[count:])
        vs = [backend.full(p.shape, 0, "float32") for p in ps]

        def step() -> Any:
            backend.sgd_steps(ps, gs, vs, RATE, MOMENTUM, 0.0, 0.0, False)
            return ps

        return step

    def in_torch(torch: Any, *given: Any) -> Step:
        ps, gs = [p.clone() for p in given[:count]], list(given[count:])
        vs = [torch.zeros_like(p) for p in ps]
        how = {"lr": RATE, "momentum": MOMENTUM, "dampening": 0.0, "weight_decay": 0.0}

        def step() -> Any:
            torch._fused_sgd_(
                ps, gs, vs, nesterov=False, maximize=False, is_first_step=False, **how
            )
            return ps

        return step

    def in_numpy(np: Any, *given: Any) -> Step:
        ps, gs = [p.copy() for p in given[:count]], given[count:]
        vs, rooms = ([np.zeros_like(p) for p in ps] for _ in range(2))

        def step() -> Any:
            for p, g, v, room in zip(ps, gs, vs, rooms):
                v *= MOMENTUM
                v += g
                np.multiply(v, RATE, out=room)
                p -= room
            return ps

        return step

    inputs = [uniform(rng, *shape) for _ in range(2) for shape in shapes]
    numbers = sum(p.size for p in inputs[:count])
    reference = lambda *given: [p - RATE * g for p, g in zip(given[:count], given[count:])]  # noqa: E731
    return Work(inputs, ours, reference, in_torch, in_numpy, 4.0 * numbers, 20.0 * numbers)


MANY, FEW = ((10_000_000,),), ((7,), (3, 5))
CASES = [
    Case("Adam 10M", "optimizer", adam, (MANY,), (FEW,)),
    Case("SGD momentum 10M", "optimizer", sgd, (MANY,), (FEW,)),
    Case("Adam LeNet-5", "optimizer", adam, (LENET,), (FEW,)),
    Case("SGD momentum LeNet-5", "optimizer", sgd, (LENET,), (FEW,)),
    Case("Adam.step LeNet-5", "optimizer", adam_object, (LENET,), (FEW,)),
]
