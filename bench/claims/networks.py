"""Claims about architectures: depth, convolution, pooling, recurrence, transfer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import etude
from etude import Tensor, nn, optim
from etude import functional as F

from .claim import Claim, Found, Setting, clearly, in_each
from .common import digits, error, fit, smooth


# depth --------------------------------------------------------------------------------------------
class Pair(nn.Module):
    """Two 3x3 convolutions with batch norm, on top of their input or in its place."""

    def __init__(self, channels: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + x if self.residual else y)


def tower(depth: int, residual: bool, channels: int = 8) -> nn.Sequential:
    """depth - 2 convolutions in pairs between a first one and a linear layer, started by He's rule.

    He et al.'s nets for small images without their change of size: the digits are 8x8.
    """
    pairs = [Pair(channels, residual) for _ in range((depth - 2) // 2)]
    first = nn.Conv2d(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
    last = nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 10)
    model = nn.Sequential(*first, *pairs, *last)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def depth(s: Setting) -> Found:
    """Training errors after 400 steps, the rate ten times lower in the last quarter of them."""
    d, (few, many) = digits(s.seed), s.pick((20, 56), (4, 6))
    effects, curves = {}, {}
    for name in ("plain", "residual"):
        for layers, label in ((few, 20), (many, 56)):
            etude.manual_seed(s.seed)
            model = tower(layers, name == "residual")
            optimizer = optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)
            losses = fit(model, d.x, d.y, s.pick(300, 2), optimizer)
            optimizer.param_groups[0]["lr"] = 0.005
            losses += fit(model, d.x, d.y, s.pick(100, 2), optimizer)
            effects[f"% wrong in training, {name} {label}"] = error(model, d.x, d.y)
            curves[f"{name} {label}"] = smooth(losses, 10)
    return Found(effects, curves)


def deeper_is_worse(e: dict[str, float]) -> bool:
    plain, residual = (
        e[f"% wrong in training, {name} 56"] - e[f"% wrong in training, {name} 20"]
        for name in ("plain", "residual")
    )
    return plain > 1 and residual < 1


# convolution and pooling --------------------------------------------------------------------------
def weights(model: nn.Module) -> float:
    return float(sum(p.numel() for p in model.parameters()))


def dense_net(n: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, n), nn.ReLU(), nn.Linear(n, 10))


def conv_net(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, a, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4 * b, 10),
    )  # fmt: skip


def fewer_weights(s: Setting) -> Found:
    """The same accuracy is the best that dense nets come to; errors are means of three nets."""
    d = digits(s.seed)
    sizes = {
        "dense": s.pick((8, 12, 16, 24, 32, 48, 64, 128), (4,)),
        "conv": s.pick((2, 3, 4, 6, 8, 12, 16), (2,)),
    }
    effects: dict[str, float] = {}
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for name, widths in sizes.items():
        found = []
        for n in widths:
            wrong = []
            for repeat in range(s.pick(3, 1)):
                etude.manual_seed(s.seed * 10 + repeat)
                model = dense_net(n) if name == "dense" else conv_net(n, 2 * n)
                fit(model, d.x, d.y, s.pick(600, 3), optim.Adam(model.parameters(), 0.005))
                wrong.append(error(model, d.test_x, d.test_y))
            found.append((weights(model), sum(wrong) / len(wrong)))
        curves[name] = ([size for size, _ in found], [wrong for _, wrong in found])
    level = min(curves["dense"][1])
    for name, (found_sizes, errors) in curves.items():
        enough = [size for size, wrong in zip(found_sizes, errors) if wrong <= level]
        effects[f"weights, {name}"] = min(enough, default=2 * max(found_sizes))
    effects["% wrong at that"] = level
    effects["dense / conv"] = effects["weights, dense"] / effects["weights, conv"]
    return Found(effects, curves)


def moved(x: Tensor, right: int, down: int, fill: float) -> Tensor:
    """Images moved by whole pixels."""
    pads = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))
    h, w = x.shape[2:]
    wide = F.pad(x, pads, value=fill)
    top, left = max(-down, 0), max(-right, 0)
    return wide[:, :, top : top + h, left : left + w]


def shift_invariance(s: Setting) -> Found:
    """Nets that halve by pooling, or by strides in the same convolutions; test digits moved."""
    d = digits(s.seed)
    effects, curves = {}, {}
    for name in ("max pooling", "strides"):
        etude.manual_seed(s.seed)
        layers: list[nn.Module] = []
        for m, n in ((1, 16), (16, 32)):
            stride = 2 if name == "strides" else 1
            layers += [nn.Conv2d(m, n, 3, stride, padding=1), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if stride == 1 else []
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 10))
        fit(model, d.x, d.y, s.pick(600, 3), optim.Adam(model.parameters(), 0.003))
        by = [-2, -1, 0, 1, 2]
        wrong = [error(model, moved(d.test_x, k, 0, d.black), d.test_y) for k in by]
        effects[f"% wrong in place, {name}"] = wrong[2]
        effects[f"% wrong moved by 1, {name}"] = (wrong[1] + wrong[3]) / 2
        curves[name] = ([float(k) for k in by], wrong)
    gain = effects["% wrong moved by 1, strides"] - effects["% wrong moved by 1, max pooling"]
    return Found({**effects, "gain in points": gain}, curves)


def alexnet_form(without: Sequence[int]) -> nn.Sequential:
    """AlexNet's five convolutions and three linear layers for 8x8, some of them left out."""
    channels, layers = 1, []
    for i, n in enumerate((16, 32, 48, 48, 32), 1):
        if i not in without:
            layers += [nn.Conv2d(channels, n, 3, padding=1), nn.ReLU()]
            channels = n
        layers += [nn.MaxPool2d(2)] if i in (2, 5) else []
    layers.append(nn.Flatten())
    width = 4 * channels
    for i in (6, 7):
        if i not in without:
            layers += [nn.Linear(width, 128), nn.ReLU()]
            width = 128
    return nn.Sequential(*layers, nn.Linear(width, 10))


