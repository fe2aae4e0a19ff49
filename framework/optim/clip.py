"""Gradient clipping, between backward() and step()."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import functional as F
from ..autograd import no_grad
from ..checks import real
from ..creation import zeros
from ..errors import CallError, GradError, fail
from ..guard import came
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
    2013.
    """
    op = "clip_grad_norm_"
    real(op, "max_norm", max_norm)
    found = _gradients(op, parameters)
    if not found:
        return zeros(())
    with no_grad():
        norms = [F.norm(g, norm_type) for _, g in found]
        total = F.norm(F.stack(norms), norm_type)
        if error_if_nonfinite and not bool(total.isfinite()):
            raise fail(
                GradError,
                op,
                f"expected a finite norm of the gradients, got {total.item()}; lower the learning "
                "rate or look for a nan in the inputs",
            )
        scale = F.clamp(max_norm / (total + 1e-6), max=1.0)
        for p, g in found:
            p.grad = g * scale
    return total


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Limit each element of each gradient to [-clip_value, clip_value]."""
    real("clip_grad_value_", "clip_value", clip_value)
    with no_grad():
        for p, g in _gradients("clip_grad_value_", parameters):
            p.grad = F.clamp(g, -clip_value, clip_value)
