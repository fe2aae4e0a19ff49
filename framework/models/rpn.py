"""Region proposal network. S. Ren, K. He, R. Girshick and J. Sun, "Faster R-CNN: towards real-time
object detection with region proposal networks", NIPS 2015, section 3. Decks: D3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .. import nn
from ..autograd import no_grad
from ..creation import tensor, zeros
from ..dtypes import int64
from ..errors import ArgumentError, fail
from ..functional import (
    binary_cross_entropy_with_logits,
    index_select,
    sigmoid,
    smooth_l1_loss,
    where,
)
from ..ops.sampling import randperm
from ..tensor import Tensor
from .boxes import box_iou, clip_boxes_to_image, decode_boxes, encode_boxes, make_anchors, nms

BETA = 1 / 9  # where torchvision's smooth L1 turns from a parabola to a line


class RPNHead(nn.Module):
    """A 3x3 convolution, then at each pixel and for each of k anchors a logit and four codes.

    x (N, C, H, W) -> (N, k, H, W), (N, 4 k, H, W). Names are torchvision's: conv.0.0, cls_logits,
    bbox_pred. All start from N(0, 0.01^2), biases 0.
    """

    def __init__(self, in_channels: int, num_anchors: int) -> None:
        super().__init__()
        first = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.conv = nn.Sequential(nn.Sequential(first, nn.ReLU()))
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, 1)
        self.bbox_pred = nn.Conv2d(in_channels, 4 * num_anchors, 1)
        for layer in (first, self.cls_logits, self.bbox_pred):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits that an anchor holds an object, and codes that move it there."""
        y = self.conv(x)
        return self.cls_logits(y), self.bbox_pred(y)


class RPNOutputs(NamedTuple):
    """objectness (N, A) logits, codes (N, A, 4), anchors (A, 4) with A = H W k."""

    objectness: Tensor
    codes: Tensor
    anchors: Tensor


