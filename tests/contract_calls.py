"""Calls of Tier 2 methods that the cases of ops do not make in all their forms.

CALLS[name](make) lists the arguments of each call; make(shape) is a buffer of normal numbers, and
make(shape, low) one of numbers from low to low + 1.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from etude.backends.base import Constant, Expression, Register, Step

Make = Callable[..., Any]

LAYERS = [(3, 5, 4), (1, 1, 1), (33, 70, 37), (64, 128, 10), (0, 3, 2), (2, 0, 3)]  # M, K, N
CELLS = [(3, 5), (1, 1), (7, 33), (32, 128), (0, 4)]  # N, H
SEQUENCES = [(1, 1, 1), (3, 2, 4), (5, 3, 17), (2, 0, 3)]  # T, N, H
MANY = [[(7,)], [(3, 4), (5,), (1,), ()], [(0, 2), (300, 70), (2, 3, 2, 2)]]  # shapes


def _linear(make: Make) -> list[list[Any]]:
    return [
        [make((m, k)), make((n, k)), make((n,)) if bias else None, name]
        for (m, k, n), bias in product(LAYERS, (True, False))
        for name in (None, "relu", "sigmoid", "tanh", "gelu")
    ]


def _linear_grad(make: Make) -> list[list[Any]]:
    return [
        [make((m, n)), make((m, k)), make((n, k)), needs]
        for m, k, n in LAYERS
        for needs in product((False, True), repeat=3)
    ]


def _linear_grad_sgd(make: Make) -> list[list[Any]]:
    return [
        [make((m, n)), make((m, k)), make((n, k)), needs, make((n, k)) if momentum else None,
         *(0.1, momentum, 0.2, 0.1, False)]
        for m, k, n in [*LAYERS, (40, 50, 130)]
        for needs in ((True, True, True), (False, True, False))
        for momentum in (0.9, 0.0)
    ]  # fmt: skip


def _linear_grad_adam(make: Make) -> list[list[Any]]:
    return [
        [make((m, n)), make((m, k)), make((n, k)), needs, make((n, k)), make((n, k), 0),
         *(3, 0.01, 0.9, 0.99, 1e-8, 0.1, decoupled)]
        for m, k, n in [*LAYERS, (40, 50, 130)]
        for needs, decoupled in (((True, True, True), True), ((False, True, False), False))
    ]  # fmt: skip


def _bias_activation(make: Make) -> list[list[Any]]:
    names = ("relu", "sigmoid", "tanh", "gelu", "softplus", "exp")
    return [[make((m, n)), make((n,)), name] for m, _, n in LAYERS for name in names]


def _conv(make: Make) -> list[list[Any]]:
    """Windows of all kinds, among them those of Winograd's algorithm and groups of one channel."""
    plain, no_pad = ((1, 1), ((1, 1), (1, 1)), (1, 1)), ((0, 0), (0, 0))
    forms: list[tuple[Any, Any, tuple[Any, ...]]] = [
        ((2, 3, 9, 7), (5, 3, 3, 2), (*plain, 1)),
        ((2, 3, 9, 7), (5, 3, 1, 1), ((1, 2), no_pad, (1, 1), 1)),
        ((3, 6, 11), (4, 3, 3), ((2,), ((1, 0),), (2,), 2)),
        ((2, 16, 20, 20), (16, 16, 3, 3), (*plain, 1)),
        ((2, 4, 9, 9), (8, 1, 3, 3), (*plain, 4)),
        ((2, 3, 4, 4, 4), (2, 3, 2, 2, 2), ((1, 1, 1), (*no_pad, (0, 1)), (1, 1, 1), 1)),
        ((0, 3, 9, 7), (5, 3, 3, 2), (*plain, 1)),
    ]
    return [
        [make(x), make(w), make(w[:1]) if bias else None, *geometry, name]
        for x, w, geometry in forms
        for bias in (True, False)
        for name in (None, "relu", "sigmoid", "tanh", "gelu")
    ]


