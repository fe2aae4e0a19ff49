"""The Neocognitron, as history. K. Fukushima, "Neocognitron: a self-organizing neural network model
for a mechanism of pattern recognition unaffected by shift in position", Biological Cybernetics 36,
1980, section 2. Decks: D2."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from ..checks import real
from ..creation import ones
from ..functional import avg_pool2d, relu
from ..tensor import Tensor

SMALLEST = 1e-8  # under the root of the inhibition, whose slope at 0 is infinite


class SLayer(nn.Module):
    """Cells that each look for a feature, held back by how much there is to see at all.

        v = sqrt(mean over the window of x^2)
        y = r relu((1 + a * x) / (1 + 2 r / (1 + r) |b| v) - 1)

    x (N, C, H, W) >= 0 -> (N, planes, H - K + 1, W - K + 1). a (planes, C, K, K) are the
    excitatory connections, b (planes,) the inhibitory ones; the larger r, the choosier the cell.
    a starts positive and b at 0.5, so that cells answer at first.
    """

    def __init__(self, channels: int, planes: int, kernel_size: int, r: float = 1.0) -> None:
        super().__init__()
        self.excite = nn.Conv2d(channels, planes, kernel_size, bias=False)
        self.inhibit = nn.Parameter(0.5 * ones(planes))
        self.kernel_size, self.r = kernel_size, real("neocognitron", "r", r, open_ends="(")
        nn.init.uniform_(self.excite.weight, 0.0, 6.0 / (channels * kernel_size**2))

    def forward(self, x: Tensor) -> Tensor:
        """How well each cell's feature fits."""
        seen = avg_pool2d((x * x).mean(1, keepdim=True), self.kernel_size, 1)
        v = (seen + SMALLEST).sqrt()
        b = self.inhibit.abs().reshape(1, -1, 1, 1)
        against = 1.0 + 2.0 * self.r / (1.0 + self.r) * b * v
        return self.r * relu((1.0 + self.excite(x)) / against - 1.0)


class CLayer(nn.Module):
    """Cells that answer wherever in their window a feature is: fixed blurring and thinning.

        s = blur(x), t = mean over planes of s, z = relu((1 + s) / (1 + t) - 1), y = z / (alpha + z)

    x (N, C, H, W) -> (N, C, H', W') in [0, 1). The blur is a mean of `size` by `size` pixels every
    `stride`; nothing is learned. A plane that is no stronger than the mean of all is silent.
    """

    def __init__(self, size: int, stride: int, alpha: float = 0.2) -> None:
        super().__init__()
        self.size, self.stride = size, stride
        self.alpha = real("neocognitron", "alpha", alpha, open_ends="(")

    def forward(self, x: Tensor) -> Tensor:
        """The planes, smaller."""
        s = avg_pool2d(x, self.size, self.stride, self.size // 2)
        z = relu((1.0 + s) / (1.0 + s.mean(1, keepdim=True)) - 1.0)
        return z / (self.alpha + z)


class Neocognitron(nn.Module):
    """S- and C-layers in turn, and a linear layer: what convolution and pooling come from.

    x (N, in_channels, H, W) float32 >= 0, H and W at least 20 -> logits (N, num_classes); 11,162
    parameters for planes of 12, 24 and 32 and 32x32 images of one channel. Fukushima trains the
    S-cells without labels, by competition: the strongest cell of a place learns what it sees. Here
    all is trained by descent, which the model did not know, so the linear layer takes the place of
    the last C-layer, whose planes were the classes. Names: s1.excite, s1.inhibit, ..., fc.
    Fukushima 1980. Decks: D2.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        planes: Sequence[int] = (12, 24, 32),
        r: float = 1.0,
    ) -> None:
        super().__init__()
        channels = in_channels
        self.depth = len(planes)
        for i, count in enumerate(planes, 1):
            kernel = 5 if i == 1 else 3
            setattr(self, f"s{i}", SLayer(channels, count, kernel, r))
            setattr(self, f"c{i}", CLayer(3, 2))
            channels = count
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels * 4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = relu(x)
        for i in range(1, self.depth + 1):
            x = getattr(self, f"c{i}")(getattr(self, f"s{i}")(x))
        logits: Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits
