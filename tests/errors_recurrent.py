"""Wrong calls of recurrent cells and layers."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import functional as F
from etude import nn
from etude.framework.errors import ArgumentError, CallError, DTypeError, ShapeError


def x(*shape: int, **options: Any) -> Any:
    return etude.ones(shape, **options)


def lstm(**options: Any) -> Any:
    return nn.LSTM(3, 4, **options)


W = x(8, 3), x(8, 2)

WRONG = [
    Wrong(
        "lstm_cell one state", lambda: F.lstm_cell(x(1, 3), x(1, 2), *W), ArgumentError, "(h, c)"
    ),
    Wrong(
        "lstm_cell no batch",
        lambda: F.lstm_cell(x(3), (x(1, 2), x(1, 2)), *W),
        ShapeError,
        "(3,)",
        "unsqueeze(0)",
    ),
    Wrong(
        "lstm_cell other inputs",
        lambda: F.lstm_cell(x(1, 5), (x(1, 2), x(1, 2)), *W),
        ShapeError,
        "w_ih (8, 5)",
        "(8, 3)",
    ),
    Wrong(
        "lstm_cell three gates",
        lambda: F.lstm_cell(x(1, 3), (x(1, 2), x(1, 2)), x(6, 3), x(6, 2)),
        ShapeError,
        "w_hh (4H, H)",
        "(6, 2)",
    ),
    Wrong(
        "lstm_cell state of another batch",
        lambda: F.lstm_cell(x(3, 3), (x(3, 2), x(1, 2)), *W),
        ShapeError,
        "state c (3, 2)",
        "(1, 2)",
    ),
    Wrong(
        "lstm_cell state of another dtype",
        lambda: F.lstm_cell(x(1, 3), (x(1, 2), x(1, 2, dtype=etude.float64)), *W),
        DTypeError,
        "state c",
        "float64",
    ),
    Wrong(
        "lstm_cell whole numbers",
        lambda: F.lstm_cell(x(1, 3, dtype=etude.int64), (x(1, 2), x(1, 2)), *W),
        DTypeError,
        "int64",
    ),
    Wrong(
        "gru_cell bias of another size",
        lambda: F.gru_cell(x(1, 3), x(1, 2), x(6, 3), x(6, 2), x(6), x(2)),
        ShapeError,
        "b_hh (6,)",
        "(2,)",
    ),
    Wrong("gru_cell a list", lambda: F.gru_cell([1.0], x(1, 2), *W), CallError, "[1.0]"),
    Wrong(
        "rnn_tanh_cell flat weight",
        lambda: F.rnn_tanh_cell(x(1, 3), x(1, 2), x(2, 3), x(2)),
        ShapeError,
        "w_hh (H, H)",
    ),
    Wrong(
        "rnn_relu_cell wide state",
        lambda: F.rnn_relu_cell(x(1, 3), x(1, 5), x(2, 3), x(2, 2)),
        ShapeError,
        "state h (1, 2)",
        "(1, 5)",
    ),
    Wrong("LSTM projection", lambda: lstm(proj_size=2), ArgumentError, "proj_size 0", "nn.Linear"),
    Wrong("LSTM no layer", lambda: lstm(num_layers=0), ArgumentError, "num_layers", "0"),
    Wrong("LSTM dropout of 2", lambda: lstm(dropout=2.0), ArgumentError, "dropout", "2"),
    Wrong("LSTM other inputs", lambda: lstm()(x(5, 2, 7)), ShapeError, "(5, 2, 7)", "input_size=7"),
    Wrong("LSTM an image", lambda: lstm()(x(1, 5, 2, 3)), ShapeError, "(1, 5, 2, 3)"),
    Wrong("LSTM no steps", lambda: lstm()(x(0, 2, 3)), ShapeError, "one step", "(0, 2, 3)"),
    Wrong(
        "LSTM no steps behind the batch",
        lambda: lstm(batch_first=True)(x(2, 0, 3)),
        ShapeError,
        "one step",
    ),
    Wrong("LSTM one state", lambda: lstm()(x(5, 2, 3), x(1, 2, 4)), ArgumentError, "(h_0, c_0)"),
    Wrong(
        "LSTM states of one direction",
        lambda: lstm(bidirectional=True)(x(5, 2, 3), (x(1, 2, 4), x(1, 2, 4))),
        ShapeError,
        "h_0 (2, 2, 4)",
        "directions",
    ),
    Wrong("LSTM a list", lambda: lstm()([1.0]), CallError, "[1.0]"),
    Wrong(
        "LSTM another dtype",
        lambda: lstm()(x(5, 2, 3, dtype=etude.float64)),
        DTypeError,
        "float32",
        "float64",
    ),
    Wrong("LSTM weights of whole numbers", lambda: lstm(dtype=etude.int64), DTypeError, "int64"),
    Wrong(
        "RNN unknown function",
        lambda: nn.RNN(3, 4, nonlinearity="tan"),
        ArgumentError,
        "did you mean 'tanh'?",
    ),
    Wrong(
        "GRU state without batch",
        lambda: nn.GRU(3, 4)(x(5, 2, 3), x(1, 4)),
        ShapeError,
        "h_0 (1, 2, 4)",
        "(1, 4)",
    ),
    Wrong("GRU half a size", lambda: nn.GRU(3, 4.5), ArgumentError, "hidden_size", "4.5"),
    Wrong("RNNCell unknown function", lambda: nn.RNNCell(3, 4, True, "x"), ArgumentError, "'x'"),
    Wrong("LSTMCell a sequence", lambda: nn.LSTMCell(3, 4)(x(5, 2, 3)), ShapeError, "(5, 2, 3)"),
    Wrong("GRUCell other inputs", lambda: nn.GRUCell(3, 4)(x(2, 7)), ShapeError, "input_size=7"),
]
