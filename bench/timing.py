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

PAUSE = 0.03  # seconds asleep before a turn, unless the one before says less
WARM_UP = 0.05  # seconds of uncounted steps in a turn, at least one
TURN = 0.1  # seconds of counted steps in a turn, at least three


@dataclass
class Competitor:
    """A name and what is timed: one call of `step`, which stands for `units` operations.

    `repeat` calls make one measurement, so that reading the clock weighs little. `pause` is how
    long whoever comes next sleeps first: threads that spin longer than that would slow it down.
    """

    name: str
    step: Step
    units: int = 1
    repeat: int = 1
    pause: float | None = None
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


def race(
    competitors: Sequence[Competitor], rounds: int, say: Callable[[str], None], scale: float = 1.0
) -> None:
    """Give every competitor one turn a round; their `times` grow. `scale` shortens the turns."""
    pause: float | None = None
    for number in range(rounds):
        for competitor in competitors:
            say(f"round {number + 1} of {rounds}: {competitor.name}")
            _turn(competitor, PAUSE if pause is None else min(pause, PAUSE), scale)
            pause = competitor.pause


def _turn(competitor: Competitor, pause: float, scale: float) -> None:
    gc.collect()
    time.sleep(pause)
    enabled = gc.isenabled()
    gc.disable()
    try:
        _repeat(competitor, scale * WARM_UP, 1)
        for seconds in _repeat(competitor, scale * TURN, 3):
            competitor.times.append(seconds / (competitor.units * competitor.repeat))
    finally:
        if enabled:
            gc.enable()


def _repeat(competitor: Competitor, seconds: float, least: int) -> list[float]:
    """The duration of each measurement, of at least `least` and until `seconds` have gone by."""
    step, times, calls = competitor.step, list[float](), range(competitor.repeat)
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in calls:
            step()
        times.append(time.perf_counter() - start)
    return times
