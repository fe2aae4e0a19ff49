"""Claims about auto-encoders: what their codes are like."""

from __future__ import annotations

from typing import Any

import etude
from etude import Tensor, models, nn, optim
from etude import functional as F

from .claim import Claim, Found, Setting, clearly, in_each
from .common import brightness, digits, error, fit


def principal_subspace(s: Setting) -> Found:
    """64-8-64, linear; the space that the decoder spans against the first 8 principal axes."""
    import numpy as np

    d, k = digits(s.seed), 8
    x = d.x.flatten(1)
    x = x - x.mean(0)
    values = x.numpy().astype("float64")
    axes = np.linalg.svd(values, full_matrices=False)[2][:k].T
    best = float(((values - values @ axes @ axes.T) ** 2).sum(1).mean())
    model = models.dense_autoencoder((64, k), "identity")
    angles, losses = [], []
    rounds, epochs = s.pick(10, 1), s.pick(400, 2)
    for i in range(rounds):
        rate = 0.01 * 0.6**i
        step = models.autoencoder_step(model, optim.Adam(model.parameters(), rate))
        losses += models.each_batch(step, x, epochs, len(x), compile=True)
        span = np.linalg.qr(model.decoder[0][1].weight.detach().numpy().astype("float64"))[0]
        cosines = np.clip(np.linalg.svd(span.T @ axes)[1], -1, 1)
        angles.append(float(np.degrees(np.arccos(cosines)).max()))
    effects = {"degrees, largest principal angle": angles[-1], "loss / PCA's": losses[-1] / best}
    return Found(effects, {"angle": ([float(epochs * (i + 1)) for i in range(rounds)], angles)})


def learnt(s: Setting, model: Any, x: Tensor, epochs: int = 60, **options: Any) -> Any:
    """Train an auto-encoder."""
    step = models.autoencoder_step(model, optim.Adam(model.parameters(), 0.003), **options)
    models.each_batch(step, x, s.pick(epochs, 1), s.pick(64, 256), compile=True)
    return model


def squared_miss(model: Any, x: Tensor) -> float:
    with etude.no_grad():
        return ((model(x) - x) ** 2).sum(1).mean().item()


def sparse_codes(s: Setting) -> Found:
    """64-128-64 with ReLU codes, with and without an L1 penalty on them."""
    x, test = brightness(digits(s.seed))
    effects, curves = {}, {}
    for name, options in (("plain", {}), ("L1", {"penalty": models.sparse(0.2)})):
        etude.manual_seed(s.seed)
        model = learnt(s, models.dense_autoencoder((64, 128), "relu"), x, **options)
        with etude.no_grad():
            h = model.encode(test)
        effects[f"% of units at 0, {name}"] = 100.0 * (h == 0).float().mean().item()
        effects[f"squared miss, {name}"] = squared_miss(model, test)
        on = sorted((h > 0).float().sum(1).tolist())
        curves[name] = ([100.0 * i / len(on) for i in range(len(on))], on)
    return Found(effects, curves)


def robust_codes(s: Setting) -> Found:
    """How far noise moves a code, against how far codes of two digits are apart."""
    x, test = brightness(digits(s.seed))
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "denoising": {"corrupt": models.gaussian_noise(0.3)},
        "contractive": {"penalty": models.contractive(s.pick(0.05, 0.05), samples=4)},
    }
    sigmas = [0.05, 0.1, 0.2, 0.3]
    effects, curves = {}, {}
    for name, options in kinds.items():
        etude.manual_seed(s.seed)
        model = learnt(s, models.dense_autoencoder((64, 64)), x, **options)
        with etude.no_grad():
            h = model.encode(test)
            apart = (h - h.flip(0)).norm(2, 1).mean().item()
            moves = [
                (model.encode(test + etude.randn_like(test) * sigma) - h).norm(2, 1).mean().item()
                for sigma in sigmas
            ]
        curves[name] = (sigmas, [move / apart for move in moves])
        effects[f"moved / apart, {name}"] = moves[2] / apart
    return Found(effects, curves)


def pretraining(s: Setting) -> Found:
    """64-100-100-100-10 of sigmoids, 100 labels; its layers from auto-encoders of 1,347 digits."""
    wrong: dict[str, list[float]] = {"pretrained": [], "from scratch": []}
    for seed in range(s.seed * 10, s.seed * 10 + s.pick(2, 1)):
        d = digits(seed)
        x, test = brightness(d)
        for name, found in wrong.items():
            etude.manual_seed(seed)
            model = models.dense_autoencoder((64, 100, 100, 100))
            for module in model.modules():
                if isinstance(module, nn.Linear):
                    nn.init.xavier_uniform_(module.weight)
                    nn.init.zeros_(module.bias)
            if name == "pretrained":
                models.pretrain_stack(
                    model, x, s.pick(60, 1), lambda p: optim.Adam(p, 0.003), s.pick(64, 256),
                    corrupt=models.masking(0.25), compile=True,
                )  # fmt: skip
            net = models.with_classifier(model, 100, 10)
            rate = optim.Adam(net.parameters(), 0.002)
            fit(net, x[:100], d.y[:100], s.pick(600, 2), rate, batch=50)
            found.append(error(net, test, d.test_y))
    effects = {f"% wrong, {k}": sum(v) / len(v) for k, v in wrong.items()}
    gain = effects["% wrong, from scratch"] - effects["% wrong, pretrained"]
    return Found({**effects, "gain in points": gain})


