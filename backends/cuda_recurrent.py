"""Recurrent cells and layers on the CUDA backend."""

from __future__ import annotations

from math import prod
from typing import Any

from ..kernels.cuda import recurrent
from ..kernels.cuda.toolchain import threads
from .cuda_cuts import up
from .cuda_runtime import empty, launch, view
from .defaults.sequence import SequenceDefaults
from .tier1 import Buffer

SIZES = {"float32": 4, "float64": 8}


def run(kernel: Any, state: Buffer, *buffers: Buffer | None) -> None:
    """A thread for each number of a state (N, H)."""
    size = threads(state.size, recurrent.BLOCK)
    launch(kernel, up(state.size, size), *buffers, state.size, state.shape[1], block=size)


class CudaRecurrent(SequenceDefaults):
    """Overrides of the cells, and of LSTM layers: a product and one kernel a step."""

    def lstm_cell(self, gates: Buffer, c: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        h2, c2, act = (empty(x.shape, x.dtype) for x in (c, c, gates))
        run(recurrent.lstm(c.dtype), c, h2, c2, act, gates, None, c)
        return h2, c2, act

    def lstm_cell_grad(
        self, gh: Buffer, gc2: Buffer, act: Buffer, c: Buffer, c2: Buffer
    ) -> tuple[Buffer, Buffer]:
        ggates, gc = empty(act.shape, act.dtype), empty(c.shape, c.dtype)
        run(recurrent.lstm_grad(c.dtype), c, ggates, gc, gh, None, gc2, act, c, c2)
        return ggates, gc

    def gru_cell(self, gi: Buffer, gh: Buffer, h: Buffer) -> tuple[Buffer, Buffer]:
        h2, act = empty(h.shape, h.dtype), empty((h.shape[0], 4 * h.shape[1]), h.dtype)
        run(recurrent.gru(h.dtype), h, h2, act, gi, gh, h)
        return h2, act

    def gru_cell_grad(self, g: Buffer, act: Buffer, h: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        shape = (h.shape[0], 3 * h.shape[1])
        ggi, ggh, keep = empty(shape, h.dtype), empty(shape, h.dtype), empty(h.shape, h.dtype)
        run(recurrent.gru_grad(h.dtype), h, ggi, ggh, keep, g, act, h)
        return ggi, ggh, keep

    def lstm(
        self, a: Buffer, w: Buffer, h0: Buffer, c0: Buffer
    ) -> tuple[Buffer, Buffer, Buffer, Buffer]:
        if a.size == 0:
            return super().lstm(a, w, h0, c0)
        shape, dtype = (a.shape[0], *h0.shape), a.dtype
        hs, cs, acts = empty(shape, dtype), empty(shape, dtype), empty(a.shape, dtype)
        kernel, h, c = recurrent.lstm(dtype, True), h0, c0
        for t in range(a.shape[0]):
            u = self.matmul(h, w, transpose_b=True)
            h, c = step(hs, t), step(cs, t)
            run(kernel, h, h, c, step(acts, t), u, step(a, t), step(cs, t - 1) if t else c0)
        return hs, self._step(cs, a.shape[0] - 1), cs, acts

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
        if g.size == 0:
            return super().lstm_grad(g, gc, hs, cs, acts, w, h0, c0)
        ga, carried = empty(acts.shape, acts.dtype), None
        kernels = [recurrent.lstm_grad(h0.dtype, added) for added in (False, True)]
        for t in reversed(range(hs.shape[0])):
            before, gates, new = (
                step(cs, t - 1) if t else c0,
                step(ga, t),
                empty(c0.shape, c0.dtype),
            )
            given = step(g, t), carried, gc, step(acts, t), before, step(cs, t)
            run(kernels[carried is not None], c0, gates, new, *given)
            carried, gc = self.matmul(gates, w), new
        return ga, self._weight_grad(ga, hs, h0), carried, gc


def step(x: Buffer, t: int) -> Buffer:
    """x[t] without a copy, for kernels that read and write number by number."""
    each = prod(x.shape[1:])
    return view(x, t * each * SIZES[x.dtype], tuple(x.shape[1:]), x.dtype)
