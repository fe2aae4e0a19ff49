"""Recurrent cells on the Numba backend."""

from __future__ import annotations

from ..kernels.numba_cpu import recurrent
from .defaults.recurrent import RecurrentDefaults
from .numba_memory import empty
from .tier1 import Buffer


class NumbaRecurrent(RecurrentDefaults):
    """Overrides of the cells."""

    def lstm_cell(self, gates: Buffer, c: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        h2, c2, act = (empty(x.shape, x.dtype) for x in (c, c, gates))
        if c.size:
            recurrent.lstm(h2, c2, act, gates, c)
        return h2, c2, act

    def lstm_cell_grad(
        self, gh: Buffer, gc2: Buffer, act: Buffer, c: Buffer, c2: Buffer
    ) -> tuple[Buffer, Buffer]:
        ggates, gc = empty(act.shape, act.dtype), empty(c.shape, c.dtype)
        if c.size:
            recurrent.lstm_grad(ggates, gc, gh, gc2, act, c, c2)
        return ggates, gc

    def gru_cell(self, gi: Buffer, gh: Buffer, h: Buffer) -> tuple[Buffer, Buffer]:
        h2, act = empty(h.shape, h.dtype), empty((h.shape[0], 4 * h.shape[1]), h.dtype)
        if h.size:
            recurrent.gru(h2, act, gi, gh, h)
        return h2, act

    def gru_cell_grad(self, g: Buffer, act: Buffer, h: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        shape = (h.shape[0], 3 * h.shape[1])
        ggi, ggh, gh = empty(shape, h.dtype), empty(shape, h.dtype), empty(h.shape, h.dtype)
        if h.size:
            recurrent.gru_grad(ggi, ggh, gh, g, act, h)
        return ggi, ggh, gh
