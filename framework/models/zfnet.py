"""ZFNet. M. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks",
ECCV 2014, section 4.1 and figure 3. Decks: D2."""

from __future__ import annotations

from .. import nn
from ..tensor import Tensor
from .common import scaler


class ZFNet(nn.Module):
    """AlexNet with a finer start: 7x7 with stride 2 in place of 11x11 with stride 4.

    x (N, in_channels, H, W) float32, 224 in the paper, at least 60 -> logits (N, num_classes);
    62,357,608 parameters for 1000 classes. Maps of 224x224 images: 110, 55, 26, 13, 13, 13, 13, 6.
    `lrn` is the paper's contrast normalisation across maps, by AlexNet's constants. `width`
    multiplies all channels and hidden units. The names features.0, 4, 8, 10, 12 and classifier.1,
    4, 6 follow torchvision's AlexNet; torchvision has no ZFNet.
    Zeiler & Fergus 2014. Decks: D2.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        lrn: bool = True,
        dropout: float = 0.5,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        times = scaler("zfnet", width)
        c = [times(n) for n in (96, 256, 384, 384, 256)]
        hidden = times(4096)

        def norm() -> nn.Module:
            return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0) if lrn else nn.Identity()

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        self.features = nn.Sequential(
            *(nn.Conv2d(in_channels, c[0], 7, 2, padding=1), nn.ReLU(), pool(), norm()),
            *(nn.Conv2d(c[0], c[1], 5, 2), nn.ReLU(), pool(), norm()),
            *(nn.Conv2d(c[1], c[2], 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(c[2], c[3], 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(c[3], c[4], 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            *(nn.Dropout(dropout), nn.Linear(c[4] * 36, hidden), nn.ReLU()),
            *(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return logits
