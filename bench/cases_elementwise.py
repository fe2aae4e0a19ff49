"""Elementwise functions, reductions and copies: work that memory limits, not arithmetic.

Large results are timed twice: written into fresh memory, as every expression does, and into `out`,
which takes the allocator and its page faults out of the race.
"""

from __future__ import annotations

from math import erf
from typing import Any

import numpy as np

from .case import Case, Step, Work, uniform

Shape = tuple[int, ...]
LARGE = 1 << 24
GELU = np.vectorize(lambda x: 0.5 * x * (1 + erf(x / 2**0.5)), otypes=[np.float64])

# etude's name -> (torch's, with out=; NumPy's, with out=; the reference). None: no fair peer.
FUNCTIONS: dict[str, tuple[Any, Any, Any]] = {
    "relu": (
        lambda torch: lambda x, out=None: torch.clamp_min(x, 0, out=out),
        lambda np: lambda x, out=None: np.maximum(x, 0, out=out),
        lambda x: np.maximum(x, 0),
    ),
    "exp": (lambda torch: torch.exp, lambda np: np.exp, np.exp),
    "log": (lambda torch: torch.log, lambda np: np.log, np.log),
    "tanh": (lambda torch: torch.tanh, lambda np: np.tanh, np.tanh),
    "sigmoid": (lambda torch: torch.sigmoid, None, lambda x: 1 / (1 + np.exp(-x))),
    "gelu": (lambda torch: torch._C._nn.gelu, None, GELU),
}


def unary(rng: np.random.Generator, name: str, size: int, into: bool) -> Work:
    """A function of each element, from 0.1 on where it is a logarithm."""
    theirs, numpys, reference = FUNCTIONS[name]
    x = uniform(rng, size, low=0.1 if name == "log" else -4.0, high=4.0)

    def ours(backend: Any, x: Any) -> Step:
        out = backend.empty((size,), "float32") if into else None
        return lambda: backend.unary(name, x, out)

    def in_torch(torch: Any, x: Any) -> Step:
        if name == "relu" and not into:
            return lambda: torch.relu(x)
        f, out = theirs(torch), torch.empty(size) if into else None
        return (lambda: f(x, out=out)) if into else (lambda: f(x))

    def in_numpy(np: Any, x: Any) -> Step:
        f, out = numpys(np), np.empty(size, np.float32) if into else None
        return lambda: f(x, out=out)

    return Work([x], ours, reference, in_torch, in_numpy if numpys else None)


def add(rng: np.random.Generator, a: Shape, b: Shape, into: bool) -> Work:
    """a + b, of the shape of a."""

    def ours(backend: Any, x: Any, y: Any) -> Step:
        out = backend.empty(a, "float32") if into else None
        return lambda: backend.binary("add", x, y, out)

    def in_torch(torch: Any, x: Any, y: Any) -> Step:
        out = torch.empty(a) if into else None
        return lambda: torch.add(x, y, out=out)

    def in_numpy(np: Any, x: Any, y: Any) -> Step:
        out = np.empty(a, np.float32) if into else None
        return lambda: np.add(x, y, out=out)

    return Work([uniform(rng, *a), uniform(rng, *b)], ours, np.add, in_torch, in_numpy)


def reduction(rng: np.random.Generator, name: str, shape: Shape, axes: Shape) -> Work:
    """sum, mean or max over axes, of numbers from 0 to 1."""
    names = {"max": "amax"}

    def ours(backend: Any, x: Any) -> Step:
        if name == "mean":
            return lambda: backend.mean(x, axes)
        return lambda: backend.reduce(name, x, axes)

    def in_torch(torch: Any, x: Any) -> Step:
        f = getattr(torch, names.get(name, name))
        return lambda: f(x, axes)

    def in_numpy(np: Any, x: Any) -> Step:
        f = getattr(np, name)
        return lambda: np.asarray(f(x, axis=axes))

    def reference(x: Any) -> Any:
        return np.asarray(getattr(np, name)(x, axis=axes, dtype=np.float64))

    if name == "max":
        reference = lambda x: np.asarray(np.max(x, axis=axes))  # noqa: E731
    return Work([uniform(rng, *shape, low=0.0)], ours, reference, in_torch, in_numpy, widen=False)


def transposed(rng: np.random.Generator, rows: int, columns: int, into: bool) -> Work:
    """A copy with rows and columns swapped."""

    def ours(backend: Any, x: Any) -> Step:
        out = backend.empty((columns, rows), "float32") if into else None
        return lambda: backend.transpose(x, (1, 0), out)

    def in_torch(torch: Any, x: Any) -> Step:
        if not into:
            return lambda: x.t().contiguous()
        out = torch.empty(columns, rows)
        return lambda: out.copy_(x.t())

    def in_numpy(np: Any, x: Any) -> Step:
        if not into:
            return lambda: np.ascontiguousarray(x.T)
        out = np.empty((columns, rows), np.float32)

        def step() -> Any:
            np.copyto(out, x.T)
            return out

        return step

    inputs = [uniform(rng, rows, columns)]
    return Work(inputs, ours, lambda x: x.T, in_torch, in_numpy, widen=False)


def large(name: str) -> list[Case]:
    """A function of 16M numbers, fresh and into `out`."""
    ends = ((False, ""), (True, " into out"))
    if name == "add":
        return [
            Case(f"add 16M{end}", "elementwise large", add, ((LARGE,), (LARGE,), into),
                 ((37,), (37,), into))
            for into, end in ends
        ]  # fmt: skip
    return [
        Case(f"{name} 16M{end}", "elementwise large", unary, (name, LARGE, into), (name, 37, into))
        for into, end in ends
    ]


SIZES = {"1k": 1000, "100k": 100_000}
SQUARE, SMALL = (4096, 4096), (13, 37)
AXES: dict[str, Shape] = {"axis 0": (0,), "axis 1": (1,), "all": (0, 1)}

CASES = [
    *(case for name in ("relu", "add", "exp") for case in large(name)),
    *(
        Case(f"{name} {label}", "elementwise", unary, (name, size, False), (name, 37, False))
        for label, size in SIZES.items()
        for name in FUNCTIONS
    ),
    *(
        Case(f"add {label}", "elementwise", add, ((n,), (n,), False), ((37,), (37,), False))
        for label, n in SIZES.items()
    ),
    Case("add 4096x1024 + 1024", "elementwise", add, ((4096, 1024), (1024,), False),
         ((5, 19), (19,), False)),
    *(
        Case(f"{name} 4096x4096 {label}", "reduce", reduction, (name, SQUARE, axes),
             (name, SMALL, axes))
        for name in ("sum", "mean", "max")
        for label, axes in AXES.items()
    ),
    Case("transpose 4096x4096", "layout", transposed, (*SQUARE, False), (*SMALL, False)),
    Case("transpose 4096x4096 into out", "layout", transposed, (*SQUARE, True), (*SMALL, True)),
]  # fmt: skip
