"""Boxes: overlap, coding against anchors, thinning out. A box is (x1, y1, x2, y2), in pixels.

S. Ren, K. He, R. Girshick and J. Sun, "Faster R-CNN: towards real-time object detection with region
proposal networks", NIPS 2015, section 3; coding: R. Girshick et al., "Rich feature hierarchies for
accurate object detection", CVPR 2014, appendix C. Decks: D3. Names are those of torchvision.ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Any

from ..checks import real
from ..checks import tensor as expect_tensor
from ..creation import arange, tensor
from ..dtypes import int64
from ..errors import ShapeError, fail
from ..functional import clamp, exp, maximum, minimum, stack
from ..functional import log as log_
from ..tensor import Tensor

MOST_GROWTH = log(1000 / 16)  # of a decoded box beside its anchor, so that exp stays finite


def _checked(op: str, boxes: Tensor) -> Tensor:
    found: Tensor = expect_tensor(op, "boxes", boxes)
    if len(found.shape) != 2 or found.shape[1] != 4:
        raise fail(
            ShapeError,
            op,
            f"expected boxes (K, 4), rows of x1, y1, x2, y2, got {found.shape}; reshape them",
        )
    return found


def box_area(boxes: Tensor) -> Tensor:
    """(x2 - x1)(y2 - y1) of boxes (K, 4): (K,). Raises ShapeError."""
    b = _checked("box_area", boxes)
    return (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Area of the intersection over that of the union, of each of (N, 4) with each of (M, 4).

    Returns (N, M) in [0, 1]. Raises ShapeError.
    """
    a, b = _checked("box_iou", boxes1), _checked("box_iou", boxes2)
    low = maximum(a[:, :2].unsqueeze(1), b[:, :2].unsqueeze(0))
    high = minimum(a[:, 2:].unsqueeze(1), b[:, 2:].unsqueeze(0))
    sides = clamp(high - low, 0.0)
    common = sides[:, :, 0] * sides[:, :, 1]
    union = box_area(a).unsqueeze(1) + box_area(b).unsqueeze(0) - common
    return common / clamp(union, 1e-12)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (K, 4) cut off at the borders of an image of `size` (H, W)."""
    x1, y1, x2, y2 = _checked("clip_boxes_to_image", boxes).unbind(1)
    height, width = map(float, size)
    xs, ys = (clamp(x, 0.0, width) for x in (x1, x2)), (clamp(y, 0.0, height) for y in (y1, y2))
    left, right = xs
    top, bottom = ys
    return stack([left, top, right, bottom], 1)


def _centres(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centre x and y, width, height."""
    x1, y1, x2, y2 = boxes.unbind(1)
    w, h = x2 - x1, y2 - y1
    return x1 + 0.5 * w, y1 + 0.5 * h, w, h


def encode_boxes(
    boxes: Tensor, anchors: Tensor, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """What moves anchors (K, 4) to boxes (K, 4), in units of the anchor: (K, 4).

        t_x = (x - x_a) / w_a,  t_y = (y - y_a) / h_a,  t_w = log(w / w_a),  t_h = log(h / h_a)

    of centres, widths and heights, times `weights`. Raises ShapeError.
    """
    x, y, w, h = _centres(_checked("encode_boxes", boxes))
    xa, ya, wa, ha = _centres(_checked("encode_boxes", anchors))
    codes = ((x - xa) / wa, (y - ya) / ha, log_(w / wa), log_(h / ha))
    return stack([code * weight for code, weight in zip(codes, weights, strict=True)], 1)


def decode_boxes(
    codes: Tensor, anchors: Tensor, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """The boxes that `encode_boxes` gave these codes for; growth stops at 62.5 times the anchor."""
    xa, ya, wa, ha = _centres(_checked("decode_boxes", anchors))
    parts = _checked("decode_boxes", codes).unbind(1)
    tx, ty, tw, th = (t / weight for t, weight in zip(parts, weights, strict=True))
    x, y = tx * wa + xa, ty * ha + ya
    w, h = exp(clamp(tw, max=MOST_GROWTH)) * wa, exp(clamp(th, max=MOST_GROWTH)) * ha
    return stack([x - 0.5 * w, y - 0.5 * h, x + 0.5 * w, y + 0.5 * h], 1)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: drop each box that overlaps a better one by more than a threshold.

    Boxes (K, 4), scores (K,). Returns the numbers of the boxes kept, best first, int64.
    """
    limit = real("nms", "iou_threshold", iou_threshold, 0.0, 1.0)
    b = _checked("nms", boxes)
    if scores.shape != b.shape[:1]:
        raise fail(
            ShapeError,
            "nms",
            f"expected a score for each of {b.shape[0]} boxes, got {scores.shape}; flatten them",
        )
    order = (-scores.detach()).argsort().tolist()
    overlap = box_iou(b.detach(), b.detach()).tolist()
    kept: list[int] = []
    for i in order:
        if all(overlap[i][j] <= limit for j in kept):
            kept.append(i)
    return tensor(kept, dtype=int64, backend=b.backend)


def make_anchors(
    size: tuple[int, int],
    stride: int,
    scales: Sequence[float] = (128.0, 256.0, 512.0),
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    backend: Any = None,
) -> Tensor:
    """k = len(scales) len(ratios) boxes at each pixel of a map: (H W k, 4), the pixel outermost.

    size: (H, W) of the map; stride: pixels of the image for one of the map; scales: roots of the
    anchors' areas; ratios: height / width, the outer loop. Corners are rounded to pixels, as in
    torchvision. The paper has k = 9.
    """
    shapes = []
    for ratio in ratios:
        for scale in scales:
            h, w = scale * sqrt(ratio), scale / sqrt(ratio)
            shapes.append([float(round(v / 2)) for v in (-w, -h, w, h)])
    height, width = size
    ys = arange(height, backend=backend).to("float32") * float(stride)
    xs = arange(width, backend=backend).to("float32") * float(stride)
    x = xs.unsqueeze(0).expand(height, width).reshape(-1)
    y = ys.unsqueeze(1).expand(height, width).reshape(-1)
    places = stack([x, y, x, y], 1).unsqueeze(1)
    return (places + tensor(shapes, backend=backend).unsqueeze(0)).reshape(-1, 4)
