"""The same models in torch, by torch's own modules: the peer of the training benchmarks."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .machine import cores
from .training import ADAMS_RATE, CLASSES, FEATURES, MOMENTUM, RATE, Case, Found, Trainee


class LeNet5(nn.Module):
    """See etude's framework/models/lenet.py."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(F.relu(self.fc2(x)))


class Block(nn.Module):
    """See etude's framework/models/resnet.py; the shortcut is the paper's option A."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, out - channels
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return F.relu(y + x)


class ResNet20(nn.Module):
    """Three stages of three blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def mlp() -> nn.Module:
    """784-256-128-10."""
    sizes = nn.Linear(784, 256), nn.Linear(256, 128), nn.Linear(128, 10)
    return nn.Sequential(nn.Flatten(), sizes[0], nn.ReLU(), sizes[1], nn.ReLU(), sizes[2])


class VGG11(nn.Module):
    """See etude's framework/models/vgg.py."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for out in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
            if out:
                layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
                channels = out
            else:
                layers.append(nn.MaxPool2d(2))
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(512, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


class LastState(nn.Module):
    """See training.py."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, FEATURES, batch_first=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.lstm(x)[0][:, -1])


BUILDERS: dict[str, Any] = {
    "mlp": mlp,
    "lenet5": LeNet5,
    "resnet20": ResNet20,
    "vgg11_small": VGG11,
    "lstm": LastState,
}


class Torch(Trainee):
    """torch in the NCHW layout, on so many threads (all cores); `compiled` by torch.compile."""

    def __init__(
        self,
        case: Case,
        fused: bool,
        dtype: str = "float32",
        threads: int | None = None,
        compiled: bool = False,
    ) -> None:
        torch.set_num_threads(threads or cores())
        torch.set_float32_matmul_precision("highest")
        self.model = BUILDERS[case.name]()
        if dtype == "float64":
            self.model.double()
        weights = {key: torch.tensor(w.astype(dtype)) for key, w in case.weights.items()}
        missing = self.model.load_state_dict(weights, strict=False)
        assert not missing.unexpected_keys, missing
        self.x, self.labels = torch.tensor(case.x.astype(dtype)), torch.tensor(case.labels)
        parameters = list(self.model.parameters())
        if case.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(parameters, lr=ADAMS_RATE, fused=fused)
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM, fused=fused)
        self.loss = torch.compile(self._loss) if compiled else self._loss

    def _loss(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(self.model(x), labels)

    def backward(self) -> float:
        self.optimizer.zero_grad()
        loss = self.loss(self.x, self.labels)
        loss.backward()
        return loss.item()

    def step(self) -> float:
        loss = self.backward()
        self.optimizer.step()
        return loss

    def loss_and_gradients(self) -> Found:
        loss = self.backward()
        return loss, {key: p.grad.numpy() for key, p in self.model.named_parameters()}
