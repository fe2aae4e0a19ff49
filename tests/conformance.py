"""What every backend must do with every case: each check is a function of (case, backend name)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from case import FLOATS, Case, Draw, map_draws
from contract import watched
from repeated import is_first, is_repeated, unwatched
from running import (
    all_close,
    call,
    close,
    computed,
    need_torch,
    outputs,
    reference,
    run,
    run_torch,
    tensors,
    torch_function,
    torch_inputs,
    torch_module,
    values,
    wide,
)

import etude

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
    """The checks that apply to the case; in a repeated run some for a function's first alone."""
    failures, left_out = [], []
    checks = [check for check, applies in CHECKS.items() if applies(case)]
    if is_repeated(backend) and not is_first(case):
        checks = [check for check in checks if check not in ONCE_WHERE_REPEATED]
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


def python_values(case: Case, dtype: str) -> list[Any]:
    return computed(case, dtype, "python")


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
        got = computed(case, dtype, backend)
        if case.result is None:
            assert [str(y.dtype) for y in got] == [str(y.dtype)[6:] for y in expected]
        all_close(got, [y.numpy() for y in expected], case)


@check(lambda case: True)
def values_agree_with_the_python_backend(case: Case, backend: str) -> None:
    for dtype in case.dtypes:
        got, expected = computed(case, dtype, backend), python_values(case, dtype)
        assert [y.dtype for y in got] == [y.dtype for y in expected]
        all_close(got, [y.numpy() for y in expected], case)


@check(lambda case: case.random)
def random_numbers_equal_the_python_backend_to_the_bit(case: Case, backend: str) -> None:
    for dtype in case.dtypes:
        got, expected = computed(case, dtype, backend), python_values(case, dtype)
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
    all_close(got, list(map(values, computed(case, case.dtypes[0], backend))), case)


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
ONCE_WHERE_REPEATED = (
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
