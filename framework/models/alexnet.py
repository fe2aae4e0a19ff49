"""AlexNet. A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with deep
convolutional neural networks", NIPS 2012, section 3; torchvision's form is that of A. Krizhevsky,
"One weird trick for parallelizing convolutional neural networks", 2014. Decks: D0 to D4."""

from __future__ import annotations

from collections.abc import Iterable

from .. import nn
from ..errors import ArgumentError, fail
from ..tensor import Tensor
from .common import scaler

# By the size of the images: the padding of the first convolution, and the channels of all five.
FORMS = {224: (2, (64, 192, 384, 256, 256)), 227: (0, (96, 256, 384, 384, 256))}
INNER = ((3, 5, 2), (6, 3, 1), (8, 3, 1), (10, 3, 1))  # place, kernel and padding of conv 2 to 5


class AlexNet(nn.Module):
    """Five convolutions, three overlapping max poolings, three linear layers with dropout.

    x (N, in_channels, H, W) float32, H and W at least 63 -> logits (N, num_classes).

    image_size 224 is torchvision's form, 61,100,840 parameters: padding 2 before the first
    convolution, 64, 192, 384, 256, 256 channels. 227 is the paper's, 62,378,344 parameters: 96,
    256, 384, 384, 256 channels and no padding, which fits 227, for (227 - 11) / 4 + 1 = 55; the
    paper and D2 print 224, which does not fit. `groups=2` are the paper's two streams, one for
    each of its two GPUs, joined at the third convolution: 60,965,224 parameters. `lrn` puts the
    paper's local response norm after the first two ReLUs. The paper's dropout belongs to the first
    two linear layers (D2 puts it elsewhere).

    `without` leaves out some of the layers 2 to 7, counted as in the paper, to see what each is
    worth (D3). `width` multiplies all channels and hidden units. Names are torchvision's:
    features.0, 3, 6, 8, 10 and classifier.1, 4, 6, whatever the options.
    Krizhevsky, Sutskever & Hinton 2012. Decks: D0, D1, D2, D3, D4.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        groups: int = 1,
        lrn: bool = False,
        dropout: float = 0.5,
        width: float = 1.0,
        without: Iterable[int] = (),
    ) -> None:
        super().__init__()
        gone = set(without)
        if image_size not in FORMS or not gone <= set(range(2, 8)):
            raise fail(
                ArgumentError,
                "alexnet",
                f"expected image_size 224 or 227 and layers 2 to 7 to leave out, got "
                f"{image_size!r} and {sorted(gone)}; use 224 and ()",
            )
        padding, channels = FORMS[image_size]
        times = scaler("alexnet", width)
        layers: list[nn.Module] = [
            *(nn.Conv2d(in_channels, times(channels[0]), 11, 4, padding), _unit(lrn)),
            *(nn.MaxPool2d(3, 2), nn.Identity(), nn.Identity(), nn.MaxPool2d(3, 2)),
            *(nn.Identity() for _ in range(6)),
            nn.MaxPool2d(3, 2),
        ]
        last = times(channels[0])
        for number, (at, kernel, pad) in enumerate(INNER, 2):
            if number not in gone:
                out, streams = times(channels[number - 1]), 1 if number == 3 else groups
                layers[at] = nn.Conv2d(last, out, kernel, padding=pad, groups=streams)
                layers[at + 1] = _unit(lrn and number == 2)
                last = out
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.flatten = nn.Flatten()
        self.classifier = _classifier(last * 36, times(4096), num_classes, dropout, gone)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return logits


def _unit(lrn: bool) -> nn.Module:
    norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    return nn.Sequential(nn.ReLU(), norm) if lrn else nn.ReLU()


def _classifier(
    features: int, hidden: int, classes: int, dropout: float, gone: set[int]
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in (6, 7):
        if number in gone:
            layers += [nn.Identity(), nn.Identity(), nn.Identity()]
        else:
            layers += [nn.Dropout(dropout), nn.Linear(features, hidden), nn.ReLU()]
            features = hidden
    return nn.Sequential(*layers, nn.Linear(features, classes))
