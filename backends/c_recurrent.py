"""Steps of LSTM and GRU in C: one pass over the gates (kernels/c/recurrent.c)."""

from __future__ import annotations

from typing import Any

from .c_base import CBase
from .c_memory import Block
from .defaults.recurrent import RecurrentDefaults
from .tier1 import Buffer, Shape


class CRecurrent(CBase, RecurrentDefaults):
    """Overrides of the whole family."""

    def _cell(
        self, kernel: dict[str, Any], inputs: tuple[Block, ...], *shapes: Shape
    ) -> tuple[Any, ...]:
        """Results of these shapes; the last input is (N, H)."""
        n, size = inputs[-1].shape
        dtype = inputs[-1].dtype
        results = tuple([self.empty(shape, dtype) for shape in shapes])
        if n and size:
            kernel[dtype](n, size, *[x.data for x in inputs], *[y.data for y in results])
        return results

    def lstm_cell(self, gates: Buffer, c: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        return self._cell(self.c.lstm_cell, (gates, c), c.shape, c.shape, gates.shape)

    def lstm_cell_grad(
        self, gh: Buffer, gc2: Buffer, act: Buffer, c: Buffer, c2: Buffer
    ) -> tuple[Buffer, Buffer]:
        inputs = gh, gc2, act, c, c2
        return self._cell(self.c.lstm_cell_grad, inputs, act.shape, c.shape)

    def gru_cell(self, gi: Buffer, gh: Buffer, h: Buffer) -> tuple[Buffer, Buffer]:
        n, size = h.shape
        return self._cell(self.c.gru_cell, (gi, gh, h), h.shape, (n, 4 * size))

    def gru_cell_grad(self, g: Buffer, act: Buffer, h: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        n, size = h.shape
        gates = n, 3 * size
        return self._cell(self.c.gru_cell_grad, (g, act, h), gates, gates, h.shape)
