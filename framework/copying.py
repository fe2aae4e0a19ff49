"""`copy.deepcopy` and `pickle` of tensors: values are copied, backends never."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from etude.backends.base import Shape

from .creation import as_backend
from .dtypes import DType
from .errors import GradError, fail

if TYPE_CHECKING:
    from .tensor import Tensor


def _leaf(op: str, t: Tensor) -> None:
    if t.node is not None:
        raise fail(
            GradError,
            op,
            f"expected a leaf, got a result {t.shape} of {t.node.op.name!r}, whose graph cannot be "
            "copied; copy x.detach()",
        )


def deepcopied(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A leaf of the same class, on the same backend, in memory of its own, with its gradient."""
    _leaf("deepcopy", self)
    twin: Tensor = object.__new__(type(self))
    memo[id(self)] = twin
    twin.__dict__.update(self.__dict__)
    twin.buffer = self.detach().clone().buffer
    twin.grad = None if self.grad is None else deepcopy(self.grad.detach(), memo)
    return twin


def reduced(self: Tensor) -> tuple[Any, ...]:
    """What pickle stores: the values as bytes, and the backend by its name; no gradient."""
    _leaf("pickle", self)
    values = bytes(self.backend.to_host(self.buffer))
    facts = self.shape, self.dtype, self.backend.name, self.requires_grad
    return restored, (type(self), values, *facts)


def restored(
    kind: type[Tensor], values: bytes, shape: Shape, dtype: DType, backend: str, grad: bool
) -> Tensor:
    """The tensor that `reduced` took apart."""
    engine = as_backend(backend)
    host = memoryview(values).cast(dtype.code)  # type: ignore[call-overload]
    t: Tensor = object.__new__(kind)
    t.buffer = engine.from_host(host, shape, dtype)
    t.shape, t.dtype, t.backend = shape, dtype, engine
    if grad:
        t.requires_grad = True
    return t
