"""Recurrent layers over whole sequences: RNN, LSTM, GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional as F
from ..autograd import apply, apply_multi
from ..checks import choice, real, whole
from ..checks import tensor as expect_tensor
from ..creation import zeros
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..guard import came
from ..ops.recurrent import Gru, Lstm, Rnn
from ..tensor import Tensor
from .layer import new_parameter
from .module import Module
from .recurrent_cells import NONLINEARITIES, start


class _Recurrent(Module):
    """Layers and directions, parameters, checks and form of the three networks.

    `_run` is one layer in one direction; `_states` says how many states it carries.
    """

    _gates: int
    _states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        backend: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        self.input_size = whole(op, "input_size", input_size)
        self.hidden_size = whole(op, "hidden_size", hidden_size)
        self.num_layers = whole(op, "num_layers", num_layers)
        self.dropout = real(op, "dropout", dropout, 0.0, 1.0)
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                self._add_layer(suffix, layer, backend, dtype)
        self.reset_parameters()

    def _add_layer(self, suffix: str, layer: int, backend: Any, dtype: Any) -> None:
        width = self.input_size if layer == 0 else self.hidden_size * self._directions
        rows = self._gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, width),
            "weight_hh": (rows, self.hidden_size),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            p = new_parameter(type(self).__name__, shape, dtype, backend)
            self.register_parameter(name + suffix, p)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self._directions]

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        start(self, self.hidden_size)

    def _run(
        self, x: Tensor, states: list[Tensor], w: Any, bias: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """(outputs (T, N, H), last states) of inputs (T, N, D) and first states (N, H)."""
        raise NotImplementedError

    def _forward(self, input: Any, hx: Any) -> tuple[Tensor, list[Tensor]]:
        """Outputs in the input's layout, and the last states (layers * directions, N, H)."""
        x = self._checked(input)
        batched = len(x.shape) == 3
        if not batched:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        first = self._first_states(x, hx, batched)
        last: list[list[Tensor]] = [[] for _ in first]
        at = 0
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            outs = []
            for suffix in self._suffixes(layer):
                y, ends = self._direction(x, [s[at] for s in first], suffix)
                outs.append(y)
                for found, end in zip(last, ends, strict=True):
                    found.append(end)
                at += 1
            x = outs[0] if len(outs) == 1 else F.cat(outs, 2)
        ends = [F.stack(found) for found in last]
        if not batched:
            return x.squeeze(1), [end.squeeze(1) for end in ends]
        return x.transpose(0, 1) if self.batch_first else x, ends

    def _direction(
        self, x: Tensor, states: list[Tensor], suffix: str
    ) -> tuple[Tensor, list[Tensor]]:
        weights = [getattr(self, f"weight_{part}{suffix}") for part in ("ih", "hh")]
        biases = [getattr(self, f"bias_{p}{suffix}") if self.bias else None for p in ("ih", "hh")]
        if not suffix.endswith("reverse"):
            return self._run(x, states, weights, biases)
        y, ends = self._run(F.flip(x, 0), states, weights, biases)
        return F.flip(y, 0), ends

    def _checked(self, input: Any) -> Tensor:
        op = type(self).__name__
        x: Tensor = expect_tensor(op, "input", input)
        if len(x.shape) not in (2, 3) or x.shape[-1] != self.input_size:
            form = "N, T" if self.batch_first else "T, N"
            raise fail(
                ShapeError,
                op,
                f"expected x ({form}, {self.input_size}) or (T, {self.input_size}), got {x.shape}; "
                f"use input_size={x.shape[-1] if x.shape else 1} or reshape x",
            )
        if x.shape[1 if self.batch_first and len(x.shape) == 3 else 0] == 0:
            raise fail(ShapeError, op, f"expected at least one step, got {x.shape}; leave it out")
        dtype = self.weight_hh_l0.dtype
        if x.dtype is not dtype:
            raise fail(
                DTypeError,
                op,
                f"expected x of the weights' dtype {dtype}, got {x.dtype}; convert it with .to()",
            )
        return x

    def _first_states(self, x: Tensor, hx: Any, batched: bool) -> list[Tensor]:
        """Each state as (layers * directions, N, H); zeros if none is given."""
        op = type(self).__name__
        layers = self.num_layers * self._directions
        if hx is None:
            shape = (layers, x.shape[1], self.hidden_size)
            return [zeros(shape, dtype=x.dtype, backend=x.backend)] * self._states
        given = [hx] if self._states == 1 else hx
        if not isinstance(given, (tuple, list)) or len(given) != self._states:
            raise fail(
                ArgumentError, op, f"expected hx as (h_0, c_0), got {came(hx)}; pass both states"
            )
        wanted = (layers, *((x.shape[1],) if batched else ()), self.hidden_size)
        for name, state in zip(("h_0", "c_0"), given, strict=False):
            if expect_tensor(op, name, state).shape != wanted:
                raise fail(
                    ShapeError,
                    op,
                    f"expected {name} {wanted}, got {state.shape}; its first axis counts layers "
                    "times directions, whatever batch_first says",
                )
        return [s if batched else s.unsqueeze(1) for s in given]

    def extra_repr(self) -> str:
        """The arguments that are not the defaults."""
        shown = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in (
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                shown.append(f"{name}={getattr(self, name)}")
        return ", ".join(shown)


def _sum(biases: list[Any]) -> Tensor | None:
    """Both biases of gates that add them: one sum for all steps."""
    if biases[0] is None:
        return None
    total: Tensor = biases[0] + biases[1]
    return total


class RNN(_Recurrent):
    """h[t] = tanh(W x[t] + b + U h[t-1] + b'), or ReLU; `num_layers` of it, one on the other.

    x (T, N, D), (N, T, D) with batch_first, or (T, D); h_0 (num_layers * directions, N, H), zeros
    if left out. Returns (h of the last layer (T, N, directions * H), the last h of all layers, as
    h_0). Parameters weight_ih_l0 (H, D), weight_hh_l0 (H, H), bias_ih_l0, bias_hh_l0 (H,), ... and
    with bidirectional weight_ih_l0_reverse, ...; uniform in +-1 / sqrt(H) at first. `dropout` acts
    in training on the outputs of every layer but the last. Elman 1990; in both directions Schuster
    & Paliwal 1997. Decks: D3, D4.
    """

    _gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = (input_size, hidden_size, num_layers)
        super().__init__(
            *sizes, bias, batch_first, dropout, bidirectional, backend=backend, dtype=dtype
        )
        self.nonlinearity = choice("RNN", "nonlinearity", nonlinearity, NONLINEARITIES)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(outputs, h_n)."""
        y, (h_n,) = self._forward(input, hx)
        return y, h_n

    def _run(
        self, x: Tensor, states: list[Tensor], w: Any, bias: Any
    ) -> tuple[Tensor, list[Tensor]]:
        hs = apply(Rnn(self.nonlinearity), F.linear(x, w[0], _sum(bias)), w[1], *states)
        return hs, [hs[-1]]


class LSTM(_Recurrent):
    """An LSTM over sequences; the step is functional.lstm_cell's. Hochreiter & Schmidhuber 1997.

    x (T, N, D), (N, T, D) with batch_first, or (T, D); hx = (h_0, c_0), each (num_layers *
    directions, N, H), zeros if left out. Returns (h of the last layer (T, N, directions * H),
    (h_n, c_n)). Parameters weight_ih_l0 (4H, D), weight_hh_l0 (4H, H), bias_ih_l0, bias_hh_l0
    (4H,), ..., gates in the order i, f, g, o; uniform in +-1 / sqrt(H) at first. Other arguments
    as RNN's; proj_size, torch's projection of h, is not supported. Decks: D3.
    """

    _gates, _states = 4, 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        if proj_size != 0:
            raise fail(
                ArgumentError,
                "LSTM",
                f"expected proj_size 0, got {came(proj_size)}; projections are not supported: put "
                "an nn.Linear behind the LSTM",
            )
        sizes = (input_size, hidden_size, num_layers)
        super().__init__(
            *sizes, bias, batch_first, dropout, bidirectional, backend=backend, dtype=dtype
        )

    def forward(
        self, input: Tensor, hx: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(outputs, (h_n, c_n))."""
        y, (h_n, c_n) = self._forward(input, hx)
        return y, (h_n, c_n)

    def _run(
        self, x: Tensor, states: list[Tensor], w: Any, bias: Any
    ) -> tuple[Tensor, list[Tensor]]:
        a = F.linear(x, w[0], _sum(bias))
        hs, c_n, _, _ = apply_multi(Lstm(), a, w[1], *states)
        return hs, [hs[-1], c_n]


class GRU(_Recurrent):
    """A GRU over sequences; the step is functional.gru_cell's. Cho et al. 2014.

    Arguments and results as RNN's; parameters weight_ih_l0 (3H, D), weight_hh_l0 (3H, H),
    bias_ih_l0, bias_hh_l0 (3H,), ..., parts in the order r, z, n.
    Decks: none; LSTM's (D3) smaller relative.
    """

    _gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = (input_size, hidden_size, num_layers)
        super().__init__(
            *sizes, bias, batch_first, dropout, bidirectional, backend=backend, dtype=dtype
        )

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(outputs, h_n)."""
        y, (h_n,) = self._forward(input, hx)
        return y, h_n

    def _run(
        self, x: Tensor, states: list[Tensor], w: Any, bias: Any
    ) -> tuple[Tensor, list[Tensor]]:
        a = F.linear(x, w[0], bias[0])
        hs, _ = apply_multi(Gru(), a, w[1], bias[1], *states)
        return hs, [hs[-1]]
