"""Convolution layers, plain and transposed, over one to three spatial axes."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..checks import choice, whole
from ..errors import ArgumentError, ShapeError, fail
from ..shape import int_tuple, normalize_padding
from ..tensor import Tensor
from .layer import default_init, new_parameter
from .module import Module
from .parameter import Parameter

MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """Arguments, weights and repr of all six."""

    _rank = 2
    _transposed = False
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        backend: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        op, n = type(self).__name__, self._rank
        self.in_channels = whole(op, "in_channels", in_channels)
        self.out_channels = whole(op, "out_channels", out_channels)
        self.groups = whole(op, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise fail(
                ArgumentError,
                op,
                f"expected in_channels and out_channels divisible by "
                f"groups={groups}, got {in_channels} and {out_channels}; use groups=1",
            )
        self.kernel_size = int_tuple(op, "kernel_size", kernel_size, n, 1)
        self.stride = int_tuple(op, "stride", stride, n, 1)
        self.dilation = int_tuple(op, "dilation", dilation, n, 1)
        self._pairs = normalize_padding(op, padding, self.kernel_size, self.stride, self.dilation)
        self.padding = padding if isinstance(padding, str) else tuple(lo for lo, _ in self._pairs)
        self.output_padding = int_tuple(op, "output_padding", output_padding, n, 0)
        self.padding_mode = choice(op, "padding_mode", padding_mode, MODES)
        ends = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        shape = (ends[0], ends[1] // groups, *self.kernel_size)
        self.weight = new_parameter(op, shape, dtype, backend)
        shift = new_parameter(op, (out_channels,), dtype, backend) if bias else None
        self.register_parameter("bias", shift)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        default_init(self.weight, self.bias)

    def extra_repr(self) -> str:
        """The arguments that are not the defaults."""
        n = self._rank
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        for name, default in (
            ("padding", (0,) * n),
            ("dilation", (1,) * n),
            ("output_padding", (0,) * n),
            ("groups", 1),
        ):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    """y = b + sum over c, k, l of w x, as F.conv2d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            0,
            dilation,
            groups,
            bias,
            padding_mode,
            backend,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        """The convolution (cross-correlation) of the input."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            sides = [side for pair in reversed(self._pairs) for side in pair]
            input, padding = F.pad(input, sides, self.padding_mode), 0
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self._rank - 1]
        return convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Conv):
    """Convolution of (N, C, L); see Conv2d."""

    _rank = 1


class Conv2d(_Conv):
    """Convolution (cross-correlation) of (N, in_channels, H, W), or of one image without N.

    weight: (out_channels, in_channels / groups, K, L), bias: (out_channels,), both uniform in
    +-1 / sqrt(fan_in) at first. kernel_size, stride, padding and dilation are numbers or pairs;
    padding may be "same" or "valid". padding_mode says what lies beyond the border: "zeros",
    "reflect", "replicate" (D0's copy-border) or "circular". Output size: floor((H + 2 padding
    - dilation (K - 1) - 1) / stride) + 1.

    Parameters: K L C O / groups + O (D4 counts them with the image's size; it is the kernel's).
    LeCun et al. 1989. Decks: D0, D1, D2, D3, D4.
    """


class Conv3d(_Conv):
    """Convolution of (N, C, D, H, W); see Conv2d."""

    _rank = 3


class _ConvTranspose(_ConvNd):
    """The transpose of _Conv, as F.conv_transpose2d."""

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        op = type(self).__name__
        if padding_mode != "zeros" or isinstance(padding, str):
            raise fail(
                ArgumentError,
                op,
                f"expected padding as numbers and padding_mode='zeros', got {padding!r} and "
                f"{padding_mode!r}; crop or pad the output instead",
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            bias,
            padding_mode,
            backend,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """The transposed convolution; `output_size` settles what a stride leaves open."""
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        n = self._rank
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1]
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _extra(self, x: Tensor, output_size: Any) -> tuple[int, ...]:
        """The output_padding that gives the wanted size."""
        op, n = type(self).__name__, self._rank
        wanted = tuple(output_size)[-n:]
        least = tuple(
            (size - 1) * s - 2 * p[0] + d * (k - 1) + 1
            for size, s, p, d, k in zip(
                x.shape[-n:], self.stride, self._pairs, self.dilation, self.kernel_size, strict=True
            )
        )
        extra = tuple(w - m for w, m in zip(wanted, least, strict=False))
        if len(extra) != n or any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise fail(
                ShapeError,
                op,
                f"expected output_size between {least} and {most} for input "
                f"{x.shape}, got {tuple(output_size)}; use a size between them",
            )
        return extra


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d; see ConvTranspose2d."""

    _rank = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose (gradient for the input) of Conv2d, which enlarges: also called deconvolution.

    x: (N, in_channels, H, W). weight: (in_channels, out_channels / groups, K, L). Output size:
    (H - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1. Zeiler et al. 2010.
    Decks: D1 (deconvolution, as the way from an activation back to pixels).
    """


class ConvTranspose3d(_ConvTranspose):
    """The transpose of Conv3d; see ConvTranspose2d."""

    _rank = 3
