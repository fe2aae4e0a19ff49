"""Network in network. M. Lin, Q. Chen and S. Yan, "Network in network", ICLR 2014, sections 3 and
4.2. Decks: D2, D3."""

from __future__ import annotations

from .. import nn
from ..checks import choice
from ..tensor import Tensor
from .common import scaler

# (kernel, stride, padding, channels of the convolution and of the two 1x1 after it); the last
# number of channels is that of the classes. For CIFAR-10 (the paper) and ImageNet (the authors).
FORMS = {
    "cifar": ((5, 1, 2, (192, 160, 96)), (5, 1, 2, (192, 192, 192)), (3, 1, 1, (192, 192))),
    "imagenet": (
        (11, 4, 0, (96, 96, 96)),
        (5, 1, 2, (256, 256, 256)),
        (3, 1, 1, (384, 384, 384)),
        (3, 1, 1, (1024, 1024)),
    ),
}


class NetworkInNetwork(nn.Module):
    """Convolutions whose unit is a small perceptron, then the mean of each class's map.

    An mlpconv block is a convolution and two 1x1 convolutions, which are the perceptron's layers at
    every pixel, each with ReLU. x (N, in_channels, H, W) float32 -> logits (N, num_classes), the
    global averages of the last block's maps: there is no linear layer.

    form "cifar" has three blocks for 32x32, 966,986 parameters for 10 classes; "imagenet" four for
    224x224, 7,595,176 for 1000. Between blocks are max pooling (3, stride 2) and dropout; the
    ImageNet form drops once, before its last block. `width` multiplies all channels but the last.
    Modules are named features.0, ...; torchvision has no such net. Lin et al. 2014.
    Decks: D2, D3.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        form: str = "cifar",
        dropout: float = 0.5,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        times = scaler("nin", width)
        blocks = FORMS[choice("nin", "form", form, FORMS)]
        layers: list[nn.Module] = []
        channels = in_channels
        for i, (kernel, stride, padding, sizes) in enumerate(blocks):
            if i:
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            if i and (form == "cifar" or i == len(blocks) - 1):
                layers.append(nn.Dropout(dropout))
            wanted = [times(n) for n in sizes] + [num_classes] * (len(sizes) == 2)
            for j, out in enumerate(wanted):
                size = (kernel, stride, padding) if j == 0 else (1, 1, 0)
                layers += [nn.Conv2d(channels, out, *size), nn.ReLU()]
                channels = out
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images; the last ReLU keeps them positive, as in the paper."""
        logits: Tensor = self.flatten(self.avgpool(self.features(x)))
        return logits
