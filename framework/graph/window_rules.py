"""Shapes of products, convolutions and pooling; see rules.py."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from etude.backends.base import Pairs, Shape, Value

from ..errors import EtudeError
from ..shape import window_counts
from .forms import Misfit, Spec, fit, need, one_dtype, together, typed

LARGEST = 2**31  # of kernels, strides, padding and dilation


def _windows(size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Shape:
    """How many windows there are along each axis."""
    given = kernel, stride, padding, dilation
    need(all(len(g) == len(size) >= 1 for g in given), f"{len(size)} numbers of each", given)
    need(all(1 <= n < LARGEST for n in (*kernel, *stride, *dilation)), "numbers from 1", given)
    need(all(p < LARGEST for pair in padding for p in pair), "smaller padding", padding)
    try:
        return window_counts("window", size, kernel, stride, padding, dilation)
    except EtudeError as error:
        raise Misfit(str(error)) from None


def matmul(a: Value, b: Value, transpose_a: bool = False, transpose_b: bool = False) -> list[Spec]:
    dtype = one_dtype(a, b, floats=False)
    left, right = typed(a)[0], typed(b)[0]
    need(min(len(left), len(right)) >= 2, "two axes or more", (left, right))
    m, k = left[-2:][::-1] if transpose_a else left[-2:]
    k2, n = right[-2:][::-1] if transpose_b else right[-2:]
    need(k == k2, "equal inner sizes", (left, right))
    return [((*together(left[:-2], right[:-2]), m, n), dtype)]


def linear_grad(g: Value, x: Value, w: Value, needs: tuple[bool, ...]) -> list[Spec]:
    made = fit("M N, M K, N K -> M K, N K, N", [g, x, w])
    return [spec for spec, wanted in zip(made, needs, strict=True) if wanted]


def _convolved(
    x: Shape, w: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int
) -> Shape:
    """The shape of a convolution's result."""
    got = f"{x} and {w} in {groups} groups"
    need(len(x) == len(w) >= 3, "x (N, C, *S) and w (O, C/groups, *K)", got)
    fits = groups >= 1 and x[1] == w[1] * groups and w[0] % groups == 0
    need(fits, "x (N, C, *S) and w (O, C/groups, *K)", got)
    return (x[0], w[0], *_windows(x[2:], w[2:], stride, padding, dilation))


def conv(x: Value, w: Value, b: Value | None, *geometry: Any) -> list[Spec]:
    dtype, (xs, ws) = one_dtype(x, w, b), (typed(x)[0], typed(w)[0])
    shape = _convolved(xs, ws, *geometry[:4])
    need(b is None or typed(b)[0] == ws[:1], f"a bias {ws[:1]}", b)
    return [(shape, dtype)]


def conv_input_grad(g: Value, w: Value, x_shape: Shape, *geometry: Any) -> list[Spec]:
    shape = _convolved(x_shape, typed(w)[0], *geometry)
    need(typed(g)[0] == shape, f"g {shape}", typed(g)[0])
    return [(x_shape, one_dtype(g, w))]


def conv_weight_grad(x: Value, g: Value, w_shape: Shape, *geometry: Any) -> list[Spec]:
    shape = _convolved(typed(x)[0], w_shape, *geometry)
    need(typed(g)[0] == shape, f"g {shape}", typed(g)[0])
    return [(w_shape, one_dtype(x, g))]


def _planes(shape: Shape, rank: int) -> None:
    need(len(shape) == 2 + rank, f"(N, C, *S) of {2 + rank} axes", shape)


def unfold(x: Value, kernel: Shape, *geometry: Any) -> list[Spec]:
    shape, dtype = typed(x)
    _planes(shape, len(kernel))
    counts = _windows(shape[2:], kernel, *geometry)
    return [((shape[0], shape[1] * prod(kernel), prod(counts)), dtype)]


def fold(columns: Value, shape: Shape, kernel: Shape, *geometry: Any) -> list[Spec]:
    own, dtype = typed(columns)
    _planes(shape, len(kernel))
    counts = _windows(shape[2:], kernel, *geometry)
    wanted = shape[0], shape[1] * prod(kernel), prod(counts)
    need(own == wanted, f"columns {wanted}", own)
    return [(shape, dtype)]


def max_pool(x: Value, kernel: Shape, *geometry: Any) -> list[Spec]:
    shape, dtype = typed(x)
    _planes(shape, len(kernel))
    made = (*shape[:2], *_windows(shape[2:], kernel, *geometry))
    return [(made, dtype), (made, "int64")]


def max_pool_grad(g: Value, positions: Value, x_shape: Shape) -> list[Spec]:
    ((shape, dtype),) = fit("a:N C *P, i:N C *P -> a:N C *P", [g, positions])
    same = len(x_shape) == len(shape) and x_shape[:2] == shape[:2]
    need(same, f"{len(shape)} axes, {shape[:2]} first", x_shape)
    return [(x_shape, dtype)]


def _pooled(shape: Shape, kernel: Shape, stride: Shape, padding: Pairs) -> Shape:
    _planes(shape, len(kernel))
    return (*shape[:2], *_windows(shape[2:], kernel, stride, padding, (1,) * len(kernel)))


def sum_pool(x: Value, kernel: Shape, stride: Shape, padding: Pairs, scale: float) -> list[Spec]:
    return [(_pooled(typed(x)[0], kernel, stride, padding), one_dtype(x))]


def sum_pool_grad(
    g: Value, x_shape: Shape, kernel: Shape, stride: Shape, padding: Pairs, scale: float
) -> list[Spec]:
    shape = _pooled(x_shape, kernel, stride, padding)
    need(typed(g)[0] == shape, f"g {shape}", typed(g)[0])
    return [(x_shape, one_dtype(g))]


WINDOW_RULES: dict[str, Callable[..., list[Spec]]] = {
    rule.__name__: rule
    for rule in (
        *(matmul, linear_grad, conv, conv_input_grad, conv_weight_grad, unfold, fold),
        *(max_pool, max_pool_grad, sum_pool, sum_pool_grad),
    )
}
