"""True convolution, and filters that are designed rather than learned."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..checks import real
from ..dtypes import DEFAULT
from ..errors import ArgumentError, ShapeError, fail
from ..ops.checks import float_tensor
from ..ops.conv import conv2d
from ..ops.layout import expand, flip, reshape
from ..shape import int_tuple
from .regularise import pad

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "convolve2d",
    "dog_kernel",
    "filter2d",
    "gaussian_kernel",
    "mean_kernel",
    "sobel_kernels",
]

SOBEL = [[[1, 0, -1], [2, 0, -2], [1, 0, -1]], [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]]


def convolve2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """y[i, j] = sum over k, l of x[i - k, j - l] w[k, l]: convolution as mathematics has it.

    conv2d is cross-correlation, x[i + k, j + l] w[k, l], as in every framework; this turns the
    kernel by 180 degrees first. For learned kernels there is no difference, for designed ones their
    sign or direction. Arguments, shapes and errors are conv2d's. Source: Goodfellow, Bengio &
    Courville 2016, section 9.1. Decks: D2, D3.
    """
    w = float_tensor("convolve2d", weight)
    if len(w.shape) != 4:
        raise fail(
            ShapeError, "convolve2d", f"expected a weight (O, C, K, L), got {w.shape}; reshape it"
        )
    return conv2d(input, flip(w, (2, 3)), bias, stride, padding, dilation, groups)


def filter2d(input: Tensor, kernels: Tensor, mode: str = "replicate") -> Tensor:
    """Each of K kernels over each channel of (N, C, H, W), by cross-correlation: (N, C K, H, W).

    The image keeps its size; `mode` says how it goes on beyond its border, as in `pad`
    ("constant" for zeros). Args: kernels (K, L) or (M, K, L) of odd sides.
    Raises: ShapeError. Source: Gonzalez & Woods 2008, section 3.4. Decks: D1, D2 (fixed filters).
    """
    op = "filter2d"
    x, k = float_tensor(op, input), float_tensor(op, kernels)
    if len(x.shape) != 4 or len(k.shape) not in (2, 3) or any(n % 2 == 0 for n in k.shape[-2:]):
        raise fail(
            ShapeError,
            op,
            f"expected images (N, C, H, W) and kernels (K, L) or (M, K, L) of odd sides, got "
            f"{x.shape} and {k.shape}; reshape them",
        )
    high, wide = k.shape[-2:]
    count, channels = (k.shape[0] if len(k.shape) == 3 else 1), x.shape[1]
    one = reshape(k, 1, count, 1, high, wide)
    weight = reshape(expand(one, (channels, count, 1, high, wide)), channels * count, 1, high, wide)
    around = pad(x, (wide // 2, wide // 2, high // 2, high // 2), mode)
    return conv2d(around, weight, None, 1, 0, 1, channels)


def mean_kernel(size: Any = 3, dtype: Any = None, backend: Any = None) -> Tensor:
    """1 / (K L) everywhere: the filter that blurs. Returns: (K, L).

    Source: Gonzalez & Woods 2008, section 3.5. Decks: D1.
    """
    rows, columns = int_tuple("mean_kernel", "size", size, 2, 1)
    share = 1.0 / (rows * columns)
    return _tensor.full(
        (rows, columns), share, dtype=DEFAULT if dtype is None else dtype, backend=backend
    )


def sobel_kernels(dtype: Any = None, backend: Any = None) -> Tensor:
    """The derivatives along x and y, smoothed across: [1 2 1]^T [1 0 -1] and its transpose.

    As D1 prints them: `convolve2d` with the first is positive where brightness rises to the right,
    conv2d and filter2d where it falls. Returns: (2, 3, 3). Sobel & Feldman 1968. Decks: D1, D2.
    """
    return _tensor.tensor(SOBEL, dtype=DEFAULT if dtype is None else dtype, backend=backend)


def gaussian_kernel(size: Any, sigma: float, dtype: Any = None, backend: Any = None) -> Tensor:
    """exp(-(x^2 + y^2) / (2 sigma^2)) about the middle, of sum 1. Returns: (K, L); sigma in pixels.

    Raises: ArgumentError. Source: Marr & Hildreth 1980. Decks: D1.
    """
    op = "gaussian_kernel"
    rows, columns = int_tuple(op, "size", size, 2, 1)
    width = 2.0 * real(op, "sigma", sigma, open_ends="(") ** 2
    values = [
        [exp(-((i - (rows - 1) / 2) ** 2 + (j - (columns - 1) / 2) ** 2) / width)
         for j in range(columns)]
        for i in range(rows)
    ]  # fmt: skip
    total = sum(map(sum, values))
    scaled = [[v / total for v in row] for row in values]
    return _tensor.tensor(scaled, dtype=DEFAULT if dtype is None else dtype, backend=backend)


def dog_kernel(
    size: Any, sigma: float, ratio: float = 1.6, dtype: Any = None, backend: Any = None
) -> Tensor:
    """Difference of Gaussians, wide minus narrow: answers to dark blobs on a bright ground.

    gaussian_kernel(ratio * sigma) - gaussian_kernel(sigma), of sum 0; negate it for bright blobs.

    Args: sigma in pixels; ratio > 1. Returns: (K, L). Raises: ArgumentError.
    Source: Marr & Hildreth 1980 (ratio 1.6). Decks: D1.
    """
    if not ratio > 1:
        raise fail(ArgumentError, "dog_kernel", f"expected ratio > 1, got {ratio}; use 1.6")
    wide = gaussian_kernel(size, sigma * ratio, dtype, backend)
    return wide - gaussian_kernel(size, sigma, dtype, backend)
