"""Pooling to a fixed size whatever comes in: of regions (RoI pooling), of images (pyramids)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import tensor as _tensor
from ..checks import choice
from ..dtypes import int64
from ..errors import ArgumentError, ShapeError, fail
from ..ops.checks import float_tensor
from ..ops.elementwise import cast, select
from ..ops.index import check_indices, take_rows
from ..ops.layout import cat, permute, reshape
from ..ops.pointwise import clamp, floor, floor_divide
from ..ops.reduce import any_, max_
from ..shape import int_tuple
from .common import check_range
from .pooling import adaptive_avg_pool2d
from .unpooling import adaptive_max_pool2d

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["roi_pool", "spatial_pyramid_pool"]


def roi_pool(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
) -> Tensor:
    """The maxima of a grid of cells laid over each region of interest: RoI pooling.

    A box (x1, y1, x2, y2) times `spatial_scale` and rounded covers h = y2 - y1 + 1 rows from y1 on
    (at least one); cell i of m takes the rows floor(i h / m) ... ceil((i + 1) h / m) - 1 of them,
    and columns alike. Cells overlap by up to one row; one beyond the map gives 0.

    Args: input (N, C, H, W), float: feature maps; boxes (K, 5) floats, each row the number of its
    image and the box, or N tensors (L, 4) of boxes, one for each image; output_size m, or rows and
    columns; spatial_scale: the map's pixels for one of the boxes' (1/16 for VGG's last maps).
    Returns: (K, C, *output_size). The gradient goes to the maxima, none to the boxes.
    Raises: ShapeError; IndexOutOfRange for the number of an image; ArgumentError for boxes outside
    the map, where two more pixels to the right and below are let through, as torchvision clips: a
    map whose size was rounded down ends before its image does (31 pixels at stride 16 are one).
    Source: Girshick, "Fast R-CNN", 2015, section 2.1 (torchvision.ops.roi_pool). Decks: D3.
    """
    op = "roi_pool"
    x = float_tensor(op, input)
    if len(x.shape) != 4:
        raise fail(
            ShapeError,
            op,
            f"expected feature maps (N, C, H, W), got {x.shape}; use x.unsqueeze(0) for one",
        )
    out = int_tuple(op, "output_size", output_size, 2, 1)
    regions = _regions(op, boxes, x.shape[0])
    n, channels, height, width = x.shape
    image = cast(regions[:, 0], int64)
    check_indices(op, image, n)
    corners = floor(regions[:, 1:] * spatial_scale + 0.5)
    rows, row_in = _cells(op, corners[:, 1], corners[:, 3], height, out[0])
    columns, column_in = _cells(op, corners[:, 0], corners[:, 2], width, out[1])
    down = rows + (image * height).reshape(-1, 1, 1)
    at = down.unsqueeze(2).unsqueeze(4) * width + columns.unsqueeze(1).unsqueeze(3)
    inside = row_in.unsqueeze(2).unsqueeze(4) & column_in.unsqueeze(1).unsqueeze(3)
    pixels = reshape(permute(x, (0, 2, 3, 1)), n * height * width, channels)
    cells = (*at.shape[:3], at.shape[3] * at.shape[4])
    taken = take_rows(op, pixels, reshape(at, cells))
    inside = reshape(inside, *cells, 1)
    best = max_(select(inside, taken, float("-inf")), 3)[0]
    return permute(select(any_(inside, 3), best, 0.0), (0, 3, 1, 2))


def _regions(op: str, boxes: Any, images: int) -> Tensor:
    """The boxes as (K, 5), the number of the image first."""
    if isinstance(boxes, _tensor.Tensor):
        found = float_tensor(op, boxes).detach()
        if len(found.shape) != 2 or found.shape[1] != 5:
            raise fail(
                ShapeError,
                op,
                f"expected boxes (K, 5), rows of image, x1, y1, x2, y2, got {found.shape}; pass "
                "a list of (L, 4) tensors, one for each image",
            )
        return found
    listed = [float_tensor(op, b).detach() for b in boxes]
    if len(listed) != images or any(len(b.shape) != 2 or b.shape[1] != 4 for b in listed):
        raise fail(
            ShapeError,
            op,
            f"expected {images} tensors (L, 4) of boxes, one for each image, got "
            f"{[b.shape for b in listed]}; give an image without boxes a (0, 4) one",
        )
    numbers = [
        _tensor.full((b.shape[0], 1), float(i), dtype=b.dtype, backend=b.backend)
        for i, b in enumerate(listed)
    ]
    return cat([cat(numbers, 0), cat(listed, 0)], 1)


def _cells(op: str, first: Tensor, last: Tensor, size: int, count: int) -> tuple[Tensor, Tensor]:
    """The pixels under each cell along one axis (K, count, longest), and which of them are there.

    Whole numbers alone, so that no cell's border hangs on the rounding of a quotient.
    """
    expected = f"expected boxes within the map of size {size}, got the place {{}}; clip them"
    for place in (first, last):
        check_range(op, place, 0.0, size + 2.0, expected)
    start = cast(first, int64).reshape(-1, 1)
    length = clamp(cast(last, int64).reshape(-1, 1) - start + 1, 1)
    cell = _tensor.arange(count, backend=first.backend).unsqueeze(0)
    low = start + floor_divide(cell * length, count)
    high = start + floor_divide((cell + 1) * length + (count - 1), count)
    longest = min(-(-(size + 2) // count) + 1, size)
    places = low.unsqueeze(2) + _tensor.arange(longest, backend=first.backend)
    inside = (places < high.unsqueeze(2)) & (places < size)
    return clamp(places, 0, size - 1), inside


def spatial_pyramid_pool(
    input: Tensor, levels: Sequence[int] = (4, 2, 1), mode: str = "max"
) -> Tensor:
    """Pool to n by n cells for each n of `levels`, side by side: images of any size, one length.

    Cell i of n covers the rows floor(i H / n) ... ceil((i + 1) H / n) - 1. (The paper's windows of
    ceil(H / n) with stride floor(H / n) are the same for its 13 x 13 maps, and leave out the border
    of others.)

    Args: input (N, C, H, W), float; levels: cells on a side; mode "max" or "avg".
    Returns: (N, C * sum of n^2), level by level, each with its channels outermost.
    Raises: ShapeError, ArgumentError.
    Source: He et al., "Spatial pyramid pooling in deep convolutional networks", 2014, section 2.2
    (levels 4, 2, 1 in its figure 3; 6, 3, 2, 1 in section 3.1.2). Decks: D3.
    """
    op = "spatial_pyramid_pool"
    x = float_tensor(op, input)
    choice(op, "mode", mode, ("max", "avg"))
    sides = list(levels)
    if len(x.shape) != 4:
        raise fail(
            ShapeError, op, f"expected images (N, C, H, W), got {x.shape}; use x.unsqueeze(0)"
        )
    if not sides:
        raise fail(ArgumentError, op, "expected at least one level, got none; use (4, 2, 1)")
    pool = adaptive_max_pool2d if mode == "max" else adaptive_avg_pool2d
    for n in sides:
        int_tuple(op, "levels", n, 1, 1)
    return cat([reshape(pool(x, n), x.shape[0], x.shape[1] * n * n) for n in sides], 1)
