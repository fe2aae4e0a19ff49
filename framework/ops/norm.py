"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from ..autograd import Op, Spec, apply_multi, no_grad
from ..errors import ArgumentError, ShapeError, fail
from .checks import check_parameters, float_tensor

if TYPE_CHECKING:
    from ..tensor import Tensor


class BatchNorm(Op):
    """Training-mode batch normalisation: (y, mean (C,), biased variance (C,))."""

    name = "batch_norm"
    outputs, auxiliary = 3, 2
    keeps_output = True

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def infer(self, *inputs: Any) -> tuple[Spec, Spec, Spec]:
        (x, _, _) = inputs
        stats = (x.shape[1:2], x.dtype)
        return (x.shape, x.dtype), stats, stats

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer, Buffer]:
        x, w, b = buffers
        return backend.batch_norm(x, w, b, self.eps)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, ...]:
        x, w, b = inputs
        gx, gw, gb = apply_multi(BatchNormGrad(self.eps), g[0], x, w, y[1], y[2])
        return gx, None if w is None else gw, None if b is None else gb

    def composition(self, x: Any, w: Any, b: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The formula of the paper, in ops."""
        axes = (0, *range(2, len(x.shape)))
        mean = x.mean(axes, keepdim=True)
        centred = x - mean
        var = (centred * centred).mean(axes, keepdim=True)
        y = affine(centred * (var + self.eps).rsqrt(), w, b)
        return y, mean.reshape(-1), var.reshape(-1)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 8 * prod(inputs[0][0])


class BatchNormGrad(Op):
    """(gx, gw, gb) of training-mode batch normalisation."""

    name = "batch_norm_grad"
    outputs = 3

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def infer(self, *inputs: Any) -> tuple[Spec, Spec, Spec]:
        x = inputs[1]
        stats = (x.shape[1:2], x.dtype)
        return (x.shape, x.dtype), stats, stats

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer, Buffer]:
        g, x, w, mean, var = buffers
        return backend.batch_norm_grad(g, x, w, mean, var, self.eps)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 12 * prod(inputs[0][0])


def affine(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
    """w x + b along axis 1."""
    shape = (1, -1, *(1,) * (len(x.shape) - 2))
    if w is not None:
        x = x * w.reshape(shape)
    return x if b is None else x + b.reshape(shape)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = w (x - mean) / sqrt(var + eps) + b over all axes but 1 of x (N, C, ...).

    In training the batch's mean and biased variance are used, and the running ones move towards the
    batch's mean and unbiased variance by `momentum`: r <- (1 - momentum) r + momentum s. In
    evaluation the running ones are used. Ioffe & Szegedy 2015; deck D3 (whose slide writes x where
    x-hat belongs).
    """
    _check(input, running_mean, running_var, weight, bias, training)
    if not training and running_mean is not None and running_var is not None:
        scale = (running_var + eps).rsqrt()
        if weight is not None:
            scale = scale * weight
        shift = -running_mean * scale if bias is None else bias - running_mean * scale
        return affine(input, scale, shift)
    count = prod(input.shape) // max(input.shape[1], 1)
    if count == 0:
        return affine(input, weight, bias)
    if count == 1:
        raise fail(
            ShapeError,
            "batch_norm",
            f"expected more than one value per channel in training, "
            f"got {input.shape}; use a larger batch or model.eval()",
        )
    y, mean, var = apply_multi(BatchNorm(eps), input, weight, bias)
    if running_mean is not None and running_var is not None:
        with no_grad():
            old = 1.0 - momentum
            running_mean.copy_(running_mean * old + mean.detach() * momentum)
            unbiased = momentum * count / (count - 1)
            running_var.copy_(running_var * old + var.detach() * unbiased)
    return y


def _check(x: Tensor, mean: Any, var: Any, w: Any, b: Any, training: bool) -> None:
    if len(x.shape) < 2:
        raise fail(
            ShapeError,
            "batch_norm",
            f"expected x (N, C, ...), got {x.shape}; add a batch axis with x.unsqueeze(0)",
        )
    float_tensor("batch_norm", x)
    check_parameters(
        "batch_norm",
        x,
        x.shape[1:2],
        f"use num_features={x.shape[1]}",
        running_mean=mean,
        running_var=var,
        weight=w,
        bias=b,
    )
    if (mean is None) != (var is None):
        raise fail(
            ArgumentError,
            "batch_norm",
            "expected running_mean and running_var together, got one; give both or neither",
        )
    if not training and mean is None:
        raise fail(
            ArgumentError,
            "batch_norm",
            "expected running_mean and running_var in evaluation, got None; use training=True for "
            "the batch's own",
        )
