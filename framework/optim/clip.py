"""Gradient clipping, between backward() and step()."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import functional as F
from ..autograd import apply, apply_multi, no_grad
from ..checks import real
from ..creation import zeros
from ..errors import CallError, GradError, fail
from ..guard import came
from ..ops.clip import ScaleAll, SumSquares
from ..tensor import Tensor


def _gradients(op: str, parameters: Any) -> list[tuple[Tensor, Tensor]]:
    """(parameter, gradient) for each that has one."""
    if not isinstance(parameters, (Tensor, Iterable)):
        raise fail(
            CallError,
            op,
            f"expected parameters, got {came(parameters)}; use model.parameters()",
        )
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [(p, p.grad.detach()) for p in given if p.grad is not None]


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients together so that their norm, as of one vector, is at most max_norm.

    g <- g * min(1, max_norm / (|g| + 1e-6)). Returns the norm before, a 0-d tensor. With
    error_if_nonfinite a norm of nan or inf raises GradError and nothing is scaled. Pascanu et al.
    2013. Decks: D0.
    """
    op = "clip_grad_norm_"
    real(op, "max_norm", max_norm)
    found = _gradients(op, parameters)
    if not found:
        return zeros(())
    with no_grad():
        total = _norm([g for _, g in found], norm_type)
        if error_if_nonfinite and not bool(total.isfinite()):
            raise fail(
                GradError,
                op,
                f"expected a finite norm of the gradients, got {total.item()}; lower the learning "
                "rate or look for a nan in the inputs",
            )
        scale = F.clamp(max_norm / (total + 1e-6), max=1.0)
        for (p, _), g in zip(found, _scaled([g for _, g in found], scale), strict=True):
            p.grad = g
    return total


def _norm(gradients: list[Tensor], norm_type: float) -> Tensor:
    """The norm of all of them as one vector."""
    if norm_type == 2 and _go_together(gradients):
        return apply(SumSquares(), *gradients).sqrt()
    return F.norm(F.stack([F.norm(g, norm_type) for g in gradients]), norm_type)


def _scaled(gradients: list[Tensor], scale: Tensor) -> Sequence[Tensor]:
    if _go_together(gradients):
        return apply_multi(ScaleAll(len(gradients)), *gradients, scale)
    return [g * scale for g in gradients]


def _go_together(gradients: list[Tensor]) -> bool:
    """Whether one backend call can take them all."""
    return len({(g.backend, g.dtype) for g in gradients}) == 1


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Limit each element of each gradient to [-clip_value, clip_value]."""
    real("clip_grad_value_", "clip_value", clip_value)
    with no_grad():
        for p, g in _gradients("clip_grad_value_", parameters):
            p.grad = F.clamp(g, -clip_value, clip_value)
