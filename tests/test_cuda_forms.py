"""The CUDA backend's methods in the forms of a device, where the simulator takes cheaper ones.

The simulator prefers a thread for each line, for threads that meet are dear there. Here that is
off, so plans for warps, blocks, cuts and second launches are made and run as on a device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cuda_device import cuda_backend

import etude
from etude.backends import cuda_norm, cuda_plans, cuda_reduce, cuda_softmax

RNG = np.random.default_rng(9)
NUMPY = etude.backends.get("numpy")


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """A backend whose plans are a device's."""
    plans = cuda_reduce.reduction_plan, cuda_softmax.plan, cuda_norm.rows_form
    with pytest.MonkeyPatch.context() as patch, cuda_backend() as backend:
        for module in (cuda_reduce, cuda_softmax, cuda_norm):
            patch.setattr(module, "SIMULATED", 4)
        patch.setattr(cuda_reduce, "SEGMENT", 64)
        patch.setattr(cuda_reduce, "ROWS", 8)
        patch.setattr(cuda_norm, "ROWS", 8)
        patch.setattr(cuda_plans, "AREA", 16)
        caches = [*plans, cuda_plans.copy_plan]
        for plan in caches:
            plan.cache_clear()
        yield backend
        for plan in caches:
            plan.cache_clear()


def up(backend: Any, x: np.ndarray | None) -> Any:
    return None if x is None else backend.from_host(memoryview(x), x.shape, str(x.dtype))


def down(backend: Any, x: Any) -> np.ndarray:
    return np.array(backend.to_host(x), x.dtype).reshape(x.shape)


def agree(backend: Any, name: str, *arguments: Any, tolerance: float = 2e-5) -> None:
    """A method on arrays, beside NumPy's in float64."""
    own = [up(backend, a) if isinstance(a, np.ndarray) else a for a in arguments]
    wide = [
        a.astype("f8") if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
        for a in arguments
    ]
    got, expected = getattr(backend, name)(*own), getattr(NUMPY, name)(*wide)
    if not isinstance(expected, tuple):
        got, expected = (got,), (expected,)
    for y, z in zip(got, expected, strict=True):
        np.testing.assert_allclose(down(backend, y), z, tolerance, tolerance, err_msg=name)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("f4")


@pytest.mark.parametrize(
    "shape, axes",
    [((3, 40), (1,)), ((2, 1500), (1,)), ((17, 5), (0,)), ((3, 6, 5), (0, 2)), ((2, 70), (0, 1))],
)
def test_reductions(engine: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    for name in ("sum", "max"):
        agree(engine, "reduce", name, floats(*shape), axes)
    assert len(cuda_reduce.reduction_plan("sum", "float32", shape, axes, True)[1]) >= 1


def test_long_rows_are_cut_and_folded_twice(engine: Any) -> None:
    steps = cuda_reduce.reduction_plan("sum", "float32", (2, 1500), (1,), True)[1]
    assert [step.kernel.name for step in steps] == [
        "reduce_sum_block4_float32",
        "reduce_sum_lanes8_float32",
    ]
    assert steps[0].blocks == 2 * -(-1500 // 64)


def test_lines_of_extremes_and_running_sums(engine: Any) -> None:
    x = floats(2, 9, 2)
    agree(engine, "arg_reduce", "argmax", x, 1)
    agree(engine, "scan", "cumsum", x, 1)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_by_warps_and_blocks(engine: Any, name: str) -> None:
    agree(engine, name, floats(3, 45), 1)
    agree(engine, name, floats(2, 9, 2), 1)
    y = getattr(NUMPY, name)(floats(3, 45), 1)
    agree(engine, f"{name}_grad", floats(3, 45), y, 1, tolerance=1e-4)


def test_norms_by_parts_and_columns(engine: Any) -> None:
    for shape in ((2, 3, 40), (20, 5)):
        x, w, b = floats(*shape), floats(shape[1]), floats(shape[1])
        agree(engine, "batch_norm", x, w, b, 1e-5)
        _, mean, var = NUMPY.batch_norm(x, None, None, 1e-5)
        agree(engine, "batch_norm_grad", floats(*shape), x, w, mean, var, 1e-5, tolerance=1e-4)
    x, w, b = floats(18, 45), floats(45), floats(45)
    agree(engine, "layer_norm", x, w, b, 1e-5)
    _, mean, rstd = NUMPY.layer_norm(x, None, None, 1e-5)
    agree(engine, "layer_norm_grad", floats(18, 45), x, w, mean, rstd, tolerance=1e-4)


def test_transposes_by_tiles(engine: Any) -> None:
    agree(engine, "transpose", floats(2, 5, 7), (0, 2, 1))
    names = {cuda_plans.copy_plan("float32", (5, 7), None, (1, 5), True).kernel.name}
    assert names == {"copy_tiles0_float32"}
