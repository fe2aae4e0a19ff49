"""Residual networks for small images. K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning
for image recognition", CVPR 2016, section 4.2 and table 6. Decks: D2, D3, D4."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import nn
from ..checks import choice
from ..errors import ArgumentError, fail
from ..tensor import Tensor
from .common import scaler, start_by_he
from .resnet import BasicBlock, stage


class CifarResNet(nn.Module):
    """6n + 2 layers: a convolution, three stages of n blocks of 16, 32 and 64 channels, a mean, a
    linear layer. x (N, in_channels, 32, 32) -> logits (N, num_classes).

    For 10 classes 269,722 (20), 464,154 (32), 658,586 (44), 853,018 (56) and 1,727,962 (110)
    parameters. shortcut "A" pads with zeros, as the paper does for CIFAR-10; "B" uses a 1x1
    convolution. `residual=False` is the paper's plain net of the same layers, which at 56 learns
    worse than at 20 (figure 6). `width` multiplies all channels. Layers are named as in
    torchvision's ResNet. He et al. 2016, section 4.2. Decks: D2 (CIFAR), D3, D4.
    """

    def __init__(
        self,
        depth: int = 20,
        num_classes: int = 10,
        in_channels: int = 3,
        shortcut: str = "A",
        residual: bool = True,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        choice("resnet", "shortcut", shortcut, ("A", "B"))
        if depth < 8 or (depth - 2) % 6:
            raise fail(
                ArgumentError,
                "resnet",
                f"expected a depth of 6n + 2 (8, 14, 20, ...), got {depth}; use 20",
            )
        n = (depth - 2) // 6
        small, middle, large = map(scaler("resnet", width), (16, 32, 64))
        options: dict[str, Any] = {"shortcut": shortcut, "residual": residual}
        self.conv1 = nn.Conv2d(in_channels, small, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(small)
        self.relu = nn.ReLU()
        self.layer1 = stage(BasicBlock, small, small, n, 1, **options)
        self.layer2 = stage(BasicBlock, small, middle, n, 2, **options)
        self.layer3 = stage(BasicBlock, middle, large, n, 2, **options)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(large, num_classes)
        start_by_he(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits


resnet20, resnet32, resnet44, resnet56, resnet110 = (
    partial(CifarResNet, depth) for depth in (20, 32, 44, 56, 110)
)
