"""Fully convolutional networks. J. Long, E. Shelhamer and T. Darrell, "Fully convolutional networks
for semantic segmentation", CVPR 2015, sections 3 and 4. Decks: D3."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import nn
from ..errors import ArgumentError, fail
from ..functional import interpolate
from ..tensor import Tensor
from .resnet import ResNet
from .vgg import VGG

STRIDES = (32, 16, 8)


class FCNOutputs(NamedTuple):
    """Logits of each pixel, and those of the auxiliary head."""

    out: Tensor
    aux: Tensor


def fcn_head(channels: int, classes: int) -> nn.Sequential:
    """torchvision's FCNHead: a 3x3 convolution to a quarter of the channels, dropout, a 1x1."""
    between = max(1, channels // 4)
    return nn.Sequential(
        nn.Conv2d(channels, between, 3, padding=1, bias=False),
        nn.BatchNorm2d(between),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Conv2d(between, classes, 1),
    )


def without_head(backbone: nn.Module) -> nn.Module:
    """A VGG or ResNet that has `maps` alone: its linear layers are taken off."""
    for name in ("fc", "classifier"):
        if name in dict(backbone.named_children()):
            delattr(backbone, name)
    return backbone


class FCN(nn.Module):
    """Logits of every pixel: scores on a backbone's maps, enlarged bilinearly.

    x (N, C, H, W) float32 -> (N, num_classes, H, W).

        y = classifier(last maps)
        y = up(y, 2x) + score1(the maps before), and once more with score2 of those before
        out = up(y, to H x W)

    `stride` says how deep the skips go, counted as in the paper with maps at strides 32, 16 and 8:
    32 none, 16 one, 8 two. The backbone is a VGG, a ResNet, or any module with a method `maps(x)`,
    a list of maps from large to small, and their numbers of channels `map_channels`. `aux` puts a
    second head on the maps before the last, as torchvision does; in training the result then is
    FCNOutputs(out, aux). Its names are torchvision's: backbone, classifier.0 ... classifier.4,
    aux_classifier; score1 and score2 are ours. The paper learns the enlarging, starting from the
    bilinear one, and makes its head of VGG's linear layers. Long, Shelhamer & Darrell 2015.
    Decks: D3 (as the unary part of a CRF).
    """

    def __init__(
        self, backbone: Any, num_classes: int = 21, stride: int = 32, aux: bool = False
    ) -> None:
        super().__init__()
        if stride not in STRIDES or not hasattr(backbone, "maps"):
            raise fail(
                ArgumentError,
                "fcn",
                "expected a backbone with maps(x) and a stride of 32, 16 or 8, got "
                f"{type(backbone).__name__} and {stride!r}; use a VGG or a ResNet, and 8",
            )
        channels = backbone.map_channels
        self.backbone = without_head(backbone)
        self.classifier = fcn_head(channels[-1], num_classes)
        self.aux = aux
        if aux:
            self.aux_classifier = fcn_head(channels[-2], num_classes)
        self.skips = STRIDES.index(stride)
        for i in range(1, self.skips + 1):
            setattr(self, f"score{i}", nn.Conv2d(channels[-1 - i], num_classes, 1))

    def forward(self, x: Tensor) -> Tensor | FCNOutputs:
        """Logits of each pixel of a batch of images."""
        maps = self.backbone.maps(x)
        y = self.classifier(maps[-1])
        for i in range(1, self.skips + 1):
            skip = maps[-1 - i]
            y = _enlarge(y, skip) + getattr(self, f"score{i}")(skip)
        out = _enlarge(y, x)
        if not (self.aux and self.training):
            return out
        return FCNOutputs(out, _enlarge(self.aux_classifier(maps[-2]), x))


def _enlarge(y: Tensor, like: Tensor) -> Tensor:
    return interpolate(y, like.shape[-2:], mode="bilinear", align_corners=False)


def _vgg16(num_classes: int, in_channels: int, width: float, stride: int) -> FCN:
    return FCN(VGG(16, in_channels=in_channels, width=width, small=True), num_classes, stride)


def fcn32s(num_classes: int = 21, in_channels: int = 3, width: float = 1.0) -> FCN:
    """FCN-32s on VGG-16 without skips."""
    return _vgg16(num_classes, in_channels, width, 32)


def fcn16s(num_classes: int = 21, in_channels: int = 3, width: float = 1.0) -> FCN:
    """FCN-16s on VGG-16: one skip."""
    return _vgg16(num_classes, in_channels, width, 16)


def fcn8s(num_classes: int = 21, in_channels: int = 3, width: float = 1.0) -> FCN:
    """FCN-8s on VGG-16: two skips."""
    return _vgg16(num_classes, in_channels, width, 8)


def fcn_resnet50(
    num_classes: int = 21,
    in_channels: int = 3,
    aux: bool = False,
    width: float = 1.0,
    layers: Any = None,
) -> FCN:
    """torchvision's: ResNet-50 whose last two stages dilate, so that maps are H / 8 by W / 8.

    32,957,013 parameters for 21 classes, 35,322,218 with the auxiliary head.
    """
    keep = (False, True, True)
    backbone = ResNet(
        50, 1, in_channels, replace_stride_with_dilation=keep, width=width, layers=layers
    )
    return FCN(backbone, num_classes, 32, aux)
