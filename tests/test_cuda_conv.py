"""The CUDA backend's convolutions, simulated, beside NumPy's; and how products are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from etude.backends.base import Backend
from etude.kernels.cuda import conv, conv_weight, toolchain
from etude.kernels.cuda.divide import divisor

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(8)

# x, w, stride, padding, dilation, groups
CONVS: dict[str, tuple[Any, ...]] = {
    "3x3 pad": ((2, 3, 5, 6), (4, 3, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "uneven": ((1, 2, 7, 5), (3, 2, 2, 3), (2, 3), ((2, 0), (0, 1)), (1, 2), 1),
    "strides leave rows": ((1, 2, 6, 6), (3, 2, 1, 1), (2, 3), ((0, 0), (0, 0)), (1, 1), 1),
    "dilated with a stride": ((1, 2, 8, 7), (2, 2, 3, 2), (2, 2), ((1, 1), (1, 0)), (2, 3), 1),
    "groups": ((2, 4, 4, 4), (6, 2, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2),
    "depthwise": ((2, 3, 5, 4), (6, 1, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 3),
    "depthwise strided": ((1, 4, 6, 7), (4, 1, 3, 2), (2, 2), ((1, 0), (0, 1)), (1, 2), 4),
    "one axis": ((2, 3, 9), (4, 3, 3), (2,), ((1, 1),), (1,), 1),
    "many channels": ((1, 33, 3, 3), (36, 33, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
}


@pytest.fixture(scope="module")
def backends() -> Any:
    """(simulated CUDA, NumPy)."""
    from etude.backends.cuda_backend import CudaBackend
    from etude.backends.numpy_backend import NumpyBackend

    with toolchain.simulated(races=False):
        yield CudaBackend(), NumpyBackend()


def given(backend: Backend, x: np.ndarray) -> Any:
    return backend.from_host(memoryview(np.ascontiguousarray(x)), x.shape, str(x.dtype))


def array(backend: Backend, y: Any) -> np.ndarray:
    return np.asarray(backend.to_host(y)).reshape(tuple(y.shape))


def both(backends: Any, method: str, arrays: list[np.ndarray | None], *rest: Any) -> None:
    """The method's results agree; the inputs are given as float32."""
    results = []
    for backend in backends:
        buffers = [None if x is None else given(backend, x) for x in arrays]
        results.append(array(backend, getattr(backend, method)(*buffers, *rest)))
    mine, want = results
    assert mine.shape == want.shape
    np.testing.assert_allclose(mine, want, rtol=0, atol=3e-5)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


@pytest.mark.parametrize("name", CONVS)
def test_a_convolution_and_its_gradients(backends: Any, name: str) -> None:
    x_shape, w_shape, *rest = CONVS[name]
    x, w = normal(*x_shape), normal(*w_shape)
    both(backends, "conv", [x, w, None], *rest)
    numpy = backends[1]
    y = numpy.conv(given(numpy, x), given(numpy, w), None, *rest)
    g = normal(*y.shape)
    both(backends, "conv_input_grad", [g, w], x_shape, *rest)
    both(backends, "conv_weight_grad", [x, g], w_shape, *rest)


