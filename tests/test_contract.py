"""Methods called by themselves keep the backend contract, and the watch on it sees faults."""

from __future__ import annotations

import inspect
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from case import TOLERANCE
from contract import is_buffer, methods, watched
from contract_calls import CALLS

import etude
from etude.backends.base import Backend
from etude.backends.numpy_backend import NumpyBackend

STEPS = [name for name in methods() if name.endswith("_step")]
BACKENDS = [name for name, why in etude.backends.available().items() if why is None]
LOOSE = {"linear": 10.0, "linear_grad": 10.0, "sum_squares": 20.0}  # long sums in another order
LOOSE |= {"linear_grad_sgd": 10.0, "linear_grad_adam": 10.0}
LOOSE["conv"] = 100.0  # and transforms
# What the arguments of a step may be, by their annotation; True stands for a buffer.
CHOICES: dict[str, list[Any]] = {
    "Buffer": [True],
    "Buffer | None": [True, None],
    "float": [0.3],
    "int": [3],
    "bool": [False, True],
}


def arguments(name: str, backend: Backend, dtype: str) -> list[list[Any]]:
    """Every way to call a step, with fresh buffers."""
    parameters = list(inspect.signature(getattr(Backend, name)).parameters.values())[1:]
    rng = np.random.default_rng(0)

    def fresh(choice: Any, annotation: str) -> Any:
        if choice is not True or annotation == "bool":
            return choice
        values = rng.uniform(0.5, 1.5, 7).astype(dtype)
        return backend.from_host(memoryview(values), (7,), dtype)

    return [
        [fresh(choice, p.annotation) for choice, p in zip(choices, parameters)]
        for choices in product(*(CHOICES[p.annotation] for p in parameters))
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_agree_with_their_defaults(backend: str, name: str, dtype: str) -> None:
    engine = etude.backends.get(backend)
    with watched(engine, done=set()):
        for args in arguments(name, engine, dtype):
            getattr(engine, name)(*args)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_agree_with_the_python_backend(backend: str, name: str) -> None:
    ends = []
    for engine in (etude.backends.get(backend), etude.backends.get("python")):
        calls = arguments(name, engine, "float64")
        for args in calls:
            getattr(engine, name)(*args)
        ends.append(
            [list(engine.to_host(x)) for args in calls for x in args if hasattr(x, "shape")]
        )
    rtol, atol = TOLERANCE["float64"]
    np.testing.assert_allclose(*ends, rtol, atol)


def calls(name: str, backend: Backend, dtype: str) -> list[list[Any]]:
    """The calls of a method in the table, with the same numbers for every backend."""
    rng = np.random.default_rng(0)

    def make(shape: tuple[int, ...], low: float | None = None) -> Any:
        x = rng.standard_normal(shape) if low is None else rng.uniform(low, low + 1.0, shape)
        values = np.asarray(x, dtype)
        return backend.from_host(memoryview(values), shape, dtype)

    return CALLS[name](make)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_methods_agree_with_their_defaults(backend: str, name: str, dtype: str) -> None:
    engine = etude.backends.get(backend)
    with watched(engine, LOOSE.get(name, 1.0), set()):
        for args in calls(name, engine, dtype):
            getattr(engine, name)(*args)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "python"])
