"""VGG. K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
recognition", ICLR 2015, table 1. Decks: D0, D2, D3, D4."""

from __future__ import annotations

from functools import partial

from .. import nn
from ..checks import whole
from ..errors import ArgumentError, fail
from ..tensor import Tensor
from .common import scaler, start_by_he, start_linear

# Output channels of the 3x3 convolutions of the columns A, B, D and E; None is a 2x2 max pooling.
CONFIGURATIONS = {
    11: (64, None, 128, None, 256, 256, None, 512, 512, None, 512, 512, None),
    13: (64, 64, None, 128, 128, None, 256, 256, None, 512, 512, None, 512, 512, None),
    16: (64, 64, None, 128, 128, None, 256, 256, 256, None, 512, 512, 512, None, 512, 512, 512,
         None),
    19: (64, 64, None, 128, 128, None, 256, 256, 256, 256, None, 512, 512, 512, 512, None, 512,
         512, 512, 512, None),
}  # fmt: skip


class VGG(nn.Module):
    """`depth` - 3 convolutions of 3x3 with ReLU, five max poolings, three linear layers.

    x (N, in_channels, H, W) float32, H and W at least 32, 224 in the paper -> logits
    (N, num_classes). With 1000 classes 132,863,336 (11), 133,047,848 (13), 138,357,544 (16) and
    143,667,240 (19) parameters; 19.6 G multiply-adds for VGG-19 at 224x224. `batch_norm` puts a
    BatchNorm2d after each convolution. `width` multiplies all channels and hidden units.

    `small` is the form usual for 32x32 images, which the poolings reduce to one pixel: of the
    linear layers only the last is left, one Linear(512, num_classes) without dropout; VGG-11 then
    has 9,225,610 parameters for 10 classes. Names are torchvision's: features.0.weight, ...,
    classifier.6.bias (small: classifier.weight). Convolutions start by He's rule (fan_out).
    Simonyan & Zisserman 2015. Decks: D0, D2, D3, D4.
    """

    def __init__(
        self,
        depth: int = 16,
        batch_norm: bool = False,
        small: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if depth not in CONFIGURATIONS:
            said = f"expected a depth of 11, 13, 16 or 19, got {depth!r}"
            raise fail(ArgumentError, "vgg", f"{said}; 16 is the one most used")
        times = scaler("vgg", width)
        classes = whole("vgg", "num_classes", num_classes)
        layers: list[nn.Module] = []
        channels = whole("vgg", "in_channels", in_channels)
        for out in CONFIGURATIONS[depth]:
            if out is None:
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, times(out), 3, padding=1))
            channels = times(out)
            layers += [nn.BatchNorm2d(channels), nn.ReLU()] if batch_norm else [nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.map_channels = [times(n) for n in (64, 128, 256, 512, 512)]
        self.avgpool = nn.Identity() if small else nn.AdaptiveAvgPool2d(7)
        self.flatten = nn.Flatten()
        self.classifier: nn.Module = nn.Linear(channels, classes)
        if not small:
            hidden = times(4096)
            self.classifier = nn.Sequential(
                *(nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout(dropout)),
                *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)),
                nn.Linear(hidden, classes),
            )
            start_linear(self.classifier)
        start_by_he(self.features)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return logits

    def maps(self, x: Tensor) -> list[Tensor]:
        """The maps after each pooling, at strides 2 to 32: for segmentation and detection."""
        found = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
        return found


vgg11, vgg13, vgg16, vgg19 = (partial(VGG, depth) for depth in CONFIGURATIONS)
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = (partial(VGG, depth, True) for depth in CONFIGURATIONS)


def vgg11_small(num_classes: int = 10, in_channels: int = 3, width: float = 1.0) -> VGG:
    """VGG-11 for images of 32x32: 9,225,610 parameters."""
    return VGG(11, False, True, num_classes, in_channels, width)
