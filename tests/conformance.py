"""What every backend must do with every case: each check is a function of (case, backend name)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from case import FLOATS, TOLERANCE, Case, Draw, map_draws
from contract import watched
from simulated import is_first, is_simulated, unwatched

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


def values(y: Any) -> np.ndarray:
    """A tensor of any backend as an array, whether it is in a graph or not; arrays as they are."""
    return np.asarray(y.detach().cpu().numpy() if isinstance(y, etude.Tensor) else y)


# comparing ----------------------------------------------------------------------------------------
def close(got: Any, expected: Any, case: Case, dtype: str | None = None) -> None:
    """Compare a tensor with an array by the table's tolerance for the dtype."""
    found = values(got)
    assert found.shape == np.shape(expected), f"shape {found.shape}, expected {np.shape(expected)}"
    rtol, atol = TOLERANCE[dtype or str(found.dtype)]
    if found.dtype.kind == "f":  # float32 cannot hold all that the reference holds
        with np.errstate(all="ignore"):
            expected = np.asarray(expected).astype(found.dtype)
    np.testing.assert_allclose(found, expected, rtol * case.loose, atol * case.loose)


def all_close(got: list[Any], expected: list[Any], case: Case, dtype: str | None = None) -> None:
    assert len(got) == len(expected)
    for y, r in zip(got, expected):
        close(y, r, case, dtype)


def need_torch() -> None:
    if torch_module() is None:
        pytest.skip("torch is not installed")


# the checks ---------------------------------------------------------------------------------------
Check = Callable[[Case, str], None]
CHECKS: dict[Check, Callable[[Case], bool]] = {}  # and which cases each is for


def check(applies: Callable[[Case], bool]) -> Callable[[Check], Check]:
    """Enter a check in CHECKS."""

    def enter(function: Check) -> Check:
        CHECKS[function] = applies
        return function

    return enter


def conform(case: Case, backend: str) -> None:
    """Run every check that applies to the case, and raise all failures together.

    One test for all checks: pytest's own work for a test would otherwise take longer than a check.
    """
    with unwatched(backend):
        run_checks(case, backend)


def run_checks(case: Case, backend: str) -> None:
    """The checks that apply to the case; where simulated, some for a function's first alone."""
    failures, left_out = [], []
    checks = [check for check, applies in CHECKS.items() if applies(case)]
    if is_simulated(backend) and not is_first(case):
        checks = [check for check in checks if check not in ONCE_WHERE_SIMULATED]
    for check in checks:
        try:
            check(case, backend)
        except pytest.skip.Exception as reason:
            left_out.append(str(reason))
        except Exception as error:
            error.add_note(f"check: {check.__name__}")
            failures.append(error)
    if failures:
        names = ", ".join(error.__notes__[-1].removeprefix("check: ") for error in failures)
        raise ExceptionGroup(f"{case} on {backend}: {names}", failures)
    if len(left_out) == len(checks):
        pytest.skip(left_out[0])


def has_gradient(case: Case) -> bool:
    return case.grad and any(draw.differentiable() for draw in case.draws())


@cache
def expected_values(case: Case, dtype: str) -> list[np.ndarray]:
    return reference(case, case.arrays(dtype))


@cache
def torch_values(case: Case, dtype: str) -> list[Any]:
    found = run_torch(case, case.arrays(dtype))
    assert found is not None
    return found


@cache
def python_values(case: Case, dtype: str) -> list[Any]:
    return run(case, case.arrays(dtype), "python")


@check(lambda case: True)
def values_agree_with_the_oracle(case: Case, backend: str) -> None:
    """Shapes, dtypes and values; and the inputs stay what they are."""
    for dtype in case.dtypes:
        arrays = case.arrays(dtype)
        inputs = tensors(case, arrays, backend)
        with etude.use_backend(backend):
            got = outputs(call(case, inputs))
        inputs_stay(case, inputs, arrays)
        assert all(y.backend.name == backend for y in got)
        assert all(tuple(y.buffer.shape) == y.shape for y in got)
        assert all(y.backend.dtype(y.buffer) == y.dtype for y in got)
        if case.result is not None:
            assert {str(y.dtype) for y in got} == {case.result}
        all_close(got, expected_values(case, dtype), case)


