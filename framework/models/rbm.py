"""Restricted Boltzmann machine. P. Smolensky 1986; trained as in G. Hinton, "Training products of
experts by minimizing contrastive divergence", Neural Computation 14 (8), 2002. Decks: D0, D1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..checks import whole
from ..functional import bernoulli, linear, sigmoid, softplus
from ..tensor import Tensor

Step = Callable[[Tensor], Tensor]


class RBM(nn.Module):
    """Binary units v and h with the energy E(v, h) = -b v - c h - h W v, and p ~ exp(-E).

    Given one layer, the units of the other are independent: p(h = 1 | v) = sigmoid(W v + c) and
    p(v = 1 | h) = sigmoid(W^T h + b).

    weight W: (hidden, visible), normal of deviation 0.01 at first (Hinton 2010, section 8);
    visible_bias b, hidden_bias c: zeros. v: (N, ...) of `visible` numbers in [0, 1], flattened;
    numbers between 0 and 1 stand for probabilities. Calling the module gives p(h = 1 | v).
    Decks: D0 (deep belief networks), D1 (semantic hashing).
    """

    def __init__(self, visible: int = 64, hidden: int = 32) -> None:
        super().__init__()
        n, m = whole("RBM", "visible", visible), whole("RBM", "hidden", hidden)
        layer = nn.Linear(n, m)
        self.weight = layer.weight
        self.visible_bias = nn.Linear(m, n).bias
        self.hidden_bias = layer.bias
        nn.init.normal_(self.weight, std=0.01)
        for bias in (self.visible_bias, self.hidden_bias):
            assert bias is not None
            nn.init.zeros_(bias)

    def hidden(self, v: Tensor) -> Tensor:
        """p(h = 1 | v) = sigmoid(W v + c): (N, ...) -> (N, hidden)."""
        return sigmoid(linear(v.flatten(1), self.weight, self.hidden_bias))

    def visible(self, h: Tensor) -> Tensor:
        """p(v = 1 | h) = sigmoid(W^T h + b): (N, hidden) -> (N, visible)."""
        return sigmoid(linear(h, self.weight.T, self.visible_bias))

    def forward(self, v: Tensor) -> Tensor:
        """p(h = 1 | v), what the next layer of a deep belief network learns from."""
        return self.hidden(v)

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """E(v, h) = -b v - c h - h W v of each pair: (N, visible), (N, hidden) -> (N,)."""
        assert self.hidden_bias is not None
        x = v.flatten(1)
        pairs = h * (linear(x, self.weight) + self.hidden_bias)
        return -(x * self.visible_bias).sum(1) - pairs.sum(1)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log sum_h exp(-E(v, h)) = -b v - sum_j log(1 + exp(W_j v + c_j)): (N,)."""
        x = v.flatten(1)
        units = softplus(linear(x, self.weight, self.hidden_bias)).sum(1)
        return -(x * self.visible_bias).sum(1) - units

    def gibbs(self, v: Tensor, steps: int = 1) -> Tensor:
        """Draw h given v and v given h, `steps` times: a Markov chain whose limit is p(v).

        v (N, ...) -> (N, visible) of zeros and ones, without a graph.
        """
        with no_grad():
            x = v.flatten(1)
            for _ in range(whole("gibbs", "steps", steps)):
                x = bernoulli(self.visible(bernoulli(self.hidden(x))))
            return x


def contrastive_divergence(model: RBM, v: Tensor, steps: int = 1) -> Tensor:
    """CD-k: mean F(v) - mean F(v'), with v' after k steps of Gibbs sampling from the data.

    Its gradient for W is -(<h v> of the data - <h v> of the chain), and so for b and c: what the
    gradient of -log p(v) becomes if the chain stops after k steps and not in its limit. The number
    itself is no likelihood and need not fall.

    Args: v (N, ...) in [0, 1]; k = `steps`. Returns: (). Raises: ArgumentError.
    Source: Hinton 2002, section 3; k: Carreira-Perpinan & Hinton 2005. Decks: D0.
    """
    return model.free_energy(v).mean() - model.free_energy(model.gibbs(v, steps)).mean()


def rbm_step(model: RBM, optimizer: Any, steps: int = 1) -> Step:
    """A function (v) -> squared reconstruction error that trains a machine by CD-k.

    The error, summed over units and averaged over the batch, is what one watches. Use it with
    `each_batch`.
    """

    def step(v: Tensor) -> Tensor:
        optimizer.zero_grad()
        contrastive_divergence(model, v, steps).backward()
        optimizer.step()
        with no_grad():
            x = v.flatten(1)
            miss = model.visible(model.hidden(x)) - x
            return (miss * miss).sum(1).mean()

    return step
