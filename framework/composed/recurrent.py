"""Recurrent cells as functions: one step, with torch's names, arguments and weight layouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..autograd import apply_multi
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..guard import came
from ..ops.checks import float_tensor
from ..ops.derivatives import RELU, TANH
from ..ops.matmul import linear
from ..ops.recurrent import GruCell, LstmCell

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: i, f, g, o = W x + b + U h + b'; c' = s(f) c + s(i) tanh(g).

    The new state is h' = s(o) tanh(c'), s the sigmoid.

    Args: input x (N, D); hx = (h, c), each (N, H); w_ih (4H, D), w_hh (4H, H), b_ih and b_hh (4H,),
    gates in the order i, f, g, o; float. Returns: (h', c'), each (N, H). Raises: ShapeError,
    DTypeError, ArgumentError. Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000.
    """
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        raise fail(
            ArgumentError, "lstm_cell", f"expected hx as (h, c), got {came(hx)}; pass both states"
        )
    h, c = hx
    check_cell("lstm_cell", 4, input, (h, c), (w_ih, w_hh), (b_ih, b_hh))
    gates = linear(input, w_ih, b_ih) + linear(h, w_hh, b_hh)
    h, c, _ = apply_multi(LstmCell(), gates, c)
    return h, c


def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU: h' = (1 - z) n + z h, with n = tanh(a_n + r u_n) and gates r, z.

    a = W x + b, u = U h + b', r = s(a_r + u_r), z = s(a_z + u_z), s the sigmoid. The reset gate
    multiplies the product U h, as in torch; Cho et al. multiply h before it.

    Args: input x (N, D); hx = h (N, H); w_ih (3H, D), w_hh (3H, H), b_ih and b_hh (3H,), parts in
    the order r, z, n; float. Returns: h' (N, H). Raises: ShapeError, DTypeError. Source: Cho et al.
    2014.
    """
    check_cell("gru_cell", 3, input, (hx,), (w_ih, w_hh), (b_ih, b_hh))
    a, u = linear(input, w_ih, b_ih), linear(hx, w_hh, b_hh)
    return apply_multi(GruCell(), a, u, hx)[0]


def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a plain recurrent network: h' = tanh(W x + b + U h + b').

    Args: input x (N, D); hx = h (N, H); w_ih (H, D), w_hh (H, H), b_ih and b_hh (H,); float.
    Returns: h' (N, H). Raises: ShapeError, DTypeError. Source: Elman 1990.
    """
    check_cell("rnn_tanh_cell", 1, input, (hx,), (w_ih, w_hh), (b_ih, b_hh))
    return TANH(linear(input, w_ih, b_ih) + linear(hx, w_hh, b_hh))


def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a plain recurrent network with ReLU: h' = max(W x + b + U h + b', 0).

    Arguments as those of rnn_tanh_cell. Source: Le, Jaitly & Hinton 2015.
    """
    check_cell("rnn_relu_cell", 1, input, (hx,), (w_ih, w_hh), (b_ih, b_hh))
    return RELU(linear(input, w_ih, b_ih) + linear(hx, w_hh, b_hh))


def check_cell(
    op: str,
    gates: int,
    x: Tensor,
    states: Sequence[Tensor],
    weights: tuple[Tensor, Tensor],
    biases: tuple[Tensor | None, Tensor | None],
) -> None:
    """Raise unless x (N, D), the states (N, H) and the parameters of `gates` H rows fit."""
    float_tensor(op, x)
    if len(x.shape) != 2:
        raise fail(
            ShapeError, op, f"expected x (N, D), got {x.shape}; add a batch axis with unsqueeze(0)"
        )
    w_hh = weights[1]
    if len(w_hh.shape) != 2 or w_hh.shape[0] != gates * w_hh.shape[1]:
        raise fail(
            ShapeError,
            op,
            f"expected w_hh ({'' if gates == 1 else gates}H, H), got {w_hh.shape}; "
            f"give it {gates} rows for each of its columns",
        )
    size = w_hh.shape[1]
    rows = gates * size
    expected = {
        "w_ih": (weights[0], (rows, x.shape[1])),
        "b_ih": (biases[0], (rows,)),
        "b_hh": (biases[1], (rows,)),
        **{f"state {n}": (s, (x.shape[0], size)) for n, s in zip("hc", states, strict=False)},
    }
    for label, (t, shape) in expected.items():
        if t is not None and t.shape != shape:
            raise fail(
                ShapeError,
                op,
                f"expected {label} {shape} for x {x.shape} and w_hh {w_hh.shape}, got {t.shape}; "
                "N is the batch and H the number of columns of w_hh",
            )
    for label, t in (*((label, t) for label, (t, _) in expected.items()), ("w_hh", w_hh)):
        if t is not None and t.dtype is not x.dtype:
            raise fail(
                DTypeError,
                op,
                f"expected {label} of x's dtype {x.dtype}, got {t.dtype}; convert one with .to()",
            )
