"""Image classifiers in plain torch, written from the papers with torchvision's names and order.

`width` and the like are torch's side of the options that make etude's models small.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

Images = torch.Tensor


def rounded(width: float, *sizes: int) -> list[int]:
    return [max(1, round(n * width)) for n in sizes]


class Stack(nn.Module):
    """Features, a mean to a fixed size, a classifier: AlexNet, ZFNet, VGG."""

    def __init__(self, features: list[Any], size: int, classifier: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(size) if size else nn.Identity()
        self.classifier = classifier

    def forward(self, x: Images) -> Images:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def two_hidden(features: int, hidden: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(), nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes),
    )  # fmt: skip


class Norm(nn.Module):
    """Krizhevsky et al.'s formula: x / (k + alpha sum of x^2 over 5 channels)^beta."""

    def forward(self, x: Images) -> Images:
        squares = F.pad(x * x, (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(-1)
        return x / (2 + 1e-4 * squares) ** 0.75


def relu_norm(lrn: bool) -> nn.Module:
    return nn.Sequential(nn.ReLU(), Norm()) if lrn else nn.ReLU()


def alexnet(classes: int, width: float, paper: bool = False) -> nn.Module:
    sizes = (96, 256, 384, 384, 256) if paper else (64, 192, 384, 256, 256)
    a, b, c, d, e, hidden = rounded(width, *sizes, 4096)
    g = 2 if paper else 1
    features = [
        nn.Conv2d(3, a, 11, 4, 0 if paper else 2), relu_norm(paper), nn.MaxPool2d(3, 2),
        nn.Conv2d(a, b, 5, padding=2, groups=g), relu_norm(paper), nn.MaxPool2d(3, 2),
        nn.Conv2d(b, c, 3, padding=1), nn.ReLU(),
        nn.Conv2d(c, d, 3, padding=1, groups=g), nn.ReLU(),
        nn.Conv2d(d, e, 3, padding=1, groups=g), nn.ReLU(), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    return Stack(features, 6, two_hidden(e * 36, hidden, classes))


def zfnet(classes: int, width: float) -> nn.Module:
    a, b, c, d, e, hidden = rounded(width, 96, 256, 384, 384, 256, 4096)
    features = [
        nn.Conv2d(3, a, 7, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), Norm(),
        nn.Conv2d(a, b, 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), Norm(),
        nn.Conv2d(b, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, d, 3, padding=1), nn.ReLU(),
        nn.Conv2d(d, e, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    return Stack(features, 6, two_hidden(e * 36, hidden, classes))


VGG_16 = (2, 2, 3, 3, 3)  # convolutions before each pooling
VGG_11 = (1, 1, 2, 2, 2)


def vgg(counts: tuple[int, ...], norm: bool, classes: int, width: float, small: bool) -> nn.Module:
    features: list[nn.Module] = []
    channels = 3
    for count, out in zip(counts, rounded(width, 64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            features.append(nn.Conv2d(channels, out, 3, padding=1))
            features += [nn.BatchNorm2d(out)] * norm + [nn.ReLU()]
            channels = out
        features.append(nn.MaxPool2d(2))
    if small:
        return Stack(features, 0, nn.Linear(channels, classes))
    (hidden,) = rounded(width, 4096)
    classifier = nn.Sequential(
        nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout(),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes),
    )  # fmt: skip
    return Stack(features, 7, classifier)


class NiN(nn.Module):
    def __init__(self, classes: int, width: float) -> None:
        super().__init__()
        a, b, c = rounded(width, 192, 160, 96)

        def block(kernel: int, *sizes: int) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for i, (m, n) in enumerate(pairwise(sizes)):
                size = 1 if i else kernel
                layers += [nn.Conv2d(m, n, size, padding=size // 2), nn.ReLU()]
            return layers

        def between() -> list[nn.Module]:
            return [nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout()]

        self.features = nn.Sequential(
            *block(5, 3, a, b, c), *between(), *block(5, c, a, a, a), *between(),
            *block(3, a, a, a, classes),
        )  # fmt: skip

    def forward(self, x: Images) -> Images:
        return self.features(x).mean((2, 3))


class SE(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Images) -> Images:
        weight = self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(weight)


class Block(nn.Module):
    """A basic block or a bottleneck, by `expand`; option A, B or no shortcut."""

    def __init__(
        self, m: int, n: int, stride: int, expand: int, kind: str = "B", se: int = 0,
        dilation: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kind, self.stride, self.extra = kind, stride, n * expand - m
        if expand == 1:
            shapes = [(m, n, 3, stride), (n, n, 3, 1)]
        else:
            shapes = [(m, n, 1, 1), (n, n, 3, stride), (n, n * expand, 1, 1)]
        for i, (a, b, k, s) in enumerate(shapes, 1):
            pad = k // 2 * dilation
            conv = nn.Conv2d(a, b, k, s, pad, dilation if k == 3 else 1, bias=False)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.count = len(shapes)
        if se:
            self.se = SE(n * expand, max(1, n * expand // se))
        if kind == "B" and (stride > 1 or self.extra):
            conv = nn.Conv2d(m, n * expand, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(n * expand))

    def forward(self, x: Images) -> Images:
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.count else y
        if hasattr(self, "se"):
            y = self.se(y)
        if self.kind == "plain":
            return F.relu(y)
        if hasattr(self, "downsample"):
            x = self.downsample(x)
        elif self.kind == "A":
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return F.relu(y + x)


class ResNet(nn.Module):
    def __init__(
        self, layers: tuple[int, ...], expand: int, classes: int, width: float, kind: str = "B",
        se: int = 0, dilated: bool = False, head: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = rounded(width, *(64 * 2**i for i in range(len(layers))))
        self.conv1 = nn.Conv2d(3, sizes[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(sizes[0])
        channels, before = sizes[0], 1
        for i, (count, size) in enumerate(zip(layers, sizes, strict=True)):
            wide, stride = dilated and i > 1, 1 if i == 0 else 2
            now = before * stride if wide else before
            blocks = [Block(channels, size, 1 if wide else stride, expand, kind, se, before)]
            channels = size * expand
            blocks += [Block(channels, size, 1, expand, kind, se, now) for _ in range(count - 1)]
            before = now
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        if head:
            self.fc = nn.Linear(channels, classes)

    def maps(self, x: Images) -> list[Images]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        found = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            found.append(x)
        return found

    def forward(self, x: Images) -> Images:
        return self.fc(self.maps(x)[-1].mean((2, 3)))


class CifarResNet(nn.Module):
    def __init__(self, n: int, width: float, kind: str) -> None:
        super().__init__()
        a, b, c = rounded(width, 16, 32, 64)
        self.conv1, self.bn1 = nn.Conv2d(3, a, 3, padding=1, bias=False), nn.BatchNorm2d(a)
        for i, (m, size) in enumerate(((a, a), (a, b), (b, c)), 1):
            first = Block(m, size, 1 if i == 1 else 2, 1, kind)
            rest = [Block(size, size, 1, 1, kind) for _ in range(n - 1)]
            self.add_module(f"layer{i}", nn.Sequential(first, *rest))
        self.fc = nn.Linear(c, 10)

    def forward(self, x: Images) -> Images:
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, m: int, growth: int, bn_size: int) -> None:
        super().__init__()
        self.norm1, self.relu1 = nn.BatchNorm2d(m), nn.ReLU()
        self.conv1 = nn.Conv2d(m, bn_size * growth, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(bn_size * growth), nn.ReLU()
        self.conv2 = nn.Conv2d(bn_size * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Images) -> Images:
        new = self.conv2(self.relu2(self.norm2(self.conv1(self.relu1(self.norm1(x))))))
        return torch.cat([x, new], 1)


class DenseNet(nn.Module):
    def __init__(self, classes: int, growth: int, blocks: tuple[int, ...], first: int) -> None:
        super().__init__()
        f = self.features = nn.Sequential()
        f.add_module("conv0", nn.Conv2d(3, first, 7, 2, 3, bias=False))
        f.add_module("norm0", nn.BatchNorm2d(first))
        f.add_module("relu0", nn.ReLU())
        f.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        m = first
        for i, count in enumerate(blocks, 1):
            block = nn.Sequential()
            for j in range(count):
                block.add_module(f"denselayer{j + 1}", DenseLayer(m, growth, 4))
                m += growth
            f.add_module(f"denseblock{i}", block)
            if i < len(blocks):
                t = nn.Sequential()
                t.add_module("norm", nn.BatchNorm2d(m))
                t.add_module("relu", nn.ReLU())
                t.add_module("conv", nn.Conv2d(m, m // 2, 1, bias=False))
                t.add_module("pool", nn.AvgPool2d(2, 2))
                f.add_module(f"transition{i}", t)
                m //= 2
        f.add_module("norm5", nn.BatchNorm2d(m))
        self.classifier = nn.Linear(m, classes)

    def forward(self, x: Images) -> Images:
        return self.classifier(F.relu(self.features(x)).mean((2, 3)))