PLANES = [(4, 3, 2, 5), (5, 9, 9, 8), (33, 40), (2, 3, 70, 61), (3, 2, 64), (0, 3, 2)]


def _batch_norm_relu(make: Make) -> list[list[Any]]:
    return [
        [make(s), *((make(s[1:2]), make(s[1:2])) if affine else (None, None)), 1e-5, *rest]
        for s in PLANES
        for affine in (True, False)
        for rest in ([], [make(s)])
    ]


def _batch_norm_relu_grad(make: Make) -> list[list[Any]]:
    return [
        [
            *(make(s), make(s), make(s), make(s[1:2]) if affine else None),
            *(make(s[1:2]), make(s[1:2], 0), 1e-5),
        ]
        for s in PLANES
        for affine in (True, False)
    ]


def _lstm_cell(make: Make) -> list[list[Any]]:
    return [[make((n, 4 * h)), make((n, h))] for n, h in CELLS]


def _lstm_cell_grad(make: Make) -> list[list[Any]]:
    return [
        [make((n, h)), make((n, h)), make((n, 4 * h), 0), make((n, h)), make((n, h))]
        for n, h in CELLS
    ]


def _gru_cell(make: Make) -> list[list[Any]]:
    return [[make((n, 3 * h)), make((n, 3 * h)), make((n, h))] for n, h in CELLS]


def _gru_cell_grad(make: Make) -> list[list[Any]]:
    return [[make((n, h)), make((n, 4 * h), 0), make((n, h))] for n, h in CELLS]


def _rnn(make: Make) -> list[list[Any]]:
    return [
        [make((t, n, h)), make((h, h)), make((n, h)), name]
        for t, n, h in SEQUENCES
        for name in ("tanh", "relu")
    ]


def _rnn_grad(make: Make) -> list[list[Any]]:
    return [
        [make((t, n, h)), make((t, n, h), 0), make((h, h)), make((n, h)), name]
        for t, n, h in SEQUENCES
        for name in ("tanh", "relu")
    ]


def _lstm(make: Make) -> list[list[Any]]:
    return [
        [make((t, n, 4 * h)), make((4 * h, h)), make((n, h)), make((n, h))] for t, n, h in SEQUENCES
    ]


def _lstm_grad(make: Make) -> list[list[Any]]:
    return [
        [
            *(make((t, n, h)), make((n, h)), make((t, n, h)), make((t, n, h))),
            *(make((t, n, 4 * h), 0), make((4 * h, h)), make((n, h)), make((n, h))),
        ]
        for t, n, h in SEQUENCES
    ]


def _gru(make: Make) -> list[list[Any]]:
    return [
        [make((t, n, 3 * h)), make((3 * h, h)), make((3 * h,)) if bias else None, make((n, h))]
        for t, n, h in SEQUENCES
        for bias in (True, False)
    ]


def _gru_grad(make: Make) -> list[list[Any]]:
    return [
        [
            *(make((t, n, h)), make((t, n, h)), make((t, n, 4 * h), 0)),
            *(make((3 * h, h)), make((n, h))),
        ]
        for t, n, h in SEQUENCES
    ]


def _fused(make: Make) -> list[list[Any]]:
    dtype = str(make(()).dtype)
    r0, r1, r2, r3 = map(Register, range(4))
    steps = (
        Step("binary", "add", (r0, r1), dtype),
        Step("unary", "tanh", (r2,), dtype),
        Step("binary", "mul", (r3, Constant(0.5)), dtype),
    )
    plain = Expression((dtype, dtype), steps, (4,))
    both = Expression((dtype, dtype), steps, (2, 4))
    reduced = Expression((dtype, dtype), steps, (3, 4), ("sum", (1,)))
    return [
        [e, [make(a), make(b)], shape]
        for e in (plain, both, reduced)
        for a, b, shape in [
            ((3, 5), (5,), (3, 5)),
            ((33, 1, 7), (1, 70, 7), (33, 70, 7)),
            ((0, 4), (0, 4), (0, 4)),
        ]
    ]


