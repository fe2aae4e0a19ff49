"""Softmax and the losses that are fused with it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from .. import tensor as _tensor
from ..autograd import Op, Spec, apply
from ..dtypes import DEFAULT, as_dtype
from ..errors import ArgumentError, DTypeError, IndexOutOfRange, fail
from ..shape import check_axis
from .derivatives import EXP
from .elementwise import cast, select

if TYPE_CHECKING:
    from ..tensor import Tensor


class AxisOp(Op):
    """An op along one axis that keeps shape and dtype."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def infer(self, *inputs: Any) -> Spec:
        return inputs[0].shape, inputs[0].dtype

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 12 * super().flops(inputs, outputs)


class Softmax(AxisOp):
    """exp(x - m) / sum(exp(x - m))."""

    name = "softmax"
    keeps_output = True

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.softmax(buffers[0], self.axis)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(SoftmaxGrad(self.axis), g, y),)


class SoftmaxGrad(AxisOp):
    """y (g - sum(g y))."""

    name = "softmax_grad"

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.softmax_grad(buffers[0], buffers[1], self.axis)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        h, p = inputs
        inner = (h * p).sum(self.axis, keepdim=True)
        gp = g * (h - inner) - h * (g * p).sum(self.axis, keepdim=True)
        return apply(SoftmaxGrad(self.axis), g, p), gp


class LogSoftmax(AxisOp):
    """x - logsumexp(x)."""

    name = "log_softmax"
    keeps_output = True

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.log_softmax(buffers[0], self.axis)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        return (apply(LogSoftmaxGrad(self.axis), g, y),)


class LogSoftmaxGrad(AxisOp):
    """g - exp(y) sum(g)."""

    name = "log_softmax_grad"

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.log_softmax_grad(buffers[0], buffers[1], self.axis)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        h, logp = inputs
        p = EXP(logp)
        return g - (g * p).sum(self.axis, keepdim=True), -g * p * h.sum(self.axis, keepdim=True)


class CrossEntropy(Op):
    """(losses (N,), softmax (N, C)) of logits (N, C) and labels (N,).

    With `mean`: (mean loss (), softmax, how many labels count ()).
    """

    name = "cross_entropy"
    keeps_output = True

    def __init__(self, ignore: int, mean: bool) -> None:
        self.ignore, self.mean = ignore, mean
        self.outputs, self.auxiliary = (3, 2) if mean else (2, 1)

    def infer(self, *inputs: Any) -> tuple[Spec, ...]:
        x, labels = inputs
        one = ((), x.dtype)
        softmax = (x.shape, x.dtype)
        return (one, softmax, one) if self.mean else ((labels.shape, x.dtype), softmax)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, ...]:
        method = backend.cross_entropy_mean if self.mean else backend.cross_entropy
        try:
            return method(buffers[0], buffers[1], self.ignore)
        except IndexError as error:
            raise fail(
                IndexOutOfRange,
                self.name,
                f"expected every label to name a class: {error}; "
                "check the labels and the size of the last layer",
            ) from None

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor, None]:
        return apply(CrossEntropyGrad(self.ignore), g[0], y[1], inputs[1], *y[2:]), None

    def composition(self, x: Any, labels: Any) -> tuple[Tensor, ...]:
        """-log softmax(x)[label], and with `mean` its sum over the count, in ops."""
        from .index import gather

        logp = log_softmax(x, 1)
        counts = labels != self.ignore
        picked = gather(logp, 1, select(counts, labels, 0).unsqueeze(1)).squeeze(1)
        losses = select(counts, -picked, 0.0)
        if not self.mean:
            return losses, EXP(logp)
        count = cast(counts, x.dtype).sum()
        return losses.sum() / count, EXP(logp), count

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return 12 * prod(inputs[0][0])


class CrossEntropyGrad(Op):
    """g (p - onehot(label)); g is () and divided by the count of labels if there is one."""

    name = "cross_entropy_grad"

    def __init__(self, ignore: int) -> None:
        self.ignore = ignore

    def infer(self, *inputs: Any) -> Spec:
        return inputs[1].shape, inputs[1].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        g, p, labels, *count = buffers
        if count:
            return backend.cross_entropy_mean_grad(g, p, labels, count[0], self.ignore)
        return backend.cross_entropy_grad(g, p, labels, self.ignore)


def _axis_and_float(op: str, x: Any, dim: int | None, dtype: Any) -> tuple[Any, int]:
    if not isinstance(x, _tensor.Tensor):
        x = _tensor.tensor(x)
    if dtype is not None:
        x = x.to(as_dtype(dtype, op))
        if not x.dtype.is_floating_point:
            raise fail(DTypeError, op, f"expected a float dtype, got {x.dtype}; use etude.float32")
    elif not x.dtype.is_floating_point:
        x = x.to(DEFAULT)
    if dim is None:
        raise fail(
            ArgumentError,
            op,
            f"expected dim, the axis to normalise over in {x.shape}, got none; "
            "use dim=-1 for the last",
        )
    return x, check_axis(op, dim, len(x.shape))


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """exp(x_i) / sum_j exp(x_j) along `dim`, with the maximum taken out first.

    Nothing overflows so. x of any shape. Bridle 1990. Decks: D2, D3 (the maximum, too), D4.
    """
    x, axis = _axis_and_float("softmax", input, dim, dtype)
    return apply(Softmax(axis), x) if x.shape else EXP(x * 0.0)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, computed as x - logsumexp(x); any shape, float.

    Bridle 1990. Decks: none by name; the logarithm of D3's softmax, inside its cross-entropy.
    """
    x, axis = _axis_and_float("log_softmax", input, dim, dtype)
    return apply(LogSoftmax(axis), x) if x.shape else x * 0.0