def belief_net(s: Setting) -> Found:
    """64-100-100-100-10 of sigmoids, 100 labels; its layers from Boltzmann machines (CD-1)."""
    effects = {}
    d = digits(s.seed)
    x, test = brightness(d)
    for name in ("pretrained", "from scratch"):
        etude.manual_seed(s.seed)
        model = models.DBN((64, 100, 100, 100))
        if name == "pretrained":
            models.pretrain_dbn(
                model, x, s.pick(60, 1), lambda p: optim.SGD(p, 0.1, momentum=0.5),
                s.pick(32, 256), compile=True,
            )  # fmt: skip
        net = models.dbn_classifier(model, 10)
        if name != "pretrained":
            for layer in net:
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight)
        optimizer = optim.Adam(net.parameters(), 0.002)
        fit(net, x[:100], d.y[:100], s.pick(600, 2), optimizer, batch=50)
        effects[f"% wrong, {name}"] = error(net, test, d.test_y)
    gain = effects["% wrong, from scratch"] - effects["% wrong, pretrained"]
    return Found({**effects, "gain in points": gain})


def hashing(s: Setting) -> Found:
    """32 bits from a deep auto-encoder whose code is made noisy, so that it learns to saturate."""
    d = digits(s.seed)
    x, test = brightness(d)
    model = models.dense_autoencoder((64, 128, 32), "sigmoid")
    optimizer = optim.Adam(model.parameters(), 0.002)

    def step(xs: Tensor) -> Tensor:
        optimizer.zero_grad()
        h = F.relu(model.encoder[0][1](xs.flatten(1)))
        logits = model.encoder[1][1](h)
        y = model.decode(F.sigmoid(logits + etude.randn_like(logits) * 4.0))
        loss = ((y - xs) ** 2).sum() / float(xs.shape[0])
        loss.backward()
        optimizer.step()
        return loss.detach()

    models.each_batch(step, x, s.pick(120, 1), s.pick(64, 256), compile=True)
    with etude.no_grad():
        bits, queries = (
            (model.encoder[1][1](F.relu(model.encoder[0][1](t))) > 0).float() for t in (x, test)
        )
    away = queries @ (1.0 - bits).T + (1.0 - queries) @ bits.T
    nearest = away.argsort(1)[:, :10]
    same = d.y[nearest] == d.test_y.unsqueeze(1)
    chance = max((d.test_y == c).float().mean().item() for c in range(10))
    return Found({
        "% of 10 neighbours with the label": 100.0 * same.float().mean().item(),
        "% by chance": 100.0 * chance,
        "% of bits on": 100.0 * bits.mean().item(),
    })  # fmt: skip


CLAIMS = [
    Claim("linear-pca", "D0 D3 D4", "a linear auto-encoder spans the principal subspace", "digits",
          in_each("largest angle < 5 degrees, loss within 1 % of PCA's", lambda e:
          e["degrees, largest principal angle"] < 5 and e["loss / PCA's"] < 1.01),
          principal_subspace, ("step", "largest principal angle, degrees", "log")),
    Claim("sparse-codes", "D0 D4", "an L1 penalty makes codes sparse", "digits",
          in_each("> 80 % of units at 0, and 20 points more than without", lambda e:
          e["% of units at 0, L1"] > max(80, e["% of units at 0, plain"] + 20)),
          sparse_codes, ("% of test digits with fewer units on", "units on of 128", "linear")),
    Claim("robust-codes", "D0 D3 D4", "denoising and contractive codes change less under noise",
          "digits", in_each("both move less than the plain code's, relative to distances",
          lambda e: max(e["moved / apart, denoising"], e["moved / apart, contractive"])
          < e["moved / apart, plain"]),
          robust_codes, ("deviation of the noise", "moved / apart", "linear")),
    Claim("pretraining", "D0", "stacked pretraining helps with 100 labels", "100 labels",
          clearly("gain in points"), pretraining),
    Claim("belief-net", "D0", "a deep belief net's pretraining helps with 100 labels",
          "100 labels", clearly("gain in points"), belief_net),
    Claim("hashing", "D1", "neighbours by a semantic hash of 32 bits share labels", "digits",
          in_each("> 60 % of neighbours, 4 times chance", lambda e:
          e["% of 10 neighbours with the label"] > max(60, 4 * e["% by chance"])), hashing),
]  # fmt: skip
