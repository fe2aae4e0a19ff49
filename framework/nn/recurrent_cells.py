"""One step of a recurrent layer as a module."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from .. import functional as F
from ..checks import choice, whole
from ..checks import tensor as expect_tensor
from ..creation import zeros
from ..errors import ShapeError, fail
from ..tensor import Tensor
from . import init
from .layer import new_parameter
from .module import Module
from .parameter import Parameter

NONLINEARITIES = ("tanh", "relu")


def start(module: Module, size: int) -> None:
    """torch's start for recurrent layers: all parameters uniform in +-1 / sqrt(hidden_size)."""
    bound = 1.0 / sqrt(size)
    for p in module.parameters():
        init.uniform_(p, -bound, bound)


class _Cell(Module):
    """Parameters, checks and form of the three cells."""

    _gates: int
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, backend: Any, dtype: Any
    ) -> None:
        super().__init__()
        op = type(self).__name__
        self.input_size = whole(op, "input_size", input_size)
        self.hidden_size = whole(op, "hidden_size", hidden_size)
        self.bias = bias
        rows = self._gates * hidden_size
        self.weight_ih = new_parameter(op, (rows, input_size), dtype, backend)
        self.weight_hh = new_parameter(op, (rows, hidden_size), dtype, backend)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(
                name, new_parameter(op, (rows,), dtype, backend) if bias else None
            )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        start(self, self.hidden_size)

    def _batched(self, input: Any, hx: Any) -> tuple[Tensor, Any, bool]:
        """Input (N, D) and state (N, H), zeros if there is none; and whether they had a batch."""
        op = type(self).__name__
        x: Tensor = expect_tensor(op, "input", input)
        if len(x.shape) not in (1, 2) or x.shape[-1] != self.input_size:
            raise fail(
                ShapeError,
                op,
                f"expected x (N, {self.input_size}) or ({self.input_size},), got {x.shape}; "
                f"use input_size={x.shape[-1] if x.shape else 1}, or call it for each step",
            )
        batched = len(x.shape) == 2
        x = x if batched else x.unsqueeze(0)
        if hx is None:
            zero = zeros((x.shape[0], self.hidden_size), dtype=x.dtype, backend=x.backend)
            return x, zero, batched
        if batched:
            return x, hx, True
        if isinstance(hx, (tuple, list)):
            return x, tuple(t.unsqueeze(0) for t in hx), False
        return x, hx.unsqueeze(0), False

    def _weights(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """h' = tanh(W x + b + U h + b'), or max(..., 0) with nonlinearity="relu". Elman 1990.

    x (N, input_size) or (input_size,), h (N, hidden_size), zeros if left out. weight_ih (H, D),
    weight_hh (H, H), bias_ih and bias_hh (H,), uniform in +-1 / sqrt(H) at first. Returns h'.
    """

    _gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, backend, dtype)
        self.nonlinearity = choice("RNNCell", "nonlinearity", nonlinearity, NONLINEARITIES)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next state."""
        x, h, batched = self._batched(input, hx)
        step = F.rnn_tanh_cell if self.nonlinearity == "tanh" else F.rnn_relu_cell
        y: Tensor = step(x, h, *self._weights())
        return y if batched else y.squeeze(0)

    def extra_repr(self) -> str:
        """The arguments."""
        form = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + form


class LSTMCell(_Cell):
    """One step of an LSTM: see functional.lstm_cell. Hochreiter & Schmidhuber 1997.

    x (N, input_size) or (input_size,); hx = (h, c), each (N, hidden_size), zeros if left out.
    weight_ih (4H, D), weight_hh (4H, H), bias_ih and bias_hh (4H,), gates in the order i, f, g, o,
    uniform in +-1 / sqrt(H) at first. Returns (h', c').
    """

    _gates = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, backend, dtype)

    def forward(self, input: Tensor, hx: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The next states h and c."""
        x, state, batched = self._batched(input, hx)
        h, c = F.lstm_cell(x, (state, state) if hx is None else state, *self._weights())
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))


class GRUCell(_Cell):
    """One step of a GRU: see functional.gru_cell. Cho et al. 2014.

    x (N, input_size) or (input_size,), h (N, hidden_size), zeros if left out. weight_ih (3H, D),
    weight_hh (3H, H), bias_ih and bias_hh (3H,), parts in the order r, z, n, uniform in
    +-1 / sqrt(H) at first. Returns h'.
    """

    _gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, backend, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next state."""
        x, h, batched = self._batched(input, hx)
        y: Tensor = F.gru_cell(x, h, *self._weights())
        return y if batched else y.squeeze(0)
