"""The norm of many tensors and their common scaling, one backend call each: gradient clipping."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from etude.backends.base import Backend, Buffer

from ..autograd import Op, Spec


class SumSquares(Op):
    """The sum of x^2 over all elements of all inputs, a 0-d tensor. They have one dtype."""

    name = "sum_squares"

    def infer(self, *inputs: Any) -> Spec:
        return (), inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.sum_squares(list(buffers))

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 2 * sum(prod(shape) for shape, _ in inputs)


class ScaleAll(Op):
    """x s for each input but the last, which is s, a 0-d tensor of their dtype."""

    name = "scale_all"

    def __init__(self, count: int) -> None:
        self.outputs = count

    def infer(self, *inputs: Any) -> list[Spec]:
        return [(x.shape, x.dtype) for x in inputs[:-1]]

    def forward(self, backend: Backend, *buffers: Any) -> list[Buffer]:
        *xs, s = buffers
        return backend.scale_all(xs, s)
