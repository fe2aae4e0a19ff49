"""What every backend must do with every case: each check is a function of (case, backend name)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from case import FLOATS, TOLERANCE, Case, Draw, map_draws

import etude
from etude import functional as F

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    np.inf,
    -np.inf,
    np.nan,
    1e30,
    -1e30,
    1e-30,
    -1e-30,
    0.5,
    -2.5,
    700.0,
]
SHAPES = [(), (0,), (1,), (7,), (3, 0, 2), (1, 1), (17, 3), (2, 3, 5)]


# running a case -----------------------------------------------------------------------------------
def tensors(case: Case, arrays: Any, backend: str, grad: bool = False) -> Any:
    """The arrays among the inputs as tensors; with `grad`, differentiable ones require it."""
    wants = iter([draw.differentiable() for draw in case.draws()])

    def make(x: np.ndarray) -> Any:
        needs = next(wants) and grad and x.dtype.kind == "f"
        return etude.tensor(x, backend=backend, requires_grad=needs)

    return map_draws(make, arrays, np.ndarray)


def call(case: Case, inputs: Any) -> Any:
    """The result of the case's function, on the backend of its inputs."""
    function = case.function or getattr(F, case.subject)
    return function(*inputs, **case.kwargs)


def outputs(result: Any) -> list[Any]:
    """The tensors of a result, which may be one or several."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def run(case: Case, arrays: Any, backend: str) -> list[Any]:
    with etude.use_backend(backend):
        return outputs(call(case, tensors(case, arrays, backend)))


def wide(arrays: Any) -> Any:
    """Float arrays as float64: what oracles compute in."""
    return map_draws(
        lambda x: x.astype(np.float64) if x.dtype.kind == "f" else x, arrays, np.ndarray
    )


@cache
def torch_module() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch


def torch_function(case: Case) -> Any:
    """The function that the case is compared with in torch, or None."""
    torch = torch_module()
    if callable(case.torch) or case.torch is None:
        return case.torch
    if case.torch == "same" and case.function is not None:
        return case.function
    name = case.subject if case.torch == "same" else case.torch
    for place in (torch.nn.functional, torch, torch.Tensor):
        if hasattr(place, name):
            return getattr(place, name)
    raise LookupError(f"torch has no {name}; give the case torch=None")


def torch_inputs(case: Case, arrays: Any, grad: bool = False) -> Any:
    torch = torch_module()
    wants = iter([draw.differentiable() for draw in case.draws()])

    def make(x: np.ndarray) -> Any:
        return torch.tensor(x).requires_grad_(next(wants) and grad and x.dtype.kind == "f")

    return map_draws(make, arrays, np.ndarray)


def run_torch(case: Case, arrays: Any) -> list[Any] | None:
    """torch's outputs, or None where the case or the machine has no torch."""
    if torch_module() is None or case.torch is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outputs(torch_function(case)(*torch_inputs(case, arrays), **case.kwargs))


def reference(case: Case, arrays: Any) -> list[np.ndarray]:
    """The values in float64: the oracle's, or torch's where there is no oracle."""
    if case.oracle is not None:
        function = case.function if case.oracle == "same" else case.oracle
        assert callable(function)
        with np.errstate(all="ignore"):
            return [np.asarray(y) for y in outputs(function(*wide(arrays), **case.kwargs))]
    found = run_torch(case, wide(arrays))
    if found is None:
        pytest.skip("the oracle of this case is torch, which is not installed")
    return [y.numpy() for y in found]


# comparing ----------------------------------------------------------------------------------------
def close(got: Any, expected: Any, case: Case, dtype: str | None = None) -> None:
    """Compare a tensor with an array by the table's tolerance for the dtype."""
    values = np.asarray(got.detach().numpy() if hasattr(got, "detach") else got)
    assert values.shape == np.shape(expected), (
        f"shape {values.shape}, expected {np.shape(expected)}"
    )
    rtol, atol = TOLERANCE[dtype or str(values.dtype)]
    with np.errstate(all="ignore"):
        expected = np.asarray(expected).astype(values.dtype)
    np.testing.assert_allclose(values, expected, rtol * case.loose, atol * case.loose)


