"""What a call of the backend costs by its arguments: operations, and bytes that have to move.

Written for the contract's methods, so it holds for eager calls, recorded instructions and what
passes made of them. A multiply-add counts as two operations; a function such as exp as what a
polynomial of its accuracy takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from etude.backends.base import Expression, Shape

# Of each element: of a result, unless another number is here.
FUNCTIONS = {"exp": 8, "log": 8, "tanh": 12, "sigmoid": 10, "erf": 12, "pow": 16, "gelu": 16}
RESULTS = {
    **dict.fromkeys(("uniform", "normal", "exponential", "random_bits"), 10),
    **dict.fromkeys(("sgd_step", "rmsprop_step", "adagrad_step", "adam_step", "amsgrad_step"), 10),
    **dict.fromkeys(("sgd_steps", "rmsprop_steps", "adagrad_steps", "adam_steps"), 10),
    **dict.fromkeys(("softmax", "softmax_grad", "log_softmax", "log_softmax_grad"), 12),
    "binary_cross_entropy": 22,
}
# Of each element of one argument, by its place.
ARGUMENTS = {
    "reduce": (1, 1),
    "mean": (0, 1),
    "batch_norm": (0, 8),
    "batch_norm_grad": (0, 12),
    "batch_norm_relu": (0, 10),
    "batch_norm_relu_grad": (0, 13),
    "layer_norm": (0, 8),
    "layer_norm_grad": (0, 14),
    "group_norm": (0, 8),
    "group_norm_grad": (0, 14),
    "cross_entropy": (0, 12),
    "cross_entropy_mean": (0, 12),
    "lstm_cell": (1, 60),
    "lstm_cell_grad": (3, 60),
    "gru_cell": (2, 60),
    "gru_cell_grad": (2, 60),
}
CELL = 60  # of each unit and step of a recurrent layer, besides its products
SMALLER = {"strided", "unstrided", "gather", "scatter_add", "max_pool_pick"}  # touch a part of x
MOVES = {"reshape", "strided", "unstrided", "transpose", "expand", "cat", "pad", "gather", "full"}
MOVES |= {"empty", "assign", "put_strided", "from_host", "to_host", "share", "keep"}
MOVES |= {"unfold", "fold"}


def _size(x: Any) -> int:
    """Elements of a buffer or value, or of several."""
    if isinstance(x, (list, tuple)):
        return sum(map(_size, x))
    return prod(x.shape) if getattr(x, "shape", None) is not None else 0


def operations(method: str, given: Sequence[Any], results: Sequence[Shape]) -> int:
    """Floating-point operations of one call.

    given: its arguments, buffers or values among them; results: the shapes of what it made, or of
    what it changed in place.
    """
    made = sum(map(prod, results))
    if method in MOVES:
        return 0
    if method in ("unary", "binary"):
        return FUNCTIONS.get(given[0], 1) * made
    if method in ARGUMENTS:
        place, each = ARGUMENTS[method]
        return each * _size(given[place])
    if method in _SPECIAL:
        return int(_SPECIAL[method](given, made))
    return RESULTS.get(method, 1) * made


def multiply_adds(method: str, given: Sequence[Any], results: Sequence[Shape]) -> int:
    """Multiply-adds of one call's convolution or product, the count that papers give as FLOPs.

    0 for all other methods: biases, activations, norms and pooling are not counted there. Source:
    He et al. 2016, section 3.3 and table 1. Decks: D4.
    """
    made = sum(map(prod, results))
    if method == "conv":
        return int(prod(given[1].shape[1:]) * made)
    if method == "conv_input_grad":  # a transposed convolution
        return int(prod(given[1].shape[1:]) * _size(given[0]))
    if method == "linear":
        return int(given[0].shape[1] * made)
    if method == "matmul":
        return _matmul(given, made) // 2
    if method in ("rnn", "lstm", "gru"):
        return int(prod(given[0].shape[:2]) * prod(given[1].shape))
    return 0


def traffic(method: str, read: Sequence[int], written: Sequence[int]) -> int:
    """Bytes moved if each array is touched once, from the bytes of inputs and of results.

    A reshape moves nothing; a copy of a part, as much as the part has.
    """
    if method in ("reshape", "keep", "empty"):
        return 0
    if method in SMALLER and read and written:
        part = min(read[0], sum(written))
        into_zeros = method in ("unstrided", "scatter_add")
        return part + sum(read[1:]) + (sum(written) if into_zeros else part)
    return sum(read) + sum(written)


def label(method: str, given: Sequence[Any]) -> str:
    """A call by the name that a table shows: conv, binary add, fused mul add relu."""
    if method in ("unary", "binary", "reduce", "arg_reduce", "scan"):
        return f"{method} {given[0]}"
    if method == "fused":
        names = [step.name for step in given[0].steps]
        more = f" +{len(names) - 4}" if len(names) > 4 else ""
        return " ".join([method, *names[:4]]) + more
    return method


def _matmul(given: Sequence[Any], made: int) -> int:
    a, swapped = given[0].shape, len(given) > 2 and given[2]
    return int(2 * a[-2 if swapped else -1] * made)


def _linear(given: Sequence[Any], made: int) -> int:
    bias = len(given) > 2 and given[2] is not None
    return int((2 * given[0].shape[1] + bias + _activation(given, 3)) * made)


def _activation(given: Sequence[Any], place: int) -> int:
    name = given[place] if len(given) > place else None
    return FUNCTIONS.get(name, 1) if isinstance(name, str) else 0


def _linear_grad(given: Sequence[Any], made: int) -> int:
    g, k, needs = prod(given[0].shape), given[1].shape[1], given[3]
    return int(2 * g * k * sum(needs[:2]) + g * needs[2])


def _conv(given: Sequence[Any], made: int) -> int:
    return int((2 * prod(given[1].shape[1:]) + _activation(given, 7)) * made)


def _sequence(given: Sequence[Any], made: int) -> int:
    steps, n, _ = given[0].shape
    gates, size = given[1].shape
    return int(steps * n * (2 * gates * size + CELL * size))


def _fused(given: Sequence[Any], made: int) -> int:
    e: Expression = given[0]
    each = sum(FUNCTIONS.get(step.name, 1) for step in e.steps) + (e.reduce is not None)
    return int(each * prod(given[2]))


_SPECIAL = {
    "matmul": _matmul,
    "linear": _linear,
    "linear_grad": _linear_grad,
    "linear_grad_sgd": lambda given, made: _linear_grad(given, made) + 10 * _size(given[2]),
    "linear_grad_adam": lambda given, made: _linear_grad(given, made) + 10 * _size(given[2]),
    "bias_activation": lambda given, made: (1 + _activation(given, 2)) * made,
    "conv": _conv,
    "conv_input_grad": lambda given, made: 2 * prod(given[1].shape[1:]) * _size(given[0]),
    "conv_weight_grad": lambda given, made: 2 * prod(given[2][1:]) * _size(given[1]),
    "max_pool": lambda given, made: prod(given[1]) * made // 2,
    "sum_pool": lambda given, made: prod(given[1]) * made,
    "sum_pool_grad": lambda given, made: prod(given[2]) * _size(given[0]),
    "local_response_norm": lambda given, made: (given[1] + 19) * _size(given[0]),
    "local_response_norm_grad": lambda given, made: (given[3] + 22) * _size(given[1]),
    "rnn": _sequence,
    "lstm": _sequence,
    "gru": _sequence,
    "rnn_grad": lambda given, made: 4 * _size(given[1]) * given[2].shape[0],
    "lstm_grad": lambda given, made: _size(given[2]) * (4 * given[5].shape[0] + CELL),
    "gru_grad": lambda given, made: _size(given[1]) * (4 * given[3].shape[0] + CELL),
    "sum_squares": lambda given, made: 2 * _size(given[0]),
    "fused": _fused,
}
