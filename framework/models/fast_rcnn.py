"""Fast R-CNN's head, and Faster R-CNN. R. Girshick, "Fast R-CNN", ICCV 2015, section 2; S. Ren,
K. He, R. Girshick and J. Sun, "Faster R-CNN", NIPS 2015. Decks: D3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import nn
from ..autograd import no_grad
from ..creation import tensor
from ..dtypes import int64
from ..functional import (
    cat,
    cross_entropy,
    index_select,
    relu,
    roi_pool,
    smooth_l1_loss,
    softmax,
    where,
)
from ..tensor import Tensor
from .boxes import clip_boxes_to_image, decode_boxes, encode_boxes, nms
from .fcn import without_head
from .rpn import BETA, RPN, match, sample

WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the codes, which makes their variance about 1


class TwoMLPHead(nn.Module):
    """Two linear layers with ReLU on pooled maps (K, C, m, m) -> (K, hidden): fc6 and fc7."""

    def __init__(self, in_features: int, hidden: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc6 = nn.Linear(in_features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Features of each region."""
        return relu(self.fc7(relu(self.fc6(self.flatten(x)))))


class FastRCNNPredictor(nn.Module):
    """Logits (K, classes) and codes (K, 4 classes) of regions by their features (K, hidden)."""

    def __init__(self, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(hidden, num_classes)
        self.bbox_pred = nn.Linear(hidden, 4 * num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What each region shows, and where it really is."""
        return self.cls_score(x), self.bbox_pred(x)


class RoIHead(nn.Module):
    """Fast R-CNN's head: RoI pooling of each region to m by m, then classes and boxes.

    maps (N, C, H, W) and boxes, N tensors (L, 4) -> logits (K, num_classes), codes
    (K, 4 num_classes); class 0 is the background. Names are torchvision's: box_head.fc6, fc7,
    box_predictor.cls_score, bbox_pred.
    Girshick 2015, section 2. Decks: D3, D4 (by name).
    """

    def __init__(
        self, in_channels: int, num_classes: int, scale: float, size: int = 7, hidden: int = 1024
    ) -> None:
        super().__init__()
        self.scale, self.size = scale, size
        self.box_head = TwoMLPHead(in_channels * size * size, hidden)
        self.box_predictor = FastRCNNPredictor(hidden, num_classes)

    def forward(self, maps: Tensor, boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits and codes of all regions of all images."""
        pooled = roi_pool(maps, list(boxes), self.size, self.scale)
        found: tuple[Tensor, Tensor] = self.box_predictor(self.box_head(pooled))
        return found

    def loss(
        self, logits: Tensor, codes: Tensor, labels: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(class loss, box loss) of regions with labels (K,) and true codes (K, 4).

        cross_entropy(logits, labels), and 1 / K sum over labels > 0 of smooth_l1(codes of that
        label - true codes): section 2.3, with torchvision's beta of 1/9 (the paper's is 1).
        """
        count, classes = logits.shape
        rows = (labels > 0).nonzero().reshape(-1)
        box = (codes * 0.0).sum()
        if rows.shape[0]:
            flat = codes.reshape(count * classes, 4)
            own = index_select(flat, 0, rows * classes + labels[rows])
            box = box + smooth_l1_loss(own, targets[rows], reduction="sum", beta=BETA)
        return cross_entropy(logits, labels), box * (1.0 / max(count, 1))


class Detection(NamedTuple):
    """What was found in an image: boxes (D, 4), labels (D,) int64 and scores (D,), best first."""

    boxes: Tensor
    labels: Tensor
    scores: Tensor


class FasterRCNN(nn.Module):
    """Proposals by an RPN, judged by Fast R-CNN's head, on one map of a backbone.

    In training `model(images, targets)`, a pair (boxes (G, 4), labels (G,) int64 from 1 on) for
    each image, returns four losses by name, to be added. In evaluation `model(images)` returns a
    Detection for each image. The backbone has `maps` and `map_channels`, as VGG and ResNet do;
    `place` says which of its maps is used and `stride` that map's stride. Names are torchvision's:
    backbone, rpn.head, roi_heads. Ren et al. 2015. Decks: D3.
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int,
        place: int = -2,
        stride: int = 16,
        scales: Sequence[float] = (128.0, 256.0, 512.0),
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        size: int = 7,
        hidden: int = 1024,
        proposals: int = 300,
        samples: int = 128,
    ) -> None:
        super().__init__()
        channels = backbone.map_channels[place]
        self.backbone = without_head(backbone)
        self.rpn = RPN(channels, scales, ratios, stride)
        self.roi_heads = RoIHead(channels, num_classes, 1.0 / stride, size, hidden)
        self.place, self.proposals, self.samples = place, proposals, samples

    def forward(
        self, images: Tensor, targets: Sequence[tuple[Tensor, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[Detection]:
        """Losses in training, detections in evaluation."""
        maps = self.backbone.maps(images)[self.place]
        size = images.shape[2], images.shape[3]
        out = self.rpn(maps)
        boxes = [found for found, _ in self.rpn.proposals(out, size, after=self.proposals)]
        if targets is None:
            return self._detect(maps, boxes, size)
        objectness, rpn_box = self.rpn.loss(out, [truth for truth, _ in targets])
        chosen = [self._choose(b, *truth) for b, truth in zip(boxes, targets, strict=True)]
        logits, codes = self.roi_heads(maps, [regions for regions, _, _ in chosen])
        labels, wanted = (cat([row[i] for row in chosen], 0) for i in (1, 2))
        classifier, box = self.roi_heads.loss(logits, codes, labels, wanted)
        return {
            "loss_objectness": objectness,
            "loss_rpn_box_reg": rpn_box,
            "loss_classifier": classifier,
            "loss_box_reg": box,
        }

    def _choose(
        self, boxes: Tensor, truth: Tensor, classes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Regions to learn from, a quarter of them objects: boxes, labels, true codes."""
        boxes = cat([boxes, truth], 0)
        labels, matches = match(boxes, truth, 0.5, 0.5, False)
        chosen, _ = sample(labels, self.samples, 0.25)
        boxes, own = boxes[chosen], matches[chosen]
        if not truth.shape[0]:
            return boxes, labels[chosen], boxes * 0.0
        with no_grad():
            found = where(labels[chosen] == 1, classes[own], 0)
            return boxes, found, encode_boxes(truth[own], boxes, WEIGHTS)

    def _detect(
        self,
        maps: Tensor,
        boxes: list[Tensor],
        size: tuple[int, int],
        threshold: float = 0.05,
        overlap: float = 0.5,
        most: int = 100,
    ) -> list[Detection]:
        """Boxes that score above a threshold, thinned out class by class."""
        with no_grad():
            logits, codes = self.roi_heads(maps, boxes)
            scores, start, found = softmax(logits, 1), 0, []
            for regions in boxes:
                rows = slice(start, start + regions.shape[0])
                start = rows.stop
                parts = [
                    _thin(regions, scores[rows, c], codes[rows, 4 * c : 4 * c + 4], size, threshold,
                          overlap) for c in range(1, logits.shape[1])
                ]  # fmt: skip
                every = [cat([part[i] for part in parts], 0) for i in range(2)]
                numbers = [c for c, part in enumerate(parts, 1) for _ in range(part[1].shape[0])]
                order = (-every[1]).argsort()[:most]
                labels = tensor(numbers, dtype=int64, backend=maps.backend)[order]
                found.append(Detection(every[0][order], labels, every[1][order]))
        return found


def _thin(
    regions: Tensor,
    scores: Tensor,
    codes: Tensor,
    size: tuple[int, int],
    threshold: float,
    overlap: float,
) -> tuple[Tensor, Tensor]:
    """The boxes of one class that are left, and their scores."""
    good = (scores > threshold).nonzero().reshape(-1)
    boxes = decode_boxes(codes[good], regions[good], WEIGHTS)
    boxes, scores = clip_boxes_to_image(boxes, size), scores[good]
    kept = nms(boxes, scores, overlap)
    return boxes[kept], scores[kept]
