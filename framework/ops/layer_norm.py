"""Layer normalisation, fused over rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, Shape

from ..autograd import Op, Spec, apply_multi
from ..errors import ArgumentError, ShapeError, fail
from .checks import check_parameters, float_tensor

if TYPE_CHECKING:
    from ..tensor import Tensor

AFFINE = "give it the shape of normalized_shape"


class LayerNorm(Op):
    """(y (M, D), mean (M,), 1 / sqrt(var + eps) (M,)) of x (M, D), w (D,) and b (D,)."""

    name = "layer_norm"
    outputs, auxiliary = 3, 2
    keeps_output = True

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def infer(self, *inputs: Any) -> tuple[Spec, Spec, Spec]:
        x = inputs[0]
        return (x.shape, x.dtype), (x.shape[:1], x.dtype), (x.shape[:1], x.dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer, Buffer]:
        x, w, b = buffers
        return backend.layer_norm(x, w, b, self.eps)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, ...]:
        x, w, b = inputs
        gx, gw, gb = apply_multi(LayerNormGrad(), g[0], x, w, y[1], y[2])
        return gx, None if w is None else gw, None if b is None else gb

    def composition(self, x: Any, w: Any, b: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The formula of the paper, in ops."""
        mean = x.mean(1, keepdim=True)
        centred = x - mean
        rstd = ((centred * centred).mean(1, keepdim=True) + self.eps).rsqrt()
        y = centred * rstd
        y = y if w is None else y * w
        return y if b is None else y + b, mean.reshape(-1), rstd.reshape(-1)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 8 * prod(inputs[0][0])


class LayerNormGrad(Op):
    """(gx (M, D), gw (D,), gb (D,)) from g, x, w, mean and 1 / sqrt(var + eps)."""

    name = "layer_norm_grad"
    outputs = 3

    def infer(self, *inputs: Any) -> tuple[Spec, Spec, Spec]:
        x = inputs[1]
        return (x.shape, x.dtype), (x.shape[1:], x.dtype), (x.shape[1:], x.dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer, Buffer]:
        return backend.layer_norm_grad(*buffers)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 14 * prod(inputs[1][0])


def normalized_axes(op: str, input: Tensor, normalized_shape: Any) -> Shape:
    """`normalized_shape` as a tuple, checked to be the last axes of the input."""
    given = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not given:
        raise fail(
            ArgumentError,
            op,
            "expected a normalized_shape of one axis or more, got (); "
            "give the size of the last axis",
        )
    if input.shape[-len(given) :] != given:
        raise fail(
            ShapeError,
            op,
            f"expected x (..., {', '.join(map(str, given))}) for normalized_shape {given}, got "
            f"{input.shape}; use normalized_shape={input.shape[-len(given) :]}",
        )
    return given


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """y = w (x - E[x]) / sqrt(Var[x] + eps) + b, over the last axes of each example.

    Other than batch norm it does not mix examples, and does the same in training and evaluation.

    Args: input (..., *normalized_shape), float; weight and bias of normalized_shape. The variance
    is the biased one. Returns: the input's shape. Raises: ShapeError, DTypeError, ArgumentError.
    Source: Ba, Kiros & Hinton 2016.
    """
    x = float_tensor("layer_norm", input)
    shape = normalized_axes("layer_norm", x, normalized_shape)
    check_parameters("layer_norm", x, shape, AFFINE, weight=weight, bias=bias)
    size = prod(shape)
    w, b = (None if t is None else t.reshape(size) for t in (weight, bias))
    return row_norm(x, (prod(x.shape[: -len(shape)]), size), w, b, eps)


def row_norm(
    x: Tensor, rows: tuple[int, int], w: Tensor | None, b: Tensor | None, eps: float
) -> Tensor:
    """layer_norm of x seen as `rows` (M, D), in the shape of x."""
    y = apply_multi(LayerNorm(eps), x.reshape(rows), w, b)[0]
    return y.reshape(x.shape)