def layer_removal(s: Setting) -> Found:
    d = digits(s.seed, 300)
    effects: dict[str, float] = {}
    for gone in ((), (7,), (3, 4), (6, 7), (3, 4, 6, 7)):
        wrong = []
        for repeat in range(s.pick(2, 1)):
            etude.manual_seed(s.seed * 10 + repeat)
            model = alexnet_form(gone)
            fit(model, d.x, d.y, s.pick(400, 2), optim.Adam(model.parameters(), 0.002))
            wrong.append(error(model, d.test_x, d.test_y))
        name = "without " + ", ".join(map(str, gone)) if gone else "whole"
        effects[f"% wrong, {name}"] = sum(wrong) / len(wrong)
    return Found(effects)


def removal_costs(e: dict[str, float]) -> bool:
    base, most = e["% wrong, whole"], e["% wrong, without 3, 4, 6, 7"]
    others = [v for k, v in e.items() if k not in ("% wrong, whole", "% wrong, without 3, 4, 6, 7")]
    return most > max(others) and most - base > 3 * (e["% wrong, without 7"] - base)


# recurrence and transfer --------------------------------------------------------------------------
class Reader(nn.Module):
    """A recurrent layer and a decision from its last state."""

    def __init__(self, cell: Any, hidden: int) -> None:
        super().__init__()
        self.cell = cell(2, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cell(x)[0][:, -1])


def memory(s: Setting) -> Found:
    """The sign of a first number, asked for after a lag of noise of the same size."""
    effects, curves = {}, {}
    lags = s.pick((10, 20, 40, 60), (5,))
    for name, cell in (("RNN", nn.RNN), ("LSTM", nn.LSTM)):
        found = []
        for lag in lags:
            etude.manual_seed(s.seed)
            n = s.pick(1500, 600)
            y = etude.randint(2, (n,))
            start = etude.stack([y.float() * 2 - 1, etude.ones(n)], 1).unsqueeze(1)
            noise = etude.cat([etude.randn(n, lag, 1), etude.zeros(n, lag, 1)], 2)
            x = etude.cat([start, noise], 1)
            model = Reader(cell, 16)
            if name == "LSTM":
                with etude.no_grad():
                    model.cell.bias_ih_l0[16:32] = 2.0  # its forget gates begin open
            optimizer = optim.Adam(model.parameters(), 0.005)
            clip = lambda m=model: nn.utils.clip_grad_norm_(m.parameters(), 1.0)  # noqa: E731
            fit(model, x[:-500], y[:-500], s.pick(700, 2), optimizer, batch=32, before_step=clip)
            found.append(error(model, x[-500:], y[-500:]))
            effects[f"% wrong, {name} lag {lag}"] = found[-1]
        curves[name] = ([float(lag) for lag in lags], found)
    return Found(effects, curves)


