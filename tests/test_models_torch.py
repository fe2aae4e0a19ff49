"""Image classifiers beside the same in plain torch: names, outputs and gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.framework import models

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch_classifiers as plain  # noqa: E402
from agreement import agree  # noqa: E402
from torch_googlenet import GoogLeNet  # noqa: E402

W = 1 / 16
SHORT = (1, 2, 1, 1)  # a first block, which may change channels, and one that does not
# name: etude's options, torch's twin, the smallest image that reaches every layer
PAIRS: dict[str, tuple[str, dict[str, Any], Callable[[], Any], int]] = {
    "alexnet": ("alexnet", {}, partial(plain.alexnet, 5, W), 63),
    "alexnet of the paper": (
        "alexnet",
        {"image_size": 227, "groups": 2, "lrn": True},
        partial(plain.alexnet, 5, W, True),
        67,
    ),
    "zfnet": ("zfnet", {}, partial(plain.zfnet, 5, W), 64),
    "nin": ("nin", {}, partial(plain.NiN, 5, W), 16),
    "vgg11": ("vgg11", {}, partial(plain.vgg, plain.VGG_11, False, 5, W, False), 32),
    "vgg16_bn": ("vgg16_bn", {}, partial(plain.vgg, plain.VGG_16, True, 5, W, False), 32),
    "vgg11_small": ("vgg11_small", {}, partial(plain.vgg, plain.VGG_11, False, 5, W, True), 32),
    "resnet18": ("resnet18", {"layers": SHORT}, partial(plain.ResNet, SHORT, 1, 5, W), 33),
    "resnet18 A": (
        "resnet18",
        {"layers": SHORT, "shortcut": "A"},
        partial(plain.ResNet, SHORT, 1, 5, W, "A"),
        33,
    ),
    "resnet50": ("resnet50", {"layers": SHORT}, partial(plain.ResNet, SHORT, 4, 5, W), 33),
    "resnet50 dilated": (
        "resnet50",
        {"layers": (1, 1, 2, 2), "replace_stride_with_dilation": (False, True, True)},
        partial(plain.ResNet, (1, 1, 2, 2), 4, 5, W, dilated=True),
        33,
    ),
    "se_resnet50": (
        "se_resnet50",
        {"layers": SHORT, "reduction": 4},
        partial(plain.ResNet, SHORT, 4, 5, W, se=4),
        33,
    ),
}


def images(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 3, size, size)).astype(np.float32)


@pytest.mark.parametrize("case", PAIRS)
def test_the_model_is_torchs_with_the_same_weights(case: str, tmp_path: Path) -> None:
    name, options, twin, size = PAIRS[case]
    torch.manual_seed(0)
    model = models.create(name, num_classes=5, width=W, **options)
    agree(model, twin(), tmp_path, images(2, size))


@pytest.mark.parametrize("kind", ["A", "B", "plain"])
def test_small_resnets_are_torchs(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"residual": False} if kind == "plain" else {"shortcut": kind}
    model = models.CifarResNet(14, width=0.25, **options)
    agree(model, plain.CifarResNet(2, 0.25, kind), tmp_path, images(2, 12))


def test_densenet_is_torchs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"growth_rate": 4, "block_config": (2, 1, 2), "num_init_features": 8}
    model = models.densenet121(num_classes=5, **sizes)
    agree(model, plain.DenseNet(5, 4, (2, 1, 2), 8), tmp_path, images(2, 33))


@pytest.mark.parametrize("training", [False, True])
def test_googlenet_is_torchs_with_its_auxiliary_heads(training: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"aux_logits": True, "dropout": 0.0, "dropout_aux": 0.0, "width": 1 / 8}
    model = models.GoogLeNet(5, **options)
    agree(model, GoogLeNet(5, 1 / 8), tmp_path, images(6 if training else 2, 33), training=training)


def test_training_mode_agrees_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = models.create("resnet18", num_classes=5, layers=SHORT, width=W)
    twin = plain.ResNet(SHORT, 1, 5, W)
    agree(model, twin, tmp_path, images(8, 48), training=True)
