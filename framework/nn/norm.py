"""Normalisation layers."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..autograd import no_grad
from ..checks import real, whole
from ..checks import tensor as expect_tensor
from ..creation import as_backend, full, ones, zeros
from ..dtypes import DEFAULT, int64
from ..errors import ShapeError, fail
from ..tensor import Tensor
from . import init
from .layer import new_parameter
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    """Batch normalisation; the classes below say which inputs they take."""

    _axes: tuple[int, ...]
    _form: str
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        backend: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        self.num_features = whole(op, "num_features", num_features)
        self.eps = real(op, "eps", eps)
        self.momentum = None if momentum is None else real(op, "momentum", momentum, 0.0, 1.0)
        self.affine, self.track_running_stats = affine, track_running_stats
        engine = as_backend(backend)
        for name, there in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(
                name, new_parameter(op, (num_features,), dtype, engine) if there else None
            )
        stats: dict[str, Tensor | None] = dict.fromkeys(
            ("running_mean", "running_var", "num_batches_tracked")
        )
        if track_running_stats:
            kind = dtype or DEFAULT
            stats = {
                "running_mean": zeros(num_features, dtype=kind, backend=engine),
                "running_var": ones(num_features, dtype=kind, backend=engine),
                "num_batches_tracked": full((), 0, dtype=int64, backend=engine),
            }
        for name, value in stats.items():
            self.register_buffer(name, value)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget what was tracked: mean 0, variance 1, no batches."""
        for tensor, value in (
            (self.running_mean, 0),
            (self.running_var, 1),
            (self.num_batches_tracked, 0),
        ):
            if tensor is not None:
                tensor.fill_(value)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and fresh statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """w (x - mean) / sqrt(var + eps) + b."""
        x: Tensor = expect_tensor(type(self).__name__, "input", input)
        if len(x.shape) not in self._axes:
            raise fail(
                ShapeError,
                type(self).__name__,
                f"expected x {self._form} with "
                f"C={self.num_features}, got {x.shape}; use the BatchNorm of its number of axes",
            )
        tracked = self.running_mean is not None
        if not (self.training and self.track_running_stats and tracked):
            use = tracked and (not self.training or self.track_running_stats)
            mean, var = (self.running_mean, self.running_var) if use else (None, None)
            return F.batch_norm(
                x, mean, var, self.weight, self.bias, self.training or not use, 0.0, self.eps
            )
        y = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            True,
            self._share(),
            self.eps,
        )
        self._count()
        return y

    def _share(self) -> float:
        """How far the running statistics move towards this batch's; 1/t for a plain average."""
        if self.momentum is not None:
            return self.momentum
        seen = 0 if self.num_batches_tracked is None else self.num_batches_tracked.item()
        return 1.0 / (seen + 1)

    def _count(self) -> None:
        if self.num_batches_tracked is not None:
            with no_grad():
                self.num_batches_tracked.add_(1)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see BatchNorm2d.

    Source: Ioffe & Szegedy 2015. Decks: D0, D3.
    """

    _axes, _form = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W): each channel to mean 0 and variance 1, then w x + b.

    Training uses the batch's statistics and moves the running ones towards them by `momentum`
    (r <- (1 - momentum) r + momentum s; None: the plain average of all batches); evaluation uses
    the running ones. State: weight, bias, running_mean, running_var (C,), num_batches_tracked
    int64. Ioffe & Szegedy 2015. Decks: D0 (before or after the activation: both work), D3, which
    writes x where x-hat belongs, and sigma for the variance sigma^2: slips.
    """

    _axes, _form = (4,), "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W); see BatchNorm2d."""

    _axes, _form = (5,), "(N, C, D, H, W)"
