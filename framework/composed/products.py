"""Products of vectors, matrices and tensors, as compositions of the batched matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..errors import ArgumentError, ShapeError, fail
from ..ops.layout import diagonal, expand, permute, reshape, unbind
from ..ops.layout import stack as _stack
from ..ops.matmul import bmm, dot, matmul, mm, mv, outer
from ..ops.reduce import norm, sum_
from ..shape import broadcast, check_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("addbmm", "addmm", "addmv", "addr", "baddbmm", "cdist", "cross", "inner", "kron"),
    *("linalg_vecdot", "tensordot", "trace", "vdot"),
]


def _plus(op: str, input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    """beta * input + alpha * product; with beta = 0 the input does not count, not even its nan."""
    if broadcast(op, input.shape, product.shape) != product.shape:
        raise fail(
            ShapeError,
            op,
            f"expected an input that broadcasts to {product.shape}, got {input.shape}; "
            "reshape the input",
        )
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        return scaled
    return (input if beta == 1 else input * beta) + scaled


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * mat1 @ mat2, for matrices (M, K) and (K, N)."""
    return _plus("addmm", input, mm(mat1, mat2), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * mat @ vec, for (M, K) and (K,)."""
    return _plus("addmv", input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2)."""
    return _plus("addr", input, outer(vec1, vec2), beta, alpha)


def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * the sum over the batch of batch1 @ batch2: (B, M, K), (B, K, N)."""
    return _plus("addbmm", input, sum_(bmm(batch1, batch2), 0), beta, alpha)


def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * batch1 @ batch2, for (B, M, K) and (B, K, N)."""
    return _plus("baddbmm", input, bmm(batch1, batch2), beta, alpha)


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """`dot`; the two differ for complex numbers, which etude has none of."""
    return dot(input, other)


def linalg_vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sum over one axis of x * y, broadcast; torch.linalg.vecdot."""
    return sum_(x * y, dim)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sum over the last axes of both: y[i.., j..] = sum_k input[i.., k] other[j.., k]."""
    if not input.shape or not other.shape:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """The sum over pairs of axes: the last `dims` of a with the first of b, or two lists of axes.

    The other axes of a come first in the result, then those of b. An axis of size 1 broadcasts.
    """
    op = "tensordot"
    left, right = _paired_axes(a, b, dims)
    a, b = _sum_beside_ones(a, b, left, right), _sum_beside_ones(b, a, right, left)
    sizes = [(a.shape[i], b.shape[j]) for i, j in zip(left, right, strict=True)]
    if any(m != n for m, n in sizes):
        raise fail(
            ShapeError,
            op,
            f"expected equal sizes along axes {left} of {a.shape} and {right} of {b.shape}, "
            f"got {sizes}; "
            "give axes whose sizes agree",
        )
    rest_a = [i for i in range(len(a.shape)) if i not in left]
    rest_b = [j for j in range(len(b.shape)) if j not in right]
    inner_size = prod(m for m, _ in sizes)
    rows = reshape(permute(a, rest_a + left), prod(a.shape[i] for i in rest_a), inner_size)
    columns = reshape(permute(b, right + rest_b), inner_size, prod(b.shape[j] for j in rest_b))
    shape = (*(a.shape[i] for i in rest_a), *(b.shape[j] for j in rest_b))
    return reshape(matmul(rows, columns), shape)


def _sum_beside_ones(x: Tensor, other: Tensor, axes: list[int], beside: list[int]) -> Tensor:
    """x summed along the axes that meet an axis of size 1, which stands for any size."""
    long = [i for i, j in zip(axes, beside, strict=True) if other.shape[j] == 1 and x.shape[i] != 1]
    return sum_(x, long, True) if long else x


def _paired_axes(a: Tensor, b: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    op = "tensordot"
    given = dims.tolist() if isinstance(dims, _tensor.Tensor) else dims
    if isinstance(given, int):
        n = index(given)
        if not 0 <= n <= min(len(a.shape), len(b.shape)):
            raise fail(
                ArgumentError,
                op,
                f"expected 0 <= dims <= the axes of {a.shape} and {b.shape}, got {n}; "
                "use a smaller number",
            )
        return list(range(len(a.shape) - n, len(a.shape))), list(range(n))
    pair = [[axes] if isinstance(axes, int) else list(axes) for axes in given]
    if len(pair) != 2 or len(pair[0]) != len(pair[1]):
        raise fail(
            ArgumentError,
            op,
            f"expected two lists of as many axes, one for each, got {dims}; "
            "give both lists one length",
        )
    left = [check_axis(op, i, len(a.shape)) for i in pair[0]]
    right = [check_axis(op, j, len(b.shape)) for j in pair[1]]
    if len(set(left)) != len(left) or len(set(right)) != len(right):
        raise fail(ArgumentError, op, f"expected different axes, got {dims}; give each axis once")
    return left, right


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: each element of `input` times the whole of `other`, in its place."""
    n = max(len(input.shape), len(other.shape))
    a = (1,) * (n - len(input.shape)) + input.shape
    b = (1,) * (n - len(other.shape)) + other.shape
    left = reshape(input, tuple(m for size in a for m in (size, 1)))
    right = reshape(other, tuple(m for size in b for m in (1, size)))
    return reshape(left * right, tuple(p * q for p, q in zip(a, b, strict=True)))


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if len(input.shape) != 2:
        raise fail(
            ShapeError, "trace", f"expected a matrix, got {input.shape}; reshape it to two axes"
        )
    return sum_(diagonal(input))


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product of three-vectors along `dim`, by default the first axis of size 3."""
    shape = broadcast("cross", input.shape, other.shape)
    if dim is None:
        dim = next((i for i, n in enumerate(shape) if n == 3), -1)
    axis = check_axis("cross", dim, len(shape))
    if not shape or shape[axis] != 3:
        raise fail(
            ShapeError,
            "cross",
            f"expected an axis of size 3, got axis {dim} of {shape}; "
            "give dim, the axis of the vectors",
        )
    a, b = (unbind(expand(x, shape), axis) for x in (input, other))
    turns = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return _stack(turns, axis)


def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norm of all differences of rows: (..., P, M) and (..., R, M) give (..., P, R).

    Always by differences, never by |a|^2 - 2ab + |b|^2, which loses small distances:
    `compute_mode` is torch's and changes nothing.
    """
    if len(x1.shape) < 2 or len(x2.shape) < 2 or x1.shape[-1] != x2.shape[-1]:
        raise fail(
            ShapeError,
            "cdist",
            f"expected (..., P, M) and (..., R, M), got {x1.shape}, {x2.shape}; "
            "give both rows of one length M",
        )
    gaps = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    if gaps.shape[-1] == 0:
        return sum_(gaps, -1)
    return norm(gaps, p, -1)
