"""Products on tensor cores, simulated: fragments in their lanes, rounding, and the setting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import etude
from etude.kernels.cuda import gemm_tile, mma, toolchain

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install 'etude[cudasim]'")
RNG = np.random.default_rng(11)


def rounded(x: np.ndarray, bits: int) -> np.ndarray:
    """float32 with so many bits of fraction: halves away from zero in TF32, to even in bfloat16."""
    shift = np.uint32(23 - bits)
    half = np.uint32(1) << shift - np.uint32(1)
    even = 1 - (x.view(np.uint32) >> shift & 1) if bits == 7 else np.uint32(0)
    return ((x.view(np.uint32) + half - even.astype("uint32")) >> shift << shift).view(np.float32)


@pytest.mark.parametrize("kind, bits", [("tf32", 10), ("bf16", 7)])
@pytest.mark.parametrize(
    "size, turned_a, turned_b, m, n, k",
    [(64, False, True, 61, 63, 19), (64, True, False, 64, 60, 16), (128, False, False, 70, 68, 3)],
)
def test_a_tile_multiplies(
    kind: str, bits: int, size: int, turned_a: bool, turned_b: bool, m: int, n: int, k: int
) -> None:
    a = RNG.standard_normal((k, m) if turned_a else (m, k)).astype("float32")
    b = RNG.standard_normal((n, k) if turned_b else (k, n)).astype("float32")
    y = np.full((m, n), np.nan, "float32")
    wide = n % 4 == 0 and not (turned_a and m % 4)
    with toolchain.simulated(races=False):
        kernel = gemm_tile.gemm(f"{kind}_{size}", turned_a, turned_b, wide)
        toolchain.launch(kernel, 1, y, a, b, None, m, n, k, k, 1, 0, 0, 0, 0)
    left, right = rounded(a, bits), rounded(b, bits)
    left, right = left.T if turned_a else left, right.T if turned_b else right
    want = left.astype("float64") @ right.astype("float64")
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


def test_rounding() -> None:
    halves = np.array([1 + 2**-11, -1 - 2**-11, np.inf, -np.inf, 0.0], "float32")
    with toolchain.simulated():
        up = [mma.tf32.simulate(x) for x in halves]
        even = mma.pair.simulate(np.float32(1 + 2**-8), np.float32(1 + 3 * 2**-8))
    np.testing.assert_array_equal(up, [1 + 2**-10, -1 - 2**-10, np.inf, -np.inf, 0])
    assert mma._halves(even) == (1.0, 1 + 2**-6)
    assert np.isnan(mma.tf32.simulate(np.float32("nan")))
    assert np.isnan(mma._halves(mma.pair.simulate(np.float32("nan"), np.float32(1)))[0])


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    etude.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("restored")
def test_the_setting_is_taken_everywhere_and_off_by_default() -> None:
    assert etude.get_float32_matmul_precision() == "highest"
    x = etude.tensor([[1.0 + 2**-20, 2.0]])
    exact = (x @ x.T).item()
    for name in ("high", "medium", "highest"):
        etude.set_float32_matmul_precision(name)
        assert etude.get_float32_matmul_precision() == name
        assert (x @ x.T).item() == exact
    with pytest.raises(ValueError, match=r"expected 'highest', 'high', 'medium', got 'low'"):
        etude.set_float32_matmul_precision("low")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name, bits", [("high", 10), ("medium", 7)])
def test_the_backend_follows_the_setting(name: str, bits: int) -> None:
    from etude.backends.cuda_backend import CudaBackend

    x = RNG.standard_normal((40, 5)).astype("float32")
    kernel = RNG.standard_normal((40, 2, 1, 1)).astype("float32")
    image = RNG.standard_normal((1, 2, 5, 7)).astype("float32")
    etude.set_float32_matmul_precision(name)
    with toolchain.simulated(races=False):
        backend = CudaBackend()
        given, w, picture = (
            backend.from_host(memoryview(v), v.shape, "float32") for v in (x, kernel, image)
        )
        y = np.asarray(backend.to_host(backend.matmul(given, given, transpose_b=True)))
        z = backend.conv(picture, w, None, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
        z = np.asarray(backend.to_host(z))
    left = rounded(x, bits).astype("float64")
    np.testing.assert_allclose(y.reshape(40, 40), left @ left.T, rtol=0, atol=1e-5)
    want = rounded(kernel, bits).reshape(40, 2) @ rounded(image, bits).reshape(2, 35)
    np.testing.assert_allclose(z.reshape(40, 35), want, rtol=0, atol=1e-5)
