"""Boxes, region proposals and Fast R-CNN's head: closed forms, torch, and squares found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework import models
from etude.framework.errors import ArgumentError, EtudeError, ShapeError
from etude.framework.models.boxes import (
    box_area,
    box_iou,
    clip_boxes_to_image,
    decode_boxes,
    encode_boxes,
    make_anchors,
    nms,
)
from etude.framework.models.fast_rcnn import FastRCNNPredictor, TwoMLPHead
from etude.framework.models.rpn import match, sample

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


def random_boxes(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 40, (n, 2))], 1).astype(np.float32)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    area = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b))
    return float(common / (area - common))


@pytest.mark.parametrize("backend", BACKENDS)
def test_overlap_is_intersection_over_union(backend: str) -> None:
    a, b = random_boxes(6), random_boxes(5, 1)
    found = box_iou(etude.tensor(a, backend=backend), etude.tensor(b, backend=backend))
    expected = [[overlap(x, y) for y in b] for x in a]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert box_area(etude.tensor([[1.0, 2.0, 4.0, 7.0]], backend=backend)).tolist() == [15.0]
    same = etude.tensor([[0.0, 0.0, 2.0, 2.0]], backend=backend)
    assert box_iou(same, same).tolist() == [[1.0]]
    assert box_iou(same, same + 2.0).tolist() == [[0.0]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_codes_move_anchors_to_boxes(backend: str, weights: tuple[float, ...]) -> None:
    boxes = etude.tensor(random_boxes(7), backend=backend)
    anchors = etude.tensor(random_boxes(7, 1), backend=backend)
    codes = encode_boxes(boxes, anchors, weights)
    np.testing.assert_allclose(
        decode_boxes(codes, anchors, weights).numpy(), boxes.numpy(), rtol=1e-4, atol=1e-3
    )
    nothing = encode_boxes(anchors, anchors, weights).numpy()
    np.testing.assert_allclose(nothing, np.zeros((7, 4)), atol=1e-6)


def test_a_code_by_hand() -> None:
    box, anchor = etude.tensor([[10.0, 10.0, 30.0, 50.0]]), etude.tensor([[0.0, 0.0, 10.0, 20.0]])
    expected = [[15 / 10, 20 / 20, np.log(2), np.log(2)]]
    np.testing.assert_allclose(encode_boxes(box, anchor).numpy(), expected, rtol=1e-6)
    far = decode_boxes(etude.tensor([[0.0, 0.0, 100.0, 100.0]]), anchor).numpy()
    np.testing.assert_allclose(far[0, 2:] - far[0, :2], [625.0, 1250.0], rtol=1e-5)


def test_boxes_are_cut_off_at_the_border() -> None:
    found = clip_boxes_to_image(etude.tensor([[-5.0, 3.0, 90.0, 70.0]]), (50, 80))
    assert found.tolist() == [[0.0, 3.0, 80.0, 50.0]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("limit", [0.0, 0.3, 0.7, 1.0])
def test_nms_keeps_the_best_of_what_overlaps(backend: str, limit: float) -> None:
    boxes = random_boxes(25)
    scores = np.random.default_rng(2).permutation(25).astype(np.float32)
    left, expected = list(np.argsort(-scores)), []
    while left:
        best = left.pop(0)
        expected.append(best)
        left = [i for i in left if overlap(boxes[best], boxes[i]) <= limit]
    found = nms(etude.tensor(boxes, backend=backend), etude.tensor(scores, backend=backend), limit)
    assert found.tolist() == expected


def test_nms_of_nothing_is_nothing() -> None:
    assert nms(etude.zeros(0, 4), etude.zeros(0), 0.5).tolist() == []


def test_anchors_are_nine_shapes_at_each_pixel() -> None:
    anchors = make_anchors((2, 3), 16)
    assert anchors.shape == (2 * 3 * 9, 4)
    first = anchors[:9].numpy()
    np.testing.assert_allclose(first[:, 2:], -first[:, :2])  # about the pixel's corner
    w, h = (first[:, 2:] - first[:, :2]).T
    np.testing.assert_allclose(h / w, np.repeat([0.5, 1, 2], 3), rtol=0.02)
    np.testing.assert_allclose(np.sqrt(h * w), [128, 256, 512] * 3, rtol=0.01)
    right, below = anchors[9:18].numpy() - first, anchors[27:36].numpy() - first
    assert (right == [16, 0, 16, 0]).all()
    assert (below == [0, 16, 0, 16]).all()


def test_anchors_are_matched_by_overlap() -> None:
    truth = etude.tensor([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    anchors = etude.tensor(
        [[0, 0, 10, 10], [0, 0, 10, 20], [30, 30, 40, 40], [50, 50, 60, 85], [0, 0, 10, 60]],
        dtype="float32",
    )
    labels, matches = match(anchors, truth, 0.7, 0.3, True)
    assert labels.tolist() == [1, -1, 0, 1, 0]  # the fourth overlaps by 0.29, the most of any
    assert matches.tolist()[0] == 0
    assert matches.tolist()[3] == 1
    labels, _ = match(anchors, truth, 0.5, 0.5, False)
    assert labels.tolist() == [1, 1, 0, 0, 0]
    labels, _ = match(anchors, etude.zeros(0, 4), 0.7, 0.3, True)
    assert labels.tolist() == [0] * 5


def test_samples_are_half_positive_if_there_are_so_many() -> None:
    etude.manual_seed(0)
    labels = etude.tensor([1] * 10 + [0] * 30 + [-1] * 10)
    chosen, ones = sample(labels, 12, 0.5)
    assert len(set(chosen.tolist())) == 12
    assert len(ones.tolist()) == 6
    assert set(ones.tolist()) <= set(range(10))
    assert set(chosen.tolist()) <= set(range(40))
    chosen, ones = sample(labels[8:], 12, 0.5)
    assert (len(chosen.tolist()), sorted(ones.tolist())) == (12, [0, 1])


def test_the_loss_of_proposals_by_hand() -> None:
    rpn = models.RPN(2, scales=(8.0,), ratios=(1.0,), stride=8)
    anchors = etude.tensor([[0.0, 0.0, 8.0, 8.0], [40.0, 40.0, 48.0, 48.0]])
    logits = etude.tensor([[2.0, -1.0]], requires_grad=True)
    codes = etude.tensor([[[0.5, 0.0, 0.0, 0.0], [9.0, 9.0, 9.0, 9.0]]], requires_grad=True)
    out = models.RPNOutputs(logits, codes, anchors)
    objectness, box = rpn.loss(out, [etude.tensor([[0.0, 0.0, 8.0, 8.0]])])
    assert objectness.item() == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 2)
    assert box.item() == pytest.approx((0.5 - 1 / 18) / 2)
    (objectness + box).backward()
    assert codes.grad.numpy()[0, 1].tolist() == [0.0] * 4
    objectness, box = rpn.loss(out, [etude.zeros(0, 4)])
    assert box.item() == 0.0
    assert objectness.item() > 0.0


def test_the_loss_of_regions_by_hand() -> None:
    head = models.RoIHead(1, 3, 1.0, 2, 4)
    logits, codes = etude.zeros(2, 3), etude.arange(24).to("float32").reshape(2, 12) / 10
    labels, wanted = etude.tensor([0, 2]), etude.zeros(2, 4)
    classifier, box = head.loss(logits, codes, labels, wanted)
    assert classifier.item() == pytest.approx(np.log(3))
    assert box.item() == pytest.approx(sum(x / 10 - 1 / 18 for x in range(20, 24)) / 2)
    assert head.loss(logits, codes, labels * 0, wanted)[1].item() == 0.0


def test_heads_are_torchs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from agreement import agree

    nn = torch.nn

    class Rpn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()))
            self.cls_logits, self.bbox_pred = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 8, 1)

        def forward(self, x: Any) -> Any:
            y = self.conv(x)
            return self.cls_logits(y), self.bbox_pred(y)

    class Mlp(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc6, self.fc7 = nn.Linear(12, 5), nn.Linear(5, 5)

        def forward(self, x: Any) -> Any:
            return torch.relu(self.fc7(torch.relu(self.fc6(x.flatten(1)))))

    class Predictor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cls_score, self.bbox_pred = nn.Linear(5, 3), nn.Linear(5, 12)

        def forward(self, x: Any) -> Any:
            return self.cls_score(x), self.bbox_pred(x)

    torch.manual_seed(0)
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    agree(models.RPNHead(3, 2), Rpn(), tmp_path, x)
    agree(TwoMLPHead(12, 5), Mlp(), tmp_path, x[:, :, :2, :2].copy())
    agree(FastRCNNPredictor(5, 3), Predictor(), tmp_path, x[0, 0])


class Backbone(etude.nn.Module):
    """Two convolutions: one map at stride 4."""

    map_channels = (8, 16)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = etude.nn.Conv2d(1, 8, 3, 2, padding=1)
        self.conv2 = etude.nn.Conv2d(8, 16, 5, 2, padding=2)

    def maps(self, x: Any) -> list[Any]:
        first = self.conv1(x).relu()
        return [first, self.conv2(first).relu()]


def squares(n: int) -> tuple[Any, list[Any]]:
    """Synthetic images 32x32 with a bright (1) or dark (2) square each, and what is in them."""
    rng = np.random.default_rng(0)
    x = np.zeros((n, 1, 32, 32), np.float32)
    targets = []
    for i in range(n):
        size, label = rng.integers(9, 13), i % 2 + 1
        left, top = rng.integers(0, 32 - size, 2)
        x[i, 0, top : top + size, left : left + size] = 3 - 2 * label
        box = [[left, top, left + size, top + size]]
        targets.append((etude.tensor(box, dtype="float32"), etude.tensor([int(label)])))
    return etude.tensor(x), targets


def test_squares_are_found() -> None:
    etude.manual_seed(0)
    sizes = {"scales": (11.0,), "ratios": (1.0,), "size": 3, "hidden": 32, "proposals": 12}
    model = models.FasterRCNN(Backbone(), 3, -1, 4, samples=32, **sizes)
    x, targets = squares(4)
    optimizer = etude.optim.Adam(model.parameters(), lr=0.01)
    objectness = []
    for _ in range(60):
        optimizer.zero_grad()
        losses = model(x, targets)
        sum(losses.values()).backward()
        optimizer.step()
        objectness.append(losses["loss_objectness"].item())
    assert sorted(losses) == [
        "loss_box_reg", "loss_classifier", "loss_objectness", "loss_rpn_box_reg"
    ]  # fmt: skip
    assert objectness[-1] < objectness[0] / 5
    found = model.eval()(x)
    right = 0
    for detection, (box, label) in zip(found, targets, strict=True):
        best = box_iou(detection.boxes[:1], box).item()
        right += best > 0.6 and detection.labels.tolist()[0] == label.item()
    assert right == 4


def test_images_without_objects_are_learned_from_too() -> None:
    etude.manual_seed(0)
    model = models.FasterRCNN(Backbone(), 2, -1, 4, scales=(8.0,), size=2, hidden=4)
    nothing = etude.zeros(0, 4), etude.tensor([], dtype="int64")
    losses = model(etude.randn(1, 1, 16, 16), [nothing])
    sum(losses.values()).backward()
    assert losses["loss_box_reg"].item() == losses["loss_rpn_box_reg"].item() == 0.0


WRONG = [
    (lambda: box_area(etude.zeros(4)), ShapeError, "expected boxes (K, 4)"),
    (lambda: nms(etude.zeros(2, 4), etude.zeros(3), 0.5), ShapeError, "a score for each of 2"),
    (lambda: nms(etude.zeros(2, 4), etude.zeros(2), 2.0), ArgumentError, "iou_threshold"),
    (lambda: models.RPN(4, positive=0.2), ArgumentError, "0 <= negative <= positive <= 1"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=[w[2] for w in WRONG])
def test_what_is_wrong_is_said(call: Any, kind: type[EtudeError], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
