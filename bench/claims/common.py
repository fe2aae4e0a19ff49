"""What the experiments share: the digits, and a training loop that is one compiled step."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import pi
from typing import Any, NamedTuple

import etude
from etude import Tensor, data, nn
from etude import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]


class Digits(NamedTuple):
    """Real digits (n, 1, 8, 8) with labels, normalised; `black` is what 0 became."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    black: float


@cache
def digits(seed: int, count: int | None = None) -> Digits:
    """scikit-learn's digits: 1,347 to train and 450 to test, drawn by the seed.

    With `count` only so many are to train, and all others to test.
    """
    splits = data.digits(seed=seed)
    (x, y), (test_x, test_y) = (
        tuple(t.to(etude.default_backend()) for t in part.tensors)
        for part in (splits.train, splits.test)
    )
    if count is not None:
        test_x, test_y = etude.cat([x[count:], test_x]), etude.cat([y[count:], test_y])
        x, y = x[:count], y[:count]
    return Digits(x, y, test_x, test_y, splits.background)


def brightness(d: Digits) -> tuple[Tensor, Tensor]:
    """Training and test images with their brightness in [0, 1], as rows of 64."""
    low = d.black
    high = max(d.x.max().item(), d.test_x.max().item())
    return tuple(((t - low) / (high - low)).clamp(0, 1).flatten(1) for t in (d.x, d.test_x))  # type: ignore[return-value]


def turned(
    x: Tensor,
    background: float,
    degrees: float = 15.0,
    size: float = 0.1,
    move: float = 0.25,
    zoom: float = 1.0,
    side: int = 8,
) -> Tensor:
    """Each image turned by up to 15 degrees, sized by up to 10 % and moved by up to a pixel.

    `zoom` 2 with `side` 16 puts it into a plane of twice its size; `move` is a share of half that.
    """
    n = x.shape[0]
    u = etude.rand(n, 4) * 2.0 - 1.0
    angle, scale = u[:, 0] * (degrees * pi / 180.0), (1.0 + u[:, 1] * size) * zoom
    a, b = F.cos(angle) * scale, F.sin(angle) * scale
    theta = etude.stack([a, -b, u[:, 2] * move, b, a, u[:, 3] * move], 1).reshape(n, 2, 3)
    grid = F.affine_grid(theta, (n, 1, side, side), align_corners=False)
    return F.grid_sample(x - background, grid, align_corners=False) + background


def fit(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    steps: int,
    optimizer: Any,
    loss: Loss = F.cross_entropy,
    batch: int = 64,
    change: Callable[[Tensor], Tensor] | None = None,
    extra: Callable[[], Tensor] | None = None,
    before_step: Callable[[], Any] | None = None,
    compiled: bool = True,
) -> list[float]:
    """Train on random mini-batches; the loss of each step, without what `extra` adds to it.

    `change` augments a batch outside of what is compiled; `before_step` sees the gradients.
    """

    def step(xs: Tensor, ys: Tensor) -> Tensor:
        optimizer.zero_grad()
        value = loss(model(xs), ys)
        (value if extra is None else value + extra()).backward()
        if before_step is not None:
            before_step()
        optimizer.step()
        return value.detach()

    run = etude.compile(step) if compiled else step
    losses: list[float] = []
    size, order = min(batch, len(x)), []
    for _ in range(steps):
        if len(order) < size:
            order = etude.randperm(len(x)).tolist()
        rows, order = order[:size], order[size:]
        xs = etude.index_select(x, 0, rows)
        xs = xs if change is None else change(xs)
        losses.append(run(xs, etude.index_select(y, 0, rows)).item())
    return losses


def error(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of wrong answers, in per cent, in evaluation mode."""
    model.eval()
    with etude.no_grad():
        hits = (model(x).argmax(1) == y).float().mean().item()
    model.train()
    return 100.0 * (1.0 - hits)


def smooth(values: list[float], width: int = 20) -> tuple[list[float], list[float]]:
    """A curve of means over runs of steps: (steps, means)."""
    starts = range(0, max(len(values) - width + 1, 1), width)
    parts = [values[i : i + width] for i in starts]
    return [float(i + 1) for i in starts], [sum(p) / len(p) for p in parts]


def first_below(values: list[float], level: float, width: int = 10) -> int:
    """The first step at which the mean of the last `width` values is below a level, or len + 1."""
    for i in range(width, len(values) + 1):
        if sum(values[i - width : i]) / width < level:
            return i
    return len(values) + 1
