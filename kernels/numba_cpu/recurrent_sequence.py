"""Recurrent layers over a whole sequence, in one call.

    pack W                                               once for all steps
    for some rows of the batch:                          in parallel
        for t in range(T):
            u = h[t-1] W^T                               tiles (gemm_micro.py), W from the cache
            h[t] = cell(a[t], u)                         recurrent.py, u from the first-level cache

Rows of a batch know nothing of each other, so threads meet once for all steps, and no step costs a
call from Python: 50 steps of 32 rows and 128 units take 1.2 ms, one by one 6.2. The gradient runs
the same way from the last step to the first, with the product gu[t] W after the cell's gradient.
"""

from __future__ import annotations

from .gemm_block import LINE, pack_panels, panel_width, strip_height, tiles
from .gemm_micro import MR
from .launch import take_turns
from .recurrent import gru_grad_row, gru_row, lstm_grad_row, lstm_row
from .toolchain import device, kernel, wide
from .vmath_typed import tanh

RNN_TANH, RNN_RELU, LSTM, GRU = range(4)


@device
def aligned(packed):
    return (packed.ctypes.data + LINE - 1) // LINE * LINE


@device
def pieces_of(n):
    """An even number of pieces, each at most a tile high."""
    return ((n + MR - 1) // MR + 1) // 2 * 2


@device
def product(out, x, packed, rows, across, depth, fresh):
    """out (rows, across) = or += x (rows, depth) by what is packed."""
    size, width = x.itemsize, panel_width(x.itemsize)
    left = (x.ctypes.data, depth, 1, strip_height(rows) * depth)
    right = (aligned(packed), width, width * depth, True)
    place = out.ctypes.data
    tiles(x.dtype, size, left, right, place, across, rows, across, depth, fresh, place)


@device
def rnn_row(h2, a, u, relu):
    zero = u.dtype.type(0)
    if relu:
        for j in range(u.size):
            x = a[j] + u[j]
            h2[j] = zero if x <= zero else x
    else:
        for j in range(u.size):
            h2[j] = tanh(a[j] + u[j])


@device
def step(kind, h2, c2, act, a, b, h, c, u):
    """The cell on one row."""
    if kind <= RNN_RELU:
        rnn_row(h2, a, u, kind == RNN_RELU)
    elif kind == LSTM:
        for j in range(u.size):
            u[j] += a[j]
        lstm_row(h2, c2, act, u, c)
    else:
        for j in range(b.size):
            u[j] += b[j]
        gru_row(h2, act, a, u, h)


@device
def forward_piece(piece, pieces, kind, hs, cs, acts, a, w, b, h0, c0, packed, u):
    steps, n, units = hs.shape
    gates = w.shape[0]
    wide()
    first, last = n * piece // pieces, n * (piece + 1) // pieces
    for t in range(steps):
        h, c = (hs[t - 1], cs[t - 1]) if t else (h0, c0)
        if last > first:
            product(u[first:], h[first:], packed, last - first, gates, units, True)
        for row in range(first, last):
            step(
                kind, hs[t, row], cs[t, row], acts[t, row], a[t, row], b, h[row], c[row],
                u[row],
            )  # fmt: skip


@kernel
def forward(kind, hs, cs, acts, a, w, b, h0, c0, packed, u):
    """hs, cs (T, n, units), acts (T, n, 4 units) of a (T, n, gates), w (gates, units), b (gates,).

    cs and c0 are an LSTM's, b a GRU's (or empty); others get arrays of the same form for them. u
    (n, gates) and packed are scratch memory.
    """
    _, n, units = hs.shape
    gates, size = w.shape[0], w.itemsize
    pack_panels(w.dtype, size, w.ctypes.data, 1, units, units, gates, aligned(packed))
    pieces = pieces_of(n)
    given = pieces, kind, hs, cs, acts, a, w, b, h0, c0, packed, u
    take_turns(forward_piece, pieces, True, given)


@device
def rnn_grad_row(gu, g, h2, relu):
    zero, one = g.dtype.type(0), g.dtype.type(1)
    if relu:
        for j in range(g.size):
            gu[j] = g[j] if h2[j] > zero else zero
    else:
        for j in range(g.size):
            gu[j] = g[j] * (one - h2[j] * h2[j])


@device
def step_grad(kind, ga, gu, g, total, carried, gc, gc2, h2, c2, act, h, c):
    """The cell's gradient on one row; a GRU's carried becomes what passes by the product.

    No loop writes to an array that it reads: LLVM checks that, and has a slow loop for it.
    """
    for j in range(g.size):
        total[j] = g[j] + carried[j]
    if kind <= RNN_RELU:
        rnn_grad_row(gu, total, h2, kind == RNN_RELU)
    elif kind == LSTM:
        lstm_grad_row(gu, gc, total, gc2, act, c, c2)
    else:
        gru_grad_row(ga, gu, carried, total, act, h)


@device
def backward_piece(
    piece, pieces, kind, ga, gu, total, carried, gc, g, hs, cs, acts, w, h0, c0, packed
):
    steps, n, units = hs.shape
    gates = w.shape[0]
    wide()
    first, last = n * piece // pieces, n * (piece + 1) // pieces
    for back in range(steps):
        t = steps - 1 - back
        h, c = (hs[t - 1], cs[t - 1]) if t else (h0, c0)
        for row in range(first, last):
            step_grad(
                kind, ga[t, row], gu[t, row], g[t, row], total[row], carried[row],
                gc[t % 2, row], gc[(t + 1) % 2, row], hs[t, row], cs[t, row], acts[t, row],
                h[row], c[row],
            )  # fmt: skip
        if last > first:
            rows = last - first
            product(carried[first:], gu[t, first:], packed, rows, units, gates, kind != GRU)


@kernel
def backward(kind, ga, gu, total, carried, gc, g, hs, cs, acts, w, h0, c0, packed):
    """ga, gu (T, n, gates) and carried (n, units) of h0, which is 0 before, from g of hs.

    gc (2, n, units): gc[T % 2] is the gradient of the last c, gc[0] becomes c0's. ga differs from
    gu in a GRU only. total (n, units) and packed are scratch memory.
    """
    _, n, units = hs.shape
    gates, size = w.shape[0], w.itemsize
    pack_panels(w.dtype, size, w.ctypes.data, units, 1, gates, units, aligned(packed))
    pieces = pieces_of(n)
    given = ga, gu, total, carried, gc, g, hs, cs, acts, w, h0, c0, packed
    take_turns(backward_piece, pieces, True, (pieces, kind, *given))
