"""DenseNet. G. Huang, Z. Liu, L. van der Maaten and K. Weinberger, "Densely connected convolutional
networks", CVPR 2017, section 3 and table 1. Decks: D0."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from ..functional import cat, dropout
from ..tensor import Tensor
from .common import start_by_he


class DenseLayer(nn.Module):
    """conv2(relu(norm2(conv1(relu(norm1(x)))))): `growth` new maps from all maps before it.

    conv1 is 1x1 and makes bn_size growth maps, conv2 is 3x3.
    """

    def __init__(self, channels: int, growth: int, bn_size: int, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, bn_size * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(bn_size * growth, growth, 3, padding=1, bias=False)
        self.drop_rate = drop_rate

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, growth, H, W)."""
        y = self.conv1(self.relu1(self.norm1(x)))
        y = self.conv2(self.relu2(self.norm2(y)))
        return dropout(y, self.drop_rate, self.training) if self.drop_rate else y


class DenseBlock(nn.Module):
    """Layers of which each sees the input and what all layers before it made."""

    def __init__(
        self, count: int, channels: int, growth: int, bn_size: int, drop_rate: float
    ) -> None:
        super().__init__()
        for i in range(count):
            layer = DenseLayer(channels + i * growth, growth, bn_size, drop_rate)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, channels + count growth, H, W)."""
        maps = [x]
        for layer in self.children():
            maps.append(layer(cat(maps, 1)))
        return cat(maps, 1)


class DenseNet(nn.Module):
    """A 7x7 convolution, dense blocks with transitions that halve maps and sizes, a linear layer.

    x (N, in_channels, H, W) float32, 224 in the paper, at least 32 -> logits (N, num_classes).
    The defaults are DenseNet-121: growth rate 32, blocks of 6, 12, 24 and 16 layers, 7,978,856
    parameters for 1000 classes. Names, start and layouts are torchvision's.
    Huang et al. 2017. Decks: D0.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        channels = num_init_features
        parts: dict[str, nn.Module] = {
            "conv0": nn.Conv2d(in_channels, channels, 7, 2, padding=3, bias=False),
            "norm0": nn.BatchNorm2d(channels),
            "relu0": nn.ReLU(),
            "pool0": nn.MaxPool2d(3, 2, padding=1),
        }
        for i, count in enumerate(block_config, 1):
            block = DenseBlock(count, channels, growth_rate, bn_size, drop_rate)
            parts[f"denseblock{i}"] = block
            channels += count * growth_rate
            if i < len(block_config):
                parts[f"transition{i}"] = _transition(channels, channels // 2)
                channels //= 2
        parts["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(parts)
        self.relu = nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(channels, num_classes)
        start_by_he(self, "fan_in")
        nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.relu(self.features(x))
        logits: Tensor = self.classifier(self.flatten(self.avgpool(x)))
        return logits


def _transition(channels: int, out: int) -> nn.Sequential:
    """Fewer maps of half the size."""
    return nn.Sequential(
        {
            "norm": nn.BatchNorm2d(channels),
            "relu": nn.ReLU(),
            "conv": nn.Conv2d(channels, out, 1, bias=False),
            "pool": nn.AvgPool2d(2),
        }
    )


densenet121 = DenseNet
