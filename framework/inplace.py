"""Methods that change a tensor in place. methods.py attaches those that end in an underscore.

Buffers are immutable: a change gives the tensor a new buffer and a new version, so that views made
earlier keep their values and a graph that used the old ones notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import autograd
from . import functional as F
from . import tensor as _tensor
from .capturing import capturing
from .errors import ArgumentError, DTypeError, GradError, ShapeError, fail
from .hooks import changes
from .shape import check_place

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = [
    "add_",
    "clamp_",
    "copy_",
    "div_",
    "fill_",
    "mul_",
    "normal_",
    "sub_",
    "uniform_",
    "zero_",
]


def replace(self: Tensor, op: str, new: Tensor) -> Tensor:
    """Take over `new`'s values. Buffers are immutable, so views made earlier keep theirs."""
    if self.node is not None:
        raise fail(
            GradError,
            op,
            f"expected a leaf, got a result of {self.node.op.name!r}; "
            "use an op that returns a new tensor, or .detach() it first",
        )
    if self.requires_grad and autograd.recording.get():
        raise fail(
            GradError,
            op,
            "expected a tensor outside the graph, got a leaf that requires grad; "
            "change it inside no_grad()",
        )
    if new.shape != self.shape:
        raise fail(
            ShapeError,
            op,
            f"expected a result of shape {self.shape}, got {new.shape}; "
            "use the op without underscore",
        )
    new = new.detach().to(self.backend, dtype=self.dtype)
    capture = capturing.get()
    if capture is not None:
        capture.touch(self)
    self.buffer = new.buffer
    self.version = autograd.tick()
    changes.state += 1
    return self


def update(self: Tensor, op: str, new: Tensor) -> Tensor:
    """`replace` by the result of arithmetic, whose fractions may not be lost."""
    if new.dtype.is_floating_point and not self.dtype.is_floating_point:
        raise fail(
            DTypeError,
            op,
            f"expected a result of {self.dtype}, got {new.dtype}; "
            "convert the tensor first, or use the op without underscore",
        )
    return replace(self, op, new)


def copy_(self: Tensor, src: Any) -> Tensor:
    """In place: take the values of src, broadcast and converted."""
    other = src if isinstance(src, _tensor.Tensor) else _tensor.tensor(src, backend=self.backend)
    check_place("copy_", self.shape, other.shape)
    return replace(self, "copy_", F.expand(other.detach(), self.shape).clone())


def fill_(self: Tensor, value: Any) -> Tensor:
    """In place: every element becomes `value`."""
    new = _tensor.full(self.shape, value, dtype=self.dtype, backend=self.backend)
    return replace(self, "fill_", new)


def zero_(self: Tensor) -> Tensor:
    """In place: every element becomes 0."""
    return replace(self, "zero_", _tensor.zeros(self.shape, dtype=self.dtype, backend=self.backend))


def add_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In place: self + alpha * other."""
    return update(self, "add_", F.add(self.detach(), other, alpha=alpha))


def sub_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In place: self - alpha * other."""
    return update(self, "sub_", F.sub(self.detach(), other, alpha=alpha))


def mul_(self: Tensor, other: Any) -> Tensor:
    """In place: self * other."""
    return update(self, "mul_", F.MUL(self.detach(), other))


def div_(self: Tensor, other: Any) -> Tensor:
    """In place: self / other."""
    return update(self, "div_", F.div(self.detach(), other))


def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """In place: limit to [min, max]."""
    return update(self, "clamp_", F.clamp(self.detach(), min, max))


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """In place: uniform numbers in [a, b)."""
    if not a <= b:
        raise fail(ArgumentError, "uniform_", f"expected a <= b, got {a} and {b}; swap the bounds")
    u = F.rand(self.shape, dtype=self.dtype, backend=self.backend)
    return replace(self, "uniform_", u * (b - a) + a)


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """In place: normal numbers."""
    if not std >= 0:
        raise fail(
            ArgumentError, "normal_", f"expected std >= 0, got {std}; use its absolute value"
        )
    z = F.randn(self.shape, dtype=self.dtype, backend=self.backend)
    return replace(self, "normal_", z * std + mean)


def set_item(self: Tensor, key: Any, value: Any) -> None:
    """self[key] = value."""
    replace(self, "setitem", F.setitem(self.detach(), key, value))
