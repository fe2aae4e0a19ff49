"""Residual networks for small images. K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning
for image recognition", CVPR 2016, section 4.2; layers are named as in torchvision."""

from __future__ import annotations

from .. import nn
from ..checks import choice
from ..errors import ArgumentError, fail
from ..functional import pad
from ..tensor import Tensor


class BasicBlock(nn.Module):
    """relu(x + bn2(conv2(relu(bn1(conv1(x)))))): two 3x3 convolutions learn what to add to x."""

    def __init__(self, channels: int, out_channels: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 and shortcut == "A":
            self.downsample = ShortcutA(stride, out_channels - channels)
        elif stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, out_channels, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu(y + self.downsample(x))
        return out


class ShortcutA(nn.Module):
    """The paper's option A: every `stride`-th pixel, and channels of zeros; nothing to learn."""

    def __init__(self, stride: int, extra: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, extra

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + extra, H / stride, W / stride)."""
        return pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))

    def extra_repr(self) -> str:
        """The arguments."""
        return f"stride={self.stride}, extra={self.extra}"


class CifarResNet(nn.Module):
    """6n + 2 layers: a convolution, three stages of n blocks of 16, 32 and 64 channels, a mean, a
    linear layer. x (N, in_channels, 32, 32) -> logits (N, num_classes).

    shortcut "A" pads with zeros, as the paper does for CIFAR-10; "B" uses a 1x1 convolution.
    """

    def __init__(
        self, depth: int = 20, num_classes: int = 10, in_channels: int = 3, shortcut: str = "A"
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
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = _stage(16, 16, n, 1, shortcut)
        self.layer2 = _stage(16, 32, n, 2, shortcut)
        self.layer3 = _stage(32, 64, n, 2, shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits


def _stage(channels: int, out_channels: int, n: int, stride: int, shortcut: str) -> nn.Sequential:
    first = BasicBlock(channels, out_channels, stride, shortcut)
    return nn.Sequential(
        first, *(BasicBlock(out_channels, out_channels, 1, shortcut) for _ in range(n - 1))
    )


def resnet20(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A") -> CifarResNet:
    """The smallest ResNet of the paper's table 6: 0.27 million parameters (269,722)."""
    return CifarResNet(20, num_classes, in_channels, shortcut)