def inputs_stay(case: Case, inputs: Any, arrays: Any) -> None:
    for number, (x, before) in enumerate(zip(inputs, arrays)):
        if number not in case.in_place:
            for a, b in zip(leaves(x, etude.Tensor), leaves(before, np.ndarray)):
                assert values(a).tobytes() == b.tobytes(), f"input {number} was changed"


@check(lambda case: case.torch is not None)
def values_and_dtypes_agree_with_torch(case: Case, backend: str) -> None:
    need_torch()
    for dtype in case.dtypes:
        expected = torch_values(case, dtype)
        got = run(case, case.arrays(dtype), backend)
        if case.result is None:
            assert [str(y.dtype) for y in got] == [str(y.dtype)[6:] for y in expected]
        all_close(got, [y.numpy() for y in expected], case)


@check(lambda case: True)
def values_agree_with_the_python_backend(case: Case, backend: str) -> None:
    for dtype in case.dtypes:
        got, expected = run(case, case.arrays(dtype), backend), python_values(case, dtype)
        assert [y.dtype for y in got] == [y.dtype for y in expected]
        all_close(got, [y.numpy() for y in expected], case)


@check(lambda case: case.random)
def random_numbers_equal_the_python_backend_to_the_bit(case: Case, backend: str) -> None:
    for dtype in case.dtypes:
        got, expected = run(case, case.arrays(dtype), backend), python_values(case, dtype)
        assert [y.tolist() for y in got] == [y.tolist() for y in expected]


