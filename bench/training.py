"""Training steps of one model on one batch: etude's, those by hand in NumPy, and torch's.

All begin with the same weights and make the same steps: mean cross-entropy, momentum 0.9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import etude
from etude import optim
from etude.framework import models

from . import handwritten_numpy

RATE, MOMENTUM = 0.01, 0.9
CLASSES = 10
Step = Callable[[], float]
Found = tuple[float, dict[str, Any]]


@dataclass
class Case:
    """A model's name, images (N, C, H, W) float32, labels (N,) int64, and the first weights."""

    name: str
    x: Any
    labels: Any
    weights: dict[str, Any]


class Trainee:
    """One competitor on one case. Both methods return the loss before the step."""

    def step(self) -> float:
        """Forward, backward, and one step of gradient descent."""
        raise NotImplementedError

    def loss_and_gradients(self) -> Found:
        """Forward and backward alone; gradients as arrays by the parameters' names."""
        raise NotImplementedError


def make_case(name: str, batch: int) -> Case:
    """Random images and labels, and the weights that etude gives the model, by seed 0."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *models.entry(name).input_shape), dtype=np.float32)
    with etude.use_backend("numpy"):
        etude.manual_seed(0)
        model = models.create(name)
    weights = {key: p.detach().numpy().copy() for key, p in model.named_parameters()}
    return Case(name, x, rng.integers(0, CLASSES, batch), weights)


class Etude(Trainee):
    """etude on one of its backends."""

    def __init__(self, case: Case, backend: str) -> None:
        with etude.use_backend(backend):
            self.model = models.create(case.name)
            self.x, self.labels = etude.tensor(case.x), etude.tensor(case.labels)
            with etude.no_grad():
                for key, p in self.model.named_parameters():
                    p.copy_(etude.tensor(case.weights[key]))
        self.optimizer = optim.SGD(self.model.parameters(), lr=RATE, momentum=MOMENTUM)

    def backward(self) -> float:
        self.optimizer.zero_grad()
        loss = etude.functional.cross_entropy(self.model(self.x), self.labels)
        loss.backward()
        return float(loss.item())

    def step(self) -> float:
        loss = self.backward()
        self.optimizer.step()
        return loss

    def loss_and_gradients(self) -> Found:
        loss = self.backward()
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
