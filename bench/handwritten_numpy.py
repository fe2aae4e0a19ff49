"""Four models trained by hand in NumPy: what a framework on NumPy has to match.

Written as one would for speed without a framework. Works in the dtype of the parameters, so that
float64 gives a reference to check the others by.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .handwritten_layers import (
    Array,
    BatchNorm,
    Block,
    Chain,
    Conv,
    GlobalMean,
    Layer,
    Linear,
    MaxPool,
    Parameter,
    Relu,
    ShortcutA,
)


def mlp(p: Mapping[str, Parameter]) -> Layer:
    """784-256-128-10."""
    first, second, third = (
        Linear(p[f"{i}.weight"], p[f"{i}.bias"], first=i == 1) for i in (1, 3, 5)
    )
    return Chain(first, Relu(), second, Relu(), third)


def lenet5(p: Mapping[str, Parameter]) -> Layer:
    """LeNet-5 with ReLU and max pooling."""
    conv = [Conv(p[f"conv{i}.weight"], p[f"conv{i}.bias"], 1, 0, first=i == 1) for i in (1, 2)]
    full = [Linear(p[f"fc{i}.weight"], p[f"fc{i}.bias"]) for i in (1, 2, 3)]
    features = Chain(conv[0], Relu(), MaxPool(), conv[1], Relu(), MaxPool())
    return Chain(features, full[0], Relu(), full[1], Relu(), full[2])


def resnet20(p: Mapping[str, Parameter]) -> Layer:
    """Three stages of three blocks."""

    def unit(conv: str, norm: str, stride: int = 1, first: bool = False) -> Chain:
        return Chain(
            Conv(p[conv + ".weight"], None, stride, 1, first),
            BatchNorm(p[norm + ".weight"], p[norm + ".bias"]),
        )

    def block(stage: int, number: int) -> Block:
        name, half = f"layer{stage}.{number}.", stage > 1 and number == 0
        body = Chain(
            unit(name + "conv1", name + "bn1", 2 if half else 1),
            Relu(),
            unit(name + "conv2", name + "bn2"),
        )
        return Block(body, ShortcutA() if half else None)

    blocks = [block(stage, number) for stage in (1, 2, 3) for number in range(3)]
    start = unit("conv1", "bn1", first=True)
    return Chain(start, Relu(), *blocks, GlobalMean(), Linear(p["fc.weight"], p["fc.bias"]))


def vgg11(p: Mapping[str, Parameter]) -> Layer:
    """Eight convolutions, five poolings, one linear layer."""
    layers: list[Layer] = []
    for number, pooled in ((0, 1), (3, 1), (6, 0), (8, 1), (11, 0), (13, 1), (16, 0), (18, 1)):
        w, b = p[f"features.{number}.weight"], p[f"features.{number}.bias"]
        layers += [Conv(w, b, 1, 1, first=number == 0), Relu()] + [MaxPool()] * pooled
    return Chain(*layers, Linear(p["classifier.weight"], p["classifier.bias"]))


BUILDERS = {"mlp": mlp, "lenet5": lenet5, "resnet20": resnet20, "vgg11_small": vgg11}


class Training:
    """A model by name, its parameters by etude's names for them, and steps of gradient descent."""

    def __init__(
        self, name: str, values: Mapping[str, Array], rate: float, momentum: float
    ) -> None:
        self.parameters = {key: Parameter(value.copy()) for key, value in values.items()}
        self.model = BUILDERS[name](self.parameters)
        self.rate, self.momentum = rate, momentum

    def loss_and_gradients(self, x: Array, labels: Array) -> tuple[float, dict[str, Array]]:
        """The mean cross-entropy, and the gradient of every parameter."""
        z = self.model.forward(x)
        p = z - z.max(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        picked = p[rows, labels]
        np.exp(p, out=p)
        total = p.sum(axis=1)
        loss = float(np.mean(np.log(total) - picked))
        p /= total[:, None]
        p[rows, labels] -= 1
        p /= len(labels)
        self.model.backward(p)
        return loss, {name: parameter.grad for name, parameter in self.parameters.items()}

    def step(self, x: Array, labels: Array) -> float:
        """One step of gradient descent; the loss before it."""
        loss, _ = self.loss_and_gradients(x, labels)
        for parameter in self.parameters.values():
            parameter.update(self.rate, self.momentum)
        return loss
