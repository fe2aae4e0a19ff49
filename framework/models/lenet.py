"""LeNet-5. Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86 (11), 1998, section II.B. Decks: D1, D2, D4."""

from __future__ import annotations

from collections.abc import Callable

from .. import nn
from ..checks import choice
from ..tensor import Tensor
from .mlp import ACTIVATIONS

POOLINGS: dict[str, Callable[[int], nn.Module]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


class LeNet5(nn.Module):
    """Two convolutions with pooling, then three fully connected layers; 61,706 parameters.

    x (N, in_channels, 32, 32) float32 -> logits (N, num_classes). In the paper the units are tanh,
    the pooling is an average with a learned scale, the second convolution leaves some connections
    out and the last layer measures distances. Here, as is usual today: ReLU and max pooling unless
    `activation="tanh", pooling="avg"` ask for the others, all connections, a linear last layer.
    The layer `fc1` is the paper's C5: a convolution whose kernel covers its whole input.
    LeCun et al. 1998. Decks: D1, D2, D4.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        activation: str = "relu",
        pooling: str = "max",
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)
        self.act = ACTIVATIONS[choice("lenet5", "activation", activation, tuple(ACTIVATIONS))]()
        self.pool = POOLINGS[choice("lenet5", "pooling", pooling, tuple(POOLINGS))](2)
        self.flatten = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.pool(self.act(self.conv1(x)))
        x = self.pool(self.act(self.conv2(x)))
        x = self.act(self.fc1(self.flatten(x)))
        x = self.act(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits
