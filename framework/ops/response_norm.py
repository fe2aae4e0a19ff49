"""Local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer

from ..autograd import Op, Spec, apply, apply_multi
from ..errors import ArgumentError, ShapeError, fail
from ..guard import came
from .checks import float_tensor
from .derivatives import POW
from .pool import SumPool

if TYPE_CHECKING:
    from ..tensor import Tensor


class LocalResponseNorm(Op):
    """(y, s) with y = x s^-beta, s = k + alpha / size (sum of x^2 over `size` channels)."""

    name = "local_response_norm"
    outputs, auxiliary = 2, 1
    keeps_output = True

    def __init__(self, size: int, alpha: float, beta: float, k: float) -> None:
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def infer(self, *inputs: Any) -> tuple[Spec, Spec]:
        x = inputs[0]
        return (x.shape, x.dtype), (x.shape, x.dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer, Buffer]:
        return backend.local_response_norm(buffers[0], self.size, self.alpha, self.beta, self.k)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor]:
        grad = LocalResponseNormGrad(self.size, self.alpha, self.beta)
        return (apply(grad, g[0], inputs[0], y[1]),)

    def composition(self, x: Any) -> tuple[Tensor, Tensor]:
        """The formula of the paper, in ops."""
        size = self.size
        pairs = ((size // 2, (size - 1) // 2), (0, 0))
        pool = SumPool(self.name, (size, 1), (1, 1), pairs, self.alpha / size)
        planes = (x * x).reshape(x.shape[0], 1, x.shape[1], prod(x.shape[2:]))
        s = apply(pool, planes).reshape(x.shape) + self.k
        return x * POW(s, -self.beta), s

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return (self.size + 19) * prod(inputs[0][0])


class LocalResponseNormGrad(Op):
    """gx from g, x and s."""

    name = "local_response_norm_grad"

    def __init__(self, size: int, alpha: float, beta: float) -> None:
        self.size, self.alpha, self.beta = size, alpha, beta

    def infer(self, *inputs: Any) -> Spec:
        return inputs[1].shape, inputs[1].dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        g, x, s = buffers
        return backend.local_response_norm_grad(g, x, s, self.size, self.alpha, self.beta)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return (self.size + 22) * prod(inputs[1][0])


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """y = x / (k + alpha / size (sum of x^2 over `size` channels around each))^beta.

    Args: input (N, C, ...) with one spatial axis or more, float. The paper has size 5, beta 0.75,
    k = 2, and alpha = 1e-4 without the division: alpha=5e-4 here, as in torch.
    Raises: ShapeError, DTypeError, ArgumentError. Source: Krizhevsky et al. 2012 (AlexNet),
    section 3.3; deck D2.
    """
    op = "local_response_norm"
    x = float_tensor(op, input)
    if len(x.shape) < 3:
        raise fail(
            ShapeError,
            op,
            f"expected x (N, C, ...) of 3 axes or more, got {x.shape}; reshape or unsqueeze it",
        )
    if not isinstance(size, int) or not 1 <= size < 2**31:
        raise fail(
            ArgumentError,
            op,
            f"expected size, a number of channels >= 1, got {came(size)}; use 5, as the paper does",
        )
    if 0 in x.shape:
        return x
    return apply_multi(LocalResponseNorm(size, alpha, beta, k), x)[0]