def test_methods_agree_with_the_python_backend(backend: str, name: str) -> None:
    ends = []
    for engine in (etude.backends.get(backend), etude.backends.get("python")):
        small = [args for args in calls(name, engine, "float64") if _size(args) < 10_000]
        results = [getattr(engine, name)(*args) for args in small]
        ends.append([n for x in _buffers([small, results]) for n in engine.to_host(x)])
    rtol, atol = TOLERANCE["float64"]
    np.testing.assert_allclose(*ends, rtol, atol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_activation_changes_no_bit_of_a_convolution(backend: str, dtype: str) -> None:
    engine = etude.backends.get(backend)
    for *args, name in calls("conv", engine, dtype):
        if name is not None and (backend != "python" or _size(args) < 10_000):
            fused, plain = engine.conv(*args, name), engine.conv(*args)
            assert bytes(engine.to_host(fused)) == bytes(engine.to_host(engine.unary(name, plain)))


def _buffers(x: Any) -> list[Any]:
    """The buffers in nested lists of arguments or results."""
    if isinstance(x, (list, tuple)):
        return [found for part in x for found in _buffers(part)]
    return [x] if is_buffer(x) else []


def _size(args: Any) -> int:
    return sum(prod(x.shape) for x in _buffers(args))


# M, K, N: one column, few rows of weights, many, more than a cache has room for.
LAYERS = [(3, 1, 200), (5, 33, 6), (64, 70, 129), (70, 64, 300), (320, 1100, 200)]
KEEPS = {"sgd": 2, "adam": 3}  # buffers of weights' shape
RULES = {"sgd": (0.1, 0.9, 0.1, 0.01, True), "adam": (2, 0.1, 0.9, 0.99, 1e-8, 0.1, True)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_with_its_gradient_changes_no_bit(backend: str, kind: str, dtype: str) -> None:
    engine, rng = etude.backends.get(backend), np.random.default_rng(0)
    for m, k, n in LAYERS[: 2 if backend == "python" else None]:
        shapes = [(m, n), (m, k), *[(n, k)] * KEEPS[kind]]
        arrays = [rng.uniform(0.1, 1.0, shape).astype(dtype) for shape in shapes]
        ours, twins = ([engine.from_host(memoryview(a), a.shape, dtype) for a in arrays]
                       for _ in range(2))  # fmt: skip
        needs = (True, True, True)
        found = getattr(engine, f"linear_grad_{kind}")(*ours[:3], needs, *ours[3:], *RULES[kind])
        alone = engine.linear_grad(*twins[:3], needs)
        getattr(engine, f"{kind}_step")(twins[2], alone[1], *twins[3:], *RULES[kind])
        for a, b in zip((*found, *ours), (*alone, *twins), strict=True):
            assert bytes(engine.to_host(a)) == bytes(engine.to_host(b))


@pytest.mark.parametrize("backend", BACKENDS)
def test_assign_copies(backend: str) -> None:
    engine = etude.backends.get(backend)
    dst, src = engine.full((2, 3), 1.0, "float32"), engine.full((2, 3), 2.0, "float32")
    with watched(engine, done=set()):
        engine.assign(dst, src)
    assert list(engine.to_host(dst)) == [2.0] * 6


class ChangesItsInput(NumpyBackend):
    def unary(self, name: str, x: Any, out: Any = None) -> Any:
        x += 1
        return super().unary(name, x, out)


class ForgetsOut(NumpyBackend):
    def unary(self, name: str, x: Any, out: Any = None) -> Any:
        return super().unary(name, x)


class ReadsAfterWriting(NumpyBackend):
    def unary(self, name: str, x: Any, out: Any = None) -> Any:
        if out is not None:
            out.fill(0)
        return super().unary(name, x, out)


class LeavesTheDefault(NumpyBackend):
    def softmax(self, x: Any, axis: int, out: Any = None) -> Any:
        return self.binary("mul", super().softmax(x, axis), 1.001, out)


class StepsTooFar(NumpyBackend):
    def sgd_step(self, p: Any, *args: Any) -> None:
        super().sgd_step(p, *args)
        p *= 1.001


FAULTS = [
    (ChangesItsInput, "unary changed an input", ("unary", "exp")),
    (ForgetsOut, "unary did not fill out", ("unary", "exp")),
    (ReadsAfterWriting, "unary with out an input", ("unary", "exp")),
    (LeavesTheDefault, "softmax and its default differ", ("softmax",)),
    (StepsTooFar, "sgd_step and its default differ", ("sgd_step",)),
]


@pytest.mark.parametrize("kind, words, call", FAULTS)
def test_the_watch_sees_a_fault(kind: type[NumpyBackend], words: str, call: Any) -> None:
    engine = kind()
    x = np.array([[1.0, 2.0, 3.0]])
    args = {"unary": ("exp", x), "softmax": (x, 1), "sgd_step": (x, x, None, 0.1, 0, 0, 0, False)}
    with watched(engine, done=set()), pytest.raises(AssertionError, match=words):
        getattr(engine, call[0])(*args[call[0]])
