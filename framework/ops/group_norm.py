"""Group normalisation over the channels' groups of each example, with an affine map by channel."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from ..autograd import Op, Spec, apply_multi
from .norm import affine

if TYPE_CHECKING:
    from ..tensor import Tensor


class GroupNorm(Op):
    """(y, mean (N, groups), 1 / sqrt(var + eps) (N, groups)) of x (N, C, ...), w and b (C,)."""

    name = "group_norm"
    outputs, auxiliary = 3, 2
    keeps_output = True

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def infer(self, *inputs: Any) -> tuple[Spec, Spec, Spec]:
        x = inputs[0]
        stats = ((x.shape[0], self.groups), x.dtype)
        return (x.shape, x.dtype), stats, stats

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer, Buffer]:
        x, w, b = buffers
        return backend.group_norm(x, w, b, self.groups, self.eps)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, ...]:
        x, w, b = inputs
        gx, gw, gb = apply_multi(GroupNormGrad(), g[0], x, w, y[1], y[2])
        return gx, None if w is None else gw, None if b is None else gb

    def composition(self, x: Any, w: Any, b: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The formula of the paper, in ops."""
        size = prod(x.shape[1:]) // self.groups
        rows = x.reshape(x.shape[0], self.groups, size)
        mean = rows.mean(2, keepdim=True)
        centred = rows - mean
        rstd = ((centred * centred).mean(2, keepdim=True) + self.eps).rsqrt()
        y = affine((centred * rstd).reshape(x.shape), w, b)
        return y, mean.reshape(mean.shape[:2]), rstd.reshape(mean.shape[:2])

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 8 * prod(inputs[0][0])


class GroupNormGrad(Op):
    """(gx, gw (C,), gb (C,)) from g, x, w, mean and 1 / sqrt(var + eps)."""

    name = "group_norm_grad"
    outputs = 3

    def infer(self, *inputs: Any) -> tuple[Spec, Spec, Spec]:
        x = inputs[1]
        own = (x.shape[1:2], x.dtype)
        return (x.shape, x.dtype), own, own

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer, Buffer]:
        return backend.group_norm_grad(*buffers)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 14 * prod(inputs[1][0])
