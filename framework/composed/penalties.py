"""Penalties that are added to a loss: on weights, on activations, on the encoder's Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..checks import real, whole
from ..errors import ArgumentError, CallError, GradError, ShapeError, fail
from ..guard import came
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.layout import reshape
from ..ops.sampling import Generator, randn_like
from ..sweep import grad
from .common import reduced

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["activity_penalty", "contractive_penalty", "l1_penalty", "l2_penalty"]


def l2_penalty(
    parameters: Iterable[Tensor],
    strength: float = 1.0,
    half: bool = True,
    weights_only: bool = False,
) -> Tensor:
    """strength / 2 * sum of w^2, whose gradient strength * w is weight decay; without `half` twice.

    D0 writes kappa / 2 |W|^2 and D2, D3 lambda / 2 |w|^2 over all parameters, the default; D4
    lambda sum W^2 over weights and not biases: half=False, weights_only=True. `SGD(weight_decay=
    strength)` makes the same steps as the default.

    Args: parameters, of any shapes (`model.parameters()`); with `weights_only` those of fewer than
    two axes (biases, norms) count for nothing. Returns: ().
    Raises: ArgumentError. Source: Hoerl & Kennard 1970. Decks: D0, D2, D3, D4. D2 says that it
    drives weights to exactly 0: it shrinks them all by a share and none to 0; l1_penalty does.
    """
    total = _total("l2_penalty", parameters, weights_only, lambda w: (w * w).sum())
    return total * (real("l2_penalty", "strength", strength) * (0.5 if half else 1.0))


def l1_penalty(
    parameters: Iterable[Tensor],
    strength: float = 1.0,
    half: bool = False,
    weights_only: bool = False,
) -> Tensor:
    """strength * sum of |w|, with the gradient strength * sign(w), 0 at 0: steps of one length.

    D4 writes lambda sum |W| over weights and not biases (weights_only=True), D3 lambda / 2 times
    the norm (half=True); D3's update with 1 / |theta| lacks theta above: theta / |theta| is the
    sign. Steps of a sign cross 0; exact zeros come of `softshrink(w, lr * strength)` after a step.

    Args, returns, raises: as l2_penalty. Source: Tibshirani, "Regression shrinkage and selection
    via the lasso", 1996. Decks: D3, D4.
    """
    total = _total("l1_penalty", parameters, weights_only, lambda w: e.ABS(w).sum())
    return total * (real("l1_penalty", "strength", strength) * (0.5 if half else 1.0))


def _total(
    op: str, parameters: Iterable[Tensor], weights_only: bool, part: Callable[[Tensor], Tensor]
) -> Tensor:
    if isinstance(parameters, _tensor.Tensor) or not isinstance(parameters, Iterable):
        fix = "put it in a list" if isinstance(parameters, _tensor.Tensor) else "pass several"
        raise fail(
            CallError,
            op,
            f"expected parameters as a list of Tensors, got {came(parameters)}; {fix}",
        )
    found = [float_tensor(op, p) for p in parameters]
    kept = [p for p in found if len(p.shape) >= 2 or not weights_only]
    if not kept:
        what = "weights of two axes or more" if found else "parameters"
        raise fail(ArgumentError, op, f"expected {what}, got none; pass model.parameters()")
    total = part(kept[0])
    for p in kept[1:]:
        total = total + part(p)
    return total


def activity_penalty(input: Tensor, strength: float = 1.0, reduction: str = "mean") -> Tensor:
    """strength * sum of |h| over the units of each example: makes codes sparse.

    Args: input (N, ...), float: the activations h of a layer. Returns: () (the mean or the sum over
    examples), or (N,) for reduction "none". Raises: ShapeError, ArgumentError.
    Source: sparse auto-encoders; Glorot, Bordes & Bengio 2011. Decks: D0, D4.
    """
    op = "activity_penalty"
    h = float_tensor(op, input)
    _batch(op, h)
    real(op, "strength", strength)
    each = e.ABS(reshape(h, h.shape[0], -1)).sum(1) * strength
    return reduced(op, each, reduction)


def contractive_penalty(
    outputs: Tensor,
    inputs: Tensor,
    strength: float = 1.0,
    reduction: str = "mean",
    samples: int | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """strength * |dh / dx|_F^2 of each example: the square of the encoder's Jacobian.

    One backward sweep for each unit of h, recorded, so that the penalty can be differentiated once
    more. With `samples` only that many sweeps, in random directions v ~ N(0, 1): E |v^T dh/dx|^2 is
    the same number. For h = sigmoid(W x + b) it is sum_j (h_j (1 - h_j))^2 |W_j|^2.

    Args: inputs (N, ...), which require a gradient, and outputs h (N, ...) computed from them,
    each example from its own input (no batch norm in training between). Returns: () or, for
    reduction "none", (N,). Raises: ShapeError; GradError for inputs without a gradient.
    Source: Rifai et al., "Contractive auto-encoders", 2011, equation 1. Decks: D0, D4.
    """
    op = "contractive_penalty"
    h, x = float_tensor(op, outputs), float_tensor(op, inputs)
    _batch(op, h)
    real(op, "strength", strength)
    if x.shape[:1] != h.shape[:1]:
        raise fail(
            ShapeError,
            op,
            f"expected outputs and inputs of as many examples, got {h.shape} and {x.shape}; pass "
            "one encoder's",
        )
    if not x.requires_grad:
        raise fail(
            GradError,
            op,
            "expected inputs that require a gradient, got some that do not; call "
            "x.requires_grad_() before the encoder",
        )
    flat = reshape(h, h.shape[0], -1)
    if samples is None:
        seeds = [flat[:, i].sum() for i in range(flat.shape[1])]
        share = 1.0
    else:
        count = whole(op, "samples", samples)
        noise = [randn_like(flat.detach(), generator=generator) for _ in range(count)]
        seeds = [(flat * v).sum() for v in noise]
        share = 1.0 / count
    total: Tensor | None = None
    for seed in seeds:
        found = grad(seed, x, create_graph=True)[0]
        assert found is not None
        square = reshape(found * found, x.shape[0], -1).sum(1)
        total = square if total is None else total + square
    if total is None:
        raise fail(ShapeError, op, f"expected outputs with units, got {h.shape}; widen the layer")
    return reduced(op, total * (strength * share), reduction)


def _batch(op: str, h: Tensor) -> None:
    if len(h.shape) < 2:
        raise fail(
            ShapeError, op, f"expected activations (N, ...), got {h.shape}; use unsqueeze(0)"
        )
