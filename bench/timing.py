"""Races: competitors take turns in one process, so that a slow minute of the machine hits them all.

A turn begins with a sleep, in which the thread pool of whoever ran before stops spinning, and with
steps that are not counted, which wake the pool and warm the caches of whoever runs now.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

Step = Callable[[], object]

PAUSE = 0.03  # seconds asleep before a turn
WARM_UP = 0.05  # seconds of uncounted steps in a turn, at least one
TURN = 0.1  # seconds of counted steps in a turn, at least three


@dataclass
class Competitor:
    """A name and what is timed: one call of `step`, which stands for `units` operations."""

    name: str
    step: Step
    units: int = 1
    times: list[float] = field(default_factory=list)  # seconds a unit

    @property
    def median(self) -> float:
        """Seconds a unit."""
        return median(self.times)

    @property
    def best(self) -> float:
        """Seconds a unit, in the fastest step."""
        return min(self.times)

    @property
    def spread(self) -> float:
        """The interquartile range over the median."""
        low, _, high = quantiles(self.times, n=4)
        return (high - low) / self.median


def race(competitors: Sequence[Competitor], rounds: int, say: Callable[[str], None]) -> None:
    """Give every competitor one turn a round; their `times` grow."""
    for number in range(rounds):
        for competitor in competitors:
            say(f"round {number + 1} of {rounds}: {competitor.name}")
            _turn(competitor)


def _turn(competitor: Competitor) -> None:
    gc.collect()
    time.sleep(PAUSE)
    enabled = gc.isenabled()
    gc.disable()
    try:
        _repeat(competitor.step, WARM_UP, 1)
        for seconds in _repeat(competitor.step, TURN, 3):
            competitor.times.append(seconds / competitor.units)
    finally:
        if enabled:
            gc.enable()


def _repeat(step: Step, seconds: float, least: int) -> list[float]:
    """The duration of each step, of at least `least` steps and until `seconds` have gone by."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times
