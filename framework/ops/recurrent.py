"""Recurrent cells and layers: what follows the product of the inputs.

Each gradient is fused, and each op names its formula in ops, which is differentiated instead where
the gradient itself is recorded. Formulas and orders of gates: backends/defaults/recurrent.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from ..autograd import Op, Spec, apply_multi
from .derivatives import RELU, SIGMOID, TANH
from .layout import chunk, stack, transpose

if TYPE_CHECKING:
    from ..tensor import Tensor

FUNCTIONS = {"tanh": TANH, "relu": RELU}
CELL_COST = 60  # floating-point operations for each unit, most of them in sigmoid and tanh


def _like(*inputs: Any) -> tuple[Spec, ...]:
    return tuple([(x.shape, x.dtype) for x in inputs])


def _lstm_formula(a: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = chunk(a, 4, 1)
    c2 = SIGMOID(f) * c + SIGMOID(i) * TANH(g)
    return SIGMOID(o) * TANH(c2), c2


def _gru_formula(a: Tensor, u: Tensor, h: Tensor) -> Tensor:
    (a_r, a_z, a_n), (u_r, u_z, u_n) = chunk(a, 3, 1), chunk(u, 3, 1)
    z = SIGMOID(a_z + u_z)
    n = TANH(a_n + SIGMOID(a_r + u_r) * u_n)
    return n + z * (h - n)


class LstmCell(Op):
    """(h', c', act) of gates (N, 4H) and c (N, H)."""

    name = "lstm_cell"
    outputs, auxiliary = 3, 1
    keeps_output = True

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        gates, c = inputs
        return _like(c, c, gates)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.lstm_cell(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Sequence[Tensor | None]:
        return apply_multi(LstmCellGrad(), g[0], g[1], y[2], inputs[1], y[1])

    def composition(self, gates: Any, c: Any) -> tuple[Tensor | None, ...]:
        """The formula, in ops."""
        return *_lstm_formula(gates, c), None

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return CELL_COST * prod(inputs[1][0])


class LstmCellGrad(Op):
    """(ggates, gc) from gh', gc', act, c and c'."""

    name = "lstm_cell_grad"
    outputs = 2

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        return _like(inputs[2], inputs[3])

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.lstm_cell_grad(*buffers)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return CELL_COST * prod(inputs[3][0])


class GruCell(Op):
    """(h', act) of a (N, 3H), u (N, 3H) and h (N, H)."""

    name = "gru_cell"
    outputs, auxiliary = 2, 1
    keeps_output = True

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        n, size = inputs[2].shape
        return (inputs[2].shape, inputs[2].dtype), ((n, 4 * size), inputs[2].dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.gru_cell(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Sequence[Tensor | None]:
        return apply_multi(GruCellGrad(), g[0], y[1], inputs[2])

    def composition(self, a: Any, u: Any, h: Any) -> tuple[Tensor | None, ...]:
        """The formula, in ops."""
        return _gru_formula(a, u, h), None

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return CELL_COST * prod(inputs[2][0])


class GruCellGrad(Op):
    """(ga, gu, gh) from gh', act and h."""

    name = "gru_cell_grad"
    outputs = 3

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        n, size = inputs[2].shape
        wide = ((n, 3 * size), inputs[2].dtype)
        return wide, wide, (inputs[2].shape, inputs[2].dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.gru_cell_grad(*buffers)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return CELL_COST * prod(inputs[2][0])


class Sequenced(Op):
    """A layer over (T, N, ...): a, the products of the inputs, then w (G, H), ..., h0 (N, H)."""

    keeps_output = True

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        (steps, n, _), (gates, size) = inputs[0][0], inputs[1][0]
        return steps * n * (2 * gates * size + CELL_COST * size)


class Rnn(Sequenced):
    """h (T, N, H) of a (T, N, H), w (H, H) and h0, by tanh or relu."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.name = f"rnn_{function}"

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, inputs[0].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        a, w, h0 = buffers
        return backend.rnn(a, w, h0, self.function)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Sequence[Tensor | None]:
        return apply_multi(RnnGrad(self.function), g, y, inputs[1], inputs[2])

    def composition(self, a: Any, w: Any, h: Any) -> Tensor:
        """Step by step, in ops."""
        hs = []
        for t in range(a.shape[0]):
            h = FUNCTIONS[self.function](a[t] + h @ transpose(w, 0, 1))
            hs.append(h)
        return stack(hs)


class RnnGrad(Op):
    """(ga, gw, gh0) from gh, h, w and h0."""

    outputs = 3

    def __init__(self, function: str) -> None:
        self.function = function
        self.name = f"rnn_{function}_grad"

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        return _like(*inputs[1:])

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        g, hs, w, h0 = buffers
        return backend.rnn_grad(g, hs, w, h0, self.function)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 4 * prod(inputs[1][0]) * inputs[2][0][0]


class Lstm(Sequenced):
    """(h (T, N, H), the last c (N, H), all c, act) of a (T, N, 4H), w (4H, H), h0 and c0."""

    name = "lstm"
    outputs, auxiliary = 4, 2

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        a, _, h0, c0 = inputs
        hs = ((a.shape[0], *h0.shape), a.dtype)
        return hs, (c0.shape, a.dtype), hs, (a.shape, a.dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.lstm(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Sequence[Tensor | None]:
        hs, _, cs, acts = y
        return apply_multi(LstmGrad(), g[0], g[1], hs, cs, acts, *inputs[1:])

    def composition(self, a: Any, w: Any, h: Any, c: Any) -> tuple[Tensor | None, ...]:
        """Step by step, in ops."""
        hs = []
        for t in range(a.shape[0]):
            h, c = _lstm_formula(a[t] + h @ transpose(w, 0, 1), c)
            hs.append(h)
        return stack(hs), c, None, None


class LstmGrad(Op):
    """(ga, gw, gh0, gc0) from gh, gc, h, c, act, w, h0 and c0."""

    name = "lstm_grad"
    outputs = 4

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        return _like(*inputs[4:])

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.lstm_grad(*buffers)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(inputs[2][0]) * (4 * inputs[5][0][0] + CELL_COST)


class Gru(Sequenced):
    """(h (T, N, H), act) of a (T, N, 3H), w (3H, H), b (3H,) or None, and h0."""

    name = "gru"
    outputs, auxiliary = 2, 1

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        a, h0 = inputs[0], inputs[3]
        steps, (n, size) = a.shape[0], h0.shape
        return ((steps, n, size), a.dtype), ((steps, n, 4 * size), a.dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.gru(*buffers)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> Sequence[Tensor | None]:
        _, w, b, h0 = inputs
        ga, gw, gb, gh0 = apply_multi(GruGrad(), g[0], y[0], y[1], w, h0)
        return ga, gw, None if b is None else gb, gh0

    def composition(self, a: Any, w: Any, b: Any, h: Any) -> tuple[Tensor | None, ...]:
        """Step by step, in ops."""
        hs = []
        for t in range(a.shape[0]):
            u = h @ transpose(w, 0, 1)
            h = _gru_formula(a[t], u if b is None else u + b, h)
            hs.append(h)
        return stack(hs), None


class GruGrad(Op):
    """(ga, gw, gb, gh0) from gh, h, act, w and h0."""

    name = "gru_grad"
    outputs = 4

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        _, hs, _, w, h0 = inputs
        wide = (*hs.shape[:2], w.shape[0])
        return (wide, w.dtype), (w.shape, w.dtype), (w.shape[:1], w.dtype), (h0.shape, w.dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        return backend.gru_grad(*buffers)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return prod(inputs[1][0]) * (4 * inputs[3][0][0] + CELL_COST)
