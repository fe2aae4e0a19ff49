"""Races: competitors take turns in one process, so that a slow minute of the machine hits them all.

A turn begins with a rest, in which the threads of whoever ran before stop spinning, and with steps
that are not counted, which wake the threads and warm the caches of whoever runs now. How long idle
threads spin differs (torch's 6 ms, those of NumPy's OpenBLAS 115), and while they do, a library
that waits for all of its own threads can be a hundred times slower; so the rest lasts until the
process uses no more processor time.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

Step = Callable[[], object]

LONGEST_REST = 0.5  # seconds
LOOK = 0.012  # seconds asleep between looks at the processor time, which ticks every 4 ms
IDLE = 0.1  # of a processor: less is no spinning
FOREIGN = 0.1  # of a processor: more, and other processes disturb a round
TICKS = 0.03  # seconds by which the system's count may be wrong
AWAY = 0.2  # seconds to wait for them to end
WARM_UP = 0.05  # seconds of uncounted steps in a turn, at least one
TURN = 0.1  # seconds of counted steps in a turn, at least three


@dataclass
class Competitor:
    """A name and what is timed: one call of `step`, which stands for `units` operations.

    `repeat` calls make one measurement, so that reading the clock weighs little.
    """

    name: str
    step: Step
    units: int = 1
    repeat: int = 1
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
) -> int:
    """Give every competitor one turn a round; their `times` grow. `scale` shortens the turns.

    A round in which other processes work is done again later, while half as many again do not
    suffice; returns how many rounds that were counted were disturbed all the same.
    """
    again, disturbed, number = rounds // 2 + 1, 0, 0
    while number < rounds:
        gc.collect()
        seen, start, counts = others(), time.perf_counter(), [len(c.times) for c in competitors]
        for competitor in competitors:
            say(f"round {number + 1} of {rounds}: {competitor.name}")
            _turn(competitor, scale)
        calm = others() - seen <= FOREIGN * (time.perf_counter() - start) + TICKS
        if calm or not again:
            number += 1
            disturbed += not calm
            continue
        again -= 1
        for competitor, count in zip(competitors, counts):
            del competitor.times[count:]
        time.sleep(AWAY)
    return disturbed


def others() -> float:
    """Processor seconds that went to other processes since the start, 0.0 where nobody counts."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, fields)
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return busy - time.process_time()


def rest() -> None:
    """Sleep until all threads of the process do."""
    end = time.perf_counter() + LONGEST_REST
    while time.perf_counter() < end:
        used, start = time.process_time(), time.perf_counter()
        time.sleep(LOOK)
        if time.process_time() - used < IDLE * (time.perf_counter() - start):
            return


def _turn(competitor: Competitor, scale: float) -> None:
    rest()
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