def remembers(e: dict[str, float]) -> bool:
    lags = [k.split()[-1] for k in e if "LSTM" in k]
    return any(e[f"% wrong, LSTM lag {k}"] < 5 and e[f"% wrong, RNN lag {k}"] > 30 for k in lags)


def transfer(s: Setting) -> Found:
    """Learnt on 0 ... 4, then 5 ... 9 from a few labels of each: a new last layer on features that
    stay, the same with all layers fine-tuned, or all from scratch."""
    d = digits(s.seed)
    kept = [etude.nonzero(mask).flatten() for mask in (d.y < 5, d.y >= 5, d.test_y >= 5)]
    low_x, low_y = (etude.index_select(t, 0, kept[0]) for t in (d.x, d.y))
    x, y = (etude.index_select(t, 0, kept[1]) for t in (d.x, d.y - 5))
    test_x, test_y = (etude.index_select(t, 0, kept[2]) for t in (d.test_x, d.test_y - 5))
    source = conv_net(16, 32)
    fit(source, low_x, low_y, s.pick(400, 3), optim.Adam(source.parameters(), 0.003))
    effects: dict[str, float] = {}
    curves: dict[str, Any] = {}
    for few in s.pick((1, 2, 5, 10), (2,)):
        rows = [i for c in range(5) for i in etude.nonzero(y == c).flatten().tolist()[:few]]
        few_x, few_y = etude.index_select(x, 0, rows), etude.index_select(y, 0, rows)
        for name in ("frozen", "fine-tuned", "scratch"):
            etude.manual_seed(s.seed)
            model = conv_net(16, 32)
            if name != "scratch":
                head = {k: v for k, v in model.state_dict().items() if k.startswith("7.")}
                model.load_state_dict({**source.state_dict(), **head})
            trained = model[7] if name == "frozen" else model
            optimizer = optim.Adam(trained.parameters(), 0.003)
            fit(model, few_x, few_y, s.pick(300, 3), optimizer, batch=5 * few)
            xs, wrong = curves.setdefault(name, ([], []))
            xs.append(float(few))
            wrong.append(error(model, test_x, test_y))
            if few == 2:
                effects[f"% wrong with 2 labels, {name}"] = wrong[-1]
    best = min(v for k, v in effects.items() if "scratch" not in k)
    gain = effects["% wrong with 2 labels, scratch"] - best
    return Found({**effects, "gain in points": gain}, curves)


CLAIMS = [
    Claim("depth", "D0 D2 D3 D4", "56 plain layers train worse than 20; 56 residual ones do not",
          "digits", in_each("56 layers a point worse than 20 if plain, less if residual",
          deeper_is_worse), depth, ("step", "training loss", "log")),
    Claim("conv-weights", "D0 D3 D4", "convolution needs fewer weights than dense layers",
          "digits", in_each("dense / conv > 1", lambda e: e["dense / conv"] > 1),
          fewer_weights, ("weights", "% of test digits wrong", "linear")),
    Claim("pooling-shift", "D1 D2 D4", "max pooling adds invariance to shifts",
          "digits", clearly("gain in points"), shift_invariance,
          ("moved to the right by pixels", "% of test digits wrong", "linear")),
    Claim("layer-removal", "D3", "AlexNet's form loses little without layer 7, most without four",
          "300 digits, 8x8", in_each(
          "without 3, 4, 6, 7 costs most, and over 3 times what 7 does", removal_costs),
          layer_removal),
    Claim("memory", "D3", "an LSTM remembers over a lag where a simple RNN does not",
          "synthetic", in_each("at one of the lags LSTM < 5 % wrong, RNN > 30 %", remembers),
          memory, ("lag", "% wrong", "linear")),
    Claim("transfer", "D0 D1 D4", "transfer, frozen or fine-tuned, beats scratch on few labels",
          "digits 0-4 to 5-9", clearly("gain in points"), transfer,
          ("labels of each class", "% of test digits wrong", "linear")),
]  # fmt: skip
