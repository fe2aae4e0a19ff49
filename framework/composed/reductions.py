"""Reductions that are compositions: moments, medians, quantiles, norms, sums beside nan."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan, prod
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import tensor as _tensor
from ..dtypes import bool_, int64
from ..errors import ArgumentError, DTypeError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.elementwise import select
from ..ops.index import gather, index_select
from ..ops.layout import movedim, reshape
from ..ops.pointwise import clamp
from ..ops.reduce import (
    Axes,
    Found,
    amax,
    amin,
    any_,
    argmax,
    argsort,
    mean,
    norm,
    sum_,
    var,
)
from ..shape import check_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    *("aminmax", "corrcoef", "count_nonzero", "cov", "dist", "linalg_vector_norm", "median"),
    *("nanmean", "nanmedian", "nansum", "quantile", "std_mean", "var_mean"),
]


class Range(NamedTuple):
    """The smallest and the largest element."""

    min: Tensor
    max: Tensor


def var_mean(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> tuple[Tensor, Tensor]:
    """`var` and `mean` over `dim`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    spread = var(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, dim, keepdim)


def std_mean(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> tuple[Tensor, Tensor]:
    """`std` and `mean` over `dim`."""
    spread, centre = var_mean(input, dim, unbiased, keepdim, correction=correction)
    return spread.sqrt(), centre


def nansum(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over `dim` of what is not nan."""
    x = select(e.ISNAN(input), 0.0, input) if input.dtype.is_floating_point else input
    return sum_(x, dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Mean over `dim` of what is not nan; nan if there is nothing else."""
    x = input if dtype is None else input.to(dtype)
    if not x.dtype.is_floating_point:
        raise fail(DTypeError, "nanmean", f"expected a float tensor, got {x.dtype}; use .float()")
    count = sum_(e.LOGICAL_NOT(e.ISNAN(x)), dim, keepdim)
    return nansum(x, dim, keepdim) / count.to(x.dtype)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Range:
    """(min, max) over one axis or all; equal extremes share the gradient evenly."""
    return Range(amin(input, dim, keepdim), amax(input, dim, keepdim))


def count_nonzero(input: Tensor, dim: Axes = None) -> Tensor:
    """How many elements over `dim` are not 0, int64; nan counts."""
    return sum_(input.to(bool_), dim)


def linalg_vector_norm(
    x: Tensor, ord: float = 2, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """(sum |x|^ord)^(1/ord) over `dim`, of all elements by default; torch.linalg.vector_norm.

    ord = inf is the largest |x|, -inf the smallest, 0 counts nonzeros.
    """
    x = x if dtype is None else x.to(dtype)
    if not x.dtype.is_floating_point:
        raise fail(
            DTypeError,
            "linalg_vector_norm",
            f"expected a float tensor, got {x.dtype}; use .float()",
        )
    return norm(x, ord, dim, keepdim)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other, broadcast."""
    return norm(input - other, p)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, the lower of two; with `dim` (values, indices). nan if any is nan.

    Of equal elements the first in a stable sorting order is named.
    """
    return _median("median", input, dim, keepdim)


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """`median` of what is not nan; nan if there is nothing else."""
    return _median("nanmedian", input, dim, keepdim)


def _median(op: str, x: Tensor, dim: int | None, keepdim: bool) -> Any:
    if x.dtype is bool_:
        raise fail(DTypeError, op, "expected numbers, got bool; convert with .to(etude.int64)")
    if dim is None and prod(x.shape) == 0:
        return sum_(x) * nan
    flat = reshape(x, -1) if dim is None or not x.shape else x
    axis = check_axis(op, dim or 0, len(x.shape)) if dim is not None and x.shape else 0
    n = flat.shape[axis]
    if n == 0:
        raise fail(
            ShapeError,
            op,
            f"expected at least one element, got shape {x.shape}; leave empty tensors out",
        )
    order = argsort(flat.detach(), axis)
    if op == "nanmedian":
        count = sum_(e.LOGICAL_NOT(e.ISNAN(flat)), axis, True)
        at = gather(order, axis, clamp((count - 1) // 2, min=0))
    else:
        at = index_select(order, axis, [(n - 1) // 2])
        if x.dtype.is_floating_point:
            bad = e.ISNAN(flat)
            at = select(any_(bad, axis, True), argmax(bad.to(int64), axis, True), at)
    values = gather(flat, axis, at)
    if dim is None:
        return _shared(flat, reshape(values, ()))
    if keepdim and x.shape:
        return Found(values, at)
    return Found(values.squeeze(axis), at.squeeze(axis))


def _shared(x: Tensor, value: Tensor) -> Tensor:
    """`value`, an element of x, with a gradient that all elements equal to it share evenly."""
    if not x.dtype.is_floating_point:
        return value
    value = value.detach()
    equal = e.LOGICAL_OR(e.EQ(x, value), e.LOGICAL_AND(e.ISNAN(x), e.ISNAN(value)))
    return amax(select(equal, x, -inf))


def quantile(
    input: Tensor,
    q: Tensor | float,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The element below which a share q of the elements along `dim` lies.

    It is at place q (n - 1) of the sorted elements; between two, `interpolation` is "linear",
    "lower", "higher", "nearest" or "midpoint". Several q (Q,) give a new first axis (Q, ...).
    """
    if not input.dtype.is_floating_point:
        raise fail(
            DTypeError, "quantile", f"expected a float tensor, got {input.dtype}; use .float()"
        )
    x = reshape(input, -1) if dim is None or not input.shape else input
    axis = 0 if dim is None else check_axis("quantile", dim, len(x.shape))
    rows = movedim(x, axis, -1)
    if rows.shape[-1] == 0:
        raise fail(
            ShapeError, "quantile", f"expected at least one element, got {input.shape}; skip it"
        )
    made = q if isinstance(q, _tensor.Tensor) else _tensor.tensor(q, dtype=x.dtype)
    shares = reshape(made, -1).to(x.backend, dtype=x.dtype)
    ordered = gather(rows, -1, argsort(rows.detach(), -1))
    y = _between(ordered, shares, interpolation)
    y = movedim(select(any_(e.ISNAN(rows), -1, True), nan, y), -1, 0)
    if keepdim:
        kept = (1,) * len(input.shape) if dim is None else _with_one(x.shape, axis)
        y = reshape(y, (shares.shape[0], *kept))
    return y if made.shape else y.squeeze(0)


def _with_one(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(1 if i == axis else n for i, n in enumerate(shape))


def _between(ordered: Tensor, shares: Tensor, how: str) -> Tensor:
    """The elements of the last axis at the fractional places shares * (n - 1)."""
    if not all(0.0 <= s <= 1.0 for s in shares.tolist()):
        raise fail(
            ArgumentError,
            "quantile",
            f"expected q in [0, 1], got {shares.tolist()}; divide percents by 100",
        )
    rules: dict[str, Callable[..., Tensor]] = {
        "linear": lambda p: p,
        "lower": e.FLOOR,
        "higher": e.CEIL,
        "nearest": e.ROUND,
        "midpoint": lambda p: (e.FLOOR(p) + e.CEIL(p)) * 0.5,
    }
    if how not in rules:
        raise fail(
            ArgumentError,
            "quantile",
            f"expected interpolation {', '.join(map(repr, rules))}, got {how!r}; use one of them",
        )
    place = rules[how](shares * float(ordered.shape[-1] - 1))
    below, above = (f(place.detach()) for f in (e.FLOOR, e.CEIL))
    low, high = (index_select(ordered, -1, at.to(int64)) for at in (below, above))
    same = e.EQ(low, high)  # two infinities have no difference
    gap = select(same, 0.0, high) - select(same, 0.0, low)
    return low + gap * (place - below)


def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Covariance of variables (rows) over observations (columns): (V, N) gives (V, V).

    sum_n w_n (x_i - m_i) (x_j - m_j) / (sum w - correction), w = fweights aweights; with `aweights`
    the correction is multiplied by their weighted mean.
    """
    if len(input.shape) > 2:
        raise fail(
            ShapeError,
            "cov",
            f"expected (V, N) or (N,), got {input.shape}; reshape it to rows of variables",
        )
    x = reshape(input, 1, -1) if len(input.shape) < 2 else input
    w: Any = None
    for given in (fweights, aweights):
        if given is not None:
            w = given if w is None else w * given
    total = float(x.shape[1]) if w is None else w.sum()
    weighted = x if w is None else x * w
    centred = x - sum_(weighted, 1, True) / total
    by = correction
    if aweights is not None:
        by = (w * aweights).sum() * correction / total
    left = centred if w is None else centred * w
    scale = total - by
    scale = max(scale, 0.0) if isinstance(scale, float) else clamp(scale, min=0)
    y = left @ centred.T / scale
    return y.squeeze()


def corrcoef(input: Tensor) -> Tensor:
    """Correlation coefficients of variables (rows): cov_ij / sqrt(cov_ii cov_jj), in [-1, 1]."""
    c = cov(input)
    if not c.shape:
        return c / c
    from ..ops.layout import diagonal

    spread = diagonal(c).sqrt()
    return clamp(c / spread.unsqueeze(1) / spread, -1.0, 1.0)
