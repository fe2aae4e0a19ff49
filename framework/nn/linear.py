"""Layers on vectors, and changes of shape."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..checks import tensor as expect_tensor
from ..checks import whole
from ..shape import check_axis, resolve_reshape
from ..tensor import Tensor
from .layer import default_init, new_parameter
from .module import Module
from .parameter import Parameter


class Identity(Module):
    """y = x, whatever the arguments: the linear activation.

    x of any shape. Source: Widrow & Hoff 1960. Decks: D0, D4.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class Linear(Module):
    """y = x W^T + b, also called fully connected or dense.

    x: (..., in_features). weight: (out_features, in_features), bias: (out_features,), both uniform
    in +-1 / sqrt(in_features) at first. Returns (..., out_features).
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = whole("Linear", "in_features", in_features)
        self.out_features = whole("Linear", "out_features", out_features)
        self.weight = new_parameter("Linear", (out_features, in_features), dtype, backend)
        self.register_parameter(
            "bias", new_parameter("Linear", (out_features,), dtype, backend) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        default_init(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """x W^T + b."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Flatten(Module):
    """Join the axes start_dim ... end_dim: (N, C, H, W) to (N, C*H*W) by default."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        for name, value in (("start_dim", start_dim), ("end_dim", end_dim)):
            whole("Flatten", name, value, -64)
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The same values, in fewer axes."""
        return F.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split the axis `dim` into the sizes `unflattened_size`, one of which may be -1."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        self.dim = whole("Unflatten", "dim", dim, -64)
        self.unflattened_size = tuple(
            whole("Unflatten", "unflattened_size", n, -1) for n in unflattened_size
        )

    def forward(self, input: Tensor) -> Tensor:
        """The same values, in more axes."""
        x: Tensor = expect_tensor("Unflatten", "input", input)
        axis = check_axis("Unflatten", self.dim, len(x.shape))
        split = resolve_reshape("Unflatten", (x.shape[axis],), self.unflattened_size)
        return F.reshape(x, x.shape[:axis] + split + x.shape[axis + 1 :])

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
