"""Claims about models that draw examples: VAE, GAN, InfoGAN."""

from __future__ import annotations

from functools import cache
from math import sqrt
from typing import Any

import etude
from etude import Tensor, models, nn, optim
from etude import functional as F

from .claim import Claim, Found, Setting, in_each
from .common import brightness, digits, fit
from .networks import conv_net


@cache
def judge(seed: int, steps: int) -> nn.Module:
    """A convolutional net that reads digits with brightness in [0, 1]."""
    d = digits(seed)
    x = brightness(d)[0].reshape(-1, 1, 8, 8)
    model = conv_net(16, 32)
    fit(model, x, d.y, steps, optim.Adam(model.parameters(), 0.003))
    return model.eval()


def judged(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The class of each image, and the probability that it has."""
    with etude.no_grad():
        p = F.softmax(model(x.reshape(-1, 1, 8, 8)), 1)
    return p.argmax(1), p.amax(1)


def pictures(x: Tensor, n: int = 60) -> Any:
    return x[:n].detach().reshape(-1, 8, 8).numpy()


def vae(s: Setting) -> Found:
    d = digits(s.seed)
    x, test = brightness(d)
    reader = judge(s.seed, s.pick(500, 3))
    model = models.VAE(64, (256, 128), 8)
    step = models.vae_step(model, optim.Adam(model.parameters(), 0.002))
    bounds = models.each_batch(step, x, s.pick(400, 2), s.pick(64, 256), compile=True)
    with etude.no_grad():
        drawn = model.sample(1000)
    kinds, sure = judged(reader, drawn)
    shares = [(kinds == c).float().mean().item() for c in range(10)]
    effects = {
        "nats of ELBO, first epoch": bounds[0],
        "nats of ELBO, last epoch": bounds[-1],
        "% read with p > 0.9, samples": 100.0 * (sure > 0.9).float().mean().item(),
        "% read with p > 0.9, test digits": 100.0
        * (judged(reader, test)[1] > 0.9).float().mean().item(),
        "% of samples, least common class": 100.0 * min(shares),
    }
    curve = ([float(i + 1) for i in range(len(bounds))], bounds)
    return Found(effects, {"ELBO": curve}, pictures(drawn))


def densities(places: Tensor, mean: float, sigma: float) -> Tensor:
    return F.exp(((places - mean) / sigma) ** 2 * -0.5) / (sigma * sqrt(2 * 3.141592653589793))


def gan(s: Setting) -> Found:
    """Data N(3, 0.5). First D alone against a generator N(1, 1) that stands still; then both."""
    n = 512
    critic = models.dense_gan(1, 1, (32, 32)).discriminator
    optimizer = optim.Adam(critic.parameters(), 0.005)

    def against_fixed(real: Tensor) -> Tensor:
        optimizer.zero_grad()
        fake = etude.randn_like(real) + 1.0
        loss = F.gan_discriminator_loss(critic(real), critic(fake))
        loss.backward()
        optimizer.step()
        return loss.detach()

    data = etude.randn(s.pick(64, 2) * n, 1) * 0.5 + 3.0
    models.each_batch(against_fixed, data, s.pick(10, 1), n, compile=True)
    places = etude.linspace(-1.0, 4.5, 111)
    best = F.optimal_discriminator(densities(places, 3.0, 0.5), densities(places, 1.0, 1.0))
    with etude.no_grad():
        found = F.sigmoid(critic(places.unsqueeze(1)))[:, 0]
    model = models.dense_gan(1, 4, (32, 32))
    for rate in s.pick((0.001, 0.0003, 0.0001), (0.001,)):
        g = optim.Adam(model.generator.parameters(), rate, betas=(0.5, 0.999))
        d = optim.Adam(model.discriminator.parameters(), rate * 2, betas=(0.5, 0.999))
        step = models.gan_step(model, g, d, 2)
        models.each_batch(step, data, s.pick(25, 1), 2 * n, compile=True)
    drawn = model.sample(4000)
    with etude.no_grad():
        said = F.sigmoid(model.discriminator(data[:4000]))
    effects = {
        "mean |D - D*|": (found - best).abs().mean().item(),
        "mean D on data at the end": said.mean().item(),
        "mean |D - 1/2| at the end": (said - 0.5).abs().mean().item(),
        "mean drawn": drawn.mean().item(),
        "deviation drawn": drawn.std().item(),
    }
    xs = places.tolist()
    return Found(effects, {"D* in closed form": (xs, best.tolist()), "D": (xs, found.tolist())})


def infogan(s: Setting) -> Found:
    """Classes that a net reads in drawn digits, against c1; the same without the information."""
    reader = judge(s.seed, s.pick(500, 3))
    x = brightness(digits(s.seed))[0]
    effects: dict[str, float] = {}
    curves, shown = {}, None
    for name, weight in (("InfoGAN", 1.0), ("plain GAN", 0.0)):
        etude.manual_seed(s.seed)
        model = models.InfoGAN(64, 16, 10, 2, (128, 128))
        g = optim.Adam(model.player(True), 0.001, betas=(0.5, 0.999))
        d = optim.Adam(model.player(False), 0.0005, betas=(0.5, 0.999))
        step = models.infogan_step(model, g, d, weight)
        history = models.each_batch(step, x, s.pick(120, 1), s.pick(64, 256), compile=True)
        z, c1, factors = model.draw(2000)
        with etude.no_grad():
            drawn = model(z, c1, factors)
        kinds = judged(reader, drawn)[0]
        table = F.one_hot(c1, 10).float().T @ F.one_hot(kinds, 10).float()
        effects[f"% of digits that c1 tells, {name}"] = 100.0 * table.amax(1).sum().item() / 2000
        effects[f"classes that some c1 stands for, {name}"] = float(
            len(set(table.argmax(1).tolist()))
        )
        if weight:
            curves["bound on I(c; x)"] = (
                [float(i + 1) for i in range(len(history))], [row[2] for row in history]
            )  # fmt: skip
            order = [i for c in range(10) for i in etude.nonzero(c1 == c).flatten().tolist()[:10]]
            shown = pictures(etude.index_select(drawn, 0, order), 100)
    effects["nats of information"] = curves["bound on I(c; x)"][1][-1]
    return Found(effects, curves, shown)


CLAIMS = [
    Claim("vae", "D3 D4", "a VAE's ELBO rises and its samples classify as digits", "digits",
          in_each("ELBO up by 5 nats; > 60 % of samples with p > 0.9; each class > 1 %", lambda e:
          e["nats of ELBO, last epoch"] > e["nats of ELBO, first epoch"] + 5
          and e["% read with p > 0.9, samples"] > 60 and e["% of samples, least common class"] > 1),
          vae, ("epoch", "ELBO, nats", "linear"), "drawn by the VAE"),
    Claim("gan", "D3 D4", "a GAN's discriminator reaches D* in 1-D, and 1/2 at the end",
          "synthetic", in_each("mean |D - D*| < 0.05; mean |D - 1/2| < 0.1, and what is drawn has "
          "mean 3 within 0.2, deviation 0.5 within 0.15", lambda e:
          e["mean |D - D*|"] < 0.05 and e["mean |D - 1/2| at the end"] < 0.1
          and abs(e["mean drawn"] - 3) < 0.2 and abs(e["deviation drawn"] - 0.5) < 0.15),
          gan, ("x", "probability of being real", "linear")),
    Claim("infogan", "D4", "InfoGAN's c1 lines up with the digit", "digits",
          in_each("c1 tells > 50 % of the digits, and more than a plain GAN's; its ten values "
          "stand for at least six digits", lambda e:
          e["% of digits that c1 tells, InfoGAN"]
          > max(50, e["% of digits that c1 tells, plain GAN"])
          and e["classes that some c1 stands for, InfoGAN"] >= 6),
          infogan, ("epoch", "nats, at most 1.85", "linear"), "a row for each c1"),
]  # fmt: skip
