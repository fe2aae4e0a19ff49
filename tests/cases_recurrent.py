"""Cases of the recurrent cells, and of the ops of the layers, whose inputs are products already."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import Case, t

from etude import functional as F
from etude.framework.autograd import apply, apply_multi
from etude.framework.ops.recurrent import Gru, Lstm, Rnn

N, D, H, T = 2, 3, 2, 3


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def affine(x: Any, w: Any, b: Any) -> Any:
    return x @ w.T + (0 if b is None else b)


def lstm_step(gates: Any, c: Any) -> tuple[Any, Any]:
    i, f, g, o = np.split(gates, 4, 1)
    c2 = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c2), c2


def lstm_cell(x: Any, hx: Any, w: Any, u: Any, b: Any = None, b2: Any = None) -> tuple[Any, Any]:
    h, c = hx
    return lstm_step(affine(x, w, b) + affine(h, u, b2), c)


def gru_step(a: Any, u: Any, h: Any) -> Any:
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, 1), np.split(u, 3, 1)
    r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
    return (1 - z) * np.tanh(a_n + r * u_n) + z * h


def gru_cell(x: Any, h: Any, w: Any, u: Any, b: Any = None, b2: Any = None) -> Any:
    return gru_step(affine(x, w, b), affine(h, u, b2), h)


def rnn_tanh_cell(x: Any, h: Any, w: Any, u: Any, b: Any = None, b2: Any = None) -> Any:
    return np.tanh(affine(x, w, b) + affine(h, u, b2))


def rnn_relu_cell(x: Any, h: Any, w: Any, u: Any, b: Any = None, b2: Any = None) -> Any:
    return np.maximum(affine(x, w, b) + affine(h, u, b2), 0)


# whole sequences, from the products of their inputs
def lstm(a: Any, w: Any, h: Any, c: Any) -> tuple[Any, Any]:
    hs = []
    for step in a:
        h, c = lstm_step(step + h @ w.T, c)
        hs.append(h)
    return np.stack(hs), c


def gru(a: Any, w: Any, b: Any, h: Any) -> Any:
    hs = []
    for step in a:
        h = gru_step(step, affine(h, w, b), h)
        hs.append(h)
    return np.stack(hs)


def rnn(function: Any) -> Any:
    def run(a: Any, w: Any, h: Any) -> Any:
        hs = []
        for step in a:
            h = function(step + h @ w.T)
            hs.append(h)
        return np.stack(hs)

    return run


def cell(gates: int, states: Any, biases: bool = True) -> list[Any]:
    """The arguments of a cell."""
    bias = [t(gates * H), t(gates * H)] if biases else []
    return [t(N, D), states, t(gates * H, D), t(gates * H, H), *bias]


def layer(name: str, function: Any, inputs: list[Any], oracle: Any) -> Case:
    return Case(f"{name} over a sequence", inputs, oracle, function=function, torch=None)


CASES = [
    Case("lstm_cell", cell(4, [t(N, H), t(N, H)]), lstm_cell),
    Case("lstm_cell without biases", cell(4, [t(N, H), t(N, H)], False), lstm_cell),
    Case(
        "lstm_cell only the cell's state used",
        cell(4, [t(N, H), t(N, H)]),
        lambda *args: lstm_cell(*args)[1],
        function=lambda *args: F.lstm_cell(*args)[1],
        torch=None,
    ),
    Case("gru_cell", cell(3, t(N, H)), gru_cell),
    Case("gru_cell without biases", cell(3, t(N, H), False), gru_cell),
    Case("rnn_tanh_cell", cell(1, t(N, H)), rnn_tanh_cell),
    Case("rnn_relu_cell", cell(1, t(N, H)), rnn_relu_cell),
    layer(
        "lstm_cell",
        lambda a, w, h, c: apply_multi(Lstm(), a, w, h, c)[:2],
        [t(T, N, 4 * H), t(4 * H, H), t(N, H), t(N, H)],
        lstm,
    ),
    layer(
        "gru_cell",
        lambda a, w, b, h: apply_multi(Gru(), a, w, b, h)[0],
        [t(T, N, 3 * H), t(3 * H, H), t(3 * H), t(N, H)],
        gru,
    ),
    layer(
        "gru_cell without a bias",
        lambda a, w, h: apply_multi(Gru(), a, w, None, h)[0],
        [t(T, N, 3 * H), t(3 * H, H), t(N, H)],
        lambda a, w, h: gru(a, w, None, h),
    ),
    layer(
        "rnn_tanh_cell",
        lambda a, w, h: apply(Rnn("tanh"), a, w, h),
        [t(T, N, H), t(H, H), t(N, H)],
        rnn(np.tanh),
    ),
    layer(
        "rnn_relu_cell",
        lambda a, w, h: apply(Rnn("relu"), a, w, h),
        [t(T, N, H), t(H, H), t(N, H)],
        rnn(lambda x: np.maximum(x, 0)),
    ),
]
