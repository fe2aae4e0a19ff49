"""More pooling as layers; formulas, shapes and sources are at the functions of etude.functional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional as F
from ..checks import choice, real
from ..shape import int_tuple
from ..tensor import Tensor
from .module import Module
from .stateless import Stateless


class RoIPool(Stateless):
    """The maxima of a grid of cells over each region of interest; called as pool(maps, boxes).

    maps (N, C, H, W), boxes (K, 5) or a list of (L, 4): (K, C, *output_size). Girshick 2015 (Fast
    R-CNN). Decks: D3.
    """

    output_size: int | Sequence[int]
    spatial_scale: float

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float) -> None:
        int_tuple("RoIPool", "output_size", output_size, 2, 1)
        real("RoIPool", "spatial_scale", spatial_scale, open_ends="(")
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    def forward(self, input: Tensor, boxes: Tensor | Sequence[Tensor]) -> Tensor:
        """(K, C, *output_size)."""
        return F.roi_pool(input, boxes, self.output_size, self.spatial_scale)


class SpatialPyramidPool(Stateless):
    """Pool (N, C, H, W) of any H, W to (N, C * sum of n^2), n by n cells for each of `levels`.

    He et al. 2014 (SPPnet). Decks: D3.
    """

    levels: Sequence[int]
    mode: str

    def __init__(self, levels: Sequence[int] = (4, 2, 1), mode: str = "max") -> None:
        for n in levels:
            int_tuple("SpatialPyramidPool", "levels", n, 1, 1)
        choice("SpatialPyramidPool", "mode", mode, ("max", "avg"))
        super().__init__(levels=tuple(levels), mode=mode)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C * sum of n^2)."""
        return F.spatial_pyramid_pool(input, self.levels, self.mode)


class _AdaptiveMaxPool(Module):
    """Max pooling to a given size."""

    _rank = 2

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,)
        known = tuple(1 if n is None else n for n in sizes)
        int_tuple(type(self).__name__, "output_size", known, self._rank, 1)
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        """The pooled input, and with return_indices where each value came from."""
        pool = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
        return pool[self._rank - 1](input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maxima of (N, C, L) at a given length."""

    _rank = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maxima of (N, C, H, W) at a given size; 1 is global max pooling, None keeps an axis.

    Source: He et al. 2014 (SPPnet), section 2.2. Decks: none by name; D3's RoI pooling, of a whole
    map.
    """


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The maxima of (N, C, D, H, W) at a given size."""

    _rank = 3


class _LPPool(Module):
    """(sum of x^p)^(1/p) over each window."""

    _rank = 2

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        op, n = type(self).__name__, self._rank
        int_tuple(op, "kernel_size", kernel_size, n, 1)
        int_tuple(op, "stride", kernel_size if stride is None else stride, n, 1)
        self.norm_type = real(op, "norm_type", norm_type, open_ends="(")
        self.kernel_size, self.stride, self.ceil_mode = kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The pooled input."""
        pool = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[self._rank - 1]
        return pool(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(sum of x^p)^(1/p) over each window of (N, C, L)."""

    _rank = 1


class LPPool2d(_LPPool):
    """(sum of x^p)^(1/p) over each window of (N, C, H, W): L2 pooling with norm_type=2.

    Sermanet, Chintala & LeCun 2012. Decks: D1.
    """


class LPPool3d(_LPPool):
    """(sum of x^p)^(1/p) over each window of (N, C, D, H, W)."""

    _rank = 3


class _MaxUnpool(Module):
    """Maxima back where they came from, zeros elsewhere."""

    _rank = 2

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        op, n = type(self).__name__, self._rank
        self.kernel_size = int_tuple(op, "kernel_size", kernel_size, n, 1)
        self.stride = self.kernel_size if stride is None else int_tuple(op, "stride", stride, n, 1)
        self.padding = int_tuple(op, "padding", padding, n, 0)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """The unpooled input."""
        unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[self._rank - 1]
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """MaxPool1d(return_indices=True) undone; called as unpool(maxima, indices)."""

    _rank = 1


class MaxUnpool2d(_MaxUnpool):
    """MaxPool2d(return_indices=True) undone, for deconvolution views; unpool(maxima, indices).

    Maxima and indices (N, C, H, W). Zeiler & Fergus 2014, section 2.1. Decks: D1.
    """


class MaxUnpool3d(_MaxUnpool):
    """MaxPool3d(return_indices=True) undone; called as unpool(maxima, indices)."""

    _rank = 3


class L2Normalize(Stateless):
    """x / max(|x|_2, eps) along `dim`: each vector on the unit sphere, as siamese networks compare.

    Any shape, float; Liu, Rabinovich & Berg 2015 (ParseNet), section 3.3; F.normalize.
    Decks: D3.
    """

    dim: int
    eps: float

    def __init__(self, dim: int = 1, eps: float = 1e-12) -> None:
        super().__init__(dim=dim, eps=real("L2Normalize", "eps", eps))

    def forward(self, input: Tensor) -> Tensor:
        """The input's shape."""
        return F.normalize(input, 2.0, self.dim, self.eps)
