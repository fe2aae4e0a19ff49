"""Sliding windows as columns, and columns added back: im2col and col2im, each other's transpose."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, Pairs, Shape

from ..autograd import Spec, apply
from ..errors import ShapeError, fail
from ..shape import int_tuple, window_counts
from .layout import Movement

if TYPE_CHECKING:
    from ..tensor import Tensor


class Unfold(Movement):
    """Columns (N, C prod(kernel), L) of the windows of x (N, C, *S)."""

    name = "unfold"

    def __init__(self, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> None:
        self.geometry = (kernel, stride, padding, dilation)

    def infer(self, *inputs: Any) -> Spec:
        (x,) = inputs
        counts = window_counts(self.name, x.shape[2:], *self.geometry)
        return (x.shape[0], x.shape[1] * prod(self.geometry[0]), prod(counts)), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.unfold(buffers[0], *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(Fold(inputs[0].shape, *self.geometry), g),)


class Fold(Movement):
    """The sum of columns (N, C prod(kernel), L) at their places in zeros (N, C, *S)."""

    name = "fold"

    def __init__(
        self, shape: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
    ) -> None:
        self.shape = shape
        self.geometry = (kernel, stride, padding, dilation)

    def infer(self, *inputs: Any) -> Spec:
        (columns,) = inputs
        counts = window_counts(self.name, self.shape[2:], *self.geometry)
        expected = (self.shape[0], self.shape[1] * prod(self.geometry[0]), prod(counts))
        if columns.shape != expected:
            raise fail(
                ShapeError,
                self.name,
                f"expected columns {expected} for output_size {self.shape[2:]} with "
                f"{counts} windows, got {columns.shape}; "
                "check kernel_size, stride and padding",
            )
        return self.shape, columns.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.fold(buffers[0], self.shape, *self.geometry)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(Unfold(*self.geometry), g),)


def _geometry(op: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    k = int_tuple(op, "kernel_size", kernel, 2, 1)
    d = int_tuple(op, "dilation", dilation, 2, 1)
    p = int_tuple(op, "padding", padding, 2, 0)
    s = int_tuple(op, "stride", stride, 2, 1)
    return k, s, tuple((n, n) for n in p), d


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The windows of x (N, C, H, W) as columns (N, C K L, windows), zero padded.

    Row c K L + k L + l holds element (k, l) of the windows over channel c (torch.nn.Unfold).
    """
    geometry = _geometry("unfold", kernel_size, dilation, padding, stride)
    if len(input.shape) not in (3, 4):
        raise fail(
            ShapeError,
            "unfold",
            f"expected x (N, C, H, W) or (C, H, W), got {input.shape}; reshape or unsqueeze it",
        )
    x = input if len(input.shape) == 4 else input.unsqueeze(0)
    y = apply(Unfold(*geometry), x)
    return y if x is input else y.squeeze(0)


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """The transpose of `unfold`: columns (N, C K L, windows) added up to (N, C, *output_size)."""
    geometry = _geometry("fold", kernel_size, dilation, padding, stride)
    size = int_tuple("fold", "output_size", output_size, 2, 1)
    area = prod(geometry[0])
    if len(input.shape) not in (2, 3) or input.shape[-2] % area:
        raise fail(
            ShapeError,
            "fold",
            f"expected columns (N, C * {area}, windows) or (C * {area}, windows), "
            f"got {input.shape}; "
            "reshape the columns",
        )
    x = input if len(input.shape) == 3 else input.unsqueeze(0)
    y = apply(Fold((x.shape[0], x.shape[1] // area, *size), *geometry), x)
    return y if x is input else y.squeeze(0)