def all_close(got: list[Any], expected: list[Any], case: Case, dtype: str | None = None) -> None:
    assert len(got) == len(expected)
    for y, r in zip(got, expected):
        close(y, r, case, dtype)


def skip_unless(condition: Any, why: str) -> None:
    if not condition:
        pytest.skip(why)


# the checks ---------------------------------------------------------------------------------------
def values_agree_with_the_oracle(case: Case, backend: str) -> None:
    for dtype in case.dtypes:
        arrays = case.arrays(dtype)
        got = run(case, arrays, backend)
        assert all(y.backend.name == backend for y in got)
        assert all(tuple(y.buffer.shape) == y.shape for y in got)
        assert all(y.backend.dtype(y.buffer) == y.dtype for y in got)
        if case.result is not None:
            assert {str(y.dtype) for y in got} == {case.result}
        all_close(got, reference(case, arrays), case)


def values_and_dtypes_agree_with_torch(case: Case, backend: str) -> None:
    skip_unless(case.torch is not None, "torch has no such function")
    skip_unless(torch_module(), "torch is not installed")
    for dtype in case.dtypes:
        arrays = case.arrays(dtype)
        expected = run_torch(case, arrays)
        assert expected is not None
        got = run(case, arrays, backend)
        if case.result is None:
            assert [str(y.dtype) for y in got] == [str(y.dtype)[6:] for y in expected]
        all_close(got, [y.numpy() for y in expected], case)


def values_agree_with_the_python_backend(case: Case, backend: str) -> None:
    skip_unless(etude.backends.available().get("python", "") is None, "no python backend")
    for dtype in case.dtypes:
        arrays = case.arrays(dtype)
        got = run(case, arrays, backend)
        expected = run(case, arrays, "python")
        assert [y.dtype for y in got] == [y.dtype for y in expected]
        all_close(got, [y.numpy() for y in expected], case)


def inputs_stay_unchanged(case: Case, backend: str) -> None:
    arrays = case.arrays(case.dtypes[0])
    inputs = tensors(case, arrays, backend)
    with etude.use_backend(backend):
        call(case, inputs)
    map_pairs(lambda x, before: np.testing.assert_array_equal(x.numpy(), before), inputs, arrays)


def map_pairs(function: Callable[[Any, Any], Any], tensors: Any, arrays: Any) -> None:
    if isinstance(arrays, np.ndarray):
        function(tensors, arrays)
    elif isinstance(arrays, (list, tuple)):
        for x, y in zip(tensors, arrays):
            map_pairs(function, x, y)


def strided_arrays_give_the_same(case: Case, backend: str) -> None:
    """Inputs whose NumPy array is reversed, transposed or has gaps: same values, same result."""
    arrays = case.arrays(case.dtypes[0])
    got = run(case, map_draws(with_gaps, arrays, np.ndarray), backend)
    all_close(got, [y.numpy() for y in run(case, arrays, backend)], case)


def with_gaps(x: np.ndarray) -> np.ndarray:
    """The same values in memory of negative strides and gaps, axes stored in reverse order."""
    room = np.zeros(tuple(2 * n for n in x.shape[::-1]), x.dtype).T
    view = room[tuple(slice(None, None, -2) for _ in x.shape)]
    view[...] = x
    return view


def sizes_0_1_and_odd(case: Case, backend: str) -> None:
    skip_unless(case.elementwise, "the case's shapes are its own")
    for shape in SHAPES:
        for dtype in case.dtypes:
            arrays = case.arrays(dtype, shape)
            all_close(run(case, arrays, backend), reference(case, arrays), case)