def leaves(inputs: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    map_draws(found.append, inputs, kind)
    return found


@check(lambda case: bool(case.draws()))
def strided_arrays_give_the_same(case: Case, backend: str) -> None:
    """Inputs whose NumPy array is reversed, transposed and has gaps: same values, same result."""
    arrays = case.arrays(case.dtypes[0])
    got = run(case, map_draws(with_gaps, arrays, np.ndarray), backend)
    all_close(got, list(map(values, run(case, arrays, backend))), case)


def with_gaps(x: np.ndarray) -> np.ndarray:
    """The same values in memory of negative strides and gaps, axes stored in reverse order."""
    room = np.zeros(tuple(2 * n for n in x.shape[::-1]), x.dtype).T
    view = room[(..., *(slice(None, None, -2) for _ in x.shape))]
    view[...] = x
    return view


@check(lambda case: case.elementwise)
def sizes_0_1_and_odd(case: Case, backend: str) -> None:
    for shape in SHAPES:
        for dtype in case.dtypes:
            arrays = case.arrays(dtype, shape)
            all_close(run(case, arrays, backend), reference(case, arrays), case)


@check(lambda case: (case.elementwise or case.reduction) and bool(set(case.dtypes) & set(FLOATS)))
def special_values_go_through(case: Case, backend: str) -> None:
    """nan, infinities, huge and tiny numbers come out as the oracle's, signs of zero aside."""
    for dtype in [d for d in case.dtypes if d in FLOATS]:
        for arrays in special_inputs(case, dtype):
            all_close(run(case, arrays, backend), reference(case, arrays), case)


def special_inputs(case: Case, dtype: str) -> list[Any]:
    """All pairs of special values for elementwise functions; for reductions one at a time."""
    values = np.array(SPECIAL, dtype)
    if not case.elementwise:  # a reduction may square, and has to stay finite then
        values = np.where(abs(values) == values[7], values / values.dtype.type(1e12), values)
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


@check(lambda case: has_gradient(case) and case.smooth)
def gradients_agree_with_finite_differences(case: Case, backend: str) -> None:
    # Every element on NumPy if they are few; otherwise one direction through them all.
    few = sum(x.size for x in leaves(case.arrays("float64"), np.ndarray)) <= 40
    fast = backend != "numpy" or not few
    compare_gradients(case, backend, partial(etude.gradcheck, fast_mode=fast))


@check(lambda case: has_gradient(case) and case.smooth and case.second)
def second_gradients_agree_with_finite_differences(case: Case, backend: str) -> None:
    compare_gradients(case, backend, partial(etude.gradgradcheck, fast_mode=True))


def compare_gradients(case: Case, backend: str, compare: Callable[..., bool]) -> None:
    inputs = tensors(case, case.arrays("float64"), backend, grad=True)
    wanted = [x for x in leaves(inputs, etude.Tensor) if x.requires_grad]

    def function(*given: Any) -> Any:
        fill = dict(zip(map(id, wanted), given))
        return outputs(call(case, map_draws(lambda x: fill.get(id(x), x), inputs, etude.Tensor)))

    with etude.use_backend(backend):
        assert compare(function, wanted)


@check(lambda case: has_gradient(case) and case.torch is not None)
def gradients_agree_with_torch(case: Case, backend: str) -> None:
    """Kinks and ties too, where finite differences say nothing."""
    need_torch()
    got, expected = gradients(case, case.arrays("float64"), backend), torch_gradients(case)
    for x, r in zip(got, expected):
        assert (x is None) == (r is None)
        if x is not None:
            close(x, r.numpy(), case)


def gradients(case: Case, arrays: Any, backend: str) -> list[Any]:
    """For every tensor among the inputs the gradient of `sum_of_squares`, or None."""
    inputs = tensors(case, arrays, backend, True)
    with etude.use_backend(backend):
        total = sum_of_squares(outputs(call(case, inputs)))
        if isinstance(total, etude.Tensor):
            total.backward()
    return [x.grad for x in leaves(inputs, etude.Tensor)]


@cache
def python_gradients(case: Case) -> list[Any]:
    return gradients(case, wide(case.arrays("float32")), "python")


@cache
def torch_gradients(case: Case) -> list[Any]:
    inputs = torch_inputs(case, case.arrays("float64"), True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sum_of_squares(outputs(torch_function(case)(*inputs, **case.kwargs))).backward()
    return [x.grad for x in leaves(inputs, torch_module().Tensor)]


@check(lambda case: has_gradient(case) and "float32" in case.dtypes)
def gradients_in_float32_agree_with_float64(case: Case, backend: str) -> None:
    """What finite differences are too coarse for, and a float32 kernel of its own may get wrong."""
    found = gradients(case, case.arrays("float32"), backend)
    for got, expected in zip(found, python_gradients(case)):
        if got is not None:
            size = float(np.abs(expected.numpy()).max(initial=1.0))
            close(got / size, expected.numpy() / size, case)


def sum_of_squares(ys: list[Any]) -> Any:
    """A scalar that gives each element of the outputs a gradient of its own."""
    return sum(((y + 0.5) * (y + 0.5)).sum() for y in ys if y.requires_grad)


# These compare once more what other checks compare, or run a case many times.
ONCE_WHERE_SIMULATED = (
    values_and_dtypes_agree_with_torch,
    values_agree_with_the_python_backend,
    gradients_agree_with_torch,
    second_gradients_agree_with_finite_differences,
)
DONE: set[str] = set()  # one check for each way to call a method: its dtypes, shapes and numbers


@check(lambda case: True)
def backend_keeps_its_contract(case: Case, backend: str) -> None:
    """`out=`, inputs unchanged, overrides equal to the defaults: at every call (contract.py)."""
    with watched(etude.backends.get(backend), case.loose, DONE):
        exercise(case, backend)


def exercise(case: Case, backend: str) -> None:
    """The values in every dtype, and the gradients in the float ones."""
    for dtype in case.dtypes:
        grad = has_gradient(case) and dtype in FLOATS
        inputs = tensors(case, case.arrays(dtype), backend, grad)
        with etude.use_backend(backend):
            total = sum_of_squares(outputs(call(case, inputs)))
            if isinstance(total, etude.Tensor):
                total.backward()
        for x in leaves(inputs, etude.Tensor):
            if x.grad is not None:
                assert x.grad.backend.name == backend
                assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
                assert x.backend.dtype(x.grad.buffer) == x.dtype


def differentiate_twice(case: Case, backend: str) -> None:
    """The gradient of the gradient's sum, which reaches the ops that gradients are made of."""
    inputs = tensors(case, case.arrays("float64"), backend, True)
    wanted = [x for x in leaves(inputs, etude.Tensor) if x.requires_grad]
    with etude.use_backend(backend):
        total = sum_of_squares(outputs(call(case, inputs)))
        found = etude.grad(total, wanted, create_graph=True, allow_unused=True)
        again = sum_of_squares([g for g in found if g is not None])
        if isinstance(again, etude.Tensor):
            again.backward()