def _sgd_steps(make: Make) -> list[list[Any]]:
    rules = [(0.0, 0.0, 0.0, False), (0.9, 0.2, 0.1, False), (0.9, 0.0, 0.0, True)]
    return [
        [
            [make(s) for s in shapes],
            [make(s) for s in shapes],
            [make(s) if momentum else None for s in shapes],
            *(0.1, momentum, dampening, decay, nesterov),
        ]
        for shapes in MANY
        for momentum, dampening, decay, nesterov in rules
    ]


def _adam_steps(make: Make) -> list[list[Any]]:
    return [
        [
            *([make(s) for s in shapes] for _ in range(3)),
            [make(s, 0) for s in shapes],
            *(step, 0.01, 0.9, 0.99, 1e-8, decay, decoupled),
        ]
        for shapes in MANY
        for step, decay, decoupled in [(1, 0.0, False), (3, 0.1, False), (2, 0.1, True)]
    ]


def _rmsprop_steps(make: Make) -> list[list[Any]]:
    return [
        [
            *([make(s) for s in shapes], [make(s) for s in shapes], [make(s, 2) for s in shapes]),
            [make(s, 0) if centered else None for s in shapes],
            [make(s) if momentum else None for s in shapes],
            *(0.01, 0.9, 1e-8, 0.1, momentum),
        ]
        for shapes in MANY
        for centered, momentum in [(True, 0.9), (False, 0.0)]
    ]


def _adagrad_steps(make: Make) -> list[list[Any]]:
    return [
        [*([make(s) for s in shapes] for _ in range(2)), [make(s, 0) for s in shapes], 0.1, 1e-8, d]
        for shapes in MANY
        for d in (0.0, 0.1)
    ]


def _sum_squares(make: Make) -> list[list[Any]]:
    return [[[make(s) for s in shapes]] for shapes in MANY]


def _scale_all(make: Make) -> list[list[Any]]:
    return [[[make(s) for s in shapes], make(())] for shapes in MANY]


GROUPS = [((3, 6, 4, 5), 2), ((2, 4, 33), 1), ((5, 8), 4), ((2, 3, 70), 3), ((0, 4, 2), 2)]


def _group_norm(make: Make) -> list[list[Any]]:
    return [
        [make(s), *((make(s[1:2]), make(s[1:2])) if affine else (None, None)), groups, 1e-5]
        for s, groups in GROUPS
        for affine in (True, False)
    ]


def _group_norm_grad(make: Make) -> list[list[Any]]:
    return [
        [
            *(make(s), make(s), make(s[1:2]) if affine else None),
            *(make((s[0], groups)), make((s[0], groups), 0.5)),
        ]
        for s, groups in GROUPS
        for affine in (True, False)
    ]


CALLS: dict[str, Callable[[Make], list[list[Any]]]] = {
    "linear": _linear,
    "linear_grad": _linear_grad,
    "linear_grad_sgd": _linear_grad_sgd,
    "linear_grad_adam": _linear_grad_adam,
    "bias_activation": _bias_activation,
    "conv": _conv,
    "batch_norm_relu": _batch_norm_relu,
    "batch_norm_relu_grad": _batch_norm_relu_grad,
    "group_norm": _group_norm,
    "group_norm_grad": _group_norm_grad,
    "lstm_cell": _lstm_cell,
    "lstm_cell_grad": _lstm_cell_grad,
    "gru_cell": _gru_cell,
    "gru_cell_grad": _gru_cell_grad,
    "rnn": _rnn,
    "rnn_grad": _rnn_grad,
    "lstm": _lstm,
    "lstm_grad": _lstm_grad,
    "gru": _gru,
    "gru_grad": _gru_grad,
    "fused": _fused,
    "sgd_steps": _sgd_steps,
    "adam_steps": _adam_steps,
    "rmsprop_steps": _rmsprop_steps,
    "adagrad_steps": _adagrad_steps,
    "sum_squares": _sum_squares,
    "scale_all": _scale_all,
}
