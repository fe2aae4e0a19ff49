"""Recurrent cells in NumPy: gates are columns of one array, worked on where they lie.

The three gates with a sigmoid take one call where they lie side by side, and no gate is copied out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .defaults.sequence import SequenceDefaults
from .numpy_functions import BINARY, UNARY, quietly
from .tier1 import Buffer

SIGMOID, SIGMOID_GRAD, TANH_GRAD = UNARY["sigmoid"], BINARY["sigmoid_grad"], BINARY["tanh_grad"]


def parts(x: Any, count: int) -> Any:
    """Views (count, N, H) of the columns of x (N, count H)."""
    n, width = x.shape
    return x.reshape(n, count, width // count).swapaxes(0, 1)


class NumpyRecurrent(SequenceDefaults):
    """Overrides of the cells, and of how steps are taken from and put into sequences."""

    @quietly
    def lstm_cell(self, gates: Buffer, c: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        act = np.empty_like(gates)
        size = c.shape[1]
        SIGMOID(gates[:, : 2 * size], act[:, : 2 * size])
        np.tanh(gates[:, 2 * size : 3 * size], act[:, 2 * size : 3 * size])
        SIGMOID(gates[:, 3 * size :], act[:, 3 * size :])
        i, f, g, o = parts(act, 4)
        c2 = f * c
        c2 += i * g
        h = np.tanh(c2)
        h *= o
        return h, c2, act

    @quietly
    def lstm_cell_grad(
        self, gh: Buffer, gc2: Buffer, act: Buffer, c: Buffer, c2: Buffer
    ) -> tuple[Buffer, Buffer]:
        ggates = np.empty_like(act)
        (i, f, g, o), (gi, gf, gg, go) = parts(act, 4), parts(ggates, 4)
        t = np.tanh(c2)
        e = TANH_GRAD(gh * o, t)
        e += gc2
        SIGMOID_GRAD(e * g, i, gi)
        SIGMOID_GRAD(e * c, f, gf)
        TANH_GRAD(e * i, g, gg)
        SIGMOID_GRAD(gh * t, o, go)
        return ggates, np.multiply(e, f, out=e)

    @quietly
    def gru_cell(self, gi: Buffer, gh: Buffer, h: Buffer) -> tuple[Buffer, Buffer]:
        n_rows, size = h.shape
        act = np.empty((n_rows, 4 * size), h.dtype)
        gates = act[:, : 2 * size]
        np.add(gi[:, : 2 * size], gh[:, : 2 * size], gates)
        SIGMOID(gates, gates)
        r, z, n, u = parts(act, 4)
        u[:] = gh[:, 2 * size :]
        np.multiply(r, u, n)
        np.add(n, gi[:, 2 * size :], n)
        np.tanh(n, n)
        y = np.subtract(h, n)
        np.multiply(y, z, y)
        return np.add(y, n, y), act

    @quietly
    def gru_cell_grad(self, g: Buffer, act: Buffer, h: Buffer) -> tuple[Buffer, Buffer, Buffer]:
        r, z, n, u = parts(act, 4)
        ggi = np.empty((h.shape[0], 3 * h.shape[1]), h.dtype)
        gr, gz, gn = parts(ggi, 3)
        keep = g * z
        TANH_GRAD(g - keep, n, gn)
        SIGMOID_GRAD(g * (h - n), z, gz)
        SIGMOID_GRAD(gn * u, r, gr)
        ggh = ggi.copy()
        ggh[:, 2 * h.shape[1] :] *= r
        return ggi, ggh, keep

    def _step(self, x: Buffer, t: int) -> Buffer:
        return x[t]

    def _put_step(self, xs: Buffer, x: Buffer, t: int) -> None:
        xs[t] = x
