"""Generative adversarial networks. I. Goodfellow et al., "Generative adversarial nets", NIPS 2014;
the convolutional form after A. Radford, L. Metz and S. Chintala, 2016. Decks: D3, D4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..checks import choice, whole
from ..errors import ArgumentError, fail
from ..functional import gan_discriminator_loss, gan_generator_loss, randn, stack
from ..ops.sampling import Generator
from ..tensor import Tensor

Step = Callable[[Tensor], Tensor]


class GAN(nn.Module):
    """A generator z -> x and a discriminator x -> logit of being real, (N, 1).

    latent: the size of the noise z ~ N(0, 1). Calling it with noise (N, latent) gives examples.
    Goodfellow et al. 2014. Decks: D3, D4.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent: int) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.latent = whole("GAN", "latent", latent)

    def forward(self, z: Tensor) -> Tensor:
        """What the generator makes of noise."""
        x: Tensor = self.generator(z)
        return x

    def noise(self, n: int, generator: Generator | None = None) -> Tensor:
        """n draws of z, of the weights' dtype and on their backend."""
        like = next(self.parameters())
        return randn(n, self.latent, dtype=like.dtype, backend=like.backend, generator=generator)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n new examples, without a graph."""
        with no_grad():
            return self.forward(self.noise(n, generator))


def dense_gan(
    features: int = 64,
    latent: int = 16,
    hidden: Sequence[int] = (128, 128),
    output: str = "identity",
    slope: float = 0.2,
) -> GAN:
    """Two multi-layer perceptrons with leaky ReLU of that slope (of 0: ReLU). Decks: D4.

    output: what bounds the generator's numbers, "identity", "sigmoid" or "tanh". Examples come out
    as (N, features); the discriminator flattens what it gets.
    """
    ends = {"identity": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
    end = ends[choice("dense_gan", "output", output, ends)]
    generator = nn.Sequential(*_dense((latent, *hidden, features), slope), end())
    discriminator = nn.Sequential(nn.Flatten(), *_dense((features, *hidden, 1), slope))
    return GAN(generator, discriminator, latent)


def _dense(sizes: Sequence[int], slope: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for m, n in pairwise(sizes):
        layers += [nn.Linear(m, n), nn.LeakyReLU(slope)]
    return layers[:-1]


def conv_gan(channels: int = 1, latent: int = 16, width: int = 16, size: int = 8) -> GAN:
    """A small DCGAN for images (N, channels, size, size) in [-1, 1], size 8, 16, 32, ...

    Transposed convolutions of stride 2 with batch norm and ReLU double a 2x2 start up to the size,
    tanh at the end; convolutions of stride 2 with leaky ReLU go down again, batch norm in all but
    the first. Weights start normal with deviation 0.02. Decks: D3.
    """
    doublings = whole("conv_gan", "size", size, 4).bit_length() - 2
    if size != 2 ** (doublings + 1):
        why = f"expected a size of 4, 8, 16, ..., got {size}; enlarge the images to 8 or 16"
        raise fail(ArgumentError, "conv_gan", why)
    wide = width * 2 ** (doublings - 1)
    up: list[nn.Module] = [
        nn.Unflatten(1, (latent, 1, 1)),
        nn.ConvTranspose2d(latent, wide, 2, bias=False),
        nn.BatchNorm2d(wide),
        nn.ReLU(),
    ]
    down: list[nn.Module] = []
    for i in range(doublings):
        n, m = wide >> i, wide >> (i + 1)
        last = i == doublings - 1
        up.append(nn.ConvTranspose2d(n, channels if last else m, 4, 2, 1, bias=last))
        up += [nn.Tanh()] if last else [nn.BatchNorm2d(m), nn.ReLU()]
        a, b = (channels if i == 0 else width << (i - 1)), width << i
        down.append(nn.Conv2d(a, b, 4, 2, 1, bias=i == 0))
        down += [nn.LeakyReLU(0.2)] if i == 0 else [nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]
    down += [nn.Flatten(), nn.Linear(wide * 4, 1)]
    model = GAN(nn.Sequential(*up), nn.Sequential(*down), latent)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=0.02)
    return model


def gan_step(
    model: GAN,
    generator_optimizer: Any,
    discriminator_optimizer: Any,
    discriminator_steps: int = 1,
    form: str = "non_saturating",
) -> Step:
    """A function (x) -> losses (2,) of discriminator and generator that trains both once.

    x (N, ...), as the generator draws them. Goodfellow et al. 2014, algorithm 1: k =
    discriminator_steps updates of D, each on its share of x and as many generated examples, then
    one of G. form as in `gan_generator_loss`: "non_saturating", or the "minimax" that D4 states. x
    holds k mini-batches. For `each_batch`. Decks: D4, whose step of D has one sum inside the other:
    a slip, they stand side by side.
    """
    k = whole("gan_step", "discriminator_steps", discriminator_steps)
    choice("gan_step", "form", form, ("non_saturating", "minimax"))

    def step(x: Tensor) -> Tensor:
        for real in x.chunk(k) if k > 1 else [x]:
            discriminator_optimizer.zero_grad()
            with no_grad():
                fake = model(model.noise(real.shape[0]))
            guesses = model.discriminator(real), model.discriminator(fake)
            d_loss = gan_discriminator_loss(*guesses)
            d_loss.backward()
            discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        fake = model(model.noise(x.shape[0] // k))
        g_loss = gan_generator_loss(model.discriminator(fake), form)
        g_loss.backward()
        generator_optimizer.step()
        return stack([d_loss.detach(), g_loss.detach()])

    return step
