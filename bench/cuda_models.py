"""Training steps of whole models on the device: etude eager and as one graph, beside torch eager.

    lenet5       batch 64 of 1x32x32                         many small kernels: what a launch costs
    resnet18     batch 32 of 3x224x224                       convolutions and norms
    transformer  6 layers of 512, batch 8 of 256 tokens      products, softmax, layer norms

A step is forward, mean cross-entropy, backward and SGD with momentum 0.9. Each model has a tiny
sibling, whose losses over some steps are compared with float64 on the CPU: on a device before
anything is timed, and in the simulator, where nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import etude
from etude import functional as F
from etude import nn, optim
from etude.framework import models

from .report import Table

RATE, MOMENTUM = 0.01, 0.9
STEPS = 4  # that losses are compared over; the third and later ones replay a graph
LARGEST_ERROR = 1e-3  # of a loss, beside float64
Batch = tuple[Any, Any]


@dataclass(frozen=True)
class Model:
    """How to build a model, its batch by a generator, and its twin in torch with the same names."""

    name: str
    build: Callable[[], nn.Module]
    batch: Callable[[np.random.Generator], Batch]
    twin: Callable[[], Any] | None = None


def images(count: int, channels: int, size: int, classes: int) -> Callable[..., Batch]:
    """Random images and labels."""

    def batch(rng: np.random.Generator) -> Batch:
        x = rng.standard_normal((count, channels, size, size), dtype=np.float32)
        return x, rng.integers(0, classes, count)

    return batch


def sentences(count: int, length: int, vocabulary: int) -> Callable[..., Batch]:
    """Random tokens, and the token after each."""

    def batch(rng: np.random.Generator) -> Batch:
        tokens = rng.integers(0, vocabulary, (count, length + 1))
        return tokens[:, :-1].copy(), tokens[:, 1:].reshape(-1).copy()

    return batch


def lenet_twin() -> Any:
    from .torch_models import LeNet5

    return LeNet5()


def resnet_twin() -> Any:
    from .torch_larger import ResNet18

    return ResNet18()


def transformer_twin() -> Any:
    from .torch_larger import Transformer

    return Transformer(8192, 256, 6, 8, 512)


def tiny_lenet() -> nn.Module:
    """Two convolutions and two layers, as LeNet-5 has them, on 1x8x8."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 3, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 4),
    )  # fmt: skip


class TinyResidual(nn.Module):
    """A convolution, a residual block with a shortcut of stride 2, and a mean over pixels."""

    def __init__(self) -> None:
        super().__init__()
        from etude.framework.models.resnet import BasicBlock

        self.conv = nn.Conv2d(2, 3, 3, padding=1, bias=False)
        self.block = BasicBlock(3, 4, 2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: etude.Tensor) -> etude.Tensor:
        logits: etude.Tensor = self.fc(self.block(self.conv(x)).mean((2, 3)))
        return logits


def gpt(vocabulary: int, length: int, layers: int, heads: int, e: int) -> nn.Module:
    """A transformer without dropout."""
    return models.Transformer(vocabulary, length, layers, heads, e, dropout=0.0)


MODELS = [
    Model("lenet5 b64", lambda: models.create("lenet5"), images(64, 1, 32, 10), lenet_twin),
    Model("resnet18 b32 224", lambda: models.create("resnet18"), images(32, 3, 224, 1000),
          resnet_twin),
    Model("transformer 6x512 b8 t256", lambda: gpt(8192, 256, 6, 8, 512),
          sentences(8, 256, 8192), transformer_twin),
]  # fmt: skip
TINY = [
    Model("tiny lenet", tiny_lenet, images(2, 1, 8, 4)),
    Model("tiny residual net", TinyResidual, images(2, 2, 4, 3)),
    Model("tiny transformer", lambda: gpt(7, 4, 2, 2, 4), sentences(2, 4, 7)),
]


