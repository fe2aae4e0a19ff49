"""Claims about architectures: depth, convolution, pooling, layers left out."""

from __future__ import annotations

from collections.abc import Sequence

import etude
from etude import Tensor, nn, optim
from etude import functional as F

from .claim import Claim, Found, Setting, clearly, in_each
from .common import digits, error, fit, smooth, turned


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
    """AlexNet's five convolutions and three linear layers for 16x16, some of them left out."""
    channels, layers = 1, []
    for i, n in enumerate((16, 32, 48, 48, 32), 1):
        if i not in without:
            layers += [nn.Conv2d(channels, n, 3, padding=1), nn.ReLU()]
            channels = n
        layers += [nn.MaxPool2d(2)] if i in (1, 2, 5) else []
    layers.append(nn.Flatten())
    width = 4 * channels
    for i in (6, 7):
        if i not in without:
            layers += [nn.Linear(width, 128), nn.ReLU()]
            width = 128
    model = nn.Sequential(*layers, nn.Linear(width, 10))
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return model


def scattered(x: Tensor, background: float) -> Tensor:
    """Digits anywhere in 16x16, turned by up to 25 degrees and sized by up to 20 %.

    In place and of 8x8 they are too easy: without four of its layers the net reads them as well.
    """
    return turned(x, background, degrees=25.0, size=0.2, move=0.8, zoom=2.0, side=16)


def layer_removal(s: Setting) -> Found:
    d = digits(s.seed)
    etude.manual_seed(s.seed)
    test_x = etude.cat([scattered(d.test_x, d.black) for _ in range(4)])
    test_y = etude.cat([d.test_y] * 4)
    effects: dict[str, float] = {}
    for gone in ((), (7,), (3, 4), (6, 7), (3, 4, 6, 7)):
        etude.manual_seed(s.seed)
        model = alexnet_form(gone)
        for rate, steps in ((0.002, s.pick(1500, 2)), (0.0004, s.pick(500, 2))):
            optimizer = optim.Adam(model.parameters(), rate)
            fit(model, d.x, d.y, steps, optimizer, change=lambda x: scattered(x, d.black))
        name = "without " + ", ".join(map(str, gone)) if gone else "whole"
        effects[f"% wrong, {name}"] = error(model, test_x, test_y)
    return Found(effects)


def removal_costs(e: dict[str, float]) -> bool:
    base, most = e["% wrong, whole"], e["% wrong, without 3, 4, 6, 7"]
    others = [v for k, v in e.items() if k not in ("% wrong, whole", "% wrong, without 3, 4, 6, 7")]
    return most > max(others) and most - base > 3 * (e["% wrong, without 7"] - base)


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
          "digits, scattered in 16x16", in_each(
          "without 3, 4, 6, 7 costs most, and over 3 times what 7 does", removal_costs),
          layer_removal),
]  # fmt: skip
