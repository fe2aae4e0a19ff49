"""Pooling beside the plain kinds: to a given size, by a power mean, and back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..dtypes import int64
from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops import pool
from ..ops.elementwise import select
from ..ops.index import check_indices, index_select, scatter, take_rows
from ..ops.layout import reshape
from ..ops.reduce import max_
from ..shape import int_tuple, row_major

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d_with_indices",
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


# maxima with positions ----------------------------------------------------------------------------
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` with return_indices=True."""
    return pool.max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, True)  # type: ignore[no-any-return]


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool2d` with return_indices=True."""
    return pool.max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, True)  # type: ignore[no-any-return]


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool3d` with return_indices=True."""
    return pool.max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, True)  # type: ignore[no-any-return]


# to a given size ----------------------------------------------------------------------------------
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of windows floor(i n / m) ... ceil((i + 1) n / m) of (N, C, L); see the 2-d one."""
    return _adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Max pooling of (N, C, H, W) to a given size; None keeps an axis.

    Window i of m covers floor(i n / m) ... ceil((i + 1) n / m) of an axis of n. With
    `return_indices` also the flat positions in each plane. Source: He et al. 2014 (SPPnet), section
    2.2. Decks: none by name; D3's RoI pooling, of a whole map.
    """
    return _adaptive_max_pool(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Max pooling of (N, C, D, H, W) to a given size; see the 2-d one."""
    return _adaptive_max_pool(3, input, output_size, return_indices)


def _adaptive_max_pool(rank: int, x: Tensor, output_size: Any, return_indices: bool) -> Any:
    op = f"adaptive_max_pool{rank}d"
    if len(x.shape) not in (rank + 1, rank + 2):
        raise fail(
            ShapeError,
            op,
            f"expected {rank + 1} or {rank + 2} axes, got {x.shape}; reshape or unsqueeze it",
        )
    size = x.shape[-rank:]
    listed = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * rank
    wanted = [n if m is None else m for n, m in zip(size, listed, strict=False)]
    out = int_tuple(op, "output_size", tuple(wanted), rank, 0)
    if 0 in size:
        raise fail(
            ShapeError,
            op,
            f"expected spatial axes with elements, got {x.shape}; leave empty inputs out",
        )
    if all(m and n % m == 0 for n, m in zip(size, out, strict=True)):
        kernel = tuple(n // m for n, m in zip(size, out, strict=True))
        values, places = pool.max_pool(rank, x, kernel, kernel, 0, 1, False, True)
    else:
        values, places = _by_table(x, _windows(size, out), out)
    return (values, places) if return_indices else values


def _windows(size: tuple[int, ...], out: tuple[int, ...]) -> list[list[int]]:
    """The flat positions under each window; shorter ones repeat their first."""
    spans = [
        [range(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        for n, m in zip(size, out, strict=True)
    ]
    steps = row_major(size)
    table = [
        [sum(i * s for i, s in zip(at, steps, strict=True)) for at in product(*window)]
        for window in product(*spans)
    ]
    width = max(map(len, table), default=0)
    return [row + row[:1] * (width - len(row)) for row in table]


def _by_table(x: Tensor, table: list[list[int]], out: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Maxima over rows of a table of positions in each plane, and their positions."""
    lead = x.shape[: -len(out)]
    if not table:
        empty = x.reshape(-1)[:0] if prod(x.shape) else x
        shape = (*lead, *out)
        return reshape(empty, shape), _tensor.zeros(shape, dtype=int64, backend=x.backend)
    count, width = len(table), len(table[0])
    planes = reshape(x, *lead, prod(x.shape[len(lead) :]))
    positions = _tensor.tensor([p for row in table for p in row], backend=x.backend)
    taken = reshape(index_select(planes, -1, positions), *lead, count, width)
    values, which = max_(taken, -1)
    row = _tensor.arange(count, backend=x.backend) * width
    places = take_rows("adaptive_max_pool", positions, which + row)
    return reshape(values, *lead, *out), reshape(places, *lead, *out)


# power means --------------------------------------------------------------------------------------
def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(sum of x^p)^(1/p) over each window of (N, C, L); see lp_pool2d."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(sum of x^p)^(1/p) over each window of (N, C, H, W): L2 pooling with p = 2, a sum with p = 1.

    A negative sum gives 0. The gradient where the sum is 0 is 0 (torch's is nan). Source: Sermanet,
    Chintala & LeCun 2012. Decks: D1.
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(sum of x^p)^(1/p) over each window of (N, C, D, H, W); see lp_pool2d."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(rank: int, x: Tensor, p: float, kernel: Any, stride: Any, ceil_mode: bool) -> Tensor:
    op = f"lp_pool{rank}d"
    if p == 0:
        raise fail(
            ArgumentError,
            op,
            "expected norm_type other than 0, got 0; use 2 for the Euclidean norm",
        )
    size = prod(int_tuple(op, "kernel_size", kernel, rank, 1))
    power = x**p
    total = pool.avg_pool(rank, power, kernel, stride, 0, ceil_mode, True, None) * float(size)
    some = e.GT(total, 0)
    return select(some, select(some, total, 1.0) ** (1.0 / p), 0.0)


# and back -----------------------------------------------------------------------------------------
def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The maxima of max_pool1d back at their positions, zeros elsewhere; see max_unpool2d."""
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The maxima of max_pool2d back at their positions, zeros elsewhere.

    Maxima and indices (N, C, H, W). Zeiler & Fergus 2014.

    The size is (H - 1) stride - 2 padding + kernel, unless `output_size` says otherwise; of equal
    positions the last one counts. Decks: D1 (deconvolution views).
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The maxima of max_pool3d back at their positions, zeros elsewhere; see max_unpool2d."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(
    rank: int, x: Tensor, indices: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    op = f"max_unpool{rank}d"
    if len(x.shape) not in (rank + 1, rank + 2) or indices.shape != x.shape:
        raise fail(
            ShapeError,
            op,
            f"expected {rank + 1} or {rank + 2} axes and indices of the same shape, got {x.shape} "
            f"and {indices.shape}; "
            "pass what max_pool with return_indices=True gave",
        )
    k = int_tuple(op, "kernel_size", kernel, rank, 1)
    s = k if stride is None else int_tuple(op, "stride", stride, rank, 1)
    p = int_tuple(op, "padding", padding, rank, 0)
    lead = x.shape[:-rank]
    size = tuple(
        (n - 1) * b - 2 * c + a for n, a, b, c in zip(x.shape[-rank:], k, s, p, strict=True)
    )
    if output_size is not None:
        given = int_tuple(op, "output_size", tuple(output_size)[-rank:], rank, 0)
        if any(abs(m - n) >= b for m, n, b in zip(given, size, s, strict=True)):
            raise fail(
                ArgumentError,
                op,
                f"expected output_size within one stride {s} of {size}, got {given}; "
                "leave it out to have it worked out",
            )
        size = given
    check_indices(op, indices, prod(size))
    flat = (*lead, prod(x.shape[-rank:]))
    zeros = _tensor.zeros((*lead, prod(size)), dtype=x.dtype, backend=x.backend)
    placed = scatter(zeros, -1, reshape(indices, flat), reshape(x, flat))
    return reshape(placed, *lead, *size)
