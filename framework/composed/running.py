"""Running reductions along an axis, by doubling: log2(n) elementwise steps over the whole tensor.

After step k each element has combined the 2^k elements that end at it (Hillis & Steele 1986).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..dtypes import DEFAULT, bool_, int64
from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.elementwise import select
from ..ops.index import gather
from ..ops.layout import cat, expand, narrow, reshape
from ..ops.reduce import Found, cumsum, sum_
from ..shape import check_axis
from .special import logaddexp

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("cummax", "cummin", "cumulative_trapezoid", "diff", "logcumsumexp", "trapezoid", "trapz"),
]


def cummax(input: Tensor, dim: int) -> Found:
    """(values, indices) of the largest element so far along `dim`; of equal ones the last.

    From the first nan on the values are nan.
    """
    return _extreme_so_far("cummax", input, dim, e.GE)


def cummin(input: Tensor, dim: int) -> Found:
    """(values, indices) of the smallest element so far along `dim`; of equal ones the last.

    From the first nan on the values are nan.
    """
    return _extreme_so_far("cummin", input, dim, e.LE)


def _extreme_so_far(op: str, x: Tensor, dim: int, beats: Callable[..., Tensor]) -> Found:
    axis = check_axis(op, dim, len(x.shape))
    if not x.shape:
        return Found(x.clone(), _tensor.zeros((), dtype=int64, backend=x.backend))
    n = x.shape[axis]
    values = x.detach().to(int64) if x.dtype is bool_ else x.detach()
    places = _tensor.arange(n, backend=x.backend)
    shape = tuple(n if i == axis else 1 for i in range(len(x.shape)))
    at = expand(reshape(places, shape), x.shape)
    step = 1
    while step < n:
        old, new = (narrow(values, axis, s, n - step) for s in (0, step))
        wins = e.LOGICAL_OR(e.ISNAN(new), e.LOGICAL_AND(beats(new, old), _not_nan(old)))
        pairs = ((old, new), (narrow(at, axis, 0, n - step), narrow(at, axis, step, n - step)))
        values, at = (
            cat([narrow(kept, axis, 0, step), select(wins, b, a)], axis)
            for kept, (a, b) in zip((values, at), pairs, strict=True)
        )
        step *= 2
    return Found(gather(x, axis, at), at)


def _not_nan(x: Tensor) -> Tensor:
    return e.LOGICAL_NOT(e.ISNAN(x))


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(sum of exp(x) so far) along `dim`, without overflow."""
    x = input if input.dtype.is_floating_point else input.to(DEFAULT)
    axis = check_axis("logcumsumexp", dim, len(x.shape))
    if not x.shape:
        return x.clone()
    n, step = x.shape[axis], 1
    while step < n:
        sums = logaddexp(narrow(x, axis, step, n - step), narrow(x, axis, 0, n - step))
        x = cat([narrow(x, axis, 0, step), sums], axis)
        step *= 2
    return x


def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """x[i + 1] - x[i] along `dim`, n times; for bool whether they differ.

    `prepend` and `append` are joined to x first.
    """
    if n < 0:
        raise fail(
            ArgumentError, "diff", f"expected n >= 0, got {n}; use 1 for the first difference"
        )
    if not input.shape:
        raise fail(
            ShapeError, "diff", "expected at least one axis, got a 0-d tensor; reshape it to (1,)"
        )
    axis = check_axis("diff", dim, len(input.shape))
    if n == 0:
        return input
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, axis) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[axis])):
        count = x.shape[axis] - 1
        later, earlier = narrow(x, axis, 1, count), narrow(x, axis, 0, count)
        x = e.NE(later, earlier) if x.dtype is bool_ else later - earlier
    return x


def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The integral of y along `dim`: the sum of (x[i+1] - x[i]) (y[i] + y[i+1]) / 2.

    The places are `x`, of y's shape or (n,), or `dx` (1) apart.
    """
    parts = _trapezoids("trapezoid", y, x, dx, dim)
    return sum_(parts, check_axis("trapezoid", dim, len(y.shape)) - len(y.shape))


def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The integral so far at each place but the first, by the trapezoidal rule."""
    return cumsum(_trapezoids("cumulative_trapezoid", y, x, dx, dim), dim)


def trapz(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """`trapezoid` under its other name."""
    return trapezoid(y, x, dx=dx, dim=dim)


def _trapezoids(op: str, y: Tensor, x: Any, dx: float | None, dim: int) -> Tensor:
    if x is not None and dx is not None:
        raise fail(ArgumentError, op, "expected x or dx, got both; give one of them")
    axis = check_axis(op, dim, len(y.shape))
    n = y.shape[axis] if y.shape else 0
    count = max(n - 1, 0)
    if not y.shape:
        raise fail(
            ShapeError, op, "expected at least one axis, got a 0-d tensor; reshape it to (1,)"
        )
    both = narrow(y, axis, n - count, count) + narrow(y, axis, 0, count)
    if x is None:
        return both * (0.5 if dx is None else 0.5 * dx)
    if len(x.shape) == 1:
        x = reshape(x, tuple(-1 if i == axis else 1 for i in range(len(y.shape))))
        return both * diff(x, dim=axis) * 0.5
    return both * diff(x, dim=axis - len(y.shape)) * 0.5
