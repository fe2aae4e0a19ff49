"""GoogLeNet. C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, sections 4 and 5,
table 1. Decks: D0, D1, D2, D3, D4."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import nn
from ..errors import ArgumentError, fail
from ..functional import cat, cross_entropy
from ..tensor import Tensor
from .common import scaler

# Name, channels in, and of the branches: 1x1; 1x1 and 3x3; 1x1 and 5x5; 1x1 after pooling.
INCEPTIONS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of each channel


class GoogLeNetOutputs(NamedTuple):
    """The logits of the net and, in training, of its auxiliary heads."""

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


class BasicConv2d(nn.Module):
    """relu(bn(conv(x))), without a bias."""

    def __init__(self, channels: int, out: int, **options: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, bias=False, **options)
        self.bn = nn.BatchNorm2d(out, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, out, H', W')."""
        out: Tensor = self.relu(self.bn(self.conv(x)))
        return out


class Inception(nn.Module):
    """Four branches on one input, their maps side by side; 1x1 convolutions reduce channels first.

    sizes: channels in, of branch 1, of the two layers of branches 2 and 3, and of branch 4.
    """

    def __init__(self, sizes: list[int], kernel: int) -> None:
        super().__init__()
        channels, c1, r3, c3, r5, c5, c4 = sizes
        self.branch1 = BasicConv2d(channels, c1, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(channels, r3, kernel_size=1),
            BasicConv2d(r3, c3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(channels, r5, kernel_size=1),
            BasicConv2d(r5, c5, kernel_size=kernel, padding=kernel // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, padding=1, ceil_mode=True),
            BasicConv2d(channels, c4, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, c1 + c3 + c5 + c4, H, W)."""
        return cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    """A classifier on maps in the middle of the net, which gives early layers more gradient."""

    def __init__(
        self, channels: int, between: int, hidden: int, classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.conv = BasicConv2d(channels, between, kernel_size=1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(between * 16, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, classes)."""
        x = self.flatten(self.conv(self.avgpool(x)))
        logits: Tensor = self.fc2(self.dropout(self.relu(self.fc1(x))))
        return logits


class GoogLeNet(nn.Module):
    """Three convolutions, nine Inception modules (a graph without cycles), a mean, a linear layer.

    x (N, in_channels, H, W) float32, 224 in the paper, at least 15 -> logits (N, num_classes); with
    1000 classes 6,624,904 parameters. With `aux_logits`, torchvision's default, 13,004,888: then
    training gives GoogLeNetOutputs(logits, aux_logits2, aux_logits1), for `googlenet_loss`;
    evaluation gives logits alone.

    torchvision's form, whose names and layouts these are, has batch norm after each convolution,
    and in the third branch of each module 3x3 where the paper has 5x5: `kernel=5` is the paper's.
    Its weights for ImageNet were learnt on images in [-1, 1]: with them, `transform_input` brings
    images normalised as for all its other models to that form (torchvision sets it unasked).
    `width` multiplies all channels and hidden units. Szegedy et al. 2015.
    Decks: D0, D1, D2, D3, D4.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_logits: bool = False,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        kernel: int = 3,
        width: float = 1.0,
        transform_input: bool = False,
    ) -> None:
        super().__init__()
        times = scaler("googlenet", width)
        if transform_input and in_channels != 3:
            why = f"expected 3 channels for transform_input, got {in_channels}; leave it out"
            raise fail(ArgumentError, "googlenet", why)
        self.transform_input = transform_input
        a, b = times(64), times(192)
        made = {name: _sizes(name, times) for name in INCEPTIONS}
        self.conv1 = BasicConv2d(in_channels, a, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = BasicConv2d(a, a, kernel_size=1)
        self.conv3 = BasicConv2d(a, b, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        for name, sizes in made.items():
            setattr(self, f"inception{name}", Inception(sizes, kernel))
            if name == "3b":
                self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
            if name == "4e":
                self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.aux_logits = aux_logits
        if aux_logits:
            for number, name in ((1, "4b"), (2, "4e")):
                sizes_in = made[name][0]
                head = (times(128), times(1024), num_classes, dropout_aux)
                setattr(self, f"aux{number}", InceptionAux(sizes_in, *head))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(_out(made["5b"]), num_classes)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        """Logits of a batch of images, in training with those of the auxiliary heads if any."""
        x = _between_ones(x) if self.transform_input else x
        x = self.conv3(self.conv2(self.maxpool1(self.conv1(x))))
        x = self.inception3b(self.inception3a(self.maxpool2(x)))
        middle = self.inception4a(self.maxpool3(x))
        late = self.inception4d(self.inception4c(self.inception4b(middle)))
        x = self.maxpool4(self.inception4e(late))
        x = self.inception5b(self.inception5a(x))
        logits: Tensor = self.fc(self.dropout(self.flatten(self.avgpool(x))))
        if not (self.training and self.aux_logits):
            return logits
        return GoogLeNetOutputs(logits, self.aux2(late), self.aux1(middle))


def _between_ones(x: Tensor) -> Tensor:
    """(p - 1/2) / (1/2) of pixels p in [0, 1] that came as (p - mean) / std."""
    parts = [
        x[:, i : i + 1] * (std / 0.5) + (mean - 0.5) / 0.5
        for i, (mean, std) in enumerate(zip(*IMAGENET, strict=True))
    ]
    return cat(parts, 1)


def _sizes(name: str, times: Any) -> list[int]:
    """The numbers of an Inception module; channels in are what the module before it gives."""
    sizes = [times(n) for n in INCEPTIONS[name]]
    names = list(INCEPTIONS)
    if name != "3a":
        sizes[0] = _out([times(n) for n in INCEPTIONS[names[names.index(name) - 1]]])
    return sizes


def _out(sizes: list[int]) -> int:
    return sizes[1] + sizes[3] + sizes[5] + sizes[6]


def googlenet_loss(output: Tensor | GoogLeNetOutputs, y: Tensor, weight: float = 0.3) -> Tensor:
    """cross_entropy(logits, y) + weight (that of each auxiliary head): section 5, weight 0.3.

    Takes what GoogLeNet returns in training or in evaluation. Returns a scalar.
    """
    if isinstance(output, Tensor):
        return cross_entropy(output, y)
    loss = cross_entropy(output.logits, y)
    for aux in (output.aux_logits1, output.aux_logits2):
        if aux is not None:
            loss = loss + weight * cross_entropy(aux, y)
    return loss
