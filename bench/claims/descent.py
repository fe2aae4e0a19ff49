"""Claims about gradients, the start, and descent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import isfinite, log, log10, nan, sqrt
from typing import Any

import etude
from etude import functional as F
from etude import nn, optim

from .claim import Claim, Found, Setting, clearly, in_each
from .common import digits, error, first_below, fit, smooth

FAR = 1e30  # what stands for inf and nan


def dense(sizes: list[int], unit: type[nn.Module], start: Callable[[Any], Any] | None) -> Any:
    """A net of linear layers with units between them, its weights drawn by `start`, biases 0."""
    layers: list[nn.Module] = [nn.Flatten()]
    for m, n in pairwise(sizes):
        layer = nn.Linear(m, n)
        if start is not None:
            start(layer.weight)
            nn.init.zeros_(layer.bias)
        layers += [layer, unit()]
    return nn.Sequential(*layers[:-1])


def he(weight: Any) -> Any:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


# gradients ----------------------------------------------------------------------------------------
def vanishing(s: Setting) -> Found:
    d, depth = digits(s.seed), s.pick(20, 5)
    norms = {}
    for name, unit, start in (
        ("sigmoid", nn.Sigmoid, nn.init.xavier_normal_),
        ("ReLU", nn.ReLU, he),
    ):
        model = dense([64] * depth + [10], unit, start)
        F.cross_entropy(model(d.x[:256]), d.y[:256]).backward()
        layers = [m for m in model if isinstance(m, nn.Linear)]
        norms[name] = [m.weight.grad.norm().item() for m in layers]
    effects = {f"first/last layer, {k}": v[0] / v[-1] for k, v in norms.items()}
    return Found(effects, {k: (list(range(1, len(v) + 1)), v) for k, v in norms.items()})


def bad_start(s: Setting) -> Found:
    """Ten sigmoid units that all begin by saying yes with probability 0.9975."""
    d = digits(s.seed)
    effects, curves = {}, {}
    losses = {
        "cross-entropy": F.binary_cross_entropy_with_logits,
        "squared error": lambda a, t: F.mse_loss(F.sigmoid(a), t),
    }
    for name, loss in losses.items():
        etude.manual_seed(s.seed)
        model = dense([64, 10], nn.Identity, nn.init.xavier_normal_)
        nn.init.constant_(model[1].bias, 6.0)
        history: list[float] = []
        one_hot = F.one_hot(d.y, 10).float()
        for _ in range(s.pick(10, 1)):
            fit(model, d.x, one_hot, s.pick(20, 2), optim.SGD(model.parameters(), 0.5), loss)
            history.append(error(model, d.x, d.y))
        effects[f"% wrong, {name}"] = history[-1]
        curves[name] = ([20.0 * (i + 1) for i in range(len(history))], history)
    return Found(effects, curves)


def variances(s: Setting) -> Found:
    d, depth, width = digits(s.seed), 20, s.pick(512, 64)
    starts: dict[str, tuple[type[nn.Module], Callable[[Any], Any]]] = {
        "Xavier, tanh": (nn.Tanh, nn.init.xavier_normal_),
        "He, ReLU": (nn.ReLU, he),
        "N(0, 0.01), ReLU": (nn.ReLU, lambda w: nn.init.normal_(w, std=0.01)),
    }
    effects, curves = {}, {}
    for name, (unit, start) in starts.items():
        model = dense([64] + [width] * depth + [10], unit, start)
        x, found = d.x[:256], []
        with etude.no_grad():
            for module in list(model)[:-1]:
                x = module(x)
                if isinstance(module, nn.Linear):
                    found.append(x.var().item())
        effects[f"last/first, {name}"] = found[-1] / found[0]
        curves[name] = (list(range(1, depth + 1)), found)
    return Found(effects, curves)


def plain_30(s: Setting) -> Found:
    """Each start with the best learning rate of a grid for it."""
    d, depth = digits(s.seed), s.pick(30, 8)
    effects, curves = {}, {}
    for name in ("LSUV", "default"):
        found = []
        for lr in s.pick([0.001, 0.003, 0.01, 0.03, 0.1, 0.3], [0.001]):
            etude.manual_seed(s.seed)
            model = dense([64] * depth + [10], nn.ReLU, None)
            if name == "LSUV":
                nn.lsuv_(model, d.x[:256])
            optimizer = optim.SGD(model.parameters(), lr, momentum=0.9)
            losses = fit(model, d.x, d.y, s.pick(600, 5), optimizer)
            found.append((error(model, d.x, d.y), losses, lr))
        wrong, losses, lr = min(found)
        curves[f"{name}, rate {lr:g}"] = smooth(losses)
        effects[f"% wrong, {name}"] = wrong
    return Found(effects, curves)


# descent ------------------------------------------------------------------------------------------
def quadratic(s: Setting) -> Found:
    """f(w) = 1/2 sum lambda_i w_i^2, lambda from 1 to kappa; errors shrink by a factor a step."""
    kappa, n = 1000.0, 20
    root = sqrt(kappa)
    lambdas = etude.tensor([kappa ** (i / (n - 1)) for i in range(n)], dtype=etude.float64)
    ways = {
        "plain": ({"lr": 2 / (kappa + 1)}, (kappa - 1) / (kappa + 1)),
        "momentum": (
            {"lr": 4 / (root + 1) ** 2, "momentum": ((root - 1) / (root + 1)) ** 2},
            (root - 1) / (root + 1),
        ),
        "Nesterov": (
            {"lr": 1 / kappa, "momentum": (root - 1) / (root + 1), "nesterov": True},
            1 - 1 / root,
        ),
    }
    start = etude.randn(n, dtype=etude.float64)
    effects, curves = {}, {}
    for name, (options, rate) in ways.items():
        w = nn.Parameter(start.clone())
        optimizer = optim.SGD([w], **options)  # type: ignore[arg-type]

        def step() -> Any:
            optimizer.zero_grad()  # noqa: B023
            ((w * w * lambdas).sum() * 0.5).backward()  # noqa: B023
            optimizer.step()  # noqa: B023
            return w.detach().norm()  # noqa: B023

        # Plain descent needs longer to forget all directions but the two slowest.
        steps = s.pick(9000 if name == "plain" else 1200, 60)
        run = etude.compile(step)
        sizes = [max(run().item(), 1e-300) for _ in range(steps)]
        window = sizes[-1] / sizes[steps // 3 - 1]
        measured = log(window) / (steps - steps // 3)
        effects[f"log of the rate / theory's, {name}"] = measured / log(rate)
        curves[name] = (list(range(1, steps + 1))[:1200], sizes[:1200])
    return Found(effects, curves)


def adam_steps(s: Setting) -> Found:
    """Steps to a training loss of 0.1, each method with the best learning rate of a grid."""
    d, steps = digits(s.seed), s.pick(700, 15)
    grids: dict[str, tuple[Any, list[float]]] = {
        "SGD": (optim.SGD, [0.03, 0.1, 0.3, 1.0, 3.0, 10.0]),
        "Adam": (optim.Adam, [0.003, 0.01, 0.03, 0.1]),
    }
    effects, curves = {}, {}
    for name, (method, rates) in grids.items():
        found = []
        for lr in s.pick(rates, rates[1:2]):
            etude.manual_seed(s.seed)
            model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 10))
            losses = fit(model, d.x, d.y, steps, method(model.parameters(), lr=lr))
            found.append((first_below(losses, 0.1), losses, lr))
        best = min(found, key=lambda f: (f[0], sum(f[1])))
        effects[f"steps, {name}"] = float(best[0])
        curves[f"{name}, rate {best[2]:g}"] = smooth(best[1], 10)
    effects["SGD's steps / Adam's"] = effects["steps, SGD"] / effects["steps, Adam"]
    return Found(effects, curves)


def cliff(s: Setting) -> Found:
    """h <- w h, 50 times, should come to 1/2: flat below w = 1, a wall above it."""
    effects, curves = {}, {}
    first = 1.05 + 0.1 * etude.rand(1).item()
    for name, clip in (("clipped", 1.0), ("unclipped", None)):
        w = nn.Parameter(etude.tensor([first], dtype=etude.float64))
        optimizer = optim.SGD([w], 0.002)
        losses = []
        for _ in range(s.pick(400, 10)):
            optimizer.zero_grad()
            h = etude.ones(1, dtype=etude.float64)
            for _ in range(50):
                h = h * w
            loss = ((h - 0.5) ** 2).sum()
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_([w], clip)
            value = loss.item()
            losses.append(min(value, FAR) if isfinite(value) else FAR)
            if losses[-1] == FAR:
                break
            optimizer.step()
        effects[f"log10 loss, {name}"] = log10(max(losses[-1], 1e-12))
        curves[name] = (list(range(1, len(losses) + 1)), losses)
    return Found(effects, curves)


def batch_norm_rate(s: Setting) -> Found:
    """The largest rate of a grid with which 300 steps bring the training error below 5 %, or 0."""
    d, rates = digits(s.seed), s.pick([0.01 * 10 ** (i / 2) for i in range(9)], [0.1])
    effects, curves = {}, {}
    for name in ("plain", "batch norm"):
        errors = []
        for lr in rates:
            etude.manual_seed(s.seed)
            layers: list[nn.Module] = [nn.Flatten()]
            for _ in range(6):
                layers.append(nn.Linear(64, 64, bias=name == "plain"))
                layers += [nn.BatchNorm1d(64)] if name != "plain" else []
                layers.append(nn.ReLU())
            model = nn.Sequential(*layers, nn.Linear(64, 10))
            for m in model:
                if isinstance(m, nn.Linear):
                    he(m.weight)
            fit(model, d.x, d.y, s.pick(300, 3), optim.SGD(model.parameters(), lr))
            wrong = error(model, d.x, d.y)
            errors.append(wrong if isfinite(wrong) else 90.0)
        works = [lr for lr, wrong in zip(rates, errors) if wrong < 5.0]
        effects[f"largest rate, {name}"] = max(works, default=0.0)
        curves[name] = (rates, errors)
    plain = effects["largest rate, plain"]
    effects["ratio"] = effects["largest rate, batch norm"] / plain if plain else nan
    return Found(effects, curves)


CLAIMS = [
    Claim("vanishing", "D0 D1 D2 D3", "gradients of sigmoid nets vanish with depth, ReLU's do not",
          "digits", in_each("sigmoid < 1e-4, ReLU > 0.1", lambda e:
          e["first/last layer, sigmoid"] < 1e-4 and e["first/last layer, ReLU"] > 0.1),
          vanishing, ("layer", "norm of the gradient", "log")),
    Claim("bad-start", "D3", "cross-entropy learns from a bad start where squared error stalls",
          "digits", in_each("cross-entropy < 15 % wrong and 3 times less", lambda e:
          e["% wrong, cross-entropy"] < min(15.0, e["% wrong, squared error"] / 3)),
          bad_start, ("step", "% of training digits wrong", "linear")),
    Claim("variance", "D0 D2 D3", "Xavier and He keep variance through 20 layers, N(0, 0.01) not",
          "digits", in_each("Xavier and He within a factor 20, N(0, 0.01) < 1e-10", lambda e:
          all(0.05 < e[f"last/first, {k}"] < 20 for k in ("Xavier, tanh", "He, ReLU"))
          and e["last/first, N(0, 0.01), ReLU"] < 1e-10),
          variances, ("layer", "variance before the activation", "log")),
    Claim("lsuv", "D0", "LSUV trains a plain net of 30 layers that the default start does not",
          "digits", in_each("LSUV < 10 % wrong, default > 50 %", lambda e:
          e["% wrong, LSUV"] < 10 and e["% wrong, default"] > 50),
          plain_30, ("step", "training loss", "linear")),
    Claim("momentum", "D0 D2 D3", "momentum and Nesterov reach theory's rates on a bad quadratic",
          "synthetic", in_each("log of each rate within 10 % of theory's", lambda e:
          all(abs(v - 1) < 0.1 for v in e.values())),
          quadratic, ("step", "distance to the minimum", "log")),
    Claim("adam", "D0 D2 D3", "Adam takes fewer steps to a loss than SGD, each at its best rate",
          "digits", clearly("SGD's steps / Adam's", 1.0), adam_steps,
          ("step", "training loss", "log")),
    Claim("clipping", "D0", "clipped descent survives a cliff that unclipped descent leaves",
          "synthetic", in_each("clipped loss < 0.01, unclipped > 0.1", lambda e:
          e["log10 loss, clipped"] < -2 and e["log10 loss, unclipped"] > -1),
          cliff, ("step", "loss", "log")),
    Claim("batch-norm-rate", "D0 D3", "batch norm allows a learning rate 10 times larger",
          "digits", in_each("ratio >= 10", lambda e: e["ratio"] > 9.99),
          batch_norm_rate, ("learning rate", "% of training digits wrong", "linear")),
]  # fmt: skip
