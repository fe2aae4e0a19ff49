"""What all transforms share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...creation import tensor
from ...errors import ArgumentError, ShapeError, fail
from ...functional import rand, where
from ...ops.sampling import Generator

if TYPE_CHECKING:
    from ...tensor import Tensor

Transform = Callable[["Tensor", Generator], "Tensor"]


def check(op: str, x: Tensor) -> None:
    """Raise ShapeError unless x is float images (N, C, H, W)."""
    if len(x.shape) != 4 or not x.dtype.is_floating_point:
        raise fail(
            ShapeError,
            op,
            f"expected float images (N, C, H, W), got {x.dtype} {x.shape}; "
            "unsqueeze the missing axes, or convert with .float()",
        )


def check_range(op: str, name: str, value: Any, low: float, high: float) -> None:
    """Raise ArgumentError unless low <= value <= high."""
    if not isinstance(value, (int, float)) or not low <= value <= high:
        raise fail(
            ArgumentError,
            op,
            f"expected {name} in {low:g} ... {high:g}, got {value!r}; use a number in between",
        )


def per_channel(op: str, value: Any, x: Tensor) -> Tensor:
    """One number, or one for each channel, as a tensor (C or 1, 1, 1)."""
    v = tensor(value, dtype=x.dtype, backend=x.backend)
    if v.shape not in ((), (1,), (x.shape[1],)):
        raise fail(
            ShapeError,
            op,
            f"expected one number or one for each of {x.shape[1]} channels, got shape {v.shape}; "
            "give one for each channel",
        )
    return v.reshape(-1, 1, 1)


def uniform(x: Tensor, low: float, high: float, generator: Generator | None) -> Tensor:
    """One uniform number in [low, high) for each image: (N, 1, 1, 1)."""
    u = rand(x.shape[0], 1, 1, 1, dtype=x.dtype, backend=x.backend, generator=generator)
    return u * (high - low) + low


class Compose:
    """Several transforms, one after the other."""

    def __init__(self, *transforms: Transform) -> None:
        self.transforms = transforms

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        for transform in self.transforms:
            x = transform(x, generator)
        return x


@dataclass(frozen=True)
class RandomApply:
    """A transform for each image with probability `p`; it has to keep their size."""

    transform: Transform
    p: float = 0.5

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        check("RandomApply", x)
        check_range("RandomApply", "p", self.p, 0, 1)
        chosen = uniform(x, 0.0, 1.0, generator) < self.p
        changed: Tensor = where(chosen, self.transform(x, generator), x)
        return changed
