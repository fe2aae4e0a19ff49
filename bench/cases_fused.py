"""Chains of elementwise functions in one call, beside the peers' calls one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from etude.backends.base import Constant, Expression, Register
from etude.backends.base import Step as FusedStep

from .case import Case, Step, Work, uniform

Shape = tuple[int, ...]
BINARY = ("add", "sub", "mul", "maximum")
PLAIN = ("add", "half", "abs", "mul", "sub", "relu", "half", "add", "maximum", "neg")
SMOOTH = ("add", "half", "tanh", "mul", "sub", "relu", "half", "add", "maximum", "exp")
TINY = ("add", "sub") * 50
BIAS = ("add", "tanh")


def expression(names: tuple[str, ...], axes: Shape) -> Expression:
    """Functions one after the other: of two operands with the second input, or of one."""
    steps, x = [], Register(0)
    for at, name in enumerate(names):
        if name in BINARY:
            steps.append(FusedStep("binary", name, (x, Register(1)), "float32"))
        elif name == "half":
            steps.append(FusedStep("binary", "mul", (x, Constant(0.5)), "float32"))
        else:
            steps.append(FusedStep("unary", name, (x,), "float32"))
        x = Register(2 + at)
    reduce = ("sum", axes) if axes else None
    return Expression(("float32", "float32"), tuple(steps), (x.index,), reduce)


def functions(library: Any) -> dict[str, Callable[..., Any]]:
    """The functions by name, of torch or of NumPy."""
    named = {name: getattr(library, name, None) for name in (*BINARY, "abs", "tanh", "exp")}
    numpys = {"sub": "subtract", "mul": "multiply"}
    named |= {ours: getattr(library, theirs) for ours, theirs in numpys.items()}
    relu = getattr(library, "relu", None) or (lambda x: library.maximum(x, 0))
    return {**named, "relu": relu, "half": lambda x: x * 0.5, "neg": library.negative}


def chain(
    rng: np.random.Generator, names: tuple[str, ...], a: Shape, b: Shape, axes: Shape
) -> Work:
    """The functions on x (a), those of two operands with y (b); and the sum over axes, if any."""
    e = expression(names, axes)

    def ours(backend: Any, x: Any, y: Any) -> Step:
        return lambda: backend.fused(e, [x, y], a)

    def theirs(library: Any, x: Any, y: Any) -> Step:
        own = functions(library)
        calls = [(own[name], name in BINARY) for name in names]

        def step() -> Any:
            z = x
            for f, two in calls:
                z = f(z, y) if two else f(z)
            return z.sum(axes) if axes else z

        return step

    def reference(x: Any, y: Any) -> Any:
        return theirs(np, x, y)()

    flops = float(len(names) * np.prod(a))
    return Work([uniform(rng, *a), uniform(rng, *b)], ours, reference, theirs, theirs, flops)


def cases(label: str, names: tuple[str, ...], sizes: dict[str, int]) -> list[Case]:
    """A chain on two arrays of each size."""
    return [
        Case(f"{label} {size}", "fused", chain, (names, (n,), (n,), ()), (names, (37,), (37,), ()))
        for size, n in sizes.items()
    ]


SIZES = {"10": 10, "4k": 4096, "100k": 100_000, "1M": 1 << 20, "16M": 1 << 24}

CASES = [
    *cases("10 plain functions", PLAIN, SIZES),
    *cases("10 functions with tanh and exp", SMOOTH, SIZES),
    *cases("100 additions", TINY, {"10": 10}),
    Case("bias and tanh 4096x1024", "fused", chain, (BIAS, (4096, 1024), (1024,), ()),
         (BIAS, (5, 19), (19,), ())),
    Case("bias and tanh 64x10", "fused", chain, (BIAS, (64, 10), (10,), ()),
         (BIAS, (5, 3), (3,), ())),
    Case("channels and tanh 32x64x28x28", "fused", chain, (BIAS, (32, 64, 28, 28), (64, 1, 1), ()),
         (BIAS, (2, 3, 4, 5), (3, 1, 1), ())),
    *(
        Case(f"10 plain functions with sum over axis {axes[0]} 4096x1024", "fused", chain,
             (PLAIN, (4096, 1024), (4096, 1024), axes), (PLAIN, (13, 37), (13, 37), axes))
        for axes in ((0,), (1,))
    ),
]  # fmt: skip
