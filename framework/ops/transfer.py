"""Copies: in the same memory space, and from one backend to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, row_major

from ..autograd import Op, Spec

if TYPE_CHECKING:
    from ..tensor import Tensor


class Clone(Op):
    """A copy in memory of its own."""

    name = "clone"

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        x = buffers[0]
        copy = backend.empty(x.shape, backend.dtype(x))  # without it strided may return x itself
        return backend.strided(x, x.shape, row_major(x.shape), 0, copy)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (g,)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 0


class Move(Op):
    """To another backend, through the host."""

    name = "move"

    def __init__(self, target: Backend) -> None:
        self.target = target

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        x = buffers[0]
        return self.target.from_host(backend.to_host(x), x.shape, backend.dtype(x))

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (g.to(inputs[0].backend),)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 0
