"""InfoGAN. X. Chen, Y. Duan, R. Houthooft, J. Schulman, I. Sutskever and P. Abbeel, "InfoGAN:
interpretable representation learning by information maximizing generative adversarial nets", NIPS
2016. Decks: D4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..checks import real, whole
from ..functional import (
    cat,
    gan_discriminator_loss,
    gan_generator_loss,
    mutual_information_bound,
    one_hot,
    rand,
    randint,
    randn,
    stack,
)
from ..tensor import Tensor

Step = Callable[[Tensor], Tensor]


class InfoGAN(nn.Module):
    """A generator of noise z and a code c, a discriminator, and Q, which reads c off an example.

    The code is c1, one of `classes` with equal chances, and c2, c3, ..., `factors` numbers uniform
    on [-1, 1]. Q and the discriminator share all layers but the last (the paper's appendix C):
    `body`, then `real` (N, 1) or `code` (N, classes + factors). Multi-layer perceptrons with leaky
    ReLU of slope 0.2, and sigmoid at the generator's end: examples (N, features) in [0, 1].
    Chen et al. 2016. Decks: D4, which writes the entropy without its minus.
    """

    def __init__(
        self,
        features: int = 64,
        noise: int = 16,
        classes: int = 10,
        factors: int = 2,
        hidden: Sequence[int] = (128, 128),
    ) -> None:
        super().__init__()
        self.noise = whole("InfoGAN", "noise", noise)
        self.classes = whole("InfoGAN", "classes", classes, 2)
        self.factors = whole("InfoGAN", "factors", factors, 0)
        up: list[nn.Module] = []
        for m, n in pairwise([noise + classes + factors, *hidden]):
            up += [nn.Linear(m, n), nn.BatchNorm1d(n), nn.ReLU()]
        down: list[nn.Module] = [nn.Flatten()]
        for m, n in pairwise([features, *hidden]):
            down += [nn.Linear(m, n), nn.LeakyReLU(0.2)]
        self.generator = nn.Sequential(*up, nn.Linear(hidden[-1], features), nn.Sigmoid())
        self.body = nn.Sequential(*down)
        self.real = nn.Linear(hidden[-1], 1)
        self.code = nn.Linear(hidden[-1], classes + factors)

    def forward(self, z: Tensor, c1: Tensor, factors: Tensor) -> Tensor:
        """Examples of noise z (N, noise), classes c1 (N,) int64 and factors (N, factors)."""
        x: Tensor = self.generator(cat([z, one_hot(c1, self.classes).to(z.dtype), factors], 1))
        return x

    def draw(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """n draws of noise, class and factors."""
        like = self.real.weight
        z = randn(n, self.noise, dtype=like.dtype, backend=like.backend)
        c1 = randint(self.classes, size=(n,), backend=like.backend)
        u = rand(n, self.factors, dtype=like.dtype, backend=like.backend)
        return z, c1, u * 2.0 - 1.0

    def information(self, x: Tensor, c1: Tensor, factors: Tensor) -> Tensor:
        """The lower bound of I(c; x) in nats, summed over the parts of the code.

        Q takes factors for N(its mean, 1), so the bound of each is at most log 2 - log(2 pi) / 2 =
        -0.23; that of c1 is at most log classes.
        """
        return self._information(self.body(x), c1, factors)

    def _information(self, features: Tensor, c1: Tensor, factors: Tensor) -> Tensor:
        q = self.code(features)
        bound = mutual_information_bound(q[:, : self.classes], c1)
        if self.factors:
            bound = bound + mutual_information_bound(q[:, self.classes :], factors)
        return bound

    def recognise(self, x: Tensor) -> Tensor:
        """The class that Q reads off each example: (N, ...) -> (N,) int64."""
        with no_grad():
            guess: Tensor = self.code(self.body(x))[:, : self.classes].argmax(1)
            return guess

    def player(self, generator: bool) -> list[nn.Parameter]:
        """The parameters of the generator, or those of discriminator and Q."""
        if generator:
            return list(self.generator.parameters())
        parts = (self.body, self.real, self.code)
        return [p for part in parts for p in part.parameters()]


def infogan_step(
    model: InfoGAN, generator_optimizer: Any, discriminator_optimizer: Any, weight: float = 1.0
) -> Step:
    """A function (x) -> (3,): losses of discriminator and generator, and the information bound.

    min over G, Q and max over D of V(D, G) - lambda L(G, Q), with lambda = weight: the
    discriminator's step moves Q too, on the same examples; then the generator's step. The loss of
    the generator is the non-saturating one. Optimizers: of `model.player(True)` and
    `model.player(False)`. Source: Chen et al. 2016, equation 6. Decks: D4.
    """
    real("infogan_step", "weight", weight)

    def step(x: Tensor) -> Tensor:
        discriminator_optimizer.zero_grad()
        z, c1, factors = model.draw(x.shape[0])
        with no_grad():
            fake = model(z, c1, factors)
        seen = model.body(fake)
        d_loss = gan_discriminator_loss(model.real(model.body(x)), model.real(seen))
        (d_loss - model._information(seen, c1, factors) * weight).backward()
        discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        z, c1, factors = model.draw(x.shape[0])
        seen = model.body(model(z, c1, factors))
        g_loss = gan_generator_loss(model.real(seen))
        bound = model._information(seen, c1, factors)
        (g_loss - bound * weight).backward()
        generator_optimizer.step()
        return stack([d_loss.detach(), g_loss.detach(), bound.detach()])

    return step
