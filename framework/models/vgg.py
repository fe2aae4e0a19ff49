"""VGG. K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
recognition", ICLR 2015, table 1; layers are numbered as in torchvision."""

from __future__ import annotations

from .. import nn
from ..checks import whole
from ..tensor import Tensor

# Output channels of the 3x3 convolutions; None is a 2x2 max pooling.
CONFIGURATION_A = (64, None, 128, None, 256, 256, None, 512, 512, None, 512, 512, None)


class VGG11(nn.Module):
    """Eight 3x3 convolutions with ReLU, five max poolings, one linear layer; 9,225,610 parameters.

    x (N, in_channels, 32, 32) float32 -> logits (N, num_classes). `features.0.weight` ...
    `features.18.bias` are torchvision's names for configuration A without batch norm. For images of
    32x32, which five poolings reduce to one pixel of 512 channels, the paper's three fully
    connected layers (119 million parameters, for 224x224) are usually left out but for the last:
    `classifier` is one Linear(512, num_classes), without dropout. Convolutions start by He's rule
    (fan_out), as in torchvision.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = whole("vgg11", "in_channels", in_channels)
        for out in CONFIGURATION_A:
            if out is None:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
                channels = out
        self.features = nn.Sequential(*layers)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(channels, whole("vgg11", "num_classes", num_classes))
        for module in self.features:
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.classifier(self.flatten(self.features(x)))
        return logits
