"""What a claim is: a statement of the courses, an experiment, and when it counts as shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import mean, stdev
from typing import Any

Effects = dict[str, float]
Curve = tuple[Sequence[float], Sequence[float]]

# Student's t with 5 % above it, for 1, 2, ... degrees of freedom; for more the last is on the safe
# side.
T_ONE_SIDED = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83)


@dataclass(frozen=True)
class Setting:
    """What an experiment is told: its seed, and whether it is only to be tried out."""

    seed: int
    quick: bool = False

    def pick(self, whole: Any, quick: Any) -> Any:
        """One of two values: for a whole experiment or a quick one."""
        return quick if self.quick else whole


@dataclass
class Found:
    """What one run of an experiment measured.

    `effects` are numbers by name, which decide; `curves` (xs, ys) and `images` (n, H, W) in [0, 1]
    are for the picture.
    """

    effects: Effects
    curves: dict[str, Curve] = field(default_factory=dict)
    images: Any = None


@dataclass(frozen=True)
class Verdict:
    """When a claim holds, in words and as a function of the effects by name, one for each seed."""

    words: str
    holds: Callable[[Mapping[str, Sequence[float]]], bool]


@dataclass(frozen=True)
class Claim:
    """A statement and its experiment.

    `axes` are the labels (x, y) and the scale of the curves, `shown` says what the images are.
    """

    name: str
    decks: str
    statement: str
    data: str
    verdict: Verdict
    run: Callable[[Setting], Found]
    axes: tuple[str, str, str] = ("", "", "linear")
    shown: str = ""


def in_each(words: str, test: Callable[[Effects], bool]) -> Verdict:
    """The claim holds if the test does for the effects of each seed."""

    def holds(effects: Mapping[str, Sequence[float]]) -> bool:
        rows = zip(*effects.values(), strict=True)
        return all(test(dict(zip(effects, row, strict=True))) for row in rows)

    return Verdict(f"{words}, for each seed", holds)


def clearly(name: str, above: float = 0.0) -> Verdict:
    """The claim holds if an effect lies above a number for each seed, and its mean by a t test.

    One-sided at 5 %: mean - above > t s / sqrt(n). Of twenty effects that are none, one passes.
    One seed shows nothing.
    """

    def holds(effects: Mapping[str, Sequence[float]]) -> bool:
        values = effects[name]
        if len(values) < 2 or min(values) <= above:
            return False
        t = T_ONE_SIDED[min(len(values) - 1, len(T_ONE_SIDED)) - 1]
        return mean(values) - above > t * standard_error(values)

    return Verdict(f"{name} > {above:g} for each seed, and their mean by a t test at 5 %", holds)


def both(a: Verdict, b: Verdict) -> Verdict:
    """Two verdicts that have to hold together."""
    return Verdict(f"{a.words}; {b.words}", lambda effects: a.holds(effects) and b.holds(effects))


def standard_error(values: Sequence[float]) -> float:
    """s / sqrt(n), 0 for a single value."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
