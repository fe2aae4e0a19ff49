"""Losses whose gradient is not their formula's: it is limited where the formula has a pole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from ..autograd import Op, Spec, needs
from .derivatives import LOG
from .elementwise import select
from .pointwise import clamp

if TYPE_CHECKING:
    from ..tensor import Tensor

LOWEST_LOG = -100.0
SMALLEST_PROBABILITY = math.exp(LOWEST_LOG)
SMALLEST_VARIANCE = 1e-12


class BinaryCrossEntropy(Op):
    """-(t log x + (1 - t) log(1 - x)), logarithms >= -100; gx = g (x - t) / max(x (1 - x), 1e-12).

    Both limits are torch's; they keep x = 0 and x = 1 finite.
    """

    name = "binary_cross_entropy"

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.binary_cross_entropy(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, Tensor | None]:
        x, t = inputs
        gx = gt = None
        if needs(x):
            gx = g * (x - t) / clamp(x * (1.0 - x), SMALLEST_VARIANCE)
        if needs(t):
            gt = g * (_limited_log(1.0 - x) - _limited_log(x))
        return gx, gt

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 22 * super().flops(inputs, outputs)


def _limited_log(x: Tensor) -> Tensor:
    """max(log x, -100), without the infinite slope at 0."""
    tiny = x < SMALLEST_PROBABILITY
    return select(tiny, LOWEST_LOG, LOG(select(tiny, 1.0, x)))
