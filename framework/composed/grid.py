"""Images sampled at places that the network computes. Jaderberg et al. 2015 (spatial transformers).

A grid holds places from -1 (one border) to 1 (the other), x before y before z.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..creation import linspace
from ..errors import ArgumentError, ShapeError, fail
from ..ops import derivatives as e
from ..ops.elementwise import cast, select
from ..ops.index import gather
from ..ops.layout import cat, expand, reshape, unbind
from ..ops.matmul import matmul
from ..ops.pointwise import clamp
from ..shape import row_major

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["affine_grid", "grid_sample"]

MODES = {"bilinear", "nearest", "bicubic"}
PADDINGS = {"zeros", "border", "reflection"}


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid of places theta (x, y, 1) of an image of `size` (N, C, H, W), or in 3-d.

    theta (N, 2, 3) gives (N, H, W, 2), theta (N, 3, 4) and (N, C, D, H, W) give (N, D, H, W, 3).
    """
    rank = len(size) - 2
    if rank not in (2, 3) or theta.shape != (size[0], rank, rank + 1):
        raise fail(
            ShapeError,
            "affine_grid",
            "expected theta (N, 2, 3) for size (N, C, H, W) or (N, 3, 4) for (N, C, D, H, W), got "
            f"theta {theta.shape} and size {tuple(size)}; "
            "give both one N and one number of axes",
        )
    shape = tuple(size[2:])
    columns = []
    for axis in range(rank - 1, -1, -1):
        n = shape[axis]
        reach = 0.0 if n == 1 else 1.0 if align_corners else (n - 1) / n
        places = linspace(-reach, reach, n, dtype=theta.dtype, backend=theta.backend)
        along = reshape(places, tuple(n if i == axis else 1 for i in range(rank)))
        columns.append(reshape(expand(along, shape), -1, 1))
    columns.append(_tensor.ones(columns[0].shape, dtype=theta.dtype, backend=theta.backend))
    base = cat(columns, 1)
    return reshape(matmul(base, theta.transpose(1, 2)), size[0], *shape, rank)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """x (N, C, H, W) at the places of grid (N, H', W', 2): (N, C, H', W'); 3-d likewise.

    mode "bilinear", "nearest" or "bicubic" (2-d). Outside the image there are zeros, or the border
    is repeated ("border"), or the image is mirrored ("reflection"). -1 and 1 are the outer edges of
    the border pixels, with `align_corners` their centres.
    """
    op = "grid_sample"
    rank = len(input.shape) - 2
    fits = len(grid.shape) == rank + 2 and grid.shape[0] == input.shape[0]
    if rank not in (2, 3) or not fits or grid.shape[-1] != rank:
        raise fail(
            ShapeError,
            op,
            "expected x (N, C, H, W) and grid (N, H', W', 2), or (N, C, D, H, W) and "
            f"(N, D', H', W', 3), got {input.shape} and {grid.shape}; "
            "give both one N and one number of axes",
        )
    if mode not in MODES or (mode == "bicubic" and rank == 3):
        raise fail(
            ArgumentError,
            op,
            f"expected mode 'bilinear', 'nearest' or, in 2-d, 'bicubic', got {mode!r}; "
            "use 'bilinear'",
        )
    if padding_mode not in PADDINGS:
        raise fail(
            ArgumentError,
            op,
            f"expected padding_mode 'zeros', 'border' or 'reflection', got {padding_mode!r}; "
            "use 'zeros'",
        )
    if 0 in input.shape[2:]:
        raise fail(
            ShapeError,
            op,
            f"expected an image with pixels, got {input.shape}; leave empty images out",
        )
    align = bool(align_corners)
    taps = []
    for place, size in zip(unbind(grid, -1)[::-1], input.shape[2:], strict=True):
        half = (place + 1.0) * 0.5
        at = half * (size - 1.0) if align else half * float(size) - 0.5
        taps.append(_taps(reshape(at, at.shape[0], -1), size, mode, padding_mode, align))
    y = _gathered(input, taps)
    return reshape(y, *input.shape[:2], *grid.shape[1:-1])


def _taps(at: Tensor, n: int, mode: str, padding: str, align: bool) -> list[tuple[Any, Any, Any]]:
    """(index, weight, whether inside) of each pixel along an axis that takes part; all (N, L)."""
    parts: list[tuple[Tensor, Tensor | None]]
    if mode == "bicubic":
        low = e.FLOOR(at).detach()
        weights = _cubic_weights(at - low)
        parts = [(_padded(low + float(k - 1), n, padding, align), w) for k, w in enumerate(weights)]
    else:
        at = _padded(at, n, padding, align)
        if mode == "nearest":
            parts = [(e.ROUND(at), None)]
        else:
            low = e.FLOOR(at).detach()
            parts = [(low, 1.0 - (at - low)), (low + 1.0, at - low)]
    found = []
    for place, weight in parts:
        spot = place.detach()
        inside = e.LOGICAL_AND(e.GE(spot, 0), e.LE(spot, n - 1))
        found.append((cast(select(inside, spot, 0.0), "int64"), weight, inside))
    return found


def _padded(at: Tensor, n: int, padding: str, align: bool) -> Tensor:
    """Places that border and reflection bring back into the image."""
    if padding == "zeros":
        return at
    if padding == "reflection":
        low, span = (0.0, n - 1.0) if align else (-0.5, float(n))
        if span == 0:
            return at * 0.0
        turned = e.REMAINDER(e.ABS(at - low), 2.0 * span)
        at = select(e.GT(turned, span), 2.0 * span - turned, turned) + low
    return clamp(at, 0.0, n - 1.0)


def _cubic_weights(f: Tensor) -> list[Tensor]:
    """Keys' kernel with a = -3/4 at distances f + 1, f, 1 - f and 2 - f."""
    a = -0.75

    def near(x: Tensor) -> Tensor:
        return (x * (a + 2.0) - (a + 3.0)) * x * x + 1.0

    def far(x: Tensor) -> Tensor:
        return ((x * a - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a

    return [far(f + 1.0), near(f), near(1.0 - f), far(2.0 - f)]


def _gathered(x: Tensor, taps: list[list[tuple[Any, Any, Any]]]) -> Tensor:
    """The weighted sum over all combinations of taps: (N, C, L)."""
    n, c, *size = x.shape
    flat = reshape(x, n, c, -1)
    steps = row_major(tuple(size))
    total: Any = None
    for corner in product(*taps):
        index, weight, inside = corner[0][0] * steps[0], corner[0][1], corner[0][2]
        for (i, w, ok), step in zip(corner[1:], steps[1:], strict=True):
            index = index + i * step
            weight = w if weight is None else weight * w
            inside = e.LOGICAL_AND(inside, ok)
        wide = expand(index.unsqueeze(1), (n, c, index.shape[1]))
        part = gather(flat, 2, wide)
        if weight is not None:
            part = part * weight.unsqueeze(1)
        part = select(inside.unsqueeze(1), part, 0.0)
        total = part if total is None else total + part
    return total  # type: ignore[no-any-return]
