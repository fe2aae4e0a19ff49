"""Multi-layer perceptron: fully connected layers with an activation between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .. import nn
from ..checks import choice

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def mlp(
    in_features: int = 784,
    hidden: Sequence[int] = (256, 128),
    num_classes: int = 10,
    activation: str = "relu",
) -> nn.Sequential:
    """x -> W3 a(W2 a(W1 x + b1) + b2) + b3, on images or vectors of `in_features` numbers.

    The logits are (N, num_classes). 784-256-128-10 has 235,146 parameters.
    Rumelhart, Hinton & Williams 1986. Decks: D0, D1, D2, D3, D4.
    """
    act = ACTIVATIONS[choice("mlp", "activation", activation, tuple(ACTIVATIONS))]
    layers: list[nn.Module] = [nn.Flatten()]
    sizes = [in_features, *hidden]
    for m, n in pairwise(sizes):
        layers += [nn.Linear(m, n), act()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))