@pytest.mark.parametrize("groups, activation", [(1, "relu"), (2, None), (4, "tanh")])
def test_a_bias_and_an_activation(backends: Any, groups: int, activation: str | None) -> None:
    x, w, b = normal(1, 4, 3, 4), normal(4, 4 // groups, 3, 3), normal(4)
    geometry = (1, 1), ((1, 1), (1, 1)), (1, 1), groups
    both(backends, "conv", [x, w, b], *geometry, activation)


def test_a_deep_convolution_is_summed_in_parts(backends: Any) -> None:
    x, w, b = normal(1, 260, 2, 2), normal(3, 260, 1, 1), normal(3)
    geometry = (1, 1), ((0, 0), (0, 0)), (1, 1), 1
    both(backends, "conv", [x, w, b], *geometry, "relu")
    both(
        backends,
        "conv_input_grad",
        [normal(1, 260, 2, 2), normal(260, 3, 1, 1)],
        (1, 3, 2, 2),
        *geometry,
    )


def test_taps_too_far_for_a_table_go_by_the_defaults(backends: Any) -> None:
    x, w, g = normal(1, 1, 40010), normal(1, 1, 2), normal(1, 1, 10)
    geometry = (1,), ((0, 0),), (40000,), 1
    both(backends, "conv", [x, w, None], *geometry)
    both(backends, "conv_weight_grad", [x, g], w.shape, *geometry)


def test_a_weight_gradient_is_summed_in_parts(backends: Any) -> None:
    x, g = normal(2, 1, 12, 12), normal(2, 2, 12, 12)
    both(backends, "conv_weight_grad", [x, g], (2, 1, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1)


def test_no_infinite_weight_meets_a_padded_zero(backends: Any) -> None:
    """The depth is filled up to whole tiles; what fills it must not make nan of inf."""
    x, w = normal(1, 1, 2, 2), np.full((2, 1, 1, 1), np.inf, "float32")
    x = np.abs(x) + 1
    both(backends, "conv", [x, w, None], (1, 1), ((0, 0), (0, 0)), (1, 1), 1)


@pytest.mark.parametrize("size", ["small", "c32", "c64", "c128"])
def test_large_tiles_convolve(backends: Any, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from etude.backends import cuda_conv_plans as plans

    monkeypatch.setattr(plans, "tile_for", lambda m, pixels, kind: size)
    plans.forward_plan.cache_clear()
    x, w = normal(1, 1, 4, 8), normal(3, 1, 3, 3)
    both(backends, "conv", [x, w, None], (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    plans.forward_plan.cache_clear()


@pytest.mark.parametrize("size", ["small", "c64"])
def test_large_tiles_sum_a_weight_gradient(size: str) -> None:
    x, g, table = normal(1, 1, 4, 6), normal(1, 3, 4, 6), []
    for r in range(3):
        for s in range(3):
            table += [(r - 1) * 6 + s - 1, (r - 1) * 65536 + (s - 1 & 0xFFFF)]
    gw = np.full((2, 3, 9), np.nan, "float32")
    with toolchain.simulated():
        sizes = (3, 9, 24, 16, 72, 72, 24, 24, 4, 6, 1, 1, 24, *divisor(24), 6, *divisor(6))
        kernel = conv_weight.conv_weight(size, False)
        toolchain.launch(kernel, (1, 2), gw, g, x, np.array(table, "int32"), *sizes)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x[0, 0], 1), (3, 3))
    want = np.einsum("ouv,uvrs->ors", g[0], windows).reshape(3, 9)
    np.testing.assert_allclose(gw.sum(0), want, rtol=0, atol=1e-5)


def test_the_naive_convolution() -> None:
    x, w, y = normal(2, 2, 4, 5), normal(3, 2, 3, 2), np.full((2, 3, 2, 6), np.nan, "float32")
    with toolchain.simulated():
        sizes = (2, 3, 4, 5, 2, 6, 3, 2, 2, 1, 1, 1, 1, 1)
        toolchain.launch(conv.naive(), (1, 1, 6), y, x, w, *sizes)
    padded = np.pad(x.astype("float64"), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), (2, 3))[:, :, ::2]
    np.testing.assert_allclose(y, np.einsum("ncuvrs,ocrs->nouv", windows, w), rtol=0, atol=1e-5)


MATMULS: dict[str, tuple[Any, ...]] = {
    "plain": ((5, 7), (7, 6), False, False),
    "both turned": ((7, 5), (6, 7), True, True),
    "batch": ((2, 3, 4), (2, 4, 5), False, False),
    "one left matrix": ((3, 4), (2, 2, 4, 5), False, False),
    "crossed": ((2, 1, 3, 4), (1, 3, 5, 4), False, True),
    "three steps": ((2, 1, 2, 3, 4), (1, 2, 1, 4, 5), False, False),
    "parts": ((3, 260), (260, 4), False, False),
    "no depth": ((3, 0), (0, 4), False, False),
    "middle": ((34, 3), (3, 36), False, False),
    "crossed tiles": ((2, 1, 5, 24), (1, 2, 19, 24), False, True),
}


@pytest.mark.parametrize("name", MATMULS)
def test_products_of_any_leading_axes(backends: Any, name: str) -> None:
    a, b, *flags = MATMULS[name]
    both(backends, "matmul", [normal(*a), normal(*b)], *flags)


@pytest.mark.parametrize("activation", [None, "relu", "gelu", "sigmoid", "cos"])
def test_an_affine_layer(backends: Any, activation: str | None) -> None:
    both(backends, "linear", [normal(3, 5), normal(4, 5), normal(4)], activation)


def test_an_affine_layer_in_parts(backends: Any) -> None:
    both(backends, "linear", [normal(3, 260), normal(4, 260), normal(4)], "tanh")
