"""Recurrent cells and layers in C: kernels/c/recurrent.c, recurrent_sequence.c.

A cell is one pass over its gates. A layer is one call for all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .c_base import CBase
from .c_library import ffi
from .c_memory import Block, check
from .defaults.sequence import SequenceDefaults
from .tier1 import Buffer, Shape


class CRecurrent(CBase, SequenceDefaults):
    """Overrides of both families. Layers without steps, rows or units keep the defaults."""

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

    def rnn(self, a: Buffer, w: Buffer, h0: Buffer, name: str) -> Buffer:
        if not a.size:
            return super().rnn(a, w, h0, name)
        h = self.empty(a.shape, a.dtype)
        given = a.data, w.data, h0.data, name == "relu"
        check(self.c.rnn[a.dtype](*a.shape, *given, h.data), "rnn")
        return h

    def rnn_grad(
        self, g: Buffer, hs: Buffer, w: Buffer, h0: Buffer, name: str
    ) -> tuple[Buffer, Buffer, Buffer]:
        if not g.size:
            return super().rnn_grad(g, hs, w, h0, name)
        given = g.data, hs.data, w.data, h0.data, name == "relu"
        return self._layer_grad(self.c.rnn_grad, hs, given, hs.shape, w.shape, h0.shape)

    def lstm(
        self, a: Buffer, w: Buffer, h0: Buffer, c0: Buffer
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        if not a.size:
            return super().lstm(a, w, h0, c0)
        shape, dtype = (a.shape[0], *h0.shape), a.dtype
        h, c, act = self.empty(shape, dtype), self.empty(shape, dtype), self.empty(a.shape, dtype)
        last = self.empty(c0.shape, dtype)
        given = a.data, w.data, h0.data, c0.data
        status = self.c.lstm[dtype](*shape, *given, h.data, last.data, c.data, act.data)
        check(status, "lstm")
        return h, last, c, act

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
        given = [x.data for x in (g, gc, hs, cs, acts, w, h0, c0)]
        return self._layer_grad(
            self.c.lstm_grad, hs, given, acts.shape, w.shape, h0.shape, c0.shape
        )

    def gru(self, a: Buffer, w: Buffer, b: Buffer | None, h0: Buffer) -> tuple[Buffer, Buffer]:
        if not a.size:
            return super().gru(a, w, b, h0)
        shape, dtype = (a.shape[0], *h0.shape), a.dtype
        h, act = self.empty(shape, dtype), self.empty((*shape[:2], 4 * shape[2]), dtype)
        given = a.data, w.data, ffi.NULL if b is None else b.data, h0.data
        check(self.c.gru[dtype](*shape, *given, h.data, act.data), "gru")
        return h, act

    def gru_grad(
        self, g: Buffer, hs: Buffer, acts: Buffer, w: Buffer, h0: Buffer
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        if not g.size:
            return super().gru_grad(g, hs, acts, w, h0)
        wide = (*hs.shape[:2], w.shape[0])
        given = g.data, hs.data, acts.data, w.data, h0.data
        ga, gu, gw, gh0 = self._layer_grad(
            self.c.gru_grad, hs, given, wide, wide, w.shape, h0.shape
        )
        return ga, gw, self.reduce("sum", gu, (0, 1)), gh0

    def _layer_grad(
        self, kernel: dict[str, Any], hs: Block, given: Sequence[Any], *shapes: Shape
    ) -> tuple[Any, ...]:
        """Results of these shapes, of a layer whose states are hs (T, N, H)."""
        results = tuple([self.empty(shape, hs.dtype) for shape in shapes])
        check(kernel[hs.dtype](*hs.shape, *given, *[y.data for y in results]), "recurrent layer")
        return results
