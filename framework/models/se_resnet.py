"""Squeeze-and-excitation. J. Hu, L. Shen and G. Sun, "Squeeze-and-excitation networks", CVPR 2018,
sections 3 and 6.1, table 1. Decks: D2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .. import nn
from ..checks import whole
from ..tensor import Tensor
from .resnet import ResNet


class SqueezeExcitation(nn.Module):
    """x times a weight for each channel: sigmoid(fc2(relu(fc1(mean of the channel)))).

    x (N, C, H, W) -> the same shape. fc1 and fc2 are 1x1 convolutions to C / reduction channels
    and back, as in torchvision.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        squeezed = max(1, channels // whole("se_resnet", "reduction", reduction))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """The channels of x, each by its weight."""
        squeezed = self.activation(self.fc1(self.avgpool(x)))
        weight: Tensor = self.scale_activation(self.fc2(squeezed))
        return x * weight


def se_resnet50(
    num_classes: int = 1000,
    in_channels: int = 3,
    reduction: int = 16,
    width: float = 1.0,
    layers: Sequence[int] | None = None,
    depth: int = 50,
) -> ResNet:
    """ResNet-50 with squeeze-and-excitation in each block; 28,088,024 parameters.

    x (N, in_channels, H, W) float32, 224 in the paper -> logits (N, num_classes). The blocks' SE
    modules are named layer1.0.se.fc1 and so on; all else is as in torchvision's ResNet.
    Hu, Shen & Sun 2018. Decks: D2.
    """
    attention = partial(SqueezeExcitation, reduction=reduction)
    return ResNet(depth, num_classes, in_channels, width=width, layers=layers, attention=attention)
