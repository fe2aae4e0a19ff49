"""Claims about what keeps a net from learning its examples by heart: 300 digits, 1,497 to test."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import pi
from statistics import mean
from typing import Any

import etude
from etude import Tensor, nn, optim
from etude import functional as F

from .claim import Claim, Curve, Found, Setting, both, clearly, in_each
from .common import Digits, digits, error, fit

REPEATS = 4  # draws of the 300 digits for each seed; an effect is their mean
STEPS = 600


def net(dropout: float = 0.0, norm: bool = False) -> nn.Sequential:
    """64-256-256-10 with ReLU."""
    layers: list[nn.Module] = [nn.Flatten()]
    for m, n in ((64, 256), (256, 256)):
        layers.append(nn.Linear(m, n))
        layers += [nn.BatchNorm1d(n)] if norm else []
        layers.append(nn.ReLU())
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(256, 10))


def trained(d: Digits, seed: int, steps: int, model: nn.Module, **options: Any) -> float:
    """The test error in per cent after training with Adam."""
    decay = options.pop("weight_decay", 0.0)
    optimizer = optim.AdamW(model.parameters(), lr=0.002, weight_decay=decay)
    noise = options.pop("noise", 0.0)
    if noise:
        options["before_step"] = optim.GradientNoise(model.parameters(), noise).step
    fit(model, d.x, d.y, steps, optimizer, **options)
    return error(model, d.test_x, d.test_y)


@cache
def baseline(seed: int, steps: int) -> float:
    """The error of the net without anything."""
    etude.manual_seed(seed)
    return trained(digits(seed, 300), seed, steps, net())


def turned(x: Tensor, background: float) -> Tensor:
    """Each image turned by up to 15 degrees, sized by up to 10 % and moved by up to a pixel."""
    n = x.shape[0]
    u = etude.rand(n, 4) * 2.0 - 1.0
    angle, size = u[:, 0] * (15.0 * pi / 180.0), 1.0 + u[:, 1] * 0.1
    a, b = F.cos(angle) * size, F.sin(angle) * size
    theta = etude.stack([a, -b, u[:, 2] * 0.25, b, a, u[:, 3] * 0.25], 1).reshape(n, 2, 3)
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    return F.grid_sample(x - background, grid, align_corners=False) + background


def measure(s: Setting, name: str, run: Callable[[Digits, int, int], float]) -> Found:
    """Errors with and without, as means over draws of the digits, and the difference."""
    steps = s.pick(STEPS, 4)
    without, having = [], []
    for seed in range(s.seed * 100, s.seed * 100 + s.pick(REPEATS, 1)):
        without.append(baseline(seed, steps))
        etude.manual_seed(seed)
        having.append(run(digits(seed, 300), seed, steps))
    effects = {"% wrong, without": mean(without), f"% wrong, {name}": mean(having)}
    return Found(effects | {"gain in points": mean(without) - mean(having)})


def gradient_noise(s: Setting) -> Found:
    return measure(
        s, "gradient noise", lambda d, seed, steps: trained(d, seed, steps, net(), noise=0.01)
    )


def dropout(s: Setting) -> Found:
    return measure(s, "dropout", lambda d, seed, steps: trained(d, seed, steps, net(dropout=0.5)))


def weight_decay(s: Setting) -> Found:
    return measure(s, "L2", lambda d, seed, steps: trained(d, seed, steps, net(), weight_decay=0.3))


def batch_norm(s: Setting) -> Found:
    return measure(s, "batch norm", lambda d, seed, steps: trained(d, seed, steps, net(norm=True)))


def augmentation(s: Setting) -> Found:
    def run(d: Digits, seed: int, steps: int) -> float:
        return trained(d, seed, steps, net(), change=lambda x: turned(x, d.black))

    return measure(s, "augmentation", run)


def early_stopping(s: Setting, mislabelled: float = 0.0) -> Found:
    """240 digits to learn, 60 to stop by; without it the 240 are learnt for all steps."""
    effects: dict[str, list[float]] = {"without": [], "with": []}
    curves: dict[str, Curve] = {}
    for seed in range(s.seed * 100, s.seed * 100 + s.pick(REPEATS, 1)):
        etude.manual_seed(seed)
        d, model = digits(seed, 300), net()
        wrong = (d.y + etude.randint(1, 10, (300,))) % 10
        y = etude.where(etude.rand(300) < mislabelled, wrong, d.y)
        optimizer = optim.Adam(model.parameters(), lr=0.002)
        at, seen, test = [], [], []
        for part in range(s.pick(40, 2)):
            fit(model, d.x[:240], y[:240], s.pick(10, 1), optimizer)
            at.append(10.0 * (part + 1))
            seen.append(error(model, d.x[240:], y[240:]))
            test.append(error(model, d.test_x, d.test_y))
        effects["without"].append(test[-1])
        effects["with"].append(test[seen.index(min(seen))])
        curves = {"validation": (at, seen), "test": (at, test)}
    gain = mean(effects["without"]) - mean(effects["with"])
    named = {f"% wrong, {k}": mean(v) for k, v in effects.items()}
    return Found({**named, "gain in points": gain}, curves)


def early_stopping_mislabelled(s: Setting) -> Found:
    """The same where there is something to forget: a fifth of the labels are wrong."""
    return early_stopping(s, 0.2)


def sparse_weights(s: Setting) -> Found:
    """A softmax regression; strengths at which both forget about as much of the training data."""
    d, lr = digits(s.seed), 0.05
    effects, curves = {}, {}
    for name, strength in (("L1", 0.01), ("L2", 0.03)):
        etude.manual_seed(s.seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        weight = model[1].weight
        optimizer = optim.SGD(
            model.parameters(), lr, weight_decay=strength if name == "L2" else 0.0
        )

        def shrink() -> None:
            if name == "L1":  # noqa: B023
                with etude.no_grad():
                    weight.copy_(F.softshrink(weight, lr * strength))  # noqa: B023

        fit(model, d.x, d.y, s.pick(1500, 5), optimizer, before_step=shrink)
        shrink()
        sizes = sorted(abs(weight.detach().numpy()).ravel().tolist())
        effects[f"% of weights 0, {name}"] = 100.0 * sum(v == 0 for v in sizes) / len(sizes)
        effects[f"% wrong, {name}"] = error(model, d.test_x, d.test_y)
        curves[name] = ([100.0 * i / len(sizes) for i in range(len(sizes))], sizes)
    return Found(effects, curves)


GAIN = clearly("gain in points")
DATA = "300 digits"
CLAIMS = [
    Claim("gradient-noise", "D0", "gradient noise lowers the test error", DATA, GAIN,
          gradient_noise),
    Claim("dropout", "D0 D2 D3 D4", "dropout lowers the test error", DATA, GAIN, dropout),
    Claim("weight-decay", "D0 D2 D3 D4", "weight decay (AdamW's) lowers the test error", DATA,
          GAIN, weight_decay),
    Claim("early-stopping", "D0 D3", "early stopping lowers the test error", DATA, GAIN,
          early_stopping, ("step", "% wrong", "linear")),
    Claim("early-stopping-2", "D0 D3", "early stopping lowers it where labels are wrong",
          "300 digits, 20 % mislabelled", GAIN, early_stopping_mislabelled,
          ("step", "% wrong", "linear")),
    Claim("augmentation", "D0 D2 D3 D4", "augmentation lowers the test error", DATA, GAIN,
          augmentation),
    Claim("batch-norm", "D0 D3", "batch norm lowers the test error", DATA, GAIN, batch_norm),
    Claim("sparse-weights", "D2 D3 D4", "L1 makes weights exactly 0, L2 does not", "digits",
          both(in_each("L1 > 30 % zeros, L2 < 1 %", lambda e:
          e["% of weights 0, L1"] > 30 and e["% of weights 0, L2"] < 1),
          in_each("L1's error within 3 points of L2's", lambda e:
          e["% wrong, L1"] - e["% wrong, L2"] < 3)), sparse_weights,
          ("% of weights that are smaller", "size", "linear")),
]  # fmt: skip
