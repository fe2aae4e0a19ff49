"""Deep belief network. G. Hinton, S. Osindero and Y.-W. Teh, "A fast learning algorithm for deep
belief nets", Neural Computation 18 (7), 2006. Decks: D0; D1 for semantic hashing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..checks import whole
from ..errors import ArgumentError, fail
from ..functional import bernoulli
from ..tensor import Tensor
from .batches import each_batch
from .rbm import RBM, rbm_step


class DBN(nn.Module):
    """Restricted Boltzmann machines on top of each other: each learns the hidden units below it.

    sizes: visible units, then those of each hidden layer. v (N, ...) in [0, 1] -> p(h = 1) of the
    top layer, (N, sizes[-1]). Once trained, the top two layers draw from p(h) by Gibbs sampling and
    those below turn that into data (`sample`). Hinton, Osindero & Teh 2006. Decks: D0, D1.
    """

    def __init__(self, sizes: Sequence[int] = (64, 64, 32)) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise fail(
                ArgumentError,
                "DBN",
                f"expected sizes of two layers or more, got {tuple(sizes)}; use (64, 32)",
            )
        self.layers = nn.ModuleList([RBM(n, m) for n, m in pairwise(sizes)])

    def forward(self, v: Tensor) -> Tensor:
        """Upward through all layers, as probabilities."""
        for layer in self.layers:
            v = layer(v)
        return v

    def sample(self, v: Tensor, steps: int = 100) -> Tensor:
        """Data that the net believes in: a chain in the top layer, started at v, and a way down.

        v (N, ...) -> p(v = 1) (N, sizes[0]), without a graph.
        """
        with no_grad():
            below, top = list(self.layers)[:-1], self.layers[-1]
            for layer in below:
                v = layer(v)
            v = top.gibbs(v, steps)
            for layer in reversed(below):
                v = layer.visible(bernoulli(v))
            return v


def pretrain_dbn(
    model: DBN,
    data: Tensor,
    epochs: int,
    optimizer: Callable[[Any], Any],
    batch_size: int = 64,
    steps: int = 1,
    compile: bool = False,
) -> list[list[float]]:
    """Greedy training, layer by layer from below, each by CD-k on what the layers below it make.

    Args: data (N, ...) in [0, 1]; optimizer, called with the parameters of each machine
    (`lambda p: SGD(p, 0.1)`); k = `steps`. Returns: the reconstruction errors of each layer by
    epoch. Source: Hinton et al. 2006, section 3. Decks: D0.
    """
    history = []
    for layer in model.layers:
        train = rbm_step(layer, optimizer(layer.parameters()), steps)
        history.append(each_batch(train, data, epochs, batch_size, compile))
        with no_grad():
            data = layer(data)
    return history


def dbn_classifier(model: DBN, num_classes: int) -> nn.Sequential:
    """The same weights as a net of sigmoid layers, with a new linear layer: for fine-tuning.

    x (N, ...) -> logits (N, num_classes), trained like any net. W and c are copied; b, the biases
    of the way down, stay behind. Source: Hinton & Salakhutdinov 2006. Decks: D0.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = 0
    for machine in model.layers:
        width, visible = machine.weight.shape
        layer = nn.Linear(visible, width)
        layer.load_state_dict({"weight": machine.weight, "bias": machine.hidden_bias})
        layers += [layer, nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(width, whole("DBN", "num_classes", num_classes)))
