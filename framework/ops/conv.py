"""Convolution and its two gradients: three ops, each the derivative of another, for any rank."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, Pairs, Shape

from ..autograd import Op, Spec, apply, needs
from ..errors import ArgumentError, ShapeError, fail
from ..guard import came
from ..shape import int_tuple, normalize_padding, window_counts
from .layout import Pad
from .matmul import _same_float
from .reduce import sum_

if TYPE_CHECKING:
    from ..tensor import Tensor


class ConvOp(Op):
    """What the three share: geometry, names and cost."""

    def __init__(
        self, name: str, stride: Shape, padding: Pairs, dilation: Shape, groups: int
    ) -> None:
        self.name = name
        self.geometry = (stride, padding, dilation, groups)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        """2 * N * O * L * (C / groups) * prod(kernel), for the forward pass and both gradients."""
        return self._macs(inputs, outputs) * 2

    @abstractmethod
    def _macs(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        """Multiply-adds."""


class Conv(ConvOp):
    """y (N, O, *out) from x (N, C, *S), w (O, C/groups, *K) and perhaps b (O,)."""

    def infer(self, *inputs: Any) -> Spec:
        x, w = inputs[:2]
        stride, padding, dilation, groups = self.geometry
        rank, letters = len(stride), "DHW"[-len(stride) :]
        sizes = ", ".join(letters)
        if len(w.shape) != rank + 2:
            raise fail(
                ShapeError,
                self.name,
                f"expected a weight (O, C/groups, {sizes}), got {w.shape}; give it {rank + 2} axes",
            )
        if len(x.shape) != rank + 2:
            raise fail(
                ShapeError,
                self.name,
                f"expected x (N, {w.shape[1] * groups}, {sizes}) for weight "
                f"{w.shape}, got {x.shape}; reshape x to {rank + 2} axes",
            )
        if x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
            fix = (
                "use in_channels=1 or convert to RGB"
                if x.shape[1] == 1
                else (f"use in_channels={x.shape[1]}")
            )
            also = f" and groups={groups}, which divide both channel counts" if groups > 1 else ""
            raise fail(
                ShapeError,
                self.name,
                f"expected x (N, {w.shape[1] * groups}, {sizes}) for weight {w.shape}{also}, "
                f"got {x.shape}; {fix}",
            )
        if len(inputs) == 3 and inputs[2].shape != w.shape[:1]:
            raise fail(
                ShapeError,
                self.name,
                f"expected a bias ({w.shape[0]},) for weight {w.shape}, got {inputs[2].shape}; "
                "give it one number for each output channel",
            )
        counts = window_counts(self.name, x.shape[2:], w.shape[2:], stride, padding, dilation)
        return (x.shape[0], w.shape[0], *counts), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        bias = buffers[2] if len(buffers) == 3 else None
        return backend.conv(buffers[0], buffers[1], bias, *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, ...]:
        x, w = inputs[:2]
        gx = apply(ConvInputGrad(self.name, *self.geometry, x.shape), g, w) if needs(x) else None
        gw = apply(ConvWeightGrad(self.name, *self.geometry, w.shape), x, g) if needs(w) else None
        if len(inputs) == 2:
            return gx, gw
        axes = (0, *range(2, len(g.shape)))
        return gx, gw, sum_(g, axes) if needs(inputs[2]) else None

    def _macs(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(outputs[0][0]) * prod(inputs[1][0][1:])


class ConvInputGrad(ConvOp):
    """The gradient for x from g (N, O, *out) and w; also the transposed convolution."""

    def __init__(
        self, name: str, stride: Shape, padding: Pairs, dilation: Shape, groups: int, x_shape: Shape
    ) -> None:
        super().__init__(name, stride, padding, dilation, groups)
        self.x_shape = x_shape

    def infer(self, *inputs: Any) -> Spec:
        return self.x_shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.conv_input_grad(buffers[0], buffers[1], self.x_shape, *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, Tensor | None]:
        h, w = inputs
        gh = apply(Conv(self.name, *self.geometry), g, w) if needs(h) else None
        gw = apply(ConvWeightGrad(self.name, *self.geometry, w.shape), g, h) if needs(w) else None
        return gh, gw

    def _macs(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(inputs[0][0]) * prod(inputs[1][0][1:])


class ConvWeightGrad(ConvOp):
    """The gradient for w from x and g (N, O, *out)."""

    def __init__(
        self, name: str, stride: Shape, padding: Pairs, dilation: Shape, groups: int, w_shape: Shape
    ) -> None:
        super().__init__(name, stride, padding, dilation, groups)
        self.w_shape = w_shape

    def infer(self, *inputs: Any) -> Spec:
        return self.w_shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.conv_weight_grad(buffers[0], buffers[1], self.w_shape, *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, Tensor | None]:
        x, h = inputs
        gx = apply(ConvInputGrad(self.name, *self.geometry, x.shape), h, g) if needs(x) else None
        gh = apply(Conv(self.name, *self.geometry), x, g) if needs(h) else None
        return gx, gh

    def _macs(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(inputs[1][0]) * prod(self.w_shape[1:])


def _conv(
    name: str,
    rank: int,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    strides = int_tuple(name, "stride", stride, rank, 1)
    dilations = int_tuple(name, "dilation", dilation, rank, 1)
    _check_groups(name, groups)
    kernel = tuple(weight.shape[2:])
    pairs = normalize_padding(
        name, padding, kernel if len(kernel) == rank else (1,) * rank, strides, dilations
    )
    given = [x, weight] if bias is None else [x, weight, bias]
    given = _same_float(name, *given)
    single = len(x.shape) == rank + 1
    if single:
        given[0] = given[0].unsqueeze(0)
    y = apply(Conv(name, strides, pairs, dilations, groups), *given)
    return y.squeeze(0) if single else y


def _check_groups(name: str, groups: Any) -> None:
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise fail(
            ArgumentError, name, f"expected groups >= 1, got {came(groups)}; use 1 for one group"
        )


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, L) with (O, C/groups, K)."""
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, H, W) with (O, C/groups, K, L).

    y[n, o, i, j] = b[o] + sum_{c,k,l} w[o,c,k,l] x[n, c, i*stride - pad + k*dilation, ...]

    Output size: floor((H + 2 pad - dilation (K - 1) - 1) / stride) + 1. `padding` is a number, a
    pair, "valid" or "same". A true (flipped) convolution is `conv2d(x, w.flip(-2, -1))`.
    LeCun et al. 1989. Decks: D0, D1, D2, D3, D4.
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, D, H, W) with (O, C/groups, *K)."""
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    name: str,
    rank: int,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    s = int_tuple(name, "stride", stride, rank, 1)
    d = int_tuple(name, "dilation", dilation, rank, 1)
    p = int_tuple(name, "padding", padding, rank, 0)
    extra = int_tuple(name, "output_padding", output_padding, rank, 0)
    _check_groups(name, groups)
    if any(e >= max(a, b) for e, a, b in zip(extra, s, d, strict=True)):
        raise fail(
            ArgumentError,
            name,
            f"expected output_padding smaller than stride {s} or dilation {d}, got {extra}; "
            "use a smaller output_padding",
        )
    single = len(x.shape) == rank + 1
    given = _same_float(name, *([x, weight] if bias is None else [x, weight, bias]))
    h = given[0].unsqueeze(0) if single else given[0]
    if (
        len(weight.shape) != rank + 2
        or len(h.shape) != rank + 2
        or h.shape[1] != weight.shape[0]
        or (h.shape[1] % groups)
    ):
        letters = ", ".join("DHW"[-rank:])
        raise fail(
            ShapeError,
            name,
            f"expected x (N, C, {letters}) and weight (C, O/groups, {letters}) with C divisible by "
            f"groups={groups}, got {x.shape} and {weight.shape}; give both the same C",
        )
    size = tuple(
        (n - 1) * a - 2 * b + c * (k - 1) + e + 1
        for n, a, b, c, k, e in zip(h.shape[2:], s, p, d, weight.shape[2:], extra, strict=True)
    )
    if any(n <= 0 for n in size):
        raise fail(
            ShapeError, name, f"expected an output of sizes > 0, got {size}; use less padding"
        )
    # What output_padding adds is cropped less at the end; what reaches beyond the sum is zero.
    pairs = tuple((b, max(b - e, 0)) for b, e in zip(p, extra, strict=True))
    beyond = tuple(max(e - b, 0) for b, e in zip(p, extra, strict=True))
    inner = tuple(n - e for n, e in zip(size, beyond, strict=True))
    shape = (h.shape[0], weight.shape[1] * groups, *inner)
    y = apply(ConvInputGrad(name, s, pairs, d, groups, shape), h, given[1])
    if any(beyond):
        y = apply(Pad(((0, 0), (0, 0), *((0, e) for e in beyond)), 0.0), y)
    if bias is not None:
        if given[2].shape != shape[1:2]:
            raise fail(
                ShapeError,
                name,
                f"expected a bias ({shape[1]},), got {bias.shape}; "
                "give it one number for each output channel",
            )
        y = y + given[2].reshape(-1, *(1,) * rank)
    return y.squeeze(0) if single else y


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv1d: weight (C, O/groups, K)."""
    return _conv_transpose(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv2d: weight (C, O/groups, K, L); size (H-1) stride - 2 pad + K + more.

    x (N, C, H, W) -> (N, O, ...): what conv2d's backward does to its input. Zeiler et al. 2010.
    Decks: D1 (deconvolution, as the way from an activation back to pixels).
    """
    return _conv_transpose(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv3d: weight (C, O/groups, *K)."""
    return _conv_transpose(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )
