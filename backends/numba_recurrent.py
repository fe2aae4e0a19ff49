"""Recurrent cells and layers on the Numba backend."""

from __future__ import annotations

from typing import Any

from ..kernels.numba_cpu import recurrent
from ..kernels.numba_cpu import recurrent_sequence as sequence
from ..kernels.numba_cpu.gemm_micro import NV
from ..kernels.numba_cpu.gemm_vector import VECTOR
from .defaults.sequence import SequenceDefaults
from .numba_matmul import workspace
from .numba_memory import empty
from .tier1 import Buffer

KINDS = {"tanh": sequence.RNN_TANH, "relu": sequence.RNN_RELU}


def scratch(w: Any, depth: int, across: int) -> Any:
    """Memory for w as panels; the packing of one writes beyond its end."""
    workspace(w.dtype.char)  # makes the routines of the type ready
    width = NV * VECTOR // w.itemsize
    return empty(((-(-across // width) + 1) * width * (depth + VECTOR),), w.dtype)


def pieces(x: Any) -> int:
    """How many pieces of work the rows of x (n, units) are."""
    return int(-(-len(x) // max(1, recurrent.PIECE // x.shape[1])))


class NumbaRecurrent(SequenceDefaults):
    """Overrides of the cells, and of layers that have steps, rows and units."""

    def lstm_cell(self, gates: Buffer, c: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        h2, c2, act = (empty(x.shape, x.dtype) for x in (c, c, gates))
        if c.size:
            recurrent.lstm(pieces(c), True, h2, c2, act, gates, c)
        return h2, c2, act

    def lstm_cell_grad(
        self, gh: Buffer, gc2: Buffer, act: Buffer, c: Buffer, c2: Buffer
    ) -> tuple[Buffer, Buffer]:
        ggates, gc = empty(act.shape, act.dtype), empty(c.shape, c.dtype)
        if c.size:
            recurrent.lstm_grad(pieces(c), True, ggates, gc, gh, gc2, act, c, c2)
        return ggates, gc

    def gru_cell(self, gi: Buffer, gh: Buffer, h: Buffer) -> tuple[Buffer, Buffer]:
        h2, act = empty(h.shape, h.dtype), empty((h.shape[0], 4 * h.shape[1]), h.dtype)
        if h.size:
            recurrent.gru(pieces(h), True, h2, act, gi, gh, h)
        return h2, act

    def gru_cell_grad(self, g: Buffer, act: Buffer, h: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        shape = (h.shape[0], 3 * h.shape[1])
        ggi, ggh, gh = empty(shape, h.dtype), empty(shape, h.dtype), empty(h.shape, h.dtype)
        if h.size:
            recurrent.gru_grad(pieces(h), True, ggi, ggh, gh, g, act, h)
        return ggi, ggh, gh

    def rnn(self, a: Buffer, w: Buffer, h0: Buffer, name: str) -> Buffer:
        if not a.size:
            return super().rnn(a, w, h0, name)
        return _forward(KINDS[name], a, w, None, h0, h0)[0]

    def rnn_grad(
        self, g: Buffer, hs: Buffer, w: Buffer, h0: Buffer, name: str
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not g.size:
            return super().rnn_grad(g, hs, w, h0, name)
        ga, _, gh0, _ = _backward(KINDS[name], g, None, hs, hs, hs, w, h0, h0)
        return ga, self._weight_grad(ga, hs, h0), gh0

    def lstm(
        self, a: Buffer, w: Buffer, h0: Buffer, c0: Buffer
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        if not a.size:
            return super().lstm(a, w, h0, c0)
        hs, cs, acts = _forward(sequence.LSTM, a, w, None, h0, c0)
        return hs, cs[-1].copy(), cs, acts

    def lstm_grad(
        self,
        g: Buffer,
        gc: Buffer,
        hs: Buffer,
        cs: Buffer,
        acts: Buffer,
        w: Buffer,
        h0: Buffer,
        c0: Buffer,
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        if not g.size:
            return super().lstm_grad(g, gc, hs, cs, acts, w, h0, c0)
        ga, _, gh0, gc0 = _backward(sequence.LSTM, g, gc, hs, cs, acts, w, h0, c0)
        return ga, self._weight_grad(ga, hs, h0), gh0, gc0

    def gru(self, a: Buffer, w: Buffer, b: Buffer | None, h0: Buffer) -> tuple[Buffer, Buffer]:
        if not a.size:
            return super().gru(a, w, b, h0)
        hs, _, acts = _forward(sequence.GRU, a, w, b, h0, h0)
        return hs, acts

    def gru_grad(
        self, g: Buffer, hs: Buffer, acts: Buffer, w: Buffer, h0: Buffer
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        if not g.size:
            return super().gru_grad(g, hs, acts, w, h0)
        ga, gu, gh0, _ = _backward(sequence.GRU, g, None, hs, hs, acts, w, h0, h0)
        return ga, self._weight_grad(gu, hs, h0), self.reduce("sum", gu, (0, 1)), gh0


def _forward(kind: int, a: Any, w: Any, b: Any, h0: Any, c0: Any) -> tuple[Buffer, Buffer, Buffer]:
    """(h, c, act); c and act are h again where a cell has none."""
    shape, dtype = (a.shape[0], *h0.shape), a.dtype
    hs = empty(shape, dtype)
    cs = empty(shape, dtype) if kind == sequence.LSTM else hs
    acts = empty((*shape[:2], 4 * shape[2]), dtype) if kind >= sequence.LSTM else hs
    bias = empty((0,), dtype) if b is None else b
    u, packed = empty(a.shape[1:], dtype), scratch(w, w.shape[1], w.shape[0])
    sequence.forward(kind, hs, cs, acts, a, w, bias, h0, c0, packed, u)
    return hs, cs, acts


def _backward(
    kind: int, g: Any, gc: Any, hs: Any, cs: Any, acts: Any, w: Any, h0: Any, c0: Any
) -> tuple[Buffer, Buffer, Buffer, Buffer]:
    """(ga, gu, gh0, gc0) from the gradients g of h and gc of the last c; see _forward."""
    wide, dtype = (*hs.shape[:2], w.shape[0]), hs.dtype
    gu = empty(wide, dtype)
    ga = empty(wide, dtype) if kind == sequence.GRU else gu
    total, gh0, cells = empty(h0.shape, dtype), empty(h0.shape, dtype), empty((2, *h0.shape), dtype)
    gh0.fill(0)
    if gc is not None:
        cells[hs.shape[0] % 2] = gc
    packed = scratch(w, w.shape[0], w.shape[1])
    sequence.backward(kind, ga, gu, total, gh0, cells, g, hs, cs, acts, w, h0, c0, packed)
    return ga, gu, gh0, cells[0].copy()
