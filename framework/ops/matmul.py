"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend, Buffer, Shape

from ..autograd import Op, Spec, apply, apply_multi, needs
from ..dtypes import promote
from ..errors import DTypeError, ShapeError, fail
from ..shape import broadcast
from .layout import reshape
from .reduce import sum_to

if TYPE_CHECKING:
    from ..tensor import Tensor


class MatMul(Op):
    """Batched (..., M, K) @ (..., K, N); a flag says that an operand is stored transposed."""

    name = "matmul"

    def __init__(self, transpose_a: bool = False, transpose_b: bool = False) -> None:
        self.ta, self.tb = transpose_a, transpose_b

    def infer(self, *inputs: Any) -> Spec:
        a, b = inputs
        (m, k) = a.shape[-2:][::-1] if self.ta else a.shape[-2:]
        (k2, n) = b.shape[-2:][::-1] if self.tb else b.shape[-2:]
        if k != k2:
            raise _inner(a.shape, b.shape, k, k2)
        return (*broadcast(self.name, a.shape[:-2], b.shape[:-2]), m, n), a.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.matmul(buffers[0], buffers[1], self.ta, self.tb)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, Tensor | None]:
        a, b = inputs
        ga = gb = None
        if needs(a):
            ga = _mm(b, g, self.tb, True) if self.ta else _mm(g, b, False, not self.tb)
            ga = sum_to(ga, a.shape)
        if needs(b):
            gb = _mm(g, a, True, self.ta) if self.tb else _mm(a, g, not self.ta, False)
            gb = sum_to(gb, b.shape)
        return ga, gb

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        k = inputs[0][0][-2 if self.ta else -1]
        return 2 * k * prod(outputs[0][0])


class Linear(Op):
    """y = x W^T + b on rows: x (M, K), W (N, K), b (N,)."""

    name = "linear"

    def infer(self, *inputs: Any) -> Spec:
        x, w = inputs[:2]
        if x.shape[1] != w.shape[1]:
            raise fail(
                ShapeError,
                "linear",
                f"expected x (..., {w.shape[1]}) for weight {w.shape}, "
                f"got x (..., {x.shape[1]}); use in_features={x.shape[1]} or reshape x",
            )
        if len(inputs) == 3 and inputs[2].shape != (w.shape[0],):
            raise fail(
                ShapeError,
                "linear",
                f"expected a bias ({w.shape[0]},) for weight {w.shape}, got {inputs[2].shape}; "
                "give it one number for each row of the weight",
            )
        return (x.shape[0], w.shape[0]), x.dtype

    def forward(self, backend: Backend, *buffers: Any) -> Buffer:
        return backend.linear(buffers[0], buffers[1], buffers[2] if len(buffers) == 3 else None)

    def vjp(self, g: Any, y: Any, *inputs: Any) -> tuple[Tensor | None, ...]:
        x, w, *b = inputs
        grad = LinearGrad((x.requires_grad, w.requires_grad, bool(b) and b[0].requires_grad))
        return apply_multi(grad, g, x, w)[: len(inputs)]

    def composition(self, x: Any, w: Any, *b: Any) -> Tensor:
        """A product and a sum."""
        y = _mm(x, w, False, True)
        return y + b[0] if b else y

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        return (2 * inputs[0][0][1] + (len(inputs) == 3)) * prod(outputs[0][0])


