"""Claims about finding things in images."""

from __future__ import annotations

from functools import cache
from typing import Any

import etude
from etude import Tensor, nn, optim
from etude.framework.models.boxes import box_iou
from etude.framework.models.rpn import RPN

from .claim import Claim, Found, Setting, in_each
from .common import smooth

SIDE, STRIDE = 32, 4


@cache
def shapes(n: int, seed: int) -> tuple[Tensor, list[Tensor], Any]:
    """Synthetic: (n, 1, 32, 32) of noise with one to three bright rectangles or discs; boxes."""
    import numpy as np

    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    images = random.normal(0.0, 0.3, (n, 1, SIDE, SIDE))
    boxes, masks = [], np.zeros((n, SIDE, SIDE), "int64")
    for i in range(n):
        own: list[tuple[int, int, int, int]] = []
        for _ in range(int(random.integers(1, 4))):
            w, h = (int(v) for v in random.integers(6, 15, 2))
            left, top = (int(random.integers(0, SIDE - v)) for v in (w, h))
            box = (left, top, left + w, top + h)
            if any(
                box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in own
            ):
                continue
            x, y = (columns - left) / w - 0.5, (rows - top) / h - 0.5
            disc = random.random() < 0.5
            inside = x * x + y * y < 0.25 if disc else (abs(x) < 0.5) & (abs(y) < 0.5)
            images[i, 0][inside] += 1.0
            masks[i][inside] = 1
            own.append(box)
        boxes.append(etude.tensor(np.array(own, "float32")))
    return etude.tensor(images.astype("float32")), boxes, masks


def backbone() -> nn.Sequential:
    """(N, 1, 32, 32) -> (N, 32, 8, 8)."""
    layers: list[nn.Module] = []
    for m, n, pool in ((1, 16, True), (16, 32, True), (32, 32, False)):
        layers += [nn.Conv2d(m, n, 3, padding=1), nn.BatchNorm2d(n), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(*layers)


def recall(features: nn.Module, rpn: RPN, x: Tensor, boxes: list[Tensor], count: int) -> float:
    """The share of boxes that one of the best `count` proposals overlaps by half."""
    features.eval()
    with etude.no_grad():
        found = rpn.proposals(rpn(features(x)), (SIDE, SIDE), 100, count, 0.5)
    features.train()
    hits = [
        hit
        for (proposed, _), truth in zip(found, boxes)
        for hit in (box_iou(truth, proposed).amax(1) >= 0.5).tolist()
    ]
    return 100.0 * sum(hits) / len(hits)


def proposals(s: Setting) -> Found:
    x, boxes, _ = shapes(s.pick(300, 8), s.seed)
    test_x, test_boxes, _ = shapes(s.pick(60, 4), s.seed + 1000)
    features = backbone()
    rpn = RPN(32, (8.0, 12.0), (0.6, 1.0, 1.6), STRIDE, 0.5, 0.3, 64)
    effects = {"% of shapes found, before training": recall(features, rpn, test_x, test_boxes, 5)}
    parameters = [*features.parameters(), *rpn.parameters()]
    optimizer = optim.Adam(parameters, 0.003)
    losses = []
    for _ in range(s.pick(160, 2)):
        rows = etude.randint(len(boxes), (8,)).tolist()
        optimizer.zero_grad()
        out = rpn(features(etude.index_select(x, 0, rows)))
        parts = rpn.loss(out, [boxes[i] for i in rows])
        loss = parts[0] + parts[1]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    effects["% of shapes found, trained"] = recall(features, rpn, test_x, test_boxes, 5)
    return Found(effects, {"loss": smooth(losses, 8)}, framed(features, rpn, test_x[:20]))


def framed(features: nn.Module, rpn: RPN, x: Tensor) -> Any:
    """Images with white frames around the proposals that are sure."""
    features.eval()
    with etude.no_grad():
        found = rpn.proposals(rpn(features(x)), (SIDE, SIDE), 100, 5, 0.3)
    shown = (x[:, 0].numpy() * 0.3 + 0.3).clip(0, 0.8)
    for image, (boxes, scores) in zip(shown, found):
        for box, score in zip(boxes.tolist(), scores.tolist()):
            left, top, right, bottom = (min(max(round(v), 0), SIDE - 1) for v in box)
            if score > 0.9:
                image[[top, bottom], left : right + 1] = 1.0
                image[top : bottom + 1, [left, right]] = 1.0
    return shown


CLAIMS = [
    Claim("rpn", "D3", "a region proposal network finds shapes", "synthetic",
          in_each("5 proposals find > 80 % of shapes by half their union", lambda e:
          e["% of shapes found, trained"] > 80), proposals, ("step", "loss", "linear"),
          "test images and what is found in them with p > 0.9"),
]  # fmt: skip