def special_values_go_through(case: Case, backend: str) -> None:
    """nan, infinities, huge and tiny numbers come out as the oracle's, signs of zero aside."""
    skip_unless(case.elementwise or case.reduction, "no elementwise function, no reduction")
    for dtype in set(case.dtypes) & set(FLOATS):
        for arrays in special_inputs(case, dtype):
            with np.errstate(all="ignore"):
                all_close(run(case, arrays, backend), reference(case, arrays), case)


def special_inputs(case: Case, dtype: str) -> list[Any]:
    """All pairs of special values for elementwise functions; for reductions one at a time."""
    values = np.array(SPECIAL, dtype)
    draws = [draw for draw in case.draws() if draw.dtype is None]
    if case.elementwise:
        grid = np.meshgrid(*[values] * len(draws))
        parts, rng = iter(grid), case.rng()

        def fill(draw: Draw) -> Any:
            return next(parts) if draw.dtype is None else draw.make(rng, dtype, grid[0].shape)

        return [map_draws(fill, case.inputs)]
    found = []
    for value in values:
        arrays = case.arrays(dtype)
        arrays[0].reshape(-1)[:1] = value
        found.append(arrays)
    return found


def gradients_agree_with_finite_differences(case: Case, backend: str) -> None:
    skip_unless(case.grad, "no gradient")
    check_gradient(case, backend, etude.gradcheck)


def second_gradients_agree_with_finite_differences(case: Case, backend: str) -> None:
    skip_unless(case.grad and case.second, "no second gradient")
    check_gradient(case, backend, etude.gradgradcheck)


def check_gradient(case: Case, backend: str, check: Callable[..., bool]) -> None:
    inputs = tensors(case, case.arrays("float64"), backend, grad=True)
    wanted: list[Any] = []
    map_draws(lambda x: wanted.append(x) if x.requires_grad else None, inputs, etude.Tensor)
    assert wanted, "a case with grad=True needs a differentiable draw"

    def function(*given: Any) -> Any:
        fill = dict(zip(map(id, wanted), given))
        found = outputs(call(case, map_draws(lambda x: fill.get(id(x), x), inputs, etude.Tensor)))
        return tuple(y for y in found if y.dtype.is_floating_point)

    with etude.use_backend(backend):
        # Every element on the reference backend; elsewhere, where a run may be slow, one direction.
        assert check(function, wanted, fast_mode=backend != "numpy")


def gradients_agree_with_torch(case: Case, backend: str) -> None:
    """Kinks and ties too, where finite differences say nothing."""
    skip_unless(case.grad and case.torch is not None, "no gradient, or none in torch")
    skip_unless(torch_module(), "torch is not installed")
    arrays = case.arrays("float64")
    ours, theirs = tensors(case, arrays, backend, True), torch_inputs(case, arrays, True)
    with etude.use_backend(backend):
        for y in outputs(call(case, ours)):
            if y.requires_grad:
                y.backward(etude.ones_like(y) * 1.5, retain_graph=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for y in outputs(torch_function(case)(*theirs, **case.kwargs)):
            if y.requires_grad:
                y.backward(torch_module().ones_like(y) * 1.5, retain_graph=True)
    expected: list[Any] = []
    map_draws(lambda x: expected.append(x.grad), theirs, torch_module().Tensor)
    got: list[Any] = []
    map_draws(lambda x: got.append(x.grad), ours, etude.Tensor)
    for x, r in zip(got, expected):
        assert (x is None) == (r is None)
        if x is not None:
            close(x, r.numpy(), case)


CHECKS = [
    values_agree_with_the_oracle,
    values_and_dtypes_agree_with_torch,
    values_agree_with_the_python_backend,
    inputs_stay_unchanged,
    strided_arrays_give_the_same,
    sizes_0_1_and_odd,
    special_values_go_through,
    gradients_agree_with_finite_differences,
    second_gradients_agree_with_finite_differences,
    gradients_agree_with_torch,
]