class Ours:
    """etude's steps on a backend; weights by seed 0, so the same on all."""

    def __init__(
        self, model: Model, backend: str, dtype: str = "float32", compiled: bool = False
    ) -> None:
        x, labels = model.batch(np.random.default_rng(0))
        with etude.use_backend("numpy"):
            etude.manual_seed(0)
            built = model.build()
        self.net = built.to(backend)
        if dtype == "float64":
            self.net.double()
        self.x = etude.tensor(x.astype(dtype) if x.dtype.kind == "f" else x, backend=backend)
        self.labels = etude.tensor(labels, backend=backend)
        self.optimizer = optim.SGD(self.net.parameters(), lr=RATE, momentum=MOMENTUM)
        self.call = etude.compile(self._step) if compiled else self._step

    def _step(self, x: etude.Tensor, labels: etude.Tensor) -> etude.Tensor:
        self.optimizer.zero_grad()
        logits = self.net(x)
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def step(self) -> Any:
        """One step; the loss stays on the device."""
        return self.call(self.x, self.labels)

    def losses(self, steps: int) -> list[float]:
        """The losses before so many steps."""
        return [float(self.step().item()) for _ in range(steps)]

    def weights(self) -> dict[str, Any]:
        """The parameters as arrays."""
        return {k: p.detach().to("numpy").numpy() for k, p in self.net.named_parameters()}


class Theirs:
    """torch's, eager, from the same weights."""

    def __init__(self, model: Model, device: str, dtype: str = "float32") -> None:
        import torch

        assert model.twin is not None
        start = Ours(model, "numpy").weights()
        x, labels = model.batch(np.random.default_rng(0))
        kind = getattr(torch, dtype)
        self.net = model.twin()
        missing = self.net.load_state_dict({k: torch.tensor(w) for k, w in start.items()}, False)
        assert not missing.unexpected_keys, missing
        self.net.to(device=device, dtype=kind)
        self.x, self.labels = torch.tensor(x, device=device), torch.tensor(labels, device=device)
        self.x = self.x.to(kind) if self.x.is_floating_point() else self.x
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=RATE, momentum=MOMENTUM)
        self.cross_entropy = torch.nn.functional.cross_entropy

    def step(self) -> Any:
        """One step; the loss stays on the device."""
        self.optimizer.zero_grad()
        logits = self.net(self.x)
        loss = self.cross_entropy(logits.reshape(-1, logits.shape[-1]), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def losses(self, steps: int) -> list[float]:
        """The losses before so many steps."""
        return [float(self.step().item()) for _ in range(steps)]


def difference(found: list[float], true: list[float]) -> float:
    """The largest relative one."""
    return max(abs(a - b) / max(abs(b), 1e-6) for a, b in zip(found, true, strict=True))


def check_table(backend: str, say: Callable[[str], None], late: Callable[[], bool]) -> Table:
    """The tiny models' losses, eager and compiled, beside float64 on the CPU."""
    title = f"Losses of {STEPS} training steps beside float64"
    table = Table(title, ["model", "", "error", "problem"])
    for model in TINY:
        for compiled in (False, True):
            if late():
                table.remarks.append(f"left out for want of time: {model.name}")
                continue
            how = "compiled, by graph" if compiled else "eager"
            say(f"{model.name}, {how}")
            add_check(table, model, backend, compiled, how)
    return table


def add_check(table: Table, model: Model, backend: str, compiled: bool, how: str) -> None:
    """One row."""
    error, problem = float("inf"), ""
    try:
        true = Ours(model, "numpy", "float64").losses(STEPS)
        error = difference(Ours(model, backend, compiled=compiled).losses(STEPS), true)
    except Exception as failure:  # what fails is a finding
        problem = f"{type(failure).__name__}: {failure}"
    right = error <= LARGEST_ERROR
    table.rows.append([model.name, how, f"{error:.0e}", problem or ("" if right else "WRONG")])
    table.records.append(
        {"case": f"{model.name}, {how}", "right": right, "error": min(error, 1e308)}
    )
