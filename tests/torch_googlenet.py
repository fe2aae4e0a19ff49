"""GoogLeNet in plain torch, in torchvision's form and with its names."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch_classifiers import Images, rounded

ROWS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip


class Conv(nn.Module):
    def __init__(self, m: int, n: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(m, n, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(n, eps=0.001)

    def forward(self, x: Images) -> Images:
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    def __init__(self, m: int, row: list[int]) -> None:
        super().__init__()
        c1, r3, c3, r5, c5, c4 = row
        self.branch1 = Conv(m, c1, 1)
        self.branch2 = nn.Sequential(Conv(m, r3, 1), Conv(r3, c3, 3))
        self.branch3 = nn.Sequential(Conv(m, r5, 1), Conv(r5, c5, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), Conv(m, c4, 1))

    def forward(self, x: Images) -> Images:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], 1)


class Aux(nn.Module):
    def __init__(self, m: int, between: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.conv = Conv(m, between, 1)
        self.fc1, self.fc2 = nn.Linear(between * 16, hidden), nn.Linear(hidden, classes)

    def forward(self, x: Images) -> Images:
        x = torch.flatten(self.conv(F.adaptive_avg_pool2d(x, 4)), 1)
        return self.fc2(F.relu(self.fc1(x)))


class GoogLeNet(nn.Module):
    """Without dropout, which the tests take out of etude's too."""

    def __init__(self, classes: int, width: float) -> None:
        super().__init__()
        a, b, between, hidden = rounded(width, 64, 192, 128, 1024)
        self.conv1, self.conv2, self.conv3 = Conv(3, a, 7, 2), Conv(a, a, 1), Conv(a, b, 3)
        m, into = b, {}
        for name, sizes in ROWS.items():
            into[name], row = m, rounded(width, *sizes)
            self.add_module(f"inception{name}", Inception(m, row))
            m = row[0] + row[2] + row[4] + row[5]
        self.aux1 = Aux(into["4b"], between, hidden, classes)
        self.aux2 = Aux(into["4e"], between, hidden, classes)
        self.fc = nn.Linear(m, classes)

    def forward(self, x: Images) -> Any:
        def pool(x: Images, kernel: int = 3) -> Images:
            return F.max_pool2d(x, kernel, 2, ceil_mode=True)

        x = pool(self.conv3(self.conv2(pool(self.conv1(x)))))
        x = self.inception4a(pool(self.inception3b(self.inception3a(x))))
        first = self.aux1(x) if self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        second = self.aux2(x) if self.training else None
        x = self.inception5b(self.inception5a(pool(self.inception4e(x), 2)))
        logits = self.fc(x.mean((2, 3)))
        return (logits, second, first) if self.training else logits
