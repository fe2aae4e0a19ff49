"""Which learning rate to begin with: a short run over many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, log
from typing import Any, NamedTuple

from ..autograd import no_grad
from ..checks import instance, real, whole
from ..errors import ArgumentError, fail
from .optimizer import Optimizer

DECK_RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # D0


class RangeTest(NamedTuple):
    """Rates that were tried, the losses that their steps returned, and the rate to begin with."""

    rates: list[float]
    losses: list[float]
    best: float


def lr_range_test(
    step: Callable[[], Any],
    optimizer: Optimizer,
    low: float = 1e-5,
    high: float = 1.0,
    count: int = 50,
) -> RangeTest:
    """One step at each of `count` rates from low to high, in equal ratios.

    Then parameters, rates and the optimizer's state are put back (not running statistics). The loss
    of a rate is what step returned: usually the loss before that step moved anything.
    `best` is the rate at which the loss, averaged over neighbours, fell fastest against log(lr);
    the run ends early where the loss is 4 times its least (if that is above 0) or not finite.

    Args: step, which does one training step (zero_grad, backward, optimizer.step) on the next batch
    and returns the loss. Raises: ArgumentError.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3.
    Decks: D0 (which tries the rates 0.3 to 0.001 in turn: `try_rates`).
    """
    op = "lr_range_test"
    instance(op, "optimizer", optimizer, Optimizer, "build one first")
    real(op, "low", low, open_ends="(")
    if not low < high:
        raise fail(ArgumentError, op, f"expected low < high, got {low} and {high}; swap them")
    whole(op, "count", count, 3)
    rates = [low * (high / low) ** (i / (count - 1)) for i in range(count)]
    saved = _Saved(optimizer)
    losses: list[float] = []
    try:
        for rate in rates:
            saved.set_rate(rate)
            losses.append(float(step()))
            if not isfinite(losses[-1]) or losses[-1] > 4.0 * min(losses) > 0.0:
                break
    finally:
        saved.put_back()
    rates = rates[: len(losses)]
    return RangeTest(rates, losses, rates[_steepest(rates, losses)])


def _steepest(rates: list[float], losses: list[float]) -> int:
    """Where the smoothed loss falls fastest over log(rate)."""
    usable = [i for i, loss in enumerate(losses) if isfinite(loss)]
    smooth = [
        sum(losses[j] for j in usable if abs(i - j) <= 1)
        / max(sum(abs(i - j) <= 1 for j in usable), 1)
        for i in usable
    ]
    slopes = [
        (smooth[i] - smooth[i - 1]) / (log(rates[i]) - log(rates[i - 1]))
        for i in range(1, len(smooth))
    ]
    return slopes.index(min(slopes)) + 1 if slopes else 0


def try_rates(
    step: Callable[[], Any],
    optimizer: Optimizer,
    rates: Sequence[float] = DECK_RATES,
    steps: int = 20,
) -> RangeTest:
    """The loss after `steps` steps from the same start, for each of the rates; all is put back.

    `best` is the rate of the least loss; at least one must be finite. Args: step as for
    lr_range_test; rates > 0.
    Raises: ArgumentError. Source: Bengio 2012. Decks: D0 (try 0.3, 0.1, 0.03, 0.01, 0.003, 0.001).
    """
    op = "try_rates"
    instance(op, "optimizer", optimizer, Optimizer, "build one first")
    whole(op, "steps", steps)
    if not rates:
        raise fail(ArgumentError, op, "expected rates, got none; leave them out for D0's")
    saved = _Saved(optimizer)
    losses = []
    for rate in rates:
        saved.set_rate(real(op, "rates", rate, open_ends="("))
        try:
            found = [float(step()) for _ in range(steps)]
        finally:
            saved.put_back()
        losses.append(found[-1] if isfinite(found[-1]) else float("inf"))
    if not isfinite(min(losses)):
        said = f"expected a finite loss for one rate at least, got none for {list(rates)}"
        raise fail(ArgumentError, op, f"{said}; try lower ones")
    return RangeTest(list(rates), losses, rates[losses.index(min(losses))])


class _Saved:
    """Parameters, rates and state of an optimizer before a trial."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.parameters = [p for g in optimizer.param_groups for p in g["params"]]
        self.values = [p.detach().clone() for p in self.parameters]
        self.rates = [g["lr"] for g in optimizer.param_groups]
        self.state = {
            p: {k: v.clone() if hasattr(v, "clone") else v for k, v in s.items()}
            for p, s in optimizer.state.items()
        }

    def set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def put_back(self) -> None:
        with no_grad():
            for p, value in zip(self.parameters, self.values, strict=True):
                p.copy_(value)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate
        self.optimizer.state.clear()
        for p, s in self.state.items():
            self.optimizer.state[p] = {
                k: v.clone() if hasattr(v, "clone") else v for k, v in s.items()
            }
