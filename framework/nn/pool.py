"""Pooling layers over one to three spatial axes."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..errors import ArgumentError, fail
from ..shape import int_tuple
from ..tensor import Tensor
from .module import Module


class _Pool(Module):
    """The window that max and average pooling share."""

    _rank = 2

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> None:
        super().__init__()
        op, n = type(self).__name__, self._rank
        kernel = int_tuple(op, "kernel_size", kernel_size, n, 1)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        int_tuple(op, "stride", self.stride, n, 1)
        pads = int_tuple(op, "padding", padding, n, 0)
        if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
            raise fail(
                ArgumentError,
                op,
                f"expected padding at most half the kernel_size {kernel}, "
                f"got {pads}; pad the input with F.pad for more",
            )


class _MaxPool(_Pool):
    """The largest element of each window."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        int_tuple(type(self).__name__, "dilation", dilation, self._rank, 1)
        self.dilation, self.return_indices = dilation, return_indices

    def forward(self, input: Tensor) -> Any:
        """The pooled input, and with return_indices where each value came from."""
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[self._rank - 1]
        return pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window of (N, C, L); see MaxPool2d."""

    _rank = 1


class MaxPool2d(_MaxPool):
    """The largest element of each window of (N, C, H, W); stride defaults to kernel_size.

    A stride below the kernel's size gives overlapping pooling (AlexNet). Output size:
    floor((H + 2 padding - dilation (K - 1) - 1) / stride) + 1, or its ceiling with ceil_mode.
    Riesenhuber & Poggio 1999. Decks: D1, D2 (overlapping), D3, D4.
    """


class MaxPool3d(_MaxPool):
    """The largest element of each window of (N, C, D, H, W); see MaxPool2d."""

    _rank = 3


class _AvgPool(_Pool):
    """The mean of each window."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The pooled input."""
        pool = F.avg_pool2d if self._rank == 2 else F.avg_pool3d
        return pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """The arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of each window of (N, C, L); see AvgPool2d."""

    _rank = 1

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.kernel_size, self.stride, self.padding = (
            int_tuple("AvgPool1d", "kernel_size", v, 1, 0)
            for v in (self.kernel_size, self.stride, padding)
        )

    def forward(self, input: Tensor) -> Tensor:
        """The pooled input."""
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W); stride defaults to kernel_size.

    Padding counts as zeros unless count_include_pad is False; divisor_override replaces the number
    of elements that the sum is divided by. LeCun et al. 1998. Decks: D4.
    """


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W); see AvgPool2d."""

    _rank = 3


class _AdaptiveAvgPool(Module):
    """Average pooling to a given size."""

    _rank = 2

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        op = type(self).__name__
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,)
        int_tuple(op, "output_size", tuple(1 if n is None else n for n in sizes), self._rank, 1)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """The pooled input."""
        pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[self._rank - 1]
        return pool(input, self.output_size)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Average (N, C, L) down to a given length."""

    _rank = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Average (N, C, H, W) down to a size; 1 is global average pooling, None keeps an axis.

    Global: Lin et al. 2014 (Network in network). Decks: none by name; D4's mean
    pooling, over the whole map.
    """


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Average (N, C, D, H, W) down to a given size."""

    _rank = 3