class RPN(nn.Module):
    """Slides over a map of features and says where objects may be: k anchors at each pixel.

    maps (N, C, H, W) -> RPNOutputs. scales and ratios: see `make_anchors`; stride: pixels of the
    image for one of the map. `loss` and `proposals` take the outputs. Names: head.*, as in
    torchvision's rpn. With 512 channels in, those of VGG-16, and 9 anchors 2,382,893 parameters.
    Ren et al. 2015, section 3. Decks: D3.
    """

    def __init__(
        self,
        in_channels: int = 512,
        scales: Sequence[float] = (128.0, 256.0, 512.0),
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        stride: int = 16,
        positive: float = 0.7,
        negative: float = 0.3,
        samples: int = 256,
    ) -> None:
        super().__init__()
        if not 0.0 <= negative <= positive <= 1.0:
            raise fail(
                ArgumentError,
                "rpn",
                "expected overlaps 0 <= negative <= positive <= 1, got "
                f"{negative!r} and {positive!r}; use 0.3 and 0.7",
            )
        self.head = RPNHead(in_channels, len(scales) * len(ratios))
        self.scales, self.ratios, self.stride = tuple(scales), tuple(ratios), stride
        self.positive, self.negative, self.samples = positive, negative, samples

    def forward(self, maps: Tensor) -> RPNOutputs:
        """Logits and codes of all anchors."""
        logits, codes = self.head(maps)
        n, k, h, w = logits.shape
        anchors = make_anchors((h, w), self.stride, self.scales, self.ratios, maps.backend)
        objectness = logits.permute(0, 2, 3, 1).reshape(n, h * w * k)
        codes = codes.reshape(n, k, 4, h, w).permute(0, 3, 4, 1, 2).reshape(n, h * w * k, 4)
        return RPNOutputs(objectness, codes, anchors)

    def loss(self, out: RPNOutputs, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """(objectness loss, box loss) for boxes (G, 4) of each image.

        An anchor is positive if it overlaps a box by `positive` or more, or more than any other
        does; negative if it overlaps none by `negative`. Of each image at most `samples` anchors
        are drawn, half of them positive if there are so many. Over all S drawn:

            mean BCE(logit, positive),  1 / S sum over positive smooth_l1(codes - true codes)
        """
        losses, boxes, drawn = [], [], 0
        for i, truth in enumerate(targets):
            labels, matches = match(out.anchors, truth, self.positive, self.negative, True)
            chosen, hits = sample(labels, self.samples, 0.5)
            drawn += chosen.shape[0]
            wanted = index_select((labels == 1).to(out.objectness.dtype), 0, chosen)
            logits = index_select(out.objectness[i], 0, chosen)
            losses.append(binary_cross_entropy_with_logits(logits, wanted, reduction="sum"))
            if hits.shape[0]:
                anchors, own = (index_select(t, 0, hits) for t in (out.anchors, matches))
                codes = encode_boxes(index_select(truth, 0, own), anchors)
                found = index_select(out.codes[i], 0, hits)
                boxes.append(smooth_l1_loss(found, codes, reduction="sum", beta=BETA))
        share = 1.0 / max(drawn, 1)
        nothing = (out.codes * 0.0).sum()
        return sum(losses[1:], losses[0]) * share, sum(boxes, nothing) * share

    def proposals(
        self,
        out: RPNOutputs,
        size: tuple[int, int],
        before: int = 1000,
        after: int = 300,
        iou_threshold: float = 0.7,
        least: float = 1e-3,
    ) -> list[tuple[Tensor, Tensor]]:
        """(boxes (P, 4), scores (P,)) of each image of `size` (H, W), best first.

        The `before` best anchors are moved, clipped, and thinned by `nms` to `after`. Boxes with a
        side under `least` are left out.
        """
        found = []
        with no_grad():
            for logits, codes in zip(out.objectness.unbind(0), out.codes.unbind(0), strict=True):
                best = (-logits).argsort()[:before]
                moved = decode_boxes(codes[best], out.anchors[best])
                boxes = clip_boxes_to_image(moved, size)
                wide = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= least
                places = _where(wide)
                boxes, scores = boxes[places], sigmoid(logits[best][places])
                kept = nms(boxes, scores, iou_threshold)[:after]
                found.append((boxes[kept], scores[kept]))
        return found


def match(
    anchors: Tensor, truth: Tensor, positive: float, negative: float, low_quality: bool
) -> tuple[Tensor, Tensor]:
    """(labels, matches) of anchors (A, 4): 1, 0 or -1 (neither), and the box that overlaps most.

    `low_quality` makes the best anchors of each box positive, however little they overlap.
    """
    count = anchors.shape[0]
    if not truth.shape[0]:
        none = zeros(count, dtype=int64, backend=anchors.backend)
        return none, none
    with no_grad():
        overlap = box_iou(truth, anchors)
        best = overlap.amax(0)
        labels = where(best >= positive, 1, where(best < negative, 0, -1))
        if low_quality:
            most = overlap.amax(1, keepdim=True)
            labels = where(((overlap == most) & (most > 0.0)).any(0), 1, labels)
        return labels.to(int64), overlap.argmax(0)


def sample(labels: Tensor, count: int, share: float) -> tuple[Tensor, Tensor]:
    """Numbers of at most `count` anchors labelled 1 or 0, at most `share` of them 1; and those."""
    ones, rest = _where(labels == 1), _where(labels == 0)
    ones = _draw(ones, int(count * share))
    rest = _draw(rest, count - ones.shape[0])
    together = tensor([*ones.tolist(), *rest.tolist()], dtype=int64, backend=labels.backend)
    return together, ones


def _draw(numbers: Tensor, count: int) -> Tensor:
    if numbers.shape[0] <= count:
        return numbers
    chosen: Tensor = numbers[randperm(numbers.shape[0], backend=numbers.backend)[:count]]
    return chosen


def _where(mask: Tensor) -> Tensor:
    places: Tensor = mask.nonzero().reshape(-1)
    return places
