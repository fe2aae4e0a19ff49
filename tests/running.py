"""Running a case: its inputs as tensors, its results, the reference, and how they are compared."""

from __future__ import annotations

import warnings
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pytest
from case import TOLERANCE, Case, map_draws

import etude
from etude import functional as F


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


@lru_cache(maxsize=1024)  # a case on all backends, and some hundred others till tier 1 comes
def computed(case: Case, dtype: str, backend: str) -> list[Any]:
    """The results on the case's own arrays."""
    return run(case, case.arrays(dtype), backend)


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
