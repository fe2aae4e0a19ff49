"""Variational auto-encoder. D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014;
Decks: D3, D4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from .. import nn
from ..checks import choice, whole
from ..functional import elbo, randn, reparameterize, sigmoid
from ..ops.sampling import Generator
from ..tensor import Tensor
from .mlp import ACTIVATIONS

Step = Callable[[Tensor], Tensor]


class VAE(nn.Module):
    """An encoder to q(z | x) = N(mean, diag(exp(log_var))) and a decoder to p(x | z).

    x (N, ...) of in_features numbers -> (logits or means, of x's shape; mean (N, latent); log_var
    (N, latent)). likelihood "bernoulli": x in [0, 1], the decoder gives logits; "gaussian": x real,
    means of unit variance. hidden: sizes of the encoder's layers, the decoder's in reverse.
    Kingma & Welling 2014. Decks: D3, D4.
    """

    def __init__(
        self,
        in_features: int = 64,
        hidden: Sequence[int] = (128,),
        latent: int = 2,
        activation: str = "relu",
        likelihood: str = "bernoulli",
    ) -> None:
        super().__init__()
        act = ACTIVATIONS[choice("VAE", "activation", activation, ACTIVATIONS)]
        self.likelihood = choice("VAE", "likelihood", likelihood, ("bernoulli", "gaussian"))
        self.latent = whole("VAE", "latent", latent)
        sizes = [in_features, *hidden]
        down: list[nn.Module] = [nn.Flatten()]
        for m, n in pairwise(sizes):
            down += [nn.Linear(m, n), act()]
        up: list[nn.Module] = []
        for m, n in pairwise([latent, *reversed(hidden)]):
            up += [nn.Linear(m, n), act()]
        self.encoder = nn.Sequential(*down)
        self.mean = nn.Linear(sizes[-1], latent)
        self.log_var = nn.Linear(sizes[-1], latent)
        self.decoder = nn.Sequential(*up, nn.Linear((latent, *reversed(hidden))[-1], in_features))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mean and log_var of q(z | x)."""
        h = self.encoder(x)
        return self.mean(h), self.log_var(h)

    def decode(self, z: Tensor) -> Tensor:
        """Logits or means of p(x | z): (N, latent) -> (N, in_features)."""
        y: Tensor = self.decoder(z)
        return y

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's answer to one draw of z, with the mean and log_var that z is drawn from."""
        mean, log_var = self.encode(x)
        y = self.decode(reparameterize(mean, log_var))
        return y.reshape(x.shape), mean, log_var

    def elbo(self, x: Tensor, beta: float = 1.0) -> Tensor:
        """The evidence lower bound of a batch, in nats per example, from one draw of z."""
        y, mean, log_var = self(x)
        return elbo(y, x, mean, log_var, self.likelihood, beta)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n new examples (n, in_features): the means of p(x | z) for z from N(0, 1)."""
        like = self.mean.weight
        z = randn(n, self.latent, dtype=like.dtype, backend=like.backend, generator=generator)
        y = self.decode(z)
        return sigmoid(y) if self.likelihood == "bernoulli" else y


def vae_step(model: VAE, optimizer: Any, beta: float = 1.0) -> Step:
    """A function (x) -> ELBO that makes a step up the evidence lower bound. For `each_batch`.

    beta weighs the divergence (Higgins et al. 2017). Decks: D4.
    """

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        bound = model.elbo(x, beta)
        (-bound).backward()
        optimizer.step()
        return bound.detach()

    return step
