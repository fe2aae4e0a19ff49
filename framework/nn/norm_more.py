"""Layer, group, instance, RMS and local response normalisation as layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from .. import functional as F
from ..checks import real, whole
from ..checks import tensor as expect_tensor
from ..errors import ArgumentError, ShapeError, fail
from ..tensor import Tensor
from . import init
from .layer import new_parameter
from .module import Module
from .norm import _BatchNorm
from .parameter import Parameter
from .stateless import Stateless


class _Affine(Module):
    """A norm with a weight that starts at 1 and a bias that starts at 0."""

    weight: Parameter | None
    bias: Parameter | None

    def _make(
        self, shape: tuple[int, ...], weight: bool, bias: bool | None, dtype: Any, backend: Any
    ) -> None:
        """Bias None: the layer has no such thing."""
        op = type(self).__name__
        for name, wanted in (("weight", weight), ("bias", bias)):
            if wanted is not None:
                made = new_parameter(op, shape, dtype, backend) if wanted else None
                self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if getattr(self, "bias", None) is not None:
            init.zeros_(self.bias)  # type: ignore[arg-type]


def _shape(op: str, given: int | Sequence[int]) -> tuple[int, ...]:
    """`normalized_shape` as a tuple."""
    sizes = (given,) if isinstance(given, int) else tuple(given)
    if not sizes:
        raise fail(
            ArgumentError,
            op,
            "expected normalized_shape of one axis or more, got (); give the size of the last axis",
        )
    return tuple(whole(op, "normalized_shape", n) for n in sizes)


class LayerNorm(_Affine):
    """y = w (x - E[x]) / sqrt(Var[x] + eps) + b over the last axes of each example.

    normalized_shape: the sizes of those axes, and the shape of weight and bias. It is the same in
    training and evaluation, and independent of the batch. Ba, Kiros & Hinton 2016.
    Decks: none; transformers and recurrent nets expect it.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps = real("LayerNorm", "eps", eps)
        self.elementwise_affine = elementwise_affine
        both = elementwise_affine and bias
        self._make(self.normalized_shape, elementwise_affine, both, dtype, backend)

    def forward(self, input: Tensor) -> Tensor:
        """The input's shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_Affine):
    """y = w x / sqrt(E[x^2] + eps) over the last axes of each example. Zhang & Sennrich 2019.

    eps None: the gap above 1 of the input's dtype.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = None if eps is None else real("RMSNorm", "eps", eps)
        self.elementwise_affine = elementwise_affine
        self._make(self.normalized_shape, elementwise_affine, None, dtype, backend)

    def forward(self, input: Tensor) -> Tensor:
        """The input's shape."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(_Affine):
    """y = w (x - E[x]) / sqrt(Var[x] + eps) + b over groups of channels of (N, C, ...).

    Wu & He 2018.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_groups = whole("GroupNorm", "num_groups", num_groups)
        self.num_channels = whole("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise fail(
                ArgumentError,
                "GroupNorm",
                f"expected num_groups that divides num_channels, got {num_groups} and "
                f"{num_channels}; use a divisor of {num_channels}",
            )
        self.eps, self.affine = real("GroupNorm", "eps", eps), affine
        self._make((num_channels,), affine, affine and bias, dtype, backend)

    def forward(self, input: Tensor) -> Tensor:
        """The input's shape."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class _InstanceNorm(_BatchNorm):
    """Instance normalisation; the classes below say which inputs they take."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_features,
            eps,
            momentum,
            affine,
            track_running_stats,
            bias=bias,
            backend=backend,
            dtype=dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        """w (x - mean) / sqrt(var + eps) + b."""
        op = type(self).__name__
        x: Tensor = expect_tensor(op, "input", input)
        single = self._axes[0] - 1
        axis = 0 if len(x.shape) == single else 1
        if len(x.shape) not in (single, single + 1) or x.shape[axis] != self.num_features:
            raise fail(
                ShapeError,
                op,
                f"expected x {self._form}, or without N, with C={self.num_features}, got "
                f"{x.shape}; use the InstanceNorm of its number of axes",
            )
        y = F.instance_norm(
            x if axis else x.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.1 if self.momentum is None else self.momentum,
            self.eps,
        )
        return y if axis else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L); see InstanceNorm2d."""

    _axes, _form = (3,), "(N, C, L)"


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image of (N, C, H, W) or (C, H, W) to mean 0 and variance 1.

    Learned weights and running statistics only if asked for: affine=True gives w x + b, and
    track_running_stats=True the averages over batches, which evaluation then uses.
    Ulyanov et al. 2016.
    """

    _axes, _form = (4,), "(N, C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W); see InstanceNorm2d."""

    _axes, _form = (5,), "(N, C, D, H, W)"


class LocalResponseNorm(Stateless):
    """y = x / (k + alpha / size (sum of x^2 over `size` channels around each))^beta.

    AlexNet's is LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2). x (N, C, ...) keeps its shape.
    Krizhevsky et al. 2012. Decks: D2.
    """

    size: int
    alpha: float
    beta: float
    k: float

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        op = "LocalResponseNorm"
        for name, value in (("alpha", alpha), ("beta", beta), ("k", k)):
            real(op, name, value, -inf)
        super().__init__(size=whole(op, "size", size), alpha=alpha, beta=beta, k=k)

    def forward(self, input: Tensor) -> Tensor:
        """The input's shape, (N, C, ...)."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
