"""Claims about what one task teaches for another."""

from __future__ import annotations

from typing import Any

import etude
from etude import Tensor, nn, optim

from .claim import Claim, Found, Setting, clearly
from .common import Digits, digits, error, fit, turned
from .networks import conv_net

LABELS = (1, 2, 5, 10)  # of each class
HELD = 150  # digits by which the way and the rate are chosen


def chosen(t: Tensor, rows: list[int]) -> Tensor:
    return etude.index_select(t, 0, rows)


def rows_where(mask: Tensor) -> list[int]:
    return etude.nonzero(mask).flatten().tolist()  # type: ignore[no-any-return]


def source_net(s: Setting, d: Digits) -> nn.Module:
    """A convolutional net that learnt 0 ... 6, augmented."""
    model, low = conv_net(16, 32), rows_where(d.y < 7)
    optimizer = optim.Adam(model.parameters(), 0.003)
    fit(model, chosen(d.x, low), chosen(d.y, low), s.pick(600, 3), optimizer,
        change=lambda x: turned(x, d.black))  # fmt: skip
    return model


def started(source: nn.Module, way: str) -> Any:
    """A net with the features of a source, or from scratch; its last layer is new."""
    model = conv_net(16, 32)
    if way != "scratch":
        head = {k: v for k, v in model.state_dict().items() if k.startswith("7.")}
        model.load_state_dict({**source.state_dict(), **head})
    return model


def best_of(
    s: Setting, ways: tuple[str, ...], source: nn.Module, few: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], seed: int,
) -> float:  # fmt: skip
    """The test error of the way and rate that are best on the digits held out."""
    tried = []
    for way in ways:
        for rate in s.pick((0.001, 0.003), (0.003,)):
            etude.manual_seed(seed)
            model = started(source, way)
            optimizer = optim.Adam((model[7] if way == "frozen" else model).parameters(), rate)
            fit(model, *few, s.pick(150, 3), optimizer, batch=len(few[1]))
            tried.append((error(model, *held), error(model, *test)))
    return min(tried)[1]


def transfer(s: Setting) -> Found:
    """Learnt on 0 ... 6, then 7, 8 and 9 from a few labels of each; means of three draws of those.

    A new last layer on features that stay, or all layers fine-tuned, against all from scratch.
    """
    d = digits(s.seed)
    source, high, tests = source_net(s, d), rows_where(d.y >= 7), rows_where(d.test_y >= 7)
    x, y = chosen(d.x, high), chosen(d.y - 7, high)
    test = chosen(d.test_x, tests), chosen(d.test_y - 7, tests)
    ways = {"transfer": ("frozen", "fine-tuned"), "scratch": ("scratch",)}
    errors: dict[str, dict[int, list[float]]] = {name: {} for name in ways}
    for draw in range(s.pick(3, 1)):
        order = etude.randperm(len(y)).tolist()
        x, y = chosen(x, order), chosen(y, order)
        for count in s.pick(LABELS, (2,)):
            rows = [i for c in range(3) for i in rows_where(y[:-HELD] == c)[:count]]
            few, held = (chosen(x, rows), chosen(y, rows)), (x[-HELD:], y[-HELD:])
            for name, tried in ways.items():
                seed = s.seed * 10 + draw
                wrong = best_of(s, tried, source, few, held, test, seed)
                errors[name].setdefault(count, []).append(wrong)
    curves = {
        name: ([float(count) for count in found], [sum(v) / len(v) for v in found.values()])
        for name, found in errors.items()
    }
    means = {name: sum(found[2]) / len(found[2]) for name, found in errors.items()}
    effects = {f"% wrong with 2 labels, {name}": value for name, value in means.items()}
    return Found({**effects, "gain in points": means["scratch"] - means["transfer"]}, curves)


CLAIMS = [
    Claim("transfer", "D0 D1 D4", "transfer, frozen or fine-tuned, beats scratch on few labels",
          "digits 0-6 to 7-9", clearly("gain in points"), transfer,
          ("labels of each class", "% of test digits wrong", "linear")),
]  # fmt: skip
