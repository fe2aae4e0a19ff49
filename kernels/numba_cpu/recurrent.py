"""One step of an LSTM and of a GRU after their matrix products, and the gradients.

    for each row n, for each unit j:                                rows in parallel
        i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of gates[n, j], gates[n, H + j], ...
        c'[n, j] = f c[n, j] + i g;   h'[n, j] = o tanh(c'[n, j])

All that belongs to a unit is computed while it is in registers: one pass, where the composed form
makes twelve and cuts the gates into arrays of their own first. sigmoid and tanh have no branch
(vmath.py), so the loop over j is made of vectors.
"""

from __future__ import annotations

from .launch import shared
from .toolchain import device, wide
from .vmath_typed import sigmoid, tanh

PIECE = 1 << 11  # units of a piece of work, in whole rows


@device
def lstm_row(h2, c2, act, a, c):
    units = c.size
    y_i, y_f, y_g, y_o = act[:units], act[units:], act[2 * units :], act[3 * units :]
    a_i, a_f, a_g, a_o = a[:units], a[units:], a[2 * units :], a[3 * units :]
    for j in range(units):
        i, f, g, o = sigmoid(a_i[j]), sigmoid(a_f[j]), tanh(a_g[j]), sigmoid(a_o[j])
        y_i[j], y_f[j], y_g[j], y_o[j] = i, f, g, o
        c2[j] = f * c[j] + i * g
    for j in range(units):
        h2[j] = y_o[j] * tanh(c2[j])


@shared
def lstm(piece, h2, c2, act, gates, c):
    """h2, c2, c (n, units); act, gates (n, 4 units)."""
    n, units = c.shape
    lines = max(1, PIECE // units)
    wide()
    for row in range(piece * lines, min(n, (piece + 1) * lines)):
        lstm_row(h2[row], c2[row], act[row], gates[row], c[row])


@device
def lstm_grad_row(ga, gc, gh, gc2, act, c, c2):
    units = c.size
    one = c.dtype.type(1)
    i_, f_, g_, o_ = act[:units], act[units:], act[2 * units :], act[3 * units :]
    gi, gf, gg, go = ga[:units], ga[units:], ga[2 * units :], ga[3 * units :]
    for j in range(units):
        i, f, g, o, t = i_[j], f_[j], g_[j], o_[j], tanh(c2[j])
        e = gc2[j] + gh[j] * o * (one - t * t)
        gi[j] = e * g * i * (one - i)
        gf[j] = e * c[j] * f * (one - f)
        gg[j] = e * i * (one - g * g)
        go[j] = gh[j] * t * o * (one - o)
        gc[j] = e * f


@shared
def lstm_grad(piece, ga, gc, gh, gc2, act, c, c2):
    """ga (n, 4 units) and gc (n, units) from the gradients gh and gc2 of h' and c'."""
    n, units = c.shape
    lines = max(1, PIECE // units)
    wide()
    for row in range(piece * lines, min(n, (piece + 1) * lines)):
        lstm_grad_row(ga[row], gc[row], gh[row], gc2[row], act[row], c[row], c2[row])


@device
def gru_row(h2, act, a, u, h):
    units = h.size
    r_, z_, n_, u_ = act[:units], act[units:], act[2 * units :], act[3 * units :]
    a_z, a_n, u_z, u_n = a[units:], a[2 * units :], u[units:], u[2 * units :]
    for j in range(units):
        r, z = sigmoid(a[j] + u[j]), sigmoid(a_z[j] + u_z[j])
        n = tanh(a_n[j] + r * u_n[j])
        r_[j], z_[j], n_[j], u_[j] = r, z, n, u_n[j]
        h2[j] = n + z * (h[j] - n)


@shared
def gru(piece, h2, act, a, u, h):
    """h2, h (n, units); act (n, 4 units); a, u (n, 3 units)."""
    n, units = h.shape
    lines = max(1, PIECE // units)
    wide()
    for row in range(piece * lines, min(n, (piece + 1) * lines)):
        gru_row(h2[row], act[row], a[row], u[row], h[row])


@device
def gru_grad_row(ga, gu, gh, g, act, h):
    units = h.size
    one = h.dtype.type(1)
    r_, z_, n_, u_ = act[:units], act[units:], act[2 * units :], act[3 * units :]
    a_z, a_n, u_z, u_n = ga[units:], ga[2 * units :], gu[units:], gu[2 * units :]
    for j in range(units):
        r, z, n, keep = r_[j], z_[j], n_[j], g[j] * z_[j]
        gn = (g[j] - keep) * (one - n * n)
        gz = g[j] * (h[j] - n) * z * (one - z)
        gr = gn * u_[j] * r * (one - r)
        ga[j], a_z[j], a_n[j] = gr, gz, gn
        gu[j], u_z[j], u_n[j] = gr, gz, gn * r
        gh[j] = keep


@shared
def gru_grad(piece, ga, gu, gh, g, act, h):
    """ga, gu (n, 3 units) and gh (n, units) from the gradient g of h'."""
    n, units = h.shape
    lines = max(1, PIECE // units)
    wide()
    for row in range(piece * lines, min(n, (piece + 1) * lines)):
        gru_grad_row(ga[row], gu[row], gh[row], g[row], act[row], h[row])
