"""Norms made of batch norm, layer norm and reductions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from ..autograd import apply_multi, no_grad
from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import check_parameters, float_tensor
from ..ops.group_norm import GroupNorm
from ..ops.layer_norm import AFFINE, normalized_axes
from ..ops.norm import BatchNorm, affine
from ..ops.pointwise import clamp
from ..ops.reduce import norm
from ..shape import check_whole

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["group_norm", "instance_norm", "normalize", "rms_norm"]

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}  # the gap above 1


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """y = w (x - E[x]) / sqrt(Var[x] + eps) + b, over C / num_groups channels of each example.

    One group is layer norm over all of an example, C groups are instance norm.

    Args: input (N, C, ...), float; weight and bias (C,). Raises: ShapeError if num_groups does not
    divide C, or a group holds a single value in all; DTypeError. Source: Wu & He 2018.
    """
    op = "group_norm"
    x = float_tensor(op, input)
    if len(x.shape) < 2:
        raise fail(
            ShapeError,
            op,
            f"expected x (N, C, ...), got {x.shape}; add a batch axis with x.unsqueeze(0)",
        )
    num_groups = check_whole(op, "num_groups", num_groups)
    if num_groups < 1 or x.shape[1] % num_groups:
        raise fail(
            ShapeError,
            op,
            f"expected num_groups that divides the {x.shape[1]} channels of x {x.shape}, got "
            f"{num_groups}; "
            "use 1 for one group",
        )
    fix = f"use num_channels={x.shape[1]}"
    check_parameters(op, x, x.shape[1:2], fix, weight=weight, bias=bias)
    size = prod(x.shape[1:]) // num_groups
    if x.shape[0] * size == 1:
        raise fail(
            ShapeError,
            op,
            f"expected more than one value in a group, got x {x.shape}; "
            "use fewer groups or larger inputs",
        )
    return apply_multi(GroupNorm(num_groups, eps), x, weight, bias)[0]


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = w (x - E[x]) / sqrt(Var[x] + eps) + b, over the spatial axes of each example and channel.

    Args: input (N, C, ...) with one spatial axis or more, float; the others (C,). The running mean
    and variance, if given, move towards the averages over the batch by `momentum`; they are used in
    place of the input's own if not `use_input_stats`.
    Raises: ShapeError, DTypeError, ArgumentError. Source: Ulyanov et al. 2016.
    """
    op = "instance_norm"
    x = float_tensor(op, input)
    if len(x.shape) < 3:
        raise fail(
            ShapeError,
            op,
            f"expected x (N, C, ...) of 3 axes or more, got {x.shape}; "
            "add a batch axis with x.unsqueeze(0)",
        )
    check_parameters(
        op,
        x,
        x.shape[1:2],
        f"use num_features={x.shape[1]}",
        running_mean=running_mean,
        running_var=running_var,
        weight=weight,
        bias=bias,
    )
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise fail(
                ArgumentError,
                op,
                "expected running_mean and running_var with use_input_stats=False, got none; "
                "give both",
            )
        centred = x - _wide(running_mean, x)
        return affine(centred * _wide(e.RSQRT(running_var + eps), x), weight, bias)
    if prod(x.shape[2:]) == 1:
        raise fail(
            ShapeError,
            op,
            f"expected more than one spatial element, got x {x.shape}; "
            "use larger inputs, or layer_norm",
        )
    one = x.reshape(1, x.shape[0] * x.shape[1], *x.shape[2:])
    y, mean, var = apply_multi(BatchNorm(eps), one, None, None)
    if running_mean is not None and running_var is not None:
        count = prod(x.shape[2:])
        with no_grad():
            for running, batch, scale in (
                (running_mean, mean, 1.0),
                (running_var, var, count / (count - 1)),
            ):
                average = batch.detach().reshape(x.shape[:2]).mean(0)
                running.copy_(running * (1.0 - momentum) + average * (momentum * scale))
    return affine(y.reshape(x.shape), weight, bias)


def _wide(t: Tensor, x: Tensor) -> Tensor:
    """A vector over the channels of x, so that it broadcasts."""
    return t.reshape(1, -1, *(1,) * (len(x.shape) - 2))


def rms_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """y = w x / sqrt(E[x^2] + eps), over the last axes of each example.

    Args: input (..., *normalized_shape), float; weight of normalized_shape; eps by default the gap
    above 1 of the dtype, 1.2e-7 or 2.2e-16.
    Raises: ShapeError, DTypeError, ArgumentError. Source: Zhang & Sennrich 2019.
    """
    x = float_tensor("rms_norm", input)
    shape = normalized_axes("rms_norm", x, normalized_shape)
    check_parameters("rms_norm", x, shape, AFFINE, weight=weight)
    axes = tuple(range(len(x.shape) - len(shape), len(x.shape)))
    gap = EPSILON[x.dtype] if eps is None else eps
    y = x * e.RSQRT((x * x).mean(axes, keepdim=True) + gap)
    return y if weight is None else y * weight


def normalize(
    input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12
) -> Tensor:
    """x / max(|x|_p, eps) along `dim`: the L2-normalise layer for p = 2.

    Source: Liu, Rabinovich & Berg 2015 (ParseNet). Decks: D3.
    """
    x = float_tensor("normalize", input)
    axes = dim if isinstance(dim, int) else tuple(dim)
    return x / clamp(norm(x, p, axes, True), eps)
