"""Claims about what keeps a net from learning its examples by heart: 300 digits, 1,497 to test."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from statistics import mean
from typing import Any

import etude
from etude import Tensor, nn, optim
from etude import functional as F

from .claim import Claim, Curve, Found, Setting, both, clearly, in_each
from .common import Digits, digits, error, fit, turned

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
    fit(model, d.x, d.y, steps, optimizer, **options)
    return error(model, d.test_x, d.test_y)


@cache
def baseline(seed: int, steps: int) -> float:
    """The error of the net without anything."""
    etude.manual_seed(seed)
    return trained(digits(seed, 300), seed, steps, net())


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
    """Plain descent, as the deck has it: Adam would turn noise on small gradients into steps."""
    steps = s.pick(STEPS, 4)
    wrong: dict[float, list[float]] = {0.0: [], 0.1: []}
    for seed in range(s.seed * 100, s.seed * 100 + s.pick(REPEATS, 1)):
        d = digits(seed, 300)
        for sigma, found in wrong.items():
            etude.manual_seed(seed)
            model = net()
            noise = optim.GradientNoise(model.parameters(), sigma).step if sigma else None
            optimizer = optim.SGD(model.parameters(), 0.1)
            fit(model, d.x, d.y, steps, optimizer, before_step=noise)
            found.append(error(model, d.test_x, d.test_y))
    without, having = (mean(found) for found in wrong.values())
    effects = {"% wrong, without": without, "% wrong, gradient noise": having}
    return Found(effects | {"gain in points": without - having})


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


def nats(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The mean cross-entropy, in evaluation mode."""
    model.eval()
    with etude.no_grad():
        found = F.cross_entropy(model(x), y).item()
    model.train()
    return found


def early_stopping(s: Setting, mislabelled: float = 0.0) -> Found:
    """240 digits to learn, 60 by whose loss to stop; without it the 240 are learnt to the end."""
    effects: dict[str, list[float]] = {}
    curves: dict[str, Curve] = {}
    for seed in range(s.seed * 100, s.seed * 100 + s.pick(REPEATS, 1)):
        etude.manual_seed(seed)
        d, model = digits(seed, 300), net()
        wrong = (d.y + etude.randint(1, 10, (300,))) % 10
        y = etude.where(etude.rand(300) < mislabelled, wrong, d.y)
        optimizer = optim.Adam(model.parameters(), lr=0.002)
        at, seen, test, misses = [], [], [], []
        for part in range(s.pick(40, 2)):
            fit(model, d.x[:240], y[:240], s.pick(10, 1), optimizer)
            at.append(10.0 * (part + 1))
            seen.append(nats(model, d.x[240:], y[240:]))
            test.append(nats(model, d.test_x, d.test_y))
            misses.append(error(model, d.test_x, d.test_y))
        for name, k in (("without", -1), ("with", seen.index(min(seen)))):
            effects.setdefault(f"% wrong, {name}", []).append(misses[k])
            effects.setdefault(f"test loss in nats, {name}", []).append(test[k])
        curves = {"validation": (at, seen), "test": (at, test)}
    named = {name: mean(values) for name, values in effects.items()}
    gain = named["% wrong, without"] - named["% wrong, with"]
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
          early_stopping, ("step", "loss", "linear")),
    Claim("early-stopping-2", "D0 D3", "early stopping lowers it where labels are wrong",
          "300 digits, 20 % mislabelled", GAIN, early_stopping_mislabelled,
          ("step", "loss", "linear")),
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
