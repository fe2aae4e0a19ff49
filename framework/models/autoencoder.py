"""Auto-encoders: nets that learn codes by giving their input back. D. Rumelhart, G. Hinton and
R. Williams, "Learning internal representations by error propagation", 1986. Decks: D0, D3, D4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from .. import nn
from ..checks import choice, real, whole
from ..creation import full_like
from ..errors import ArgumentError, fail
from ..functional import (
    activity_penalty,
    bernoulli,
    contractive_penalty,
    log,
    randn_like,
)
from ..tensor import Tensor
from .mlp import ACTIVATIONS

UNITS: dict[str, type[nn.Module]] = {**ACTIVATIONS, "identity": nn.Identity}
Corruption = Callable[[Tensor], Tensor]
Penalty = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[Tensor], Tensor]


class Autoencoder(nn.Module):
    """x -> g(f(x)): an encoder f to the code h = f(x) and a decoder g back, of any kind.

    x (N, ...) -> a reconstruction of x's shape, if the decoder makes as many numbers.
    Rumelhart, Hinton & Williams 1986. Decks: D0, D3, D4.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, x: Tensor) -> Tensor:
        """The codes h of a batch."""
        h: Tensor = self.encoder(x)
        return h

    def decode(self, h: Tensor) -> Tensor:
        """What the decoder makes of codes."""
        y: Tensor = self.decoder(h)
        return y

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction."""
        return self.decode(self.encode(x)).reshape(x.shape)


def dense_autoencoder(
    sizes: Sequence[int] = (64, 16), activation: str = "sigmoid", output: str = "identity"
) -> Autoencoder:
    """Fully connected layers down to a code and, mirrored, up again.

    sizes: the input, the hidden layers and last the code: (64, 16) is undercomplete, (64, 256)
    overcomplete (and in need of a penalty or of noise, or it may learn the identity), (64, 48, 24)
    deep. activation: of each layer, the code included ("relu", "tanh", "sigmoid", or "identity":
    with squared error that finds the subspace of the first principal components, Baldi & Hornik
    1989); output: of the last layer. `encoder[i]` and `decoder[-1 - i]` belong together (`stage`).
    Takes (N, sizes[0]). Decks: D0, D3, D4.
    """
    if len(sizes) < 2:
        raise fail(
            ArgumentError,
            "autoencoder",
            f"expected sizes of input and code, got {tuple(sizes)}; use (64, 16)",
        )
    act = UNITS[choice("autoencoder", "activation", activation, UNITS)]
    last = UNITS[choice("autoencoder", "output", output, UNITS)]
    pairs = list(pairwise(whole("autoencoder", "sizes", n) for n in sizes))
    down = [nn.Sequential(nn.Flatten(), nn.Linear(m, n), act()) for m, n in pairs]
    up = [
        nn.Sequential(nn.Flatten(), nn.Linear(n, m), last() if i == 0 else act())
        for i, (m, n) in enumerate(pairs)
    ]
    return Autoencoder(nn.Sequential(*down), nn.Sequential(*reversed(up)))


def stage(model: Autoencoder, i: int) -> Autoencoder:
    """Layer i of a stack and the layer that undoes it, as an auto-encoder that shares both."""
    encoder: Any = model.encoder
    decoder: Any = model.decoder
    return Autoencoder(encoder[i], decoder[len(decoder) - 1 - i])


# what keeps an auto-encoder from learning the identity -------------------------------------------
def masking(p: float = 0.3) -> Corruption:
    """Noise that sets each number to 0 with probability p (D0 keeps it with P = 1 - p).

    x of any shape.
    Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders",
    2008. Decks: D0, D3, D4.
    """
    kept = 1.0 - real("masking", "p", p, 0.0, 1.0)
    return lambda x: x * bernoulli(full_like(x, kept))


def gaussian_noise(sigma: float = 0.3) -> Corruption:
    """Noise x + w with w ~ N(0, sigma^2).

    x of any shape. Source: Vincent et al. 2008. Decks: D0.
    """
    real("gaussian_noise", "sigma", sigma)
    return lambda x: x + randn_like(x) * sigma


def sparse(strength: float = 0.01) -> Penalty:
    """strength * sum |h|: the L1 norm of the code (`activity_penalty`).

    h (N, units). Glorot, Bordes & Bengio 2011. Decks: D0, D4.
    """
    return lambda h, x: activity_penalty(h, strength)


def sparse_kl(rho: float = 0.05, strength: float = 1.0) -> Penalty:
    """strength * sum_j KL(rho || r_j), r_j the mean of code unit j over the batch, in (0, 1).

    KL(rho || r) = rho log(rho / r) + (1 - rho) log((1 - rho) / (1 - r)): 0 where each (sigmoid)
    unit is on for a share rho of the examples. Source: A. Ng, "Sparse autoencoder", CS294A lecture
    notes, 2011; Lee, Ekanadham & Ng 2008. Decks: D0 (as the prior on hidden units).
    """
    real("sparse_kl", "rho", rho, 0.0, 1.0, "()")

    def penalty(h: Tensor, x: Tensor) -> Tensor:
        r = h.mean(0)
        terms = log(rho / r) * rho + log((1.0 - rho) / (1.0 - r)) * (1.0 - rho)
        return terms.sum() * strength

    return penalty


def contractive(strength: float = 0.1, samples: int | None = None) -> Penalty:
    """strength * |dh / dx|_F^2, the encoder's Jacobian (`contractive_penalty`).

    h (N, units), x (N, features). Rifai et al. 2011. Decks: D0, D4.
    """
    return lambda h, x: contractive_penalty(h, x, strength, samples=samples)


# training ----------------------------------------------------------------------------------------
def autoencoder_step(
    model: Autoencoder,
    optimizer: Any,
    corrupt: Corruption | None = None,
    penalty: Penalty | None = None,
) -> Step:
    """A function (x) -> loss that makes a step on |g(f(x~)) - x|^2 + penalty(f(x~), x~).

    The squares are summed over each example (D0, D4) and averaged over the batch. x~ is
    `corrupt(x)`: denoising; or x. Train with `each_batch`, compiled or not.

    Args: x (N, ...) float. `penalty` may differentiate by the input, which requires a gradient.
    Decks: D0, D3, D4.
    """

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        given = x if corrupt is None else corrupt(x)
        if penalty is not None:
            given = given.detach().clone().requires_grad_()
        h = model.encode(given)
        miss = model.decode(h).reshape(x.shape) - x
        loss = (miss * miss).sum() / float(x.shape[0])
        if penalty is not None:
            loss = loss + penalty(h, given)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
