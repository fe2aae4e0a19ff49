"""Timing on a device: kernels by graphs over rotating buffers, in turns, by the device's clock.

    inputs are there several times, more bytes in all than the cache holds
    device time: the steps over all of them are captured as one graph; replays between two events
    eager time:  the same steps called from Python, between two synchronisations

Both sides are captured, so device time compares kernels with kernels, whatever Python costs. A step
that cannot be captured is timed eagerly, and marked so. Medians over rounds in which the sides take
turns. Nothing here knows whose device it is: `Side` says what is asked of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median
from typing import Any, Protocol

from .case import Step, Work

ROUND = 0.012  # seconds of one turn
MOST_COPIES = 64
TIMES_CACHE = 3.0


class Side(Protocol):
    """One library on the device."""

    @property
    def name(self) -> str: ...

    def steps(self, work: Work, copies: int) -> list[Step]:
        """The work's step over inputs of its own, so many times."""

    def capture(self, steps: Sequence[Step]) -> Step | None:
        """One call that does all steps with nothing of Python between; None if it cannot."""

    def elapsed(self, step: Step, times: int) -> float:
        """Seconds of the device from the first of so many calls to the end of the last."""


@dataclass
class Timing:
    """One side's figures on one case, seconds a step. `how` is graph or eager."""

    name: str
    how: str
    rounds: list[float] = field(default_factory=list)
    eager: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return median(self.rounds)

    @property
    def eager_seconds(self) -> float | None:
        """The median of steps called from Python."""
        return median(self.eager) if self.eager else None

    @property
    def spread(self) -> float:
        """From the fastest round to the slowest, over the median."""
        return (max(self.rounds) - min(self.rounds)) / self.seconds


@dataclass
class Turn:
    """What one side runs in a round."""

    side: Side
    timing: Timing
    step: Step
    units: int
    times: int


def copies(work: Work, cache: int) -> int:
    """How many inputs there have to be so that the cache holds none of them when it comes again."""
    bytes_ = work.bytes or sum(x.nbytes for x in work.inputs)
    return max(1, min(MOST_COPIES, ceil(TIMES_CACHE * cache / max(bytes_, 1.0))))


def race(
    work: Work,
    sides: Sequence[Side],
    cache: int,
    rounds: int,
    eager: bool = False,
    failed: Callable[[str, Exception], Any] = lambda name, error: None,
) -> list[Timing]:
    """Time a step of each side. `eager` asks for steps from Python too."""
    many = copies(work, cache)
    turns, calls = [], list[Turn]()
    for side in sides:
        try:
            steps = side.steps(work, many)
            for step in steps[:2]:
                step()
            whole = side.capture(steps)
            timing = Timing(side.name, "eager" if whole is None else "graph")
            one_by_one = in_turn(steps)
            turns.append(turn(side, timing, whole or one_by_one, len(steps)))
            if eager:
                calls.append(turn(side, timing, one_by_one, len(steps)))
        except Exception as error:  # one that fails must not end the others' race
            failed(side.name, error)
    for _ in range(rounds):
        for t in turns:
            t.timing.rounds.append(t.side.elapsed(t.step, t.times) / (t.times * t.units))
        for t in calls:
            t.timing.eager.append(t.side.elapsed(t.step, t.times) / (t.times * t.units))
    return [t.timing for t in turns]


def in_turn(steps: Sequence[Step]) -> Step:
    """All steps, one after the other."""

    def call() -> None:
        for step in steps:
            step()

    return call


def turn(side: Side, timing: Timing, step: Step, units: int) -> Turn:
    """Warm up, and find how many calls make a round."""
    side.elapsed(step, 1)
    once = side.elapsed(step, 2) / 2
    return Turn(side, timing, step, units, max(1, round(ROUND / max(once, 1e-7))))
