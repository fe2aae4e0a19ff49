"""Training steps of one model on one batch: etude's, those by hand in NumPy, and torch's.

All begin with the same weights and make the same steps: mean cross-entropy, momentum 0.9 or Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import etude
from etude import nn, optim
from etude.framework import models

from . import handwritten_numpy

RATE, MOMENTUM, ADAMS_RATE = 0.01, 0.9, 1e-3
CLASSES = 10
STEPS, FEATURES = 50, 128  # of the sequences for the LSTM, whose state is as wide
Step = Callable[[], float]
Found = tuple[float, dict[str, Any]]


@dataclass
class Case:
    """A model's name, inputs (N, ...) float32, labels (N,) int64, first weights, and optimizer."""

    name: str
    x: Any
    labels: Any
    weights: dict[str, Any]
    optimizer: str = "sgd"


class Trainee:
    """One competitor on one case. Both methods return the loss before the step."""

    def step(self) -> float:
        """Forward, backward, and one step of gradient descent."""
        raise NotImplementedError

    def loss_and_gradients(self) -> Found:
        """Forward and backward alone; gradients as arrays by the parameters' names."""
        raise NotImplementedError


def known(name: str) -> bool:
    """Whether etude has the model."""
    return name in models.MODELS or (name == "lstm" and hasattr(nn, "LSTM"))


def build(name: str) -> Any:
    """A model on the default backend, and the shape of one of its inputs."""
    if name == "lstm":
        return LastState(), (STEPS, FEATURES)
    return models.create(name), models.entry(name).input_shape


class LastState(nn.Module):
    """An LSTM over a sequence (N, T, D), and a linear layer on its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, FEATURES, batch_first=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: etude.Tensor) -> etude.Tensor:
        y, _ = self.lstm(x)
        logits: etude.Tensor = self.fc(y[:, -1])
        return logits


def make_case(name: str, batch: int, optimizer: str = "sgd") -> Case:
    """Random inputs and labels, and the weights that etude gives the model, by seed 0."""
    rng = np.random.default_rng(0)
    with etude.use_backend("numpy"):
        etude.manual_seed(0)
        model, shape = build(name)
    x = rng.standard_normal((batch, *shape), dtype=np.float32)
    weights = {key: p.detach().numpy().copy() for key, p in model.named_parameters()}
    return Case(name, x, rng.integers(0, CLASSES, batch), weights, optimizer)


class Etude(Trainee):
    """etude on one of its backends, in float32 or float64, eager or compiled."""

    def __init__(
        self, case: Case, backend: str, dtype: str = "float32", compiled: bool = False
    ) -> None:
        with etude.use_backend(backend):
            self.model, _ = build(case.name)
            if dtype == "float64":
                self.model.double()
            self.x, self.labels = etude.tensor(case.x.astype(dtype)), etude.tensor(case.labels)
            with etude.no_grad():
                for key, p in self.model.named_parameters():
                    p.copy_(etude.tensor(case.weights[key].astype(dtype)))
        if case.optimizer == "adam":
            self.optimizer: optim.Optimizer = optim.Adam(self.model.parameters(), lr=ADAMS_RATE)
        else:
            self.optimizer = optim.SGD(self.model.parameters(), lr=RATE, momentum=MOMENTUM)
        self.backward, self.whole_step = self._backward, self._whole_step
        if compiled:
            self.backward = etude.compile(self._backward)
            self.whole_step = etude.compile(self._whole_step)

    def _backward(self, x: etude.Tensor, labels: etude.Tensor) -> etude.Tensor:
        self.optimizer.zero_grad()
        loss = etude.functional.cross_entropy(self.model(x), labels)
        loss.backward()
        return loss

    def _whole_step(self, x: etude.Tensor, labels: etude.Tensor) -> etude.Tensor:
        loss = self._backward(x, labels)
        self.optimizer.step()
        return loss

    def step(self) -> float:
        return float(self.whole_step(self.x, self.labels).item())

    def loss_and_gradients(self) -> Found:
        loss = float(self.backward(self.x, self.labels).item())
        return loss, {key: p.grad.numpy() for key, p in self.model.named_parameters()}


class ByHand(Trainee):
    """handwritten_numpy.py, in any float dtype."""

    def __init__(self, case: Case, dtype: str = "float32") -> None:
        weights = {key: w.astype(dtype) for key, w in case.weights.items()}
        self.training = handwritten_numpy.Training(case.name, weights, RATE, MOMENTUM)
        self.batch = case.x.astype(dtype), case.labels

    def step(self) -> float:
        return self.training.step(*self.batch)

    def loss_and_gradients(self) -> Found:
        return self.training.loss_and_gradients(*self.batch)


def disagreement(found: Found, reference: Found) -> float:
    """The largest relative error: of the loss, or of a gradient, by its norm."""
    (loss, gradients), (true_loss, true) = found, reference
    errors = [abs(loss - true_loss) / abs(true_loss)]
    for key, g in true.items():
        errors.append(float(np.linalg.norm(gradients[key] - g) / np.linalg.norm(g)))
    return max(errors)