class LinearGrad(Op):
    """gx = g W, gw = g^T x and gb = sum of g over rows, from g, x and W; None if not wanted."""

    name = "linear_grad"
    outputs = 3

    def __init__(self, wanted: tuple[bool, bool, bool]) -> None:
        self.wanted = wanted

    def infer(self, *inputs: Any) -> tuple[Spec, Spec, Spec]:
        g, x, w = inputs
        return (x.shape, g.dtype), (w.shape, g.dtype), (w.shape[:1], g.dtype)

    def forward(self, backend: Backend, *buffers: Any) -> tuple[Buffer | None, ...]:
        return backend.linear_grad(buffers[0], buffers[1], buffers[2], self.wanted)

    def flops(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> int:
        g, k = prod(inputs[0][0]), inputs[1][0][1]
        return 2 * g * k * sum(self.wanted[:2]) + g * self.wanted[2]


def _inner(a: Shape, b: Shape, k: int, k2: int) -> ShapeError:
    return ShapeError(
        f"[matmul] expected (..., M, K) @ (..., K, N), got {a} @ {b} whose inner sizes {k} and "
        f"{k2} differ; transpose one of them"
    )


def _mm(a: Tensor, b: Tensor, transpose_a: bool, transpose_b: bool) -> Tensor:
    return apply(MatMul(transpose_a, transpose_b), a, b)


def _same_float(op: str, *tensors: Any) -> list[Any]:
    """The operands in one dtype; bool has no product."""
    dtype = tensors[0].dtype
    for t in tensors[1:]:
        if t.dtype is not dtype:
            dtype = promote(dtype, t.dtype)
    if dtype == "bool":
        raise fail(DTypeError, op, "expected numbers, got bool tensors; convert one with .float()")
    return [t if t.dtype is dtype else t.to(dtype) for t in tensors]


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """NumPy's @: batches broadcast; a 1-D operand gets an axis that the result loses again."""
    from .elementwise import as_tensor_operand

    other = as_tensor_operand("matmul", other, input, "other")
    if not input.shape or not other.shape:
        raise fail(
            ShapeError,
            "matmul",
            f"expected at least one axis each, got {input.shape} and "
            f"{other.shape}; use * for a product with a number",
        )
    k, k2 = input.shape[-1], other.shape[-2 if len(other.shape) > 1 else 0]
    if k != k2:
        raise _inner(input.shape, other.shape, k, k2)
    a, b = _same_float("matmul", input, other)
    wide_a = a if len(a.shape) > 1 else reshape(a, 1, -1)
    wide_b = b if len(b.shape) > 1 else reshape(b, b.shape[0], 1)
    y = _mm(wide_a, wide_b, False, False)
    shape = (
        y.shape[:-2]
        + (() if len(a.shape) == 1 else y.shape[-2:-1])
        + (() if len(b.shape) == 1 else y.shape[-1:])
    )
    return y if shape == y.shape else reshape(y, shape)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    if len(input.shape) != 2 or len(mat2.shape) != 2:
        raise fail(
            ShapeError,
            "mm",
            f"expected two matrices, got {input.shape} and {mat2.shape}; use matmul for batches",
        )
    return matmul(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Batched product (B, M, K) @ (B, K, N)."""
    if len(input.shape) != 3 or len(mat2.shape) != 3 or input.shape[0] != mat2.shape[0]:
        raise fail(
            ShapeError,
            "bmm",
            f"expected (B, M, K) and (B, K, N), got {input.shape} and "
            f"{mat2.shape}; use matmul to broadcast",
        )
    return matmul(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix (M, K) times vector (K,)."""
    if len(input.shape) != 2 or len(vec.shape) != 1:
        raise fail(
            ShapeError,
            "mv",
            f"expected (M, K) and (K,), got {input.shape} and {vec.shape}; use matmul for others",
        )
    return matmul(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors."""
    if len(input.shape) != 1 or len(tensor.shape) != 1:
        raise fail(
            ShapeError,
            "dot",
            f"expected two vectors, got {input.shape} and {tensor.shape}; use matmul for others",
        )
    return matmul(input, tensor)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """y[i, j] = input[i] * vec2[j]."""
    if len(input.shape) != 1 or len(vec2.shape) != 1:
        raise fail(
            ShapeError,
            "outer",
            f"expected two vectors, got {input.shape} and {vec2.shape}; flatten them",
        )
    return input.unsqueeze(1) * vec2


LINEAR = Linear()


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x W^T + b: x (..., in_features), weight (out_features, in_features), bias (out,)."""
    if len(weight.shape) != 2:
        raise fail(
            ShapeError,
            "linear",
            f"expected a weight (out, in), got {weight.shape}; reshape it to two axes",
        )
    if not input.shape:
        raise fail(
            ShapeError,
            "linear",
            f"expected x (..., {weight.shape[1]}), got a 0-d tensor; reshape it to one axis",
        )
    given = [input, weight] if bias is None else [input, weight, bias]
    x, *rest = _same_float("linear", *given)
    if len(x.shape) == 2:
        return apply(LINEAR, x, *rest)
    rows = reshape(x, prod(x.shape[:-1]), x.shape[-1])
    return reshape(apply(LINEAR, rows, *rest), (*x.shape[:-1], weight.shape[0]))
