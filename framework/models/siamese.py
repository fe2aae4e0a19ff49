"""Siamese networks: one net looks at two inputs. J. Bromley et al., "Signature verification using a
'siamese' time delay neural network", NIPS 1993; S. Chopra, R. Hadsell and Y. LeCun, "Learning a
similarity metric discriminatively", CVPR 2005; G. Koch, R. Zemel and R. Salakhutdinov, "Siamese
neural networks for one-shot image recognition", 2015, section 3. Decks: D3, D4."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from ..autograd import no_grad
from ..checks import choice
from ..functional import stack
from ..tensor import Tensor
from .common import scaler


def koch_tower(in_channels: int = 1, width: float = 1.0) -> nn.Sequential:
    """The tower of Koch et al., figure 4: images (N, in_channels, 105, 105) -> (N, 4096) in (0, 1).

    Four convolutions with ReLU, three max poolings, a sigmoid layer.
    """
    times = scaler("siamese", width)
    a, b, c, d, out = (times(n) for n in (64, 128, 128, 256, 4096))
    return nn.Sequential(
        *(nn.Conv2d(in_channels, a, 10), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(a, b, 7), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(b, c, 4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(c, d, 4), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(d * 36, out), nn.Sigmoid()),
    )


class Siamese(nn.Module):
    """Two inputs through one tower, whose weights they share.

    head "pair": (a, b) -> (tower(a), tower(b)), for `nn.ContrastiveLoss` (Chopra et al.).
    head "logit": (a, b) -> fc(|tower(a) - tower(b)|), (N,), whose sigmoid is the probability that
    both show one thing, for `binary_cross_entropy_with_logits` (Koch et al.); then `features` is
    the number of the tower's outputs. Names are tower.* and fc.*; torchvision has no such net.
    Bromley et al. 1993. Decks: D3 (the contrastive loss), D4.
    """

    def __init__(self, tower: nn.Module, features: int | None = None, head: str = "pair") -> None:
        super().__init__()
        self.head = choice("siamese", "head", head, ("pair", "logit"))
        self.tower = tower
        if head == "logit":
            self.fc = nn.Linear(1 if features is None else features, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Embeddings of both, or the logit that they are alike."""
        left, right = self.tower(a), self.tower(b)
        if self.head == "pair":
            return left, right
        logit: Tensor = self.fc((left - right).abs())
        return logit.squeeze(1)

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """(N,), larger for inputs that are more alike: the logit, or minus the distance."""
        found = self(a, b)
        if isinstance(found, Tensor):
            return found
        apart: Tensor = (found[0] - found[1]).square().sum(1)
        return -apart

    def one_shot(self, queries: Tensor, examples: Sequence[Tensor] | Tensor) -> Tensor:
        """Which of K examples (K, ...), one for each class, is most like each of (Q, ...)."""
        with no_grad():
            scores = [
                self.similarity(queries, example.unsqueeze(0).expand(*queries.shape))
                for example in examples
            ]
            return stack(scores, 1).argmax(1)


def siamese(in_channels: int = 1, width: float = 1.0, head: str = "logit") -> Siamese:
    """The net of Koch et al. for 105x105 drawings of letters: 38,951,745 parameters."""
    return Siamese(koch_tower(in_channels, width), scaler("siamese", width)(4096), head)
