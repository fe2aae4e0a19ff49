"""What the layers with weights share."""

from __future__ import annotations

from math import sqrt
from typing import Any

from ..creation import as_backend, empty
from ..dtypes import DEFAULT, as_dtype
from ..errors import DTypeError, fail
from ..tensor import Tensor
from . import init
from .parameter import Parameter


def new_parameter(op: str, shape: tuple[int, ...], dtype: Any, backend: Any) -> Parameter:
    """A parameter still to be filled, float32 on the default backend unless told otherwise."""
    kind = DEFAULT if dtype is None else as_dtype(dtype, op)
    if not kind.is_floating_point:
        raise fail(
            DTypeError, op, f"expected dtype float32 or float64, got {kind}; weights need gradients"
        )
    return Parameter(empty(shape, dtype=kind, backend=as_backend(backend)))


def default_init(weight: Tensor, bias: Tensor | None) -> None:
    """torch's start for Linear and convolutions: both uniform in +-1 / sqrt(fan_in)."""
    init.kaiming_uniform_(weight, a=sqrt(5.0))
    if bias is not None:
        fan_in, _ = init.fans("default_init", weight)
        bound = 1.0 / sqrt(fan_in) if fan_in else 0.0
        init.uniform_(bias, -bound, bound)
