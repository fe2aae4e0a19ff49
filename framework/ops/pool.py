"""Pooling over windows, in one to three spatial dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, Pairs, Shape

from .. import tensor as _tensor
from ..autograd import Op, Spec, apply, apply_multi
from ..dtypes import int64
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..shape import int_tuple, window_counts
from .layout import reshape

if TYPE_CHECKING:
    from ..tensor import Tensor


class MaxPool(Op):
    """(values, flat positions in the input plane)."""

    outputs = 2
    keeps_output = True

    def __init__(
        self, name: str, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> None:
        self.name = name
        self.geometry = (kernel, stride, padding, dilation)

    def infer(self, *inputs: Any) -> tuple[Spec, Spec]:
        (x,) = inputs
        shape = (*x.shape[:2], *window_counts(self.name, x.shape[2:], *self.geometry))
        return (shape, x.dtype), (shape, int64)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer]:
        return backend.max_pool(buffers[0], *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(MaxPoolGrad(inputs[0].shape), g[0], y[1]),)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(outputs[0][0]) * prod(self.geometry[0])


class MaxPoolGrad(Op):
    """g added into zeros at the given positions of each plane; also max-unpooling."""

    name = "max_pool_grad"

    def __init__(self, x_shape: Shape) -> None:
        self.x_shape = x_shape

    def infer(self, *inputs: Any) -> Spec:
        return self.x_shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.max_pool_grad(buffers[0], buffers[1], self.x_shape)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, None]:
        return apply(MaxPoolPick(), g, inputs[1]), None


class MaxPoolPick(Op):
    """The elements of each plane at the given positions."""

    name = "max_pool_pick"

    def infer(self, *inputs: Any) -> Spec:
        return inputs[1].shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.max_pool_pick(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, None]:
        return apply(MaxPoolGrad(inputs[0].shape), g, inputs[1]), None


class SumPool(Op):
    """scale * the sum of each zero-padded window."""

    def __init__(
        self, name: str, kernel: Shape, stride: Shape, padding: Pairs, scale: float
    ) -> None:
        self.name = name
        self.geometry = (kernel, stride, padding, scale)

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        kernel, stride, padding, _ = self.geometry
        ones = (1,) * len(kernel)
        counts = window_counts(self.name, x.shape[2:], kernel, stride, padding, ones)
        return (*x.shape[:2], *counts), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.sum_pool(buffers[0], *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(SumPoolGrad(self.name, inputs[0].shape, *self.geometry), g),)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(outputs[0][0]) * prod(self.geometry[0])


class SumPoolGrad(Op):
    """The transpose of SumPool."""

    def __init__(
        self, name: str, x_shape: Shape, kernel: Shape, stride: Shape, padding: Pairs, scale: float
    ) -> None:
        self.name, self.x_shape = name, x_shape
        self.geometry = (kernel, stride, padding, scale)

    def infer(self, *inputs: Any) -> Spec:
        return self.x_shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.sum_pool_grad(buffers[0], self.x_shape, *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(SumPool(self.name, *self.geometry), g),)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(inputs[0][0]) * prod(self.geometry[0])


def _windows(
    op: str,
    x: Tensor,
    rank: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[Shape, Shape, Pairs, Shape]:
    """Check pooling arguments; ceil_mode becomes extra padding behind."""
    letters = ", ".join("DHW"[-rank:])
    if len(x.shape) not in (rank + 1, rank + 2):
        raise fail(
            ShapeError,
            op,
            f"expected x (N, C, {letters}) or (C, {letters}), got {x.shape}; "
            "reshape or unsqueeze it",
        )
    kernel = int_tuple(op, "kernel_size", kernel_size, rank, 1)
    empty = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    steps = kernel if empty else int_tuple(op, "stride", stride, rank, 1)
    pads = int_tuple(op, "padding", padding, rank, 0)
    spread = int_tuple(op, "dilation", dilation, rank, 1)
    if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise fail(
            ArgumentError,
            op,
            f"expected padding at most half the kernel {kernel}, got {pads}; "
            "use less, or pad the input first",
        )
    pairs = []
    for n, k, s, p, d in zip(x.shape[-rank:], kernel, steps, pads, spread, strict=True):
        extra = 0
        if ceil_mode:
            span = n + 2 * p - d * (k - 1) - 1
            count = -(-span // s) + 1
            if (count - 1) * s >= n + p:
                count -= 1
            extra = max((count - 1) * s - span, 0)
        pairs.append((p, p + extra))
    return kernel, steps, tuple(pairs), spread


def _batched(x: Tensor, rank: int) -> Tensor:
    return x.unsqueeze(0) if len(x.shape) == rank + 1 else x


def max_pool(
    rank: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    """Max pooling of any rank."""
    op = f"max_pool{rank}d"
    geometry = _windows(op, input, rank, kernel_size, stride, padding, dilation, ceil_mode)
    y, at = apply_multi(MaxPool(op, *geometry), _batched(input, rank))
    if len(input.shape) == rank + 1:
        y, at = y.squeeze(0), at.squeeze(0)
    return (y, at) if return_indices else y


def avg_pool(
    rank: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """Average pooling of any rank."""
    op = f"avg_pool{rank}d"
    if not input.dtype.is_floating_point:
        raise fail(
            DTypeError, op, f"expected a float tensor, got {input.dtype}; convert it with .float()"
        )
    if divisor_override is not None and divisor_override == 0:
        raise fail(
            ArgumentError, op, "expected a divisor_override other than 0, got 0; use None for none"
        )
    kernel, steps, pairs, _ = _windows(op, input, rank, kernel_size, stride, padding, 1, ceil_mode)
    x = _batched(input, rank)
    padded = any(lo for lo, _ in pairs)
    ragged = any(hi != lo for lo, hi in pairs)
    if divisor_override is not None or not (ragged or (padded and not count_include_pad)):
        scale = 1.0 / (divisor_override or prod(kernel))
        y = apply(SumPool(op, kernel, steps, pairs, scale), x)
    else:
        total = apply(SumPool(op, kernel, steps, pairs, 1.0), x)
        y = total / _window_sizes(op, x, kernel, steps, pairs, count_include_pad)
    return y.squeeze(0) if len(input.shape) == rank + 1 else y


def _window_sizes(
    op: str, x: Tensor, kernel: Shape, steps: Shape, pairs: Pairs, count_include_pad: bool
) -> Tensor:
    """How many elements of the (padded) input each window covers, (1, 1, *out)."""
    size, pads = x.shape[2:], pairs
    if count_include_pad:
        size = tuple(n + 2 * lo for n, (lo, _) in zip(size, pairs, strict=True))
        pads = tuple((0, hi - lo) for lo, hi in pairs)
    ones = _tensor.ones((1, 1, *size), dtype=x.dtype, backend=x.backend)
    return apply(SumPool(op, kernel, steps, pads, 1.0), ones)


def adaptive_avg_pool(rank: int, input: Tensor, output_size: Any) -> Tensor:
    """Average over windows floor(i n / m) ... ceil((i + 1) n / m), i = 0 ... m - 1, per axis."""
    op = f"adaptive_avg_pool{rank}d"
    if len(input.shape) not in (rank + 1, rank + 2):
        raise fail(
            ShapeError,
            op,
            f"expected {rank + 1} or {rank + 2} axes, got {input.shape}; reshape or unsqueeze it",
        )
    sizes = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * rank
    if len(sizes) == rank:
        sizes = [n if m is None else m for n, m in zip(input.shape[-rank:], sizes, strict=True)]
    out = int_tuple(op, "output_size", tuple(sizes), rank, 0)
    size = input.shape[-rank:]
    if all(m and n % m == 0 and n for n, m in zip(size, out, strict=True)):
        kernel = tuple(n // m for n, m in zip(size, out, strict=True))
        return avg_pool(rank, input, kernel, kernel, 0, False, True, None)
    y = input
    for axis, (n, m) in enumerate(zip(size, out, strict=True), len(input.shape) - rank):
        y = (y.movedim(axis, -1) @ _averages(n, m, input)).movedim(-1, axis)
    return y


def _averages(n: int, m: int, like: Tensor) -> Tensor:
    """The (n, m) matrix whose column i averages window i."""
    rows = []
    for i in range(n):
        bounds = [(j * n // m, -(-(j + 1) * n // m)) for j in range(m)]
        rows.append([1.0 / (hi - lo) if lo <= i < hi else 0.0 for lo, hi in bounds])
    flat = [v for row in rows for v in row]
    return reshape(_tensor.tensor(flat, dtype=like.dtype, backend=like.backend), n, m)
